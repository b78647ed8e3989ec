//! One decoder, and how it is tried: samples are changed, those that lead somewhere new are kept and changed further,
//! and what breaks is made small and written down.

use crate::gauge::{peak_of, worked};
use crate::mutate::{BYTES_MAX, Draw, mutate};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

/// Longer than this is a hang, also on a busy machine without optimisation.
const TIME_MAX: Duration = Duration::from_secs(2);
/// More than this, and some for each byte of the input, is too much to allocate for it.
const MEMORY_MAX: usize = 32 << 20;
const MEMORY_PER_BYTE: usize = 64;
/// Samples that are kept because they led somewhere new.
const KEPT_MAX: usize = 2_000;
/// Tries to make a finding smaller.
const SMALLER_TRIES: usize = 500;

/// Something that reads what strangers send.
#[derive(Debug)]
pub struct Target {
    pub name: &'static str,
    /// Inputs that are right, or nearly.
    pub samples: Vec<Vec<u8>>,
    /// Reads the input; comes back with what kind of end that took. Panics where something is wrong.
    pub run: fn(&[u8]) -> u64,
}

/// What broke.
#[derive(Debug)]
pub struct Finding {
    pub target: &'static str,
    pub why: String,
    pub input: Vec<u8>,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} (input of {} bytes)", self.target, self.why, self.input.len())
    }
}

impl Finding {
    /// Where it is kept, so that it is tried again for ever.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self) -> io::Result<PathBuf> {
        let folder = crate::regressions(self.target);
        fs::create_dir_all(&folder)?;
        let path = folder.join(&blake3::hash(&self.input).to_hex()[..16]);
        fs::write(&path, &self.input)?;
        Ok(path)
    }
}

/// What a panic said.
static SAID: Mutex<Option<String>> = Mutex::new(None);

/// Panics are noted, also those of other threads, and not printed.
pub(crate) fn note_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let mut said = SAID.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        said.get_or_insert_with(|| panic.to_string());
    }));
}

fn said() -> Option<String> {
    SAID.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
}

impl Target {
    /// Tries one input.
    pub(crate) fn examine(&self, input: &[u8]) -> Result<u64, String> {
        let begun = worked();
        let (done, peak) = peak_of(|| catch_unwind(AssertUnwindSafe(|| (self.run)(input))));
        let took = worked().saturating_sub(begun);
        if let Some(said) = said() {
            return Err(said);
        }
        let end = done.map_err(|_| "it panics".to_owned())?;
        if took > TIME_MAX {
            return Err(format!("it takes {took:?}"));
        }
        if peak > MEMORY_MAX + MEMORY_PER_BYTE * input.len() {
            return Err(format!("it allocates {peak} bytes"));
        }
        Ok(end)
    }

    /// Tries what once broke it, and its samples.
    ///
    /// # Errors
    /// What breaks still.
    pub fn replay(&self) -> Result<usize, Finding> {
        note_panics();
        let kept = fs::read_dir(crate::regressions(self.name)).into_iter().flatten().flatten();
        let kept = kept.filter_map(|file| fs::read(file.path()).ok());
        let mut tried = 0;
        for input in self.samples.iter().cloned().chain(kept) {
            self.examine(&input).map_err(|why| Finding { target: self.name, why, input })?;
            tried += 1;
        }
        Ok(tried)
    }
}

/// Tries a target on and on.
#[derive(Debug)]
pub struct Fuzzer {
    pub seed: u64,
    pub time: Duration,
}

impl Fuzzer {
    /// How many inputs were tried, and how many ends they came to.
    ///
    /// # Errors
    /// The first that broke something, made small.
    pub fn run(&self, target: &Target) -> Result<(u64, usize), Finding> {
        target.replay()?;
        let name = target.name.bytes().fold(0, |all: u64, byte| all.wrapping_mul(31) + u64::from(byte));
        let mut draw = Draw(self.seed ^ name);
        let mut kept = target.samples.clone();
        kept.push(Vec::new());
        let mut ends = BTreeSet::new();
        let (begun, mut tried) = (Instant::now(), 0);
        while begun.elapsed() < self.time {
            let (one, other) = (draw.below(kept.len()), draw.below(kept.len()));
            let input = mutate(&mut draw, &kept[one], &kept[other]);
            tried += 1;
            match target.examine(&input) {
                Ok(end) => {
                    if ends.insert(end) && kept.len() < KEPT_MAX && input.len() < BYTES_MAX {
                        kept.push(input);
                    }
                }
                Err(why) => return Err(smaller(target, why, input)),
            }
        }
        Ok((tried, ends.len()))
    }
}

/// The same finding with less around it.
fn smaller(target: &Target, why: String, input: Vec<u8>) -> Finding {
    let mut best = Finding { target: target.name, why, input };
    let mut piece = best.input.len() / 2;
    let mut tries = 0;
    while piece > 0 && tries < SMALLER_TRIES {
        let mut at = 0;
        while at < best.input.len() && tries < SMALLER_TRIES {
            let mut less = best.input.clone();
            less.drain(at..(at + piece).min(best.input.len()));
            tries += 1;
            match target.examine(&less) {
                Ok(_) => at += piece,
                Err(why) => best = Finding { target: target.name, why, input: less },
            }
        }
        piece /= 2;
    }
    best
}
