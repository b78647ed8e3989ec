//! What is true at a node: the sum of its facts.
//!
//! [`State::apply`] is the only code that changes it, live and at a restart. It is total: a fact that does not fit is
//! ignored and counted, so that a damaged decision can never keep a node from starting.

mod apply;
mod balance;
mod members;
mod neighbours;
pub mod fact;
pub mod open;
pub mod turns;
mod wants;

pub use balance::Imbalance;
pub use fact::{Fact, Then};
pub use wants::Wants;

use crate::circle::Circle;
use crate::id::{Incarnation, JobId, Lease, NodeId, PersonId, TaskId};
use crate::job::{Chunk, Job, Standing};
use crate::ledger::{Account, Ledger};
use crate::peer::{Favours, Record};
use crate::task::{Grant, Owner, Stage, Task, Terms};
use crate::units::{Credits, Fuel, Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All that a node knows for certain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    incarnation: Incarnation,
    secret: u64,
    next_task: TaskId,
    next_lease: Lease,
    /// Answers that were proved wrong.
    refused: u64,
    /// Facts that did not fit; zero unless something is broken.
    misfits: u64,
    ledger: Ledger,
    jobs: BTreeMap<JobId, JobBook>,
    tasks: BTreeMap<TaskId, Task>,
    purses: BTreeMap<TaskId, Purse>,
    peers: BTreeMap<NodeId, Record>,
    leases: BTreeMap<Lease, TaskId>,
    wants: Wants,
    circle: Circle,
    open: BTreeMap<PersonId, open::Open>,
    /// Into how many ways the tools of tasks were asked to cut.
    ways: BTreeMap<TaskId, u64>,
}

/// A job on the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobBook {
    pub job: Arc<Job>,
    pub root: TaskId,
    pub standing: Standing,
    pub submitted: Millis,
    pub ended: Option<Millis>,
    /// Paid to lenders so far.
    pub spent: Credits,
    /// Paid for so far.
    pub fuel: Fuel,
}

/// What is set aside for a task that somebody wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    /// Where the credits came from and what is left goes back to.
    pub from: Account,
    pub held: Credits,
    /// Of that, what parts in flight may cost.
    pub reserved: Credits,
    /// Work that is on the books and not yet paid.
    pub owed: Fuel,
    /// Work that is paid.
    pub paid: Fuel,
}

impl Purse {
    /// What may still be promised.
    pub fn free(&self) -> Credits {
        self.held.minus(self.reserved).minus(Credits::reserved(self.owed))
    }
}

impl State {
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// What chance hangs on.
    pub fn secret(&self) -> u64 {
        self.secret
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Who belongs to the circle.
    pub fn circle(&self) -> &Circle {
        &self.circle
    }

    pub fn refused(&self) -> u64 {
        self.refused
    }

    pub fn misfits(&self) -> u64 {
        self.misfits
    }

    pub fn jobs(&self) -> &BTreeMap<JobId, JobBook> {
        &self.jobs
    }

    pub fn job(&self, job: JobId) -> Option<&JobBook> {
        self.jobs.get(&job)
    }

    pub fn tasks(&self) -> &BTreeMap<TaskId, Task> {
        &self.tasks
    }

    pub fn task(&self, task: TaskId) -> Option<&Task> {
        self.tasks.get(&task)
    }

    pub fn purse(&self, root: TaskId) -> Option<&Purse> {
        self.purses.get(&root)
    }

    /// What more may be set aside for a job: what its budget leaves, as far as its owner has it.
    pub fn may_hold(&self, root: TaskId) -> Credits {
        let book = self.tasks.get(&root).and_then(|task| self.jobs.get(&task.job)).filter(|book| book.root == root);
        let (Some(purse), Some(book)) = (self.purses.get(&root), book) else {
            return Credits(0);
        };
        let left = book.job.budget.minus(book.spent).minus(purse.held);
        left.min(self.ledger.balance(purse.from))
    }

    /// Into how many ways a task's tool was asked to cut its input.
    pub fn ways(&self, task: TaskId) -> Option<u64> {
        self.ways.get(&task).copied()
    }

    /// For whom a task is done in the end: `None` is somebody of this node's own.
    pub fn customer(&self, task: TaskId) -> Option<NodeId> {
        match self.tasks.get(&self.tasks.get(&task)?.root)?.owner {
            Owner::Peer { node, .. } => Some(node),
            Owner::Person | Owner::Parent { .. } => None,
        }
    }

    pub fn peers(&self) -> &BTreeMap<NodeId, Record> {
        &self.peers
    }

    pub fn peer(&self, node: NodeId) -> Option<&Record> {
        self.peers.get(&node)
    }

    /// The task that a lease belongs to, with the grant, while it is out.
    pub fn lease(&self, lease: Lease) -> Option<(TaskId, &Grant)> {
        let task = *self.leases.get(&lease)?;
        Some((task, self.tasks.get(&task)?.parts.out.get(&lease)?))
    }

    pub fn next_task(&self) -> TaskId {
        self.next_task
    }

    pub fn next_lease(&self) -> Lease {
        self.next_lease
    }

    /// What is wanting, by task.
    pub fn wants(&self) -> &Wants {
        &self.wants
    }

    /// Whether this node answers for a task with its journal. What it does for a neighbour it may forget: the giver
    /// will place it again.
    pub fn is_durable(&self, task: TaskId) -> bool {
        let root = self.tasks.get(&task).and_then(|task| self.tasks.get(&task.root));
        root.is_none_or(|root| !matches!(root.owner, Owner::Peer { .. }))
    }

    /// Whether a fact belongs in the journal. To be asked before it is applied.
    pub fn is_journaled(&self, fact: &Fact) -> bool {
        let by_lease = |lease: &Lease| self.leases.get(lease).is_none_or(|task| self.is_durable(*task));
        match fact {
            Fact::Taken { .. } => false,
            Fact::Opened { parent: task, .. }
            | Fact::Given { task, .. }
            | Fact::Proved { task, .. }
            | Fact::Unsettled { task, .. }
            | Fact::Refuted { task, .. }
            | Fact::GaveUp { task, .. }
            | Fact::Settled { task, .. }
            | Fact::Ending { task, .. }
            | Fact::Vested { task, .. }
            | Fact::Staged { task, .. }
            | Fact::Believed { task, .. }
            | Fact::Cut { task, .. }
            | Fact::Withdrawn { task, .. }
            | Fact::Ended { task, .. } => self.is_durable(*task),
            Fact::Answered { lease, .. }
            | Fact::SetAside { lease, .. }
            | Fact::Corrected { lease, .. }
            | Fact::Broke { lease, .. }
            | Fact::Dearer { lease, .. } => by_lease(lease),
            Fact::Returned { leases } => leases.iter().any(by_lease),
            _ => true,
        }
    }

    /// The same state as a shorter journal.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![
            Fact::Started { incarnation: self.incarnation, secret: self.secret },
            Fact::Numbered { next_task: self.next_task, next_lease: self.next_lease, refused: self.refused },
        ];
        facts.extend(self.ledger.accounts().map(|(account, balance)| Fact::Balance { account, balance }));
        facts.extend(self.peers.iter().map(|(node, record)| Fact::Known {
            node: *node,
            record: Record { leases: Default::default(), favours: Favours::default(), signed: None, ..record.clone() },
        }));
        let favoured = self.peers.iter().filter(|(_, record)| record.favours != Favours::default());
        facts.extend(favoured.map(|(node, record)| Fact::Favoured { node: *node, favours: record.favours }));
        let signed = self.peers.iter().filter_map(|(node, record)| Some((*node, record.signed.clone()?)));
        facts.extend(signed.map(|(node, signed)| Fact::Signed { node, signed }));
        facts.extend(
            self.jobs.values().map(|book| Fact::JobStands {
                book: Box::new(book.clone()),
                purse: self.purses.get(&book.root).copied(),
            }),
        );
        facts.extend(self.circle_facts());
        let durable = self.tasks.iter().filter(|(id, _)| self.is_durable(**id));
        facts.extend(durable.map(|(id, task)| Fact::TaskStands { task: *id, whole: Box::new(task.clone()) }));
        let cut = self.ways.iter().filter(|(id, _)| self.is_durable(**id));
        facts.extend(cut.map(|(id, ways)| Fact::Cut { task: *id, ways: *ways }));
        facts
    }
}

/// The terms of an input that becomes a task of its own.
fn terms_of_input(terms: &Terms) -> Terms {
    Terms { chunk: Chunk::Items(1), merge: terms.tool.abilities.merge, source: None, ..terms.clone() }
}

/// Where a task's answer lies: the stage and the first item of its row.
pub fn answer_row(task: &Task) -> (Stage, u64) {
    match task.parts.settled {
        Some(first) => (Stage::Work, first),
        None => (task.stage, 0),
    }
}
