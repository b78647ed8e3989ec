//! What is left of an order: parts not yet given, and parts of executors that died.

use std::collections::VecDeque;
use std::sync::Arc;

use grove_core::id::JobId;
use grove_sandbox::limits::FRAME_BYTES_MAX;
use grove_sandbox::{Outcome, Part, Status, Terms};
use tokio::sync::mpsc;

use super::code::Code;
use super::lane::{CHUNK_BYTES, Chunk};
use super::{Order, RunError};

/// An order's number; executors bear it in their answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(pub(super) u64);

/// Where an order's outcomes go.
pub(super) type Said = mpsc::UnboundedSender<Result<Vec<(usize, Outcome)>, RunError>>;

/// What is left of an order to give.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) job: JobId,
    pub(super) code: Code,
    pub(super) package: Option<Arc<[u8]>>,
    terms: Terms,
    pub(super) beyond: bool,
    parts: VecDeque<Part>,
    next: u64,
    /// Parts of executors that died, given one by one so that the one which kills is found.
    pub(super) again: VecDeque<(u64, Part)>,
    pub(super) said: Said,
}

/// What an executor is bound to.
pub(super) type Key = (JobId, Arc<str>);

impl Work {
    pub(super) fn new(order: Order, terms: Terms, code: Code, said: Said) -> Work {
        let mut work = Work {
            job: order.job,
            code,
            package: order.package,
            terms,
            beyond: order.beyond,
            parts: order.parts.into(),
            next: 0,
            again: VecDeque::new(),
            said,
        };
        work.refuse_giants();
        work
    }

    pub(super) fn key(&self) -> Key {
        (self.job, Arc::clone(&self.code.name))
    }

    pub(super) fn is(&self, key: &Key) -> bool {
        self.job == key.0 && self.code.name == key.1
    }

    /// Parts that wait for their first try.
    pub(super) fn left(&self) -> u64 {
        self.parts.len() as u64
    }

    /// Whether some of it was given before.
    pub(super) fn is_begun(&self) -> bool {
        self.next > 0
    }

    pub(super) fn waits(&self) -> bool {
        !self.parts.is_empty() || !self.again.is_empty()
    }

    pub(super) fn chunk(&mut self, number: Number, most: u64) -> Option<Chunk> {
        let (first, parts) = match self.again.pop_front() {
            Some((place, part)) => (place, Arc::from([part])),
            None => (self.next, self.some_parts(most)),
        };
        if parts.is_empty() {
            return None;
        }
        if first == self.next {
            self.next += parts.len() as u64;
        }
        Some(Chunk { number, first, terms: self.terms, parts, done: 0 })
    }

    fn some_parts(&mut self, most: u64) -> Arc<[Part]> {
        let mut bytes = 0;
        let fits = |part: &Part| {
            bytes += part.bytes();
            bytes <= CHUNK_BYTES
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.parts.len());
        let count = self.parts.iter().take(most).map(fits).take_while(|fits| *fits).count();
        self.parts.drain(..count.max(1).min(most)).collect()
    }

    pub(super) fn fail(&self, error: RunError) {
        // Whoever stopped listening does not mind.
        let _ = self.said.send(Err(error));
    }

    /// Parts too large for a frame are answered at once, and an empty place is left for each.
    fn refuse_giants(&mut self) {
        if self.parts.iter().all(|part| part.bytes() <= FRAME_BYTES_MAX / 2) {
            return;
        }
        for (place, part) in std::mem::take(&mut self.parts).into_iter().enumerate() {
            if part.bytes() <= FRAME_BYTES_MAX / 2 {
                self.again.push_back((place as u64, part));
                continue;
            }
            let why = format!("its input has {} bytes, the limit is {}", part.bytes(), FRAME_BYTES_MAX / 2);
            let _ = self.said.send(Ok(vec![(place, Outcome::early(Status::BadInput(why)))]));
        }
        self.next = u64::MAX;
    }
}
