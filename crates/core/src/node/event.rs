//! What happens to a node.

use crate::circle::{Invitation, Session};
use crate::id::{AskId, Digest, Incarnation, JobId, Lease, NodeId, PersonId};
use crate::job::Job;
use crate::message::{Answer, Message, Part};
use crate::units::{Credits, Millis};
use std::sync::Arc;

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
    /// A piece that this node took as a task has its answer: so it lies in the store, and so do its parts.
    Solved { giver: NodeId, lease: Lease, answer: Answer, parts: Vec<Part> },
    /// What such an answer is made of can be shown: whatever it names is within the giver's reach.
    Shown { giver: NodeId, lease: Lease, answers: Vec<Answer> },
    /// The owner of this machine comes back (no slots) or leaves (some).
    Lends { slots: u32 },
    /// So many slots stay for jobs of whoever began the circle, also while nothing is lent to others.
    Keeps { slots: u32 },
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
    /// The same, with its whole budget set aside at once, so that no other job counts on it.
    Promise {
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
    /// The circle is to change.
    Circle {
        change: Change,
    },
}

/// How a circle may change. `by` is who asks; whether that person may is decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The founder has this name from now on; the first time, that makes the circle.
    Found {
        name: Arc<str>,
    },
    /// Whoever knows the secret may come in.
    Invite {
        secret: Digest,
        whole: Invitation,
    },
    /// Somebody who knows a secret comes in with this machine. The name is that of a new account.
    Join {
        secret: Digest,
        key: Digest,
        name: Arc<str>,
        machine: Arc<str>,
    },
    /// A machine lends under the name of this node.
    Claim {
        node: NodeId,
        key: Digest,
    },
    /// A password was right: the token of this hash stands for that person.
    LogIn {
        token: Digest,
        whole: Session,
    },
    LogOut {
        token: Digest,
    },
    /// Somebody has another password; all sessions of theirs end.
    Password {
        person: PersonId,
        hash: Arc<str>,
    },
    /// Credits for somebody else.
    Pay {
        by: PersonId,
        to: PersonId,
        amount: Credits,
    },
    Revoke {
        by: PersonId,
        what: Revoked,
    },
}

/// What can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    Person(PersonId),
    Machine(Digest),
    Invitation(Digest),
}
