//! What waits for the loop. Everybody may put something in; the loop takes batches out, which grow by themselves
//! while it is busy.

use super::waiting::{Answered, Wait};
use grove_core::message::{Data, Message};
use grove_core::node::{Event, Node, Reply, Wish};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// Inputs in one batch: enough that a commit costs little for each, few enough that nobody waits long for his turn.
const BATCH_MAX: usize = 4_096;
/// Answers in one batch, since one message may carry thousands of them: some ten milliseconds of work.
const BATCH_ANSWERS_MAX: usize = 4_096;
/// What neighbours say and people ask that waits for the loop; more waits in the links, whose windows then fill.
const ROOM: usize = 4_096;

/// A short wait is likely to be followed by another: then the loop looks again and again for so long before it sleeps.
/// To wake a thread of an idle machine takes some 50 us, and there are several in each round of short parts.
const EAGER_FOR: Duration = Duration::from_micros(300);

/// One thing for the loop.
pub(super) enum Input {
    Event(Event),
    Asked(Asked),
    /// A question about the node, answered between two batches.
    Look(Box<dyn FnOnce(&Node) + Send>),
    Wait(Wait),
    Stop,
}

/// A person asks for something.
pub(super) struct Asked {
    pub(super) wish: Wish,
    /// Inputs that come with it.
    pub(super) inputs: Vec<Data>,
    pub(super) reply: oneshot::Sender<Reply>,
    /// Whoever adds inputs may wait for their answers too.
    pub(super) answered: Option<Answered>,
}

#[derive(Debug)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    filled: Condvar,
    /// The last wait was a short one.
    eager: AtomicBool,
    /// Room for what comes from outside.
    room: Semaphore,
}

#[derive(Default)]
struct Queue {
    /// Each with whether it took room.
    inputs: VecDeque<(Input, bool)>,
    closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} inputs", self.inputs.len())
    }
}

/// The loop has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this node has stopped\nhint: start it again with `grove up`")]
pub struct Gone;

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            queue: Mutex::default(),
            filled: Condvar::new(),
            eager: AtomicBool::new(false),
            room: Semaphore::new(ROOM),
        }
    }

    /// Puts something in that somebody here has made: these are bounded by what the node itself has asked for.
    pub(super) fn put(&self, input: Input) -> Result<(), Gone> {
        self.push(input, false)
    }

    fn push(&self, input: Input, took_room: bool) -> Result<(), Gone> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Gone);
        }
        queue.inputs.push_back((input, took_room));
        drop(queue);
        self.filled.notify_one();
        Ok(())
    }

    /// Puts something in that a stranger says or asks; waits while too much of that is waiting.
    pub(super) async fn put_when_there_is_room(&self, input: Input) -> Result<(), Gone> {
        self.room.acquire().await.map_err(|_| Gone)?.forget();
        self.push(input, true)
    }

    /// Takes a batch; waits for the first input until that moment. `None` waits for ever.
    pub(super) fn take(&self, until: Option<Instant>) -> Vec<Input> {
        let begun = Instant::now();
        if self.eager.load(Ordering::Relaxed) {
            let end = until.unwrap_or(begun + EAGER_FOR).min(begun + EAGER_FOR);
            while self.is_empty() && Instant::now() < end {
                // Whoever else has something to do on this core does it.
                std::thread::yield_now();
            }
        }
        let mut queue = self.lock();
        while queue.inputs.is_empty() {
            let Some(until) = until else {
                queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let span = until.saturating_duration_since(Instant::now());
            if span.is_zero() {
                break;
            }
            queue = self.filled.wait_timeout(queue, span).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.eager.store(begun.elapsed() < EAGER_FOR, Ordering::Relaxed);
        let (mut batch, mut answers, mut freed) = (Vec::new(), 0, 0);
        while let Some((input, took_room)) = queue.inputs.front() {
            answers += answers_in(input);
            if !batch.is_empty() && (batch.len() == BATCH_MAX || answers > BATCH_ANSWERS_MAX) {
                break;
            }
            freed += usize::from(*took_room);
            batch.extend(queue.inputs.pop_front().map(|(input, _)| input));
        }
        drop(queue);
        self.room.add_permits(freed);
        batch
    }

    /// Whether somebody has said stop. Looks at all that waits, so this is for the rare moment.
    pub(super) fn is_to_stop(&self) -> bool {
        self.lock().inputs.iter().any(|(input, _)| matches!(input, Input::Stop))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().inputs.is_empty()
    }

    /// Nothing more is taken: whoever waits for an answer is told that the node is gone.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.inputs.clear();
        drop(queue);
        self.room.close();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answers_in(input: &Input) -> usize {
    match input {
        Input::Event(
            Event::Heard { message: Message::Done { answers, .. } | Message::Shown { answers, .. }, .. }
            | Event::Ran { answers, .. },
        ) => answers.len(),
        Input::Asked(asked) => asked.inputs.len(),
        _ => 1,
    }
}
