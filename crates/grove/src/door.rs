//! The door to the loop: how the API asks a node, looks at it and watches it. It knows nothing of HTTP.

pub use crate::link::{Branch, Growth};
pub use crate::peers::{Seen, Way};
use crate::shell::Side;
pub use crate::shell::{Gone, Lines, Roll, RowError};
pub use crate::shell::{SHARE_OF_ONE, Shares};
pub use crate::store::{BlobId, BlobReader, Blobs, StoreError, Upload};
use grove_core::id::{JobId, PersonId, TaskId};
use grove_core::job::Job;
use grove_core::message::Data;
use grove_core::node::{Kept, News, Node, Reply, Wish};
use grove_core::task::Span;
use grove_core::units::Millis;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// News with its moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub at: Millis,
    pub news: News,
}

/// What a node can tell beyond its own books.
pub trait Near: Send + Sync + std::fmt::Debug {
    /// It meets free peers.
    fn is_peer(&self) -> bool;
    /// The peers that it knows.
    fn seen(&self) -> Vec<Seen>;
    /// The tree of a job, as far as those who hold it can be asked; the first branch is this node itself.
    fn tree(&self, job: JobId) -> Growing<'_>;
}

/// The branches of a tree, while they are asked for; none of a job that is not on the books.
pub type Growing<'a> = Pin<Box<dyn Future<Output = Result<Option<Vec<Branch>>, Gone>> + Send + 'a>>;

/// A cheap handle to a running node.
#[derive(Debug, Clone)]
pub struct Door {
    side: Side,
}

impl Door {
    pub(crate) fn new(side: Side) -> Door {
        Door { side }
    }

    /// How much of what is kept is somebody's.
    pub fn shares(&self) -> &Shares {
        self.side.shares()
    }

    /// From now on so much is kept, and for so long.
    pub fn heed(&self, disk_bytes: u64, keep: Millis) {
        self.side.heed(disk_bytes, keep);
    }

    /// Submits a job with the inputs that come with it; they are kept in the commit that accepts the job.
    pub async fn submit(&self, job: Job, inputs: Vec<Data>) -> Result<Reply, Gone> {
        self.side.ask(Wish::Submit { job: Box::new(job) }, inputs).await
    }

    /// The same, and no other job counts on its budget.
    pub async fn promise(&self, job: Job, inputs: Vec<Data>) -> Result<Reply, Gone> {
        self.side.ask(Wish::Promise { job: Box::new(job) }, inputs).await
    }

    /// Adds inputs to an open job that has `from` of them; `None` is as many as it has.
    pub async fn extend(&self, job: JobId, from: Option<u64>, inputs: Vec<Data>) -> Result<Reply, Gone> {
        let count = inputs.len() as u64;
        self.side.ask(Wish::Extend { job, from, count }, inputs).await
    }

    /// The same, and comes back when all of them have an answer, or when that time is over. The second is the job's
    /// root, under which the answers lie, if they are all there.
    pub async fn extend_and_wait(
        &self,
        job: JobId,
        from: Option<u64>,
        inputs: Vec<Data>,
        most: Duration,
    ) -> Result<(Reply, Option<TaskId>), Gone> {
        let count = inputs.len() as u64;
        self.side.ask_and_wait(Wish::Extend { job, from, count }, inputs, most).await
    }

    /// Asks for anything else. The reply comes after the commit.
    pub async fn ask(&self, wish: Wish) -> Result<Reply, Gone> {
        self.side.ask(wish, Vec::new()).await
    }

    /// Puts a question to the node between two batches.
    pub async fn look<T: Send + 'static>(&self, question: impl FnOnce(&Node) -> T + Send + 'static) -> Result<T, Gone> {
        self.side.look(question).await
    }

    /// What happens, batch by batch, each after its commit. Who falls behind misses the oldest.
    pub fn news(&self) -> broadcast::Receiver<Arc<Vec<Told>>> {
        self.side.news()
    }

    /// Comes back when all of these items of a job's root have an answer, or the job has ended.
    pub async fn finished(&self, job: JobId, items: Span) -> Result<(), Gone> {
        self.side.finished(job, items).await
    }

    /// Answers from item `from` on, about `limit` of them at the most; of two over the same items the later one.
    /// A job that still runs may have answers here that are not proved yet.
    pub fn answers(&self, root: TaskId, stage: u8, from: u64, limit: usize) -> Result<Vec<Kept>, RowError> {
        self.side.answers(root, stage, from, limit)
    }

    /// Lines of an account from a number on.
    pub fn account(&self, person: PersonId, from: u64, limit: usize) -> Result<Lines, RowError> {
        self.side.account(person, from, limit)
    }

    /// Who belongs to the circle of this node.
    pub fn roll(&self) -> Roll {
        self.side.roll()
    }

    /// Comes back, with the reason, when the node waits for room on its disk: until there is some it answers nobody.
    pub async fn wants_room(&self) -> Arc<StoreError> {
        self.side.wants_room().await
    }

    /// The blobs of this node.
    pub fn blobs(&self) -> &Blobs {
        self.side.blobs()
    }
}
