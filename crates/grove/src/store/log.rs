//! The log: small commits one after another in a file of fixed size, durable by one write and one sync. The database,
//! which writes many pages for each commit, follows without a sync and is synced when the log is full.
//!
//! Each record is sealed together with the one before it, so that what an earlier round has left behind never passes
//! for what came next. The log knows bytes and positions; it does not know what a commit is.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::Position;
use super::error::{StoreError, io_error};
use super::folder::{Folder, private_options, sync_dir};
use super::system;

pub(super) const FILE: &str = "log";
/// What a start may have to take into the database again: some milliseconds. Written full of zeros when it is made, so
/// that later writes change no metadata of the file.
pub(super) const LOG_BYTES: u64 = 128 << 10;
/// A larger commit is written once, into the database.
pub(super) const COMMIT_BYTES_MAX: usize = 16 << 10;

const CHECK: usize = 8;
const HEAD: usize = CHECK + 12;
type Check = [u8; CHECK];

#[derive(Debug)]
pub(super) struct Log {
    disk: Box<dyn StorageBackend>,
    path: PathBuf,
    store_id: [u8; 16],
    /// Where the next write goes.
    at: u64,
    /// Records that are not written yet.
    waiting: Vec<u8>,
    /// The seal of the last record, written or not.
    newest: Check,
    /// Every commit since the last sync of the database is here.
    whole: bool,
}

/// The file of a folder, whole before it is used.
pub(super) fn open(folder: &Folder) -> Result<Box<dyn StorageBackend>, StoreError> {
    let path = folder.path(FILE);
    let file = private_options().read(true).write(true).create(true).open(&path).map_err(io_error("open", &path))?;
    let same = file.try_clone().map_err(io_error("open", &path))?;
    let disk = FileBackend::new(file).map_err(|error| io_error("lock", &path)(io::Error::other(error)))?;
    sync_dir(folder.dir())?;
    Ok(Box::new(Prompt { disk, file: same }))
}

/// A file whose writes go to the disk at once, and not only when somebody waits for them.
#[derive(Debug)]
struct Prompt {
    disk: FileBackend,
    file: File,
}

impl StorageBackend for Prompt {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)?;
        system::begin_writing(&self.file, offset, data.len() as u64)
    }
}

impl Log {
    pub(super) fn new(disk: Box<dyn StorageBackend>, path: &Path, store_id: [u8; 16]) -> Result<Log, StoreError> {
        if disk.len().map_err(io_error("look at", path))? < LOG_BYTES {
            let zeros = vec![0; usize::try_from(LOG_BYTES).expect("a log fits into memory")];
            disk.write(0, &zeros).and_then(|()| disk.sync_data()).map_err(io_error("write", path))?;
        }
        Ok(Log {
            disk,
            path: path.to_owned(),
            store_id,
            at: 0,
            waiting: Vec::new(),
            newest: Check::default(),
            whole: true,
        })
    }

    /// The commits that came after this one, in order, as far as they were written whole.
    pub(super) fn after(&self, last: Position) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut bytes = vec![0; usize::try_from(LOG_BYTES).expect("a log fits into memory")];
        self.disk.read(0, &mut bytes).map_err(io_error("read", &self.path))?;
        let (mut rest, mut before, mut wanted) = (bytes.as_slice(), Check::default(), last.0 + 1);
        let mut found = Vec::new();
        while let Some((position, body, check, tail)) = self.first_of(rest, &before) {
            if position > wanted {
                break;
            }
            if position == wanted {
                found.push(body.to_vec());
                wanted += 1;
            }
            (rest, before) = (tail, check);
        }
        Ok(found)
    }

    /// Whether a commit of that size is to go here.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let end = self.at + (self.waiting.len() + HEAD + bytes) as u64;
        self.whole && bytes <= COMMIT_BYTES_MAX && end <= LOG_BYTES
    }

    /// Puts a commit behind the others; it is durable after the next sync.
    pub(super) fn add(&mut self, position: Position, body: &[u8]) {
        let length = u32::try_from(body.len()).expect("a commit for the log is small").to_le_bytes();
        let check = self.seal(&self.newest, position.0, body);
        self.waiting.extend([&check[..], &position.0.to_le_bytes(), &length, body].into_iter().flatten());
        self.newest = check;
    }

    /// A commit went past the log: until the database is synced, the log alone does not bring everything back.
    pub(super) fn skip(&mut self) {
        self.whole = false;
    }

    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Writes what was added. The disk begins with it at once, and works on it beside this process.
    pub(super) fn write(&mut self) -> Result<(), StoreError> {
        self.disk.write(self.at, &self.waiting).map_err(io_error("write", &self.path))?;
        self.at += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Makes durable what was written.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.disk.sync_data().map_err(io_error("write", &self.path))
    }

    /// The database is synced: nothing here is needed any more.
    pub(super) fn begin_again(&mut self) {
        self.at = 0;
        self.waiting.clear();
        self.newest = Check::default();
        self.whole = true;
    }

    fn first_of<'a>(&self, bytes: &'a [u8], before: &Check) -> Option<(u64, &'a [u8], Check, &'a [u8])> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let check: Check = *head.first_chunk()?;
        let position = u64::from_le_bytes(*head[CHECK..].first_chunk()?);
        let length = u32::from_le_bytes(*head[CHECK + 8..].first_chunk()?);
        let (body, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        (check == self.seal(before, position, body)).then_some((position, body, check, tail))
    }

    fn seal(&self, before: &Check, position: u64, body: &[u8]) -> Check {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.store_id).update(before).update(&position.to_le_bytes()).update(body);
        *hasher.finalize().as_bytes().first_chunk().expect("a hash is longer")
    }
}
