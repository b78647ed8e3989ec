//! What happens to a node.

use crate::id::{AskId, Incarnation, JobId, Lease, NodeId, PersonId};
use crate::job::Job;
use crate::message::{Answer, Message};
use crate::units::{Credits, Millis};

/// All that can happen to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The node begins a life; its journal has been applied.
    Started { incarnation: Incarnation, secret: u64 },
    /// A person asks for something; the reply carries the same id.
    Asked { ask: AskId, wish: Wish },
    /// A neighbour can be reached.
    Linked { node: NodeId },
    /// A neighbour cannot be reached any more.
    Unlinked { node: NodeId },
    /// A neighbour, or this node itself, says something.
    Heard { from: NodeId, message: Message },
    /// An executor has answers for a gift that this node holds.
    Ran { giver: NodeId, lease: Lease, answers: Vec<Answer> },
    /// The owner of this machine comes back (no slots) or leaves (some).
    Lends { slots: u32 },
    /// This node is about to stop in good order.
    Leaves,
    /// Time has passed; nothing else happened.
    Woke,
}

/// What a person may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    Submit {
        job: Box<Job>,
    },
    /// More inputs for an open job; `from` is the number of inputs that it has, so that asking twice adds once.
    /// `None` adds them behind whatever it has.
    Extend {
        job: JobId,
        from: Option<u64>,
        count: u64,
    },
    /// No more inputs for an open job.
    Close {
        job: JobId,
    },
    Cancel {
        job: JobId,
    },
    /// Run the failed parts again.
    Retry {
        job: JobId,
        budget: Credits,
    },
    Forget {
        job: JobId,
    },
    /// Credits out of nothing, for a new person: the only mint.
    Grant {
        person: PersonId,
        amount: Credits,
    },
    /// Finished jobs that ended before this are forgotten.
    Expire {
        before: Millis,
    },
}
