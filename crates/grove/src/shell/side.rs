//! The outside of the loop: what tasks and threads of this process hold in hand to reach it.

use super::accounts::Lines;
use super::answers;
use super::inbox::{Asked, Gone, Inbox, Input};
use super::roll::{Pen, Roll};
use super::room::Room;
use super::rows::{RowError, Rows};
use super::shares::Shares;
use super::waiting::Wait;
use crate::door::Told;
use crate::store::{Blobs, StoreError};
use grove_core::circle::Circle;
use grove_core::id::{JobId, PersonId, TaskId};
use grove_core::job::Refusal;
use grove_core::limits;
use grove_core::message::{Data, Message};
use grove_core::node::{Event, Kept, Node, Reply, Wish};
use grove_core::task::Span;
use grove_core::units::Millis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

/// News that wait for a slow watcher, in batches.
const NEWS_MAX: usize = 1_024;

/// Inputs that come with one wish: they are kept in one commit. More of them are lines of a blob, or are added later.
const INPUTS_MAX: usize = 1 << 20;

/// A cheap handle.
#[derive(Debug, Clone)]
pub struct Side {
    inbox: Arc<Inbox>,
    news: broadcast::Sender<Arc<Vec<Told>>>,
    rows: Rows,
    roll: Arc<Pen>,
    room: Room,
    /// How long finished jobs stay on the books, in milliseconds.
    keep: Arc<AtomicU64>,
    shares: Shares,
}

impl Side {
    pub(super) fn new(inbox: Arc<Inbox>, rows: Rows, keep: Millis) -> Side {
        let (news, keep) = (broadcast::Sender::new(NEWS_MAX), Arc::new(keep.0.into()));
        Side { inbox, news, rows, roll: Arc::new(Pen::new()), room: Room::new(), keep, shares: Shares::default() }
    }

    /// From now on so much is kept, and for so long.
    pub(crate) fn heed(&self, disk_bytes: u64, keep: Millis) {
        self.rows.blobs.set_quota(disk_bytes);
        self.keep.store(keep.0, Ordering::Relaxed);
    }

    /// How much each person keeps here.
    pub(crate) fn shares(&self) -> &Shares {
        &self.shares
    }

    pub(super) fn keep(&self) -> Millis {
        Millis(self.keep.load(Ordering::Relaxed))
    }

    /// Something happened to this node or its executors.
    pub fn happened(&self, event: Event) -> Result<(), Gone> {
        self.inbox.put(Input::Event(event))
    }

    /// A neighbour says something. Waits while the node has more to do than it can hold.
    pub async fn heard(&self, event: Event) -> Result<(), Gone> {
        let event = match event {
            Event::Heard { from, message } => Event::Heard { from, message: self.received(message) },
            other => other,
        };
        self.inbox.put_when_there_is_room(Input::Event(event)).await
    }

    /// Answers are looked at here, on the link's thread, so that the loop need not hash.
    fn received(&self, mut message: Message) -> Message {
        match &mut message {
            Message::Done { answers, .. } | Message::Shown { answers, .. } => {
                answers.iter_mut().for_each(|answer| answers::receive(answer, &self.rows.blobs));
            }
            Message::Solved { answer, .. } => answers::receive(answer, &self.rows.blobs),
            _ => {}
        }
        message
    }

    /// Stops the node in good order.
    pub fn stop(&self) -> Result<(), Gone> {
        self.inbox.put(Input::Stop)
    }

    pub(crate) async fn ask(&self, wish: Wish, inputs: Vec<Data>) -> Result<Reply, Gone> {
        if inputs.len() > INPUTS_MAX {
            return Ok(Reply::Refused { why: Refusal::TooManyInputs });
        }
        let (reply, answer) = oneshot::channel();
        let inputs = self.shrunk(inputs).await?;
        self.inbox.put_when_there_is_room(Input::Asked(Asked { wish, inputs, reply, answered: None })).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Asks, and waits until the inputs that come along have their answers, for so long at the most.
    pub(crate) async fn ask_and_wait(
        &self,
        wish: Wish,
        inputs: Vec<Data>,
        most: Duration,
    ) -> Result<(Reply, Option<TaskId>), Gone> {
        let ((reply, answer), (answered, done)) = (oneshot::channel(), oneshot::channel());
        let inputs = self.shrunk(inputs).await?;
        let asked = Asked { wish, inputs, reply, answered: Some(answered) };
        self.inbox.put_when_there_is_room(Input::Asked(asked)).await?;
        // The reply is there long before, but nobody need be woken for it. After a refusal there is nothing to wait for.
        let root = tokio::time::timeout(most, done).await.ok().and_then(Result::ok).flatten();
        if root.is_none() {
            // A look shows only what is durable: by then the reply is.
            self.look(|_| ()).await?;
        }
        Ok((answer.await.map_err(|_| Gone)?, root))
    }

    /// Inputs that are too large for a row lie in blobs.
    async fn shrunk(&self, inputs: Vec<Data>) -> Result<Vec<Data>, Gone> {
        let large = |data: &Data| matches!(data, Data::Inline { bytes } if bytes.len() > limits::INLINE_MAX);
        if !inputs.iter().any(large) {
            return Ok(inputs);
        }
        let blobs = self.rows.blobs.clone();
        let shrink = move |data| match data {
            Data::Inline { bytes } => answers::data(&blobs, bytes.to_vec()),
            other => Ok(other),
        };
        let all = tokio::task::spawn_blocking(move || inputs.into_iter().map(shrink).collect::<Result<Vec<Data>, _>>());
        match all.await {
            Ok(Ok(inputs)) => Ok(inputs),
            Ok(Err(error)) => {
                tracing::error!("an input cannot be kept: {error}");
                Err(Gone)
            }
            Err(_) => Err(Gone),
        }
    }

    pub(crate) async fn look<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Node) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        let look = move |node: &Node| {
            // Whoever asked may have gone meanwhile.
            let _ = reply.send(question(node));
        };
        self.inbox.put_when_there_is_room(Input::Look(Box::new(look))).await?;
        answer.await.map_err(|_| Gone)
    }

    pub(crate) async fn finished(&self, job: JobId, items: Span) -> Result<(), Gone> {
        let (done, answer) = oneshot::channel();
        self.inbox.put_when_there_is_room(Input::Wait(Wait { job, items, done })).await?;
        answer.await.map(drop).map_err(|_| Gone)
    }

    pub(crate) fn news(&self) -> broadcast::Receiver<Arc<Vec<Told>>> {
        self.news.subscribe()
    }

    pub(super) fn publish(&self, told: Vec<Told>) {
        if !told.is_empty() && self.news.receiver_count() > 0 {
            // The last receiver may go at this very moment.
            let _ = self.news.send(Arc::new(told));
        }
    }

    /// Who belongs has changed, or is known for the first time.
    pub(super) fn admit(&self, circle: &Circle) {
        self.roll.write(circle);
    }

    /// Who belongs.
    pub fn roll(&self) -> Roll {
        self.roll.roll()
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Comes back, with the reason, when the loop waits for room on the disk.
    pub(crate) async fn wants_room(&self) -> Arc<StoreError> {
        self.room.wanting().await
    }

    pub(super) fn is_watched(&self) -> bool {
        self.news.receiver_count() > 0
    }

    /// Lines of an account from a number on.
    pub(crate) fn account(&self, person: PersonId, from: u64, limit: usize) -> Result<Lines, RowError> {
        Ok(super::accounts::lines(&self.rows, person, from, limit)?)
    }

    pub(crate) fn answers(&self, root: TaskId, stage: u8, from: u64, limit: usize) -> Result<Vec<Kept>, RowError> {
        Ok(self.rows.answers(root, stage, from, limit)?.0)
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.rows.blobs
    }
}
