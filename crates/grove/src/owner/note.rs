//! What a lender tells its owner: a small file in its folder, for `grove status` and `grove why`.

use super::rules::Pause;
use grove_core::units::Millis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "owner.json";
/// Returns are kept beyond the life of a lender.
const RETURNS: &str = "returns.json";
/// Where lenders have their folders, below the home folder.
const LENDERS: &str = "lend";
/// Where a free peer has its own.
const PEER: &str = "peer";
/// Longer files are not ours.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Returns of the owner that are remembered for the percentiles.
const RETURNS_KEPT: usize = 1_000;

/// How one lender is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub v: u32,
    pub pid: u32,
    pub slots: u32,
    /// What jobs may use here, and who sees to it.
    #[serde(default)]
    pub limits: Vec<String>,
    /// For how long a tool has been compiled, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiling_ms: Option<u64>,
    /// Unix time since which it lends, or does not.
    pub since: Millis,
    /// Why nothing is lent now.
    pub pause: Option<Pause>,
    /// Why only the owner's own jobs run now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<Pause>,
    /// What tells when the owner touched the machine.
    pub probe: String,
    pub returns: Returns,
}

/// How fast the machine was given back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returns {
    pub count: u64,
    /// From the input until everything stood still.
    pub frozen_p50_ms: u64,
    pub frozen_p99_ms: u64,
    pub frozen_most_ms: u64,
    /// From the input until nothing was left.
    pub free_p50_ms: u64,
    pub free_p99_ms: u64,
    pub free_most_ms: u64,
}

/// The last returns, measured; the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Measured {
    count: u64,
    frozen: VecDeque<u64>,
    free: VecDeque<u64>,
}

impl Measured {
    /// Those of the lives before; what cannot be read is begun anew.
    pub(super) fn open(folder: &Path) -> Measured {
        read(folder, RETURNS).unwrap_or_default()
    }

    /// One more, and all are written down.
    pub(super) fn add(&mut self, frozen: Millis, free: Millis, folder: &Path) -> io::Result<()> {
        self.count += 1;
        for (kept, new) in [(&mut self.frozen, frozen), (&mut self.free, free)] {
            kept.truncate(RETURNS_KEPT - 1);
            kept.push_front(new.0);
        }
        write(self, folder, RETURNS)
    }

    fn join(&mut self, other: Measured) {
        self.count += other.count;
        self.frozen.extend(other.frozen);
        self.free.extend(other.free);
    }

    pub(super) fn returns(&self) -> Returns {
        let [frozen, free] = [&self.frozen, &self.free].map(|kept| {
            let mut sorted: Vec<u64> = kept.iter().copied().collect();
            sorted.sort_unstable();
            [50, 99, 100]
                .map(|percent| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied().unwrap_or(0))
        });
        Returns {
            count: self.count,
            frozen_p50_ms: frozen[0],
            frozen_p99_ms: frozen[1],
            frozen_most_ms: frozen[2],
            free_p50_ms: free[0],
            free_p99_ms: free[1],
            free_most_ms: free[2],
        }
    }
}

impl Note {
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        write(self, folder, FILE)
    }

    pub(super) fn remove(folder: &Path) {
        // Whoever finds it sees that the process is gone.
        let _ = std::fs::remove_file(folder.join(FILE));
    }
}

/// How all lenders of a home folder are that run now, the hub's own among them.
pub fn notes(home: &Path) -> Vec<Note> {
    folders(home)
        .iter()
        .filter_map(|folder| read::<Note>(folder, FILE))
        .filter(|note| super::machine::is_alive(note.pid))
        .collect()
}

/// How fast this machine was given back, by all lenders of a home folder, also those that have ended.
pub fn returns(home: &Path) -> Returns {
    let mut all = Measured::default();
    folders(home).iter().for_each(|folder| all.join(Measured::open(folder)));
    all.returns()
}

/// The hub's own, the peer's, then those of lenders.
pub(super) fn folders(home: &Path) -> Vec<PathBuf> {
    let lenders = std::fs::read_dir(home.join(LENDERS)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = lenders.collect();
    folders.sort();
    folders.splice(0..0, [home.to_owned(), home.join(PEER)]);
    folders
}

/// Whole or not at all.
fn write(what: &impl Serialize, folder: &Path, file: &str) -> io::Result<()> {
    let (path, draft) = (folder.join(file), folder.join(format!("{file}.new")));
    std::fs::write(&draft, serde_json::to_vec(what)?)?;
    std::fs::rename(draft, path)
}

fn read<T: DeserializeOwned>(folder: &Path, file: &str) -> Option<T> {
    let path = folder.join(file);
    if std::fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_last_returns() {
        let dir = tempfile::tempdir().unwrap();
        let mut measured = Measured::open(dir.path());
        assert_eq!(measured.returns(), Returns::default());
        (1..=100).for_each(|ms| measured.add(Millis(ms), Millis(ms * 2), dir.path()).unwrap());
        let found = measured.returns();
        assert_eq!((found.count, found.frozen_p50_ms, found.frozen_p99_ms, found.frozen_most_ms), (100, 50, 99, 100));
        assert_eq!((found.free_p50_ms, found.free_p99_ms, found.free_most_ms), (100, 198, 200));
        (0..RETURNS_KEPT).for_each(|_| measured.add(Millis(5), Millis(5), dir.path()).unwrap());
        assert_eq!((measured.returns().count, measured.returns().frozen_most_ms), (1_100, 5));
        assert_eq!(Measured::open(dir.path()), measured, "they outlive the lender");
        let other = dir.path().join(LENDERS).join("1");
        std::fs::create_dir_all(&other).unwrap();
        Measured::default().add(Millis(700), Millis(900), &other).unwrap();
        let all = returns(dir.path());
        assert_eq!((all.count, all.free_p99_ms, all.free_most_ms), (1_101, 5, 900));
        std::fs::write(other.join(RETURNS), "?").unwrap();
        assert_eq!(returns(dir.path()).count, 1_100);
    }

    #[test]
    fn only_notes_of_living_lenders_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(LENDERS).join("1");
        std::fs::create_dir_all(&folder).unwrap();
        let note = Note {
            v: 1,
            pid: std::process::id(),
            slots: 2,
            limits: Vec::new(),
            compiling_ms: None,
            since: Millis(3),
            pause: None,
            others: None,
            probe: "test".into(),
            returns: Returns::default(),
        };
        note.write(&folder).unwrap();
        Note { pid: u32::MAX / 4, ..note.clone() }.write(dir.path()).unwrap();
        assert_eq!(notes(dir.path()), [note]);
        Note::remove(&folder);
        assert!(notes(dir.path()).is_empty());
    }
}
