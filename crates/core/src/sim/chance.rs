//! Chance by seed. Each purpose has its own generator, so that a new draw in one place leaves all others as they were.

use crate::verify::mix;

/// A generator of numbers that look random and are not.
#[derive(Debug, Clone)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The generator of a seed for one purpose.
    pub fn new(seed: u64, purpose: u64) -> Chance {
        Chance { state: mix(seed ^ mix(purpose)) }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(1);
        mix(self.state)
    }

    /// A number from zero up to, not including, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end.max(1)
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// Yes, so many times in a thousand.
    pub fn per_mille(&mut self, rate: u64) -> bool {
        self.below(1_000) < rate
    }
}
