//! A neighbour, as this node knows it: what is on the books, and what is only known while the link stands.

use crate::id::{Incarnation, Lease, TaskId};
use crate::limits;
use crate::message::Signed;
use crate::units::{Credits, Fuel, Millis};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is on the books about a neighbour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub incarnation: Incarnation,
    pub trust: Trust,
    /// The leases it holds.
    pub leases: BTreeSet<Lease>,
    /// What it says it has paid this node in all.
    pub paid_us: Credits,
    /// What this node has paid it in all: among peers, the worth of what it has done.
    pub paid_them: Credits,
    /// Journaled by a fact of its own.
    #[serde(skip)]
    pub favours: Favours,
    /// What it has signed last about that; journaled by a fact of its own as well.
    #[serde(skip)]
    pub signed: Option<Signed>,
}

/// What a neighbour and this node have done for one another, by this node's own count and never by anybody's word.
/// Nothing here can fall below nothing, so whoever has never given anything stands where a stranger stands: taking
/// more makes nobody worse off than a new name would, and a new name makes nobody better off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Favours {
    /// What it has done for this node and not had back: the more, the sooner it is served.
    pub theirs: Credits,
    /// What this node has done for it and not had back: it keeps the same count on its side.
    pub ours: Credits,
    /// All that this node ever did for it.
    pub served: Credits,
}

impl Favours {
    /// It has worked for this node.
    pub fn they_did(&mut self, work: Credits) {
        self.theirs = self.theirs.plus(work);
        self.ours = self.ours.minus(work);
    }

    /// This node has worked for it.
    pub fn we_did(&mut self, work: Credits) {
        self.served = self.served.plus(work);
        self.ours = self.ours.plus(work);
        self.theirs = self.theirs.minus(work);
    }
}

/// What audits have shown about a neighbour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// Audits that were right.
    pub passed: u32,
    /// It was found out: no more work, no pay for what was not final.
    pub caught: bool,
}

impl Trust {
    /// A lender of which nothing is known yet.
    pub fn is_new(self) -> bool {
        self.passed < limits::PROBATION
    }
}

/// What is known about a neighbour while it is here. Rebuilt after a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    pub linked: bool,
    /// It said goodbye and gave back what it held: nobody waits for it.
    pub left: bool,
    pub heard: Millis,
    pub slots: u32,
    /// Bytes that one part may have there; 0 where nothing is said.
    pub memory: u64,
    /// Takes whole pieces and splits them further.
    pub solves: bool,
    /// Its answers are believed and it may prove those of others: this node itself, or the job owner's own machine.
    pub trusted: bool,
    /// This node itself, while its owner is here: it runs parts of the owner's jobs, and of nobody else's.
    pub own_only: bool,
    /// Gets no work until then: it declined, or its machine broke tries.
    pub resting_until: Millis,
    /// Gets nothing of these tasks' trees until then: what it tried of them took too long there.
    pub rests_from: BTreeMap<TaskId, Millis>,
    /// It was full: it gets nothing until then either, unless it says before that it has room.
    pub declined_until: Millis,
    /// Work it holds, as expected when it was given.
    pub load: Fuel,
    /// Fuel per millisecond of one slot, as measured; zero when unknown.
    pub speed: u64,
}

impl Presence {
    /// Whether it takes work at all now.
    pub fn is_able(&self, now: Millis) -> bool {
        self.linked && self.slots > 0 && !self.rests(now)
    }

    /// Whether it is left alone for now, because it declined or its machine broke something.
    pub fn rests(&self, now: Millis) -> bool {
        self.resting_until.max(self.declined_until) > now
    }

    /// Whether it gets nothing of a task's tree for now, because a part of it took too long there.
    pub fn rests_from(&self, root: TaskId, now: Millis) -> bool {
        self.rests_from.get(&root).is_some_and(|until| *until > now)
    }

    /// Whether a part that may want so many bytes could run there.
    pub fn fits(&self, bytes: u64) -> bool {
        self.memory == 0 || bytes <= self.memory
    }

    /// How long what it holds will take it.
    pub fn busy_for(&self) -> Millis {
        let pace = self.speed.max(1).saturating_mul(u64::from(self.slots.max(1)));
        Millis(self.load.0 / pace)
    }
}
