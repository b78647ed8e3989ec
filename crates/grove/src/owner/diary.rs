//! What ran here: a line for each job, under the name that this machine knows it by. A small file in the lender's folder.

use super::now;
use grove_core::units::{Credits, Fuel, Millis};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "diary.json";
/// Jobs that are remembered; the oldest go first.
const ENTRIES_MAX: usize = 500;
/// Longer files are not ours.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Parts of one job that were done here lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// A name that means nothing outside of this job.
    pub job: String,
    pub parts: u64,
    pub fuel: Fuel,
    /// Microseconds of all parts together.
    pub micros: u64,
}

/// All that was done for one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub job: String,
    /// Unix time of the first note of it, and of the last.
    pub first: Millis,
    pub last: Millis,
    pub parts: u64,
    pub micros: u64,
    pub fuel: u64,
    /// What that earns, in millionths of a credit, once the answers are final.
    pub earns: u64,
}

/// The file, and what stands in it.
#[derive(Debug)]
pub(super) struct Diary {
    path: PathBuf,
    entries: Vec<Entry>,
}

impl Diary {
    /// What cannot be read is begun anew.
    pub(super) fn open(folder: &Path) -> Diary {
        Diary { path: folder.join(FILE), entries: read(folder) }
    }

    pub(super) fn note(&mut self, done: Vec<Done>) -> io::Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        done.into_iter().for_each(|done| self.add(done, now()));
        let draft = self.path.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec(&self.entries)?)?;
        std::fs::rename(draft, &self.path)
    }

    fn add(&mut self, done: Done, at: Millis) {
        let known = self.entries.iter().position(|entry| entry.job == done.job);
        let mut entry = known.map(|nth| self.entries.remove(nth)).unwrap_or_else(|| Entry {
            job: done.job,
            first: at,
            last: at,
            parts: 0,
            micros: 0,
            fuel: 0,
            earns: 0,
        });
        entry.last = at;
        entry.parts = entry.parts.saturating_add(done.parts);
        entry.micros = entry.micros.saturating_add(done.micros);
        entry.fuel = entry.fuel.saturating_add(done.fuel.0);
        entry.earns = Credits::earned(Fuel(entry.fuel)).0;
        self.entries.push(entry);
        let old = self.entries.len().saturating_sub(ENTRIES_MAX);
        self.entries.drain(..old);
    }
}

/// What all lenders of a home folder have done, the latest last.
pub fn diary(home: &Path) -> Vec<Entry> {
    let mut entries: Vec<Entry> = super::note::folders(home).iter().flat_map(|folder| read(folder)).collect();
    entries.sort_by_key(|entry| entry.last);
    entries
}

fn read(folder: &Path) -> Vec<Entry> {
    let path = folder.join(FILE);
    let small = std::fs::metadata(&path).is_ok_and(|found| found.len() <= FILE_BYTES_MAX);
    let bytes = if small { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_one_line_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut own = Diary::open(dir.path());
        let done = |job: usize, parts| Done { job: format!("j{job}"), parts, fuel: Fuel(4_000_000), micros: 7 };
        own.note((0..ENTRIES_MAX).map(|job| done(job, 1)).collect()).unwrap();
        own.note(vec![done(0, 2), done(ENTRIES_MAX, 1)]).unwrap();
        let entries = diary(dir.path());
        assert_eq!((entries.len(), entries[0].job.as_str()), (ENTRIES_MAX, "j2"), "the oldest is gone");
        let first = entries.iter().find(|entry| entry.job == "j0").unwrap();
        assert_eq!((first.parts, first.micros, first.fuel), (3, 14, 8_000_000));
        assert_eq!(first.earns, Credits::earned(Fuel(8_000_000)).0);
        assert_eq!(Diary::open(dir.path()).entries.len(), ENTRIES_MAX);
        std::fs::write(dir.path().join(FILE), "?").unwrap();
        assert!(diary(dir.path()).is_empty());
    }
}
