//! The folder of a store: private to its owner, and open in one process at a time.
//! It knows nothing of what the files in it mean.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::error::{Owner, StoreError, io_error};
use super::system;

/// Held for as long as the store is open; the system releases it even after `kill -9`.
const LOCK: &str = "lock";

#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    _lock: File,
}

impl Folder {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        create_private(dir)?;
        let path = dir.join(LOCK);
        let mut lock =
            private_options().read(true).write(true).create(true).open(&path).map_err(io_error("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { dir: dir.to_owned(), owner: read_owner(&mut lock) });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
        }
        // Only for the message that a second node shows; the lock itself is what counts.
        let pid = std::process::id().to_string();
        lock.set_len(0).and_then(|()| lock.write_all(pid.as_bytes())).map_err(io_error("write", &path))?;
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// Creates `dir` where it is missing, and closes it to everybody but its owner where it is not.
pub(super) fn create_private(dir: &Path) -> Result<(), StoreError> {
    system::create_dir(dir).map_err(io_error("create", dir))?;
    system::close_dir(dir).map_err(io_error("set the rights of", dir))
}

/// Options under which a new file is the owner's alone and a planted symbolic link is not followed.
pub(super) fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    system::private(&mut options);
    options
}

/// A renamed file is only there after a crash once its folder is synced too.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    system::sync_dir(dir).map_err(io_error("sync", dir))
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}

fn read_owner(lock: &mut File) -> Owner {
    let mut text = String::new();
    Owner(lock.take(20).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok()))
}
