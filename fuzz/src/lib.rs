//! Fuzzing on a stable compiler: every decoder that a stranger, a tool or a damaged disk can reach is given samples with
//! changes at random. One seed, one run.
//!
//! A run must not panic, take long, or allocate much more than it was given. What does is written to `regressions`, and
//! is tried again by every later run and by the tests.

mod gauge;
mod mutate;
mod target;
mod targets;

pub use target::{Finding, Fuzzer, Target};
pub use targets::all;

use std::path::{Path, PathBuf};

/// Where inputs are kept that once broke something, a folder for each target.
pub fn regressions(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions").join(target)
}
