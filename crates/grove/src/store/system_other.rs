//! Files on systems without Unix rights: a profile folder is private by its inherited rights, renames are durable
//! without a folder sync, and the system itself reports a full disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)
}

pub(super) fn close_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn private(_options: &mut OpenOptions) {}

pub(super) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn free_bytes(_dir: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

pub(super) fn begin_writing(_file: &File, _offset: u64, _bytes: u64) -> io::Result<()> {
    Ok(())
}
