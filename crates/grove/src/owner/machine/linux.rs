//! Linux tells most of it in files.

mod load;
mod network;
mod power;

pub(super) use load::{Load, runs};
pub(super) use network::Network;
pub(super) use power::{celsius, on_battery};

use rustix::process::Pid;
use std::path::Path;

const MEMORY: &str = "/proc/meminfo";

/// What programs could have without anything being swapped.
pub(super) fn memory_free() -> Option<u64> {
    let text = std::fs::read_to_string(MEMORY).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1_024)
}

pub(super) fn disk_free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether there is a process of that number; another user's counts too.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}
