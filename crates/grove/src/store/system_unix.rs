//! Files on Unix: rights, links, folder syncs, free space.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

pub(super) fn close_dir(dir: &Path) -> io::Result<()> {
    let open_to_others = std::fs::metadata(dir)?.permissions().mode() & 0o077 != 0;
    if open_to_others { std::fs::set_permissions(dir, Permissions::from_mode(0o700)) } else { Ok(()) }
}

pub(super) fn private(options: &mut OpenOptions) {
    options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
}

pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

pub(super) fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// The disk begins with what was just written to a file. Linux does, when it is told that the pages are not needed any
/// more; elsewhere the next sync does it all.
pub(super) fn begin_writing(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(file, offset, NonZeroU64::new(bytes), rustix::fs::Advice::DontNeed)?;
    Ok(())
}
