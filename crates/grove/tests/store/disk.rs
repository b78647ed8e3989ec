//! A full disk and a disk that may not be written, on small file systems of their own. These need the right to mount.

use std::path::{Path, PathBuf};
use std::process::Command;

use grove::store::{Commit, Page, Settings, Store, StoreError};

/// A file system in memory, unmounted at the end.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, with a message, where mounting is not allowed.
    fn new(dir: &Path, options: &str) -> Option<Self> {
        let mounted = mount(&["-t", "tmpfs", "-o", options, "tmpfs"], dir);
        if !mounted {
            eprintln!("skipped: no right to mount a file system");
        }
        mounted.then(|| Self(dir.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

fn mount(args: &[&str], dir: &Path) -> bool {
    let status = Command::new("mount").args(args).arg(dir).stderr(std::process::Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn replayed(store: &Store) -> u64 {
    store.replay(|_, _| Ok::<_, StoreError>(())).unwrap().rows
}

#[test]
fn a_full_disk_is_said_to_be_full_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(dir.path(), "size=12m") else {
        return;
    };
    let settings = Settings { reserve_bytes: 0, ..Settings::default() };
    let (mut store, _) = Store::open(dir.path(), settings.clone()).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        // Facts alone are let in to the last byte.
        match store.commit(&Commit { facts: &[7; 20_000], ..Commit::default() }) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::NoSpace { .. }), "{error:?}");
    assert!(error.to_string().starts_with("no space left on the disk of ") && error.to_string().contains("\nhint: "));
    assert!(store.has_failed() && acknowledged > 50);
    drop(store);

    assert!(mount(&["-o", "remount,size=64m"], dir.path()));
    let (mut store, opened) = Store::open(dir.path(), settings).unwrap();
    assert!(opened.last.0 == acknowledged || opened.last.0 == acknowledged + 1);
    assert_eq!(replayed(&store), opened.last.0);
    store.commit(&Commit { facts: b"on", ..Commit::default() }).unwrap();
}

#[test]
fn a_disk_that_fills_up_refuses_results_and_blobs_first() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(dir.path(), "size=24m") else {
        return;
    };
    let settings = Settings { reserve_bytes: 8 << 20, ..Settings::default() };
    let (mut store, _) = Store::open(dir.path(), settings).unwrap();
    for size in [1 << 20, 4096] {
        let refused = (0..u32::MAX).find_map(|n| store.blobs().put_bytes(&n.to_le_bytes().repeat(size / 4)).err());
        assert!(matches!(refused, Some(StoreError::LowSpace { .. })), "{refused:?}");
    }
    let pages = Page::pack(1, 0, [(0, [7; 8192])]).unwrap();
    let refused = store.commit(&Commit { pages: &pages, ..Commit::default() });
    assert!(matches!(refused, Err(StoreError::LowSpace { .. })), "{refused:?}");
    store.commit(&Commit { facts: b"facts still go in", ..Commit::default() }).unwrap();
}

#[test]
fn a_folder_that_may_not_be_written_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(dir.path(), "size=12m") else {
        return;
    };
    drop(Store::open(dir.path(), Settings::default()).unwrap());
    assert!(mount(&["-o", "remount,ro"], dir.path()));
    let error = Store::open(dir.path(), Settings::default()).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    assert!(error.to_string().contains(&*dir.path().to_string_lossy()) && error.to_string().contains("\nhint: "));
}
