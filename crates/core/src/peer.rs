//! A neighbour, as this node knows it: what is on the books, and what is only known while the link stands.

use crate::id::{Incarnation, Lease};
use crate::limits;
use crate::units::{Credits, Fuel, Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is on the books about a neighbour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub incarnation: Incarnation,
    pub trust: Trust,
    /// The leases it holds.
    pub leases: BTreeSet<Lease>,
    /// What it says it has paid this node in all.
    pub paid_us: Credits,
    /// What this node has paid it in all.
    pub paid_them: Credits,
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
    pub heard: Millis,
    pub slots: u32,
    /// Bytes that one part may have there; 0 where nothing is said.
    pub memory: u64,
    /// Takes whole pieces and splits them further.
    pub solves: bool,
    /// Its answers are believed and it may prove those of others: this node itself, or the job owner's own machine.
    pub trusted: bool,
    /// Gets no work until then: it declined, or its machine broke tries.
    pub resting_until: Millis,
    /// Work it holds, as expected when it was given.
    pub load: Fuel,
    /// Fuel per millisecond of one slot, as measured; zero when unknown.
    pub speed: u64,
}

impl Presence {
    /// Whether it takes work at all now.
    pub fn is_able(&self, now: Millis) -> bool {
        self.linked && self.slots > 0 && self.resting_until <= now
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
