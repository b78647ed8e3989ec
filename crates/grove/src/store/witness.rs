//! The witness: a few bytes beside the database that say which commit was acknowledged last.
//!
//! It is written after each commit and never synced, so it costs a microsecond and is never ahead of what is durable.
//! A start that finds less in the database than the witness says has lost something that was acknowledged: pages that
//! rotted while the node was down, which the database takes for an unfinished commit, or a file put back from a backup.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::Position;
use super::error::{StoreError, io_error};
use super::folder::{Folder, private_options};

pub(super) const FILE: &str = "acknowledged";
const CHECK: usize = 8;

#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    path: PathBuf,
}

impl Witness {
    /// What was acknowledged last, as far as it is known: a power cut may have taken the newest witness with it.
    pub(super) fn open(folder: &Folder) -> Result<(Self, Position), StoreError> {
        let path = folder.path(FILE);
        let mut file =
            private_options().read(true).write(true).create(true).open(&path).map_err(io_error("open", &path))?;
        let mut bytes = Vec::new();
        (&mut file).take(64).read_to_end(&mut bytes).map_err(io_error("read", &path))?;
        Ok((Self { file, path }, decode(&bytes).unwrap_or_default()))
    }

    pub(super) fn write(&mut self, acknowledged: Position) -> Result<(), StoreError> {
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(&encode(acknowledged)))
            .map_err(io_error("write", &self.path))
    }
}

pub(super) fn encode(acknowledged: Position) -> [u8; 8 + CHECK] {
    let mut bytes = [0; 8 + CHECK];
    let number = acknowledged.0.to_le_bytes();
    bytes[..8].copy_from_slice(&number);
    bytes[8..].copy_from_slice(&blake3::hash(&number).as_bytes()[..CHECK]);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Position> {
    let acknowledged = Position(u64::from_le_bytes(*bytes.first_chunk()?));
    (encode(acknowledged) == bytes).then_some(acknowledged)
}
