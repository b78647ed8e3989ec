//! What a system of the Unix family has left: room on a disk, open files.

use std::io;
use std::path::Path;

/// Bytes that this user may still write there.
pub(super) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// How many files a process may have open.
pub(super) fn open_files_most() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// How many more files the whole system may have open, where it says so.
pub(super) fn open_files_left() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/sys/fs/file-nr").ok()?;
    let mut numbers = said.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
    let (open, unused, most) = (numbers.next()?, numbers.next()?, numbers.next()?);
    Some(most.saturating_sub(open.saturating_sub(unused)))
}
