//! Numbers that must not be confused. Integers only; every rounding is named.

use serde::{Deserialize, Serialize};

/// A moment or a span of time, in milliseconds of the node's own clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub u64);

impl Millis {
    /// This moment and a span later, never wrapping.
    pub fn plus(self, span: Millis) -> Millis {
        Millis(self.0.saturating_add(span.0))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Millis) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// Metered instructions: the same for the same work on any machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fuel(pub u64);

impl Fuel {
    /// The sum, never wrapping: a claim that large is refused elsewhere.
    pub fn plus(self, more: Fuel) -> Fuel {
        Fuel(self.0.saturating_add(more.0))
    }

    /// This much, so many times.
    pub fn times(self, times: u64) -> Fuel {
        Fuel(self.0.saturating_mul(times))
    }
}

/// Micro-credits. One credit buys 10^12 fuel, between one and three minutes of a core.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Credits(pub u64);

/// What one micro-credit buys.
const FUEL_PER_MICRO_CREDIT: u64 = 1_000_000;

impl Credits {
    /// What work has earned; the remainder stays with the runner.
    pub fn earned(fuel: Fuel) -> Credits {
        Credits(fuel.0 / FUEL_PER_MICRO_CREDIT)
    }

    /// What work may cost at the most.
    pub fn reserved(fuel: Fuel) -> Credits {
        Credits(fuel.0.div_ceil(FUEL_PER_MICRO_CREDIT))
    }

    /// The fuel that these credits buy.
    pub fn buys(self) -> Fuel {
        Fuel(self.0.saturating_mul(FUEL_PER_MICRO_CREDIT))
    }

    /// The sum, never wrapping.
    pub fn plus(self, more: Credits) -> Credits {
        Credits(self.0.saturating_add(more.0))
    }

    /// The difference, zero at the least.
    pub fn minus(self, less: Credits) -> Credits {
        Credits(self.0.saturating_sub(less.0))
    }
}
