//! Files and folders that are their owner's alone, where the user's own folders are closed to others anyway.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Creates a folder.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

/// A new, empty file.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}

/// Whether it is there at all: its rights are those of the user's folder.
pub(super) fn is_private(path: &Path) -> io::Result<bool> {
    std::fs::metadata(path).map(|_| true)
}
