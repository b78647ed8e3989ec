//! The clock and the dice a tool sees: by default made from the part alone, so that a run can be repeated anywhere.

use std::time::{Duration, Instant, SystemTime};

/// Every part begins at this moment: 2026-01-01T00:00:00Z.
const EPOCH_NS: u64 = 1_767_225_600_000_000_000;
/// Each reading moves the clock on, so that a tool which waits for time to pass does not wait for ever.
const READING_NS: u64 = 1_000;
/// One real sleep; a tool that sleeps longer is called again, and the node's wall limit holds in any case.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// Time and chance for one part.
#[derive(Debug)]
pub(crate) enum World {
    /// Reproducible: a counter and a seeded generator.
    Made { passed_ns: u64, dice: u64 },
    /// True clocks and true random numbers.
    Real { begun: Instant },
}

impl World {
    pub(crate) fn made(seed: u64) -> World {
        World::Made { passed_ns: 0, dice: seed }
    }

    pub(crate) fn real() -> World {
        World::Real { begun: Instant::now() }
    }

    /// Time of day in nanoseconds since 1970.
    pub(super) fn wall_ns(&mut self) -> u64 {
        match self {
            World::Made { .. } => EPOCH_NS.saturating_add(self.passed_ns()),
            World::Real { .. } => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
            }
        }
    }

    /// Time since the part began, also used for its CPU time.
    pub(super) fn passed_ns(&mut self) -> u64 {
        match self {
            World::Made { passed_ns, .. } => {
                *passed_ns = passed_ns.saturating_add(READING_NS);
                *passed_ns
            }
            World::Real { begun } => u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Lets time pass: at once where time is made.
    pub(super) fn sleep(&mut self, ns: u64) {
        match self {
            World::Made { passed_ns, .. } => *passed_ns = passed_ns.saturating_add(ns),
            World::Real { .. } => std::thread::sleep(Duration::from_nanos(ns).min(SLEEP_MAX)),
        }
    }

    /// Fills a buffer with random bytes; false if the system has none to give.
    pub(super) fn roll(&mut self, out: &mut [u8]) -> bool {
        match self {
            World::Made { dice, .. } => {
                for chunk in out.chunks_mut(8) {
                    chunk.copy_from_slice(&split_mix(dice).to_le_bytes()[..chunk.len()]);
                }
                true
            }
            World::Real { .. } => getrandom::fill(out).is_ok(),
        }
    }
}

/// SplitMix64: passes the usual statistical tests and is eight lines; a tool's secrets are not made from it.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
