//! What has become true. Facts are journaled; the state is what they add up to.
//!
//! A fact says what was decided, never why, so that deciding may change in every release. Variants and fields are
//! only ever added at the end: old journals must be read for ever (golden samples in the tests see to that).

use super::{JobBook, Purse};
use crate::circle::{Invitation, Machine, Person, Session};
use crate::id::{Digest, Incarnation, JobId, Lease, NodeId, PersonId, TaskId};
use crate::job::{Job, Standing};
use crate::ledger::Account;
use crate::message::{Gift, Signed, Totals};
use crate::peer::{Favours, Record};
use crate::task::{Pending, Span, Stage, Task, Why};
use crate::units::{Credits, Fuel, Millis};
use serde::{Deserialize, Serialize};

/// All that can become true at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// The node began a life; what it draws by chance hangs on the secret.
    Started { incarnation: Incarnation, secret: u64 },
    /// Credits moved.
    Moved { from: Account, to: Account, amount: Credits },
    /// A job is on the books, paid for in advance.
    Submitted { job: Box<Job>, root: TaskId, at: Millis },
    /// An open job has more inputs.
    Extended { job: JobId, count: u64 },
    /// An open job gets no more inputs.
    Closed { job: JobId },
    /// A neighbour's piece is a task of this node.
    Taken { task: TaskId, from: NodeId, gift: Box<Gift>, stage: Stage },
    /// An input is a task of its own.
    Opened { task: TaskId, parent: TaskId, item: u64 },
    /// A neighbour is known, in this life of its.
    Met { node: NodeId, incarnation: Incarnation },
    /// A lender holds these.
    Given {
        lease: Lease,
        task: TaskId,
        to: NodeId,
        why: Why,
        pieces: Vec<Span>,
        chunk: u64,
        price: Credits,
        inner: bool,
    },
    /// Answers count, until or unless their lender is caught.
    Answered { lease: Lease, spans: Vec<Span>, fuel: Fuel },
    /// Answers are set aside until they are proved.
    SetAside { lease: Lease, pending: Vec<Pending> },
    /// A pending answer was proved right (and counts), or needs another proof.
    Proved { task: TaskId, lease: Lease, firsts: Vec<u64> },
    /// A proof did not settle what these pending answers are worth.
    Unsettled { task: TaskId, lease: Lease, firsts: Vec<u64>, then: Then },
    /// A pending answer was proved wrong; its lender is caught.
    Refuted { task: TaskId, lease: Lease, first: u64 },
    /// An answer stands as it is: a prover's in place of the one that was wrong, or a believed one that the tool fails.
    Corrected { lease: Lease, span: Span, fuel: Fuel, failed: bool },
    /// A lender was found out.
    Caught { node: NodeId },
    /// Leases ended without further answers.
    Returned { leases: Vec<Lease> },
    /// A run broke the machine it ran on.
    Broke { lease: Lease, span: Span },
    /// No machine could run these; the tool is taken to fail on them.
    GaveUp { task: TaskId, span: Span },
    /// Parts of this task cost more than was thought.
    Dearer { lease: Lease, span: Span, limit: Fuel },
    /// An answer settled the whole task.
    Settled { task: TaskId, first: u64 },
    /// Nothing more is wanted of this task.
    Ending { task: TaskId, standing: Standing },
    /// Older answers of a lender (all of them at the end of a stage) are final, and paid.
    Vested { task: TaskId, node: NodeId, all: bool, pay: Credits },
    /// A task goes on to another stage.
    Staged { task: TaskId, stage: Stage, count: u64 },
    /// A task is over; what was held for it and not spent is returned.
    Ended { task: TaskId, standing: Standing, fuel: Fuel, at: Millis },
    /// Parts that failed are wanted again.
    Retried { job: JobId, at: Millis, budget: Credits },
    /// A finished job is off the books.
    Forgotten { job: JobId },
    /// A neighbour says what it has paid in all.
    Credited { node: NodeId, total: Credits },
    /// In a snapshot: what an account holds or owes.
    Balance { account: Account, balance: i64 },
    /// In a snapshot: what is known of a neighbour.
    Known { node: NodeId, record: Record },
    /// In a snapshot: where numbering goes on.
    Numbered { next_task: TaskId, next_lease: Lease, refused: u64 },
    /// In a snapshot: a job, and what is set aside for it.
    JobStands { book: Box<JobBook>, purse: Option<Purse> },
    /// In a snapshot: a task as it is.
    TaskStands { task: TaskId, whole: Box<Task> },
    /// These pending answers count without a proof: their lender has shown what it is worth.
    Believed { task: TaskId, firsts: Vec<u64> },
    /// Somebody has this account, in place of what was known of them before.
    Member { person: PersonId, whole: Box<Person> },
    /// A machine belongs to somebody, in place of what was known of it before.
    Enrolled { key: Digest, whole: Box<Machine> },
    /// Whoever knows the secret of this hash is let in, as often as is still said.
    Invited { secret: Digest, whole: Box<Invitation> },
    /// An invitation is no more.
    Uninvited { secret: Digest },
    /// Whoever shows the token of this hash is that person for a while.
    LoggedIn { token: Digest, whole: Session },
    /// A session is no more.
    LoggedOut { token: Digest },
    /// A node runs on that machine, and on no other.
    Claimed { node: NodeId, key: Digest },
    /// Whoever wanted this job wants it no more; what was done is still judged and paid before the hold is returned.
    Cancelled { job: JobId, at: Millis },
    /// What a node earns that runs on no known machine is this person's.
    Earns { node: NodeId, person: PersonId },
    /// A job is on the books, and so much of its budget is set aside.
    Accepted { job: Box<Job>, root: TaskId, at: Millis, held: Credits },
    /// More of its owner's credits are set aside for a job, within its budget.
    Held { root: TaskId, amount: Credits },
    /// What a neighbour and this node have done for one another, in place of what was known of it before.
    Favoured { node: NodeId, favours: Favours },
    /// A task's tool is asked to cut its input into about so many pieces.
    Cut { task: TaskId, ways: u64 },
    /// A pending answer counts for nothing, since its lender could not show what it is made of; nobody is blamed.
    Withdrawn { task: TaskId, first: u64 },
    /// A neighbour has signed what it and this node have done for one another.
    Signed { node: NodeId, signed: Signed },
    /// This node has signed more than its books say: they were lost, and this is what it knows again.
    Recalled { node: NodeId, totals: Totals },
}

impl Fact {
    /// Whether a crash may still undo it, until something is synced that may not be undone. Such a fact is nobody's
    /// claim: a gift that the books forgot is given again, and its lender is told that nobody waits for it; inputs are
    /// a promise only when somebody was told so; and what was paid is said as a running total, again and again. Favours are no claim either.
    pub fn may_wait(&self) -> bool {
        matches!(
            self,
            Fact::Given { .. }
                | Fact::Extended { .. }
                | Fact::Credited { .. }
                | Fact::Favoured { .. }
                | Fact::Signed { .. }
        )
    }
}

/// What becomes of answers whose proof settled nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// They count.
    Count,
    /// They are run again where answers are believed.
    Audit,
    /// The same, because the tool's own check refuses them. If the run says the same, the tool contradicts itself.
    Doubt,
}
