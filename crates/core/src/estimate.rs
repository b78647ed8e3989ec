//! What a part will cost, learned from those that are done. Fixed point, so that every machine learns the same.

use crate::limits;
use crate::units::{Fuel, Millis};

/// The cost of one item of one task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// A moving mean of the fuel of one item.
    mean: u64,
    /// The dearest run seen.
    dearest: u64,
    seen: u64,
}

/// A speed assumed before one was measured, in fuel per millisecond: a slow core.
const SPEED_ASSUMED: u64 = 1_000_000;

impl Estimate {
    /// Learns from runs that covered `items` items.
    pub fn learn(&mut self, items: u64, fuel: Fuel, dearest: Fuel) {
        if items == 0 {
            return;
        }
        let per_item = (fuel.0 / items).max(1);
        self.mean = if self.seen == 0 {
            per_item
        } else {
            (self.mean / 8).saturating_mul(7).saturating_add(per_item / 8).max(1)
        };
        self.dearest = self.dearest.max(dearest.0);
        self.seen = self.seen.saturating_add(items);
    }

    /// Whether anything is known.
    pub fn seen(&self) -> bool {
        self.seen > 0
    }

    /// The fuel that so many items are expected to take; `None` before the first answer.
    pub fn items(&self, items: u64) -> Option<Fuel> {
        (self.seen > 0).then(|| Fuel(self.mean.saturating_mul(items)))
    }

    /// How many items fill this much time on a slot of that speed; `None` before the first answer.
    pub fn items_in(&self, time: Millis, speed: u64) -> Option<u64> {
        let speed = if speed == 0 { SPEED_ASSUMED } else { speed };
        (self.seen > 0).then(|| (time.0.saturating_mul(speed) / self.mean.max(1)).max(1))
    }

    /// How long so many items take at that speed.
    pub fn time(&self, items: u64, speed: u64) -> Option<Millis> {
        let speed = if speed == 0 { SPEED_ASSUMED } else { speed };
        self.items(items).map(|fuel| Millis(fuel.0 / speed))
    }

    /// What one run may cost before it is stopped: a good deal more than any run did so far.
    pub fn fuel_limit(&self, most: Fuel) -> Fuel {
        if self.seen == 0 {
            return limits::FUEL_FIRST.min(most);
        }
        Fuel(self.dearest.saturating_mul(limits::FUEL_SLACK)).max(limits::FUEL_LEAST).min(most)
    }
}

/// A moving mean of a speed, in fuel per millisecond.
pub fn speed(before: u64, fuel: Fuel, micros: u64) -> u64 {
    if micros == 0 || fuel.0 == 0 {
        return before;
    }
    let now = fuel.0.saturating_mul(1_000) / micros;
    if before == 0 { now.max(1) } else { ((before / 4).saturating_mul(3)).saturating_add(now / 4).max(1) }
}
