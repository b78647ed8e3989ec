//! What a lender tells its owner: a small file in its folder, for `grove status` and `grove why`.

use super::rules::Pause;
use grove_core::units::Millis;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "owner.json";
/// Where lenders have their folders, below the home folder.
const LENDERS: &str = "lend";
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

/// The last returns, measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    count: u64,
    frozen: VecDeque<u64>,
    free: VecDeque<u64>,
}

impl Measured {
    pub(super) fn add(&mut self, frozen: Millis, free: Millis) {
        self.count += 1;
        for (kept, new) in [(&mut self.frozen, frozen), (&mut self.free, free)] {
            kept.truncate(RETURNS_KEPT - 1);
            kept.push_front(new.0);
        }
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
    /// Whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let (path, draft) = (folder.join(FILE), folder.join("owner.json.new"));
        std::fs::write(&draft, serde_json::to_vec(self)?)?;
        std::fs::rename(draft, path)
    }

    pub(super) fn remove(folder: &Path) {
        // Whoever finds it sees that the process is gone.
        let _ = std::fs::remove_file(folder.join(FILE));
    }
}

/// How all lenders of a home folder are that run now, the hub's own among them.
pub fn notes(home: &Path) -> Vec<Note> {
    folders(home).iter().filter_map(|folder| read(folder)).filter(|note| super::machine::is_alive(note.pid)).collect()
}

/// The hub's own, then those of lenders.
pub(super) fn folders(home: &Path) -> Vec<PathBuf> {
    let lenders = std::fs::read_dir(home.join(LENDERS)).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = lenders.collect();
    folders.sort();
    folders.insert(0, home.to_owned());
    folders
}

fn read(folder: &Path) -> Option<Note> {
    let path = folder.join(FILE);
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
        let mut measured = Measured::default();
        assert_eq!(measured.returns(), Returns::default());
        (1..=100).for_each(|ms| measured.add(Millis(ms), Millis(ms * 2)));
        let returns = measured.returns();
        assert_eq!(
            (returns.count, returns.frozen_p50_ms, returns.frozen_p99_ms, returns.frozen_most_ms),
            (100, 50, 99, 100)
        );
        assert_eq!((returns.free_p50_ms, returns.free_p99_ms, returns.free_most_ms), (100, 198, 200));
        (0..RETURNS_KEPT).for_each(|_| measured.add(Millis(5), Millis(5)));
        assert_eq!((measured.returns().count, measured.returns().frozen_most_ms), (1_100, 5));
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
