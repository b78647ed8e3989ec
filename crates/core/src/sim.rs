//! Many nodes, one clock, one seed: the main test, and a way to see what Grove does.
//!
//! A run has two phases. In the first, everything goes wrong that the seed asks for: messages are lost, repeated,
//! delayed and overtaken, links break, lenders stop and come back, nodes crash at any boundary of their journals and
//! lose what was not yet on the disk, clocks jump, lenders lie, forge and claim too much. In the second nothing goes
//! wrong any more, and everything must end, with the answers that one computer alone would have given.

mod chance;
mod crowd;
mod disk;
mod plan;
mod toy;
mod world;

pub use chance::Chance;
pub use crowd::{Reciprocity, Spread, Waits, makespan, mortal, one_bad, reciprocity};
pub use plan::{Honesty, Mode, Plan};
pub use world::{Moment, Stats, World};

use crate::units::Millis;
use std::fmt;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub seed: u64,
    pub stats: Stats,
    /// A number that is the same if and only if the same things happened in the same order.
    pub trace: u64,
    pub failure: Option<Failure>,
}

/// A promise that was broken, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub at: Millis,
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "at {} ms: {}", self.at.0, self.what)
    }
}

/// One run. The same seed and mode give the same run.
pub fn run(seed: u64, mode: Mode) -> Report {
    run_watched(Plan::of(seed, mode), |_| {})
}

/// One run by a plan, shown moment by moment.
pub fn run_watched(plan: Plan, mut watch: impl FnMut(&Moment<'_>)) -> Report {
    let seed = plan.seed;
    let mut world = World::new(plan);
    let failure = world.run(&mut watch).err();
    let failure = failure.map(|what| Failure { at: world.now(), what });
    Report { seed, stats: world.stats(), trace: world.trace(), failure }
}

#[cfg(test)]
mod tests;
