//! What a node wants done. Actions that touch the store are performed in the commit that has their facts; all others
//! after it, and what somebody will rely on only when it is durable.

use super::posts::Entry;
use crate::circle::Denied;
use crate::id::{AskId, Digest, JobId, Lease, NodeId, PersonId, TaskId};
use crate::job::{Refusal, Standing};
use crate::message::{Gift, Message, Outcome, Output};
use crate::task::Span;
use crate::units::{Credits, Fuel, Millis};

/// All that a node can want done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Store: keep these answers, in the same commit as the facts.
    Keep { row: Row, answers: Vec<Kept> },
    /// Store: the answer at one row is also the answer at another.
    Lift { from: Row, to: Row },
    /// Store: nobody asks for this task's rows any more.
    Drop { task: TaskId },
    /// Store: a line of somebody's account; numbers only grow.
    Post { person: PersonId, number: u64, entry: Entry },
    /// Make the inputs of these gifts and send them to a neighbour (or hand them to this node itself).
    Give { to: NodeId, gifts: Vec<(Gift, Feed)> },
    /// Send.
    Send { to: NodeId, message: Message },
    /// Run a gift that this node holds.
    Run { giver: NodeId, gift: Box<Gift> },
    /// Stop running it.
    Stop { giver: NodeId, lease: Lease },
    /// Keep a neighbour's piece, which is now a task of this node.
    Hold { task: TaskId, gift: Box<Gift> },
    /// Answer a neighbour with what lies at this row. Where the outcome is a failure, it is that of the row.
    /// What it was made of, if anything, are so many answers of the stage of work, in order; each is an answer whose
    /// items count as one.
    Deliver { to: NodeId, lease: Lease, row: Row, outcome: Outcome, fuel: Fuel, parts: u64 },
    /// Show a neighbour so many answers of a task's stage of work: of what it was delivered, those are the parts.
    Show { to: NodeId, lease: Lease, task: TaskId, parts: u64 },
    /// Answer a person.
    Reply { ask: AskId, reply: Reply },
    /// Who may come in has changed.
    Admit,
    /// Tell whoever watches.
    Tell { news: News },
}

impl Action {
    /// Whether it must survive a crash, whatever facts come with it. Rows only have to if their facts do: those of a
    /// neighbour's piece come with none, since its giver will place it again.
    pub fn is_booked(&self) -> bool {
        matches!(self, Action::Post { .. })
    }

    /// Whether somebody will rely on it: what it rests on must survive a crash before it is done. Whoever gave a piece
    /// relies on the answer alone, and not on its being kept here.
    pub fn is_promise(&self) -> bool {
        matches!(self, Action::Reply { .. } | Action::Tell { .. })
    }
}

/// Where an answer is kept: the answers of one stage of one task, by their first item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub task: TaskId,
    pub stage: u8,
    pub first: u64,
}

/// One answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub span: Span,
    pub outcome: Outcome,
    pub output: Output,
    pub fuel: Fuel,
    pub micros: u64,
    pub by: NodeId,
}

/// Where the inputs of a gift come from. Item `i` of the gift is item `i + shift` there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feed {
    pub from: FeedFrom,
    pub shift: u64,
    /// For a check: the task and stage whose outputs for the same items of the gift are to be counted behind each input.
    pub claims: Option<(TaskId, u8)>,
}

/// What inputs are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFrom {
    /// Integers: nothing has to be made.
    Numbers { from: u64 },
    /// Inputs that came with a job or a neighbour's gift, kept under [`crate::task::Stage::INPUTS`].
    Listed { task: TaskId },
    /// Lines of a blob.
    Lines { blob: Digest },
    /// Pieces into which a split cut: the counted items in the output at this row.
    Pieces { row: Row },
    /// Outputs of the stage before, in order, counted: what a merge gets.
    Outputs { task: TaskId, stage: u8 },
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// On the books; `root` is the task under whose number inputs and answers are kept.
    Accepted {
        job: JobId,
        root: TaskId,
    },
    /// Inputs `from` up to `from + count` have been added.
    Extended {
        from: u64,
        count: u64,
    },
    Done,
    Refused {
        why: Refusal,
    },
    /// A machine of this person's is in.
    Joined {
        person: PersonId,
    },
    /// The circle stays as it was.
    Denied {
        why: Denied,
    },
}

/// What there is to see, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    Submitted {
        job: JobId,
    },
    /// A lender was given runs of a task.
    Given {
        job: JobId,
        task: TaskId,
        lease: Lease,
        to: NodeId,
        runs: u64,
        kind: Kind,
    },
    /// Runs of a lease were answered.
    Answered {
        job: JobId,
        task: TaskId,
        lease: Lease,
        by: NodeId,
        runs: u64,
        fuel: Fuel,
        micros: u64,
    },
    /// A lease ended without (all of) its answers.
    Returned {
        job: JobId,
        task: TaskId,
        lease: Lease,
        by: NodeId,
    },
    /// Items of a job's root have their answer.
    Finished {
        job: JobId,
        span: Span,
        failed: bool,
        by: Option<NodeId>,
    },
    /// An answer settled a whole task.
    Settled {
        job: JobId,
        task: TaskId,
        by: NodeId,
    },
    /// An answer was proved wrong.
    Refused {
        job: JobId,
        task: TaskId,
        by: NodeId,
    },
    Paid {
        job: JobId,
        to: NodeId,
        amount: Credits,
    },
    Ended {
        job: JobId,
        standing: Standing,
        at: Millis,
    },
}

/// What a lender was given runs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Work,
    Split,
    Merge,
    Check,
    Audit,
}
