//! What waits to be sent to one neighbour: putting something in costs a push; making frames of it is the link's work.

use super::shape::FRAME_BYTES_MAX;
use super::wire::Frame;
use super::{Why, write};
use grove_core::message::Message;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tonic::Status;

/// A neighbour for which so much waits is not listening: some thousand gifts with their inputs.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    #[error("that neighbour is not linked")]
    NotLinked,
    #[error("that neighbour does not listen")]
    TooSlow,
    /// One gift or answer that no frame can hold: its bytes belong in blobs.
    #[error("one item is too large for a frame")]
    TooLarge,
}

/// Why a conversation ends; the first reason given counts.
#[derive(Debug, Clone)]
pub(super) struct Ending(Arc<watch::Sender<Option<Why>>>);

impl Ending {
    pub(super) fn end(&self, why: Why) {
        self.0.send_if_modified(|now| {
            let first = now.is_none();
            now.get_or_insert(why);
            first
        });
    }

    pub(super) fn why(&self) -> Option<Why> {
        self.0.borrow().clone()
    }

    pub(super) async fn ended(&self) -> Why {
        let mut told = self.0.subscribe();
        // The sender lives as long as `self`.
        let why = told.wait_for(Option::is_some).await.map(|why| why.clone());
        why.ok().flatten().unwrap_or(Why::Closed)
    }
}

/// The near end of the queue; when it is dropped, the stream ends after what waits in it.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: mpsc::UnboundedSender<(Message, usize)>,
    waiting: Arc<AtomicUsize>,
    pub(super) ending: Ending,
}

/// The far end: frames, and at last why there are no more.
#[derive(Debug)]
pub(super) struct Outflow {
    queue: mpsc::UnboundedReceiver<(Message, usize)>,
    waiting: Arc<AtomicUsize>,
    frames: VecDeque<Frame>,
    ending: Ending,
    over: bool,
}

pub(super) fn pair() -> (Outbox, Outflow) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let ending = Ending(Arc::new(watch::Sender::new(None)));
    let outbox = Outbox { queue: sender, waiting: Arc::clone(&waiting), ending: ending.clone() };
    let outflow = Outflow { queue: receiver, waiting, frames: VecDeque::new(), ending, over: false };
    (outbox, outflow)
}

impl Outbox {
    pub(super) fn put(&self, message: Message) -> Result<(), NotSent> {
        let (weight, largest) = write::weight(&message);
        if largest > FRAME_BYTES_MAX {
            return Err(NotSent::TooLarge);
        }
        let waiting = self.waiting.fetch_add(weight, Ordering::Relaxed);
        if waiting > WAITING_BYTES_MAX {
            return Err(NotSent::TooSlow);
        }
        self.queue.send((message, weight)).map_err(|_| NotSent::NotLinked)
    }
}

impl Stream for Outflow {
    type Item = Result<Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame, Status>>> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            match ready!(self.queue.poll_recv(context)) {
                Some((message, weight)) => {
                    self.waiting.fetch_sub(weight, Ordering::Relaxed);
                    self.frames.extend(write::frames(message));
                }
                None => {
                    self.over = true;
                    let status = self.ending.why().and_then(|why| why.status());
                    return Poll::Ready(status.map(Err));
                }
            }
        }
    }
}
