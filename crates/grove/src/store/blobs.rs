//! Blobs: large outputs, inputs and tools, each a file named by the BLAKE3 hash of its bytes.
//!
//! A blob is written under a temporary name, synced, renamed, and its folder synced, so that by the time a fact may
//! name it, it is there after any crash. It is never served unchecked. Who may read a blob is not known here, and no
//! path comes from outside: names are made from hashes.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::error::{StoreError, io_error};
use super::folder;
use super::system;
use super::usage::Usage;
use super::write::admit_on_disk;

mod id;
mod map;
mod read;
mod write;

pub use id::{BlobId, NotABlobId};
pub use read::{BlobReader, LINE_BYTES_MAX, Line};
pub use write::{BlobWriter, Upload};

const DIR: &str = "blobs";
/// What is not yet a blob: nameless writes begin with `NEW`, uploads that can be resumed are named by what they will be.
const PARTIAL: &str = "partial";
const NEW: &str = "new-";

/// A cheap handle to the blobs of one store, for any thread.
#[derive(Clone, Debug)]
pub struct Blobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    reserve_bytes: u64,
    usage: Usage,
    /// Numbers the temporary files of this run; those of earlier runs are removed at start.
    next_new: AtomicU64,
    /// One sender at a time for each upload, or their bytes would mix.
    uploading: Mutex<BTreeSet<BlobId>>,
}

/// How much is kept, and how much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Kept in rows and blobs.
    pub used_bytes: u64,
    /// What may be kept.
    pub quota_bytes: u64,
    /// What the disk has free.
    pub free_bytes: u64,
    /// With less than this free nothing more is taken in.
    pub reserve_bytes: u64,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub blobs: u64,
    pub partials: u64,
    pub bytes: u64,
}

impl Blobs {
    pub(super) fn open(store_dir: &Path, reserve_bytes: u64, usage: Usage) -> Result<Self, StoreError> {
        let dir = store_dir.join(DIR);
        folder::create_private(&dir)?;
        folder::create_private(&dir.join(PARTIAL))?;
        folder::sync_dir(&dir)?;
        folder::sync_dir(store_dir)?;
        let uploading = Mutex::new(BTreeSet::new());
        let blobs = Self(Arc::new(Inner { dir, reserve_bytes, usage, next_new: AtomicU64::new(0), uploading }));
        blobs.count_what_is_there()?;
        Ok(blobs)
    }

    pub fn has(&self, id: &BlobId) -> Result<bool, StoreError> {
        Ok(self.len(id)?.is_some())
    }

    /// The length of a blob, or `None` where there is none.
    pub fn len(&self, id: &BlobId) -> Result<Option<u64>, StoreError> {
        let path = self.path(id);
        match fs::symlink_metadata(&path) {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("look for", &path)(error)),
        }
    }

    /// So much may be kept from now on, in rows and blobs.
    pub fn set_quota(&self, bytes: u64) {
        self.0.usage.set_quota(bytes);
    }

    /// Bytes kept in blobs, whole and partial.
    pub fn used_bytes(&self) -> u64 {
        self.0.usage.blobs()
    }

    /// Whether anything more can be taken in; an error says why not.
    pub fn has_room(&self) -> Result<(), StoreError> {
        self.0.usage.admit(0)?;
        admit_on_disk(&self.0.dir, self.0.reserve_bytes, 0)
    }

    /// How full store and disk are.
    pub fn room(&self) -> Result<Room, StoreError> {
        let dir = &self.0.dir;
        let free_bytes = system::free_bytes(dir).map_err(io_error("look at the disk of", dir))?;
        let (used_bytes, quota_bytes) = (self.0.usage.used(), self.0.usage.quota());
        Ok(Room { used_bytes, quota_bytes, free_bytes, reserve_bytes: self.0.reserve_bytes })
    }

    /// Removes the blobs that nobody names any more and the uploads that nobody went on with, if they were last
    /// written before `older_than`: a blob is there a moment before the fact that names it.
    pub fn sweep(&self, live: impl Fn(&BlobId) -> bool, older_than: SystemTime) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        self.each_file(|name, file| {
            let gone = match &name {
                Name::Blob(id) => !live(id),
                Name::Partial(id) => !self.is_uploading(id),
                // A sidecar goes with its blob, a nameless write with its writer.
                Name::Map | Name::New | Name::Unknown => false,
            };
            let found = file.metadata().map_err(io_error("look at", &file.path()))?;
            if !gone || found.modified().map_err(io_error("look at", &file.path()))? >= older_than {
                return Ok(());
            }
            folder::remove(&file.path())?;
            self.0.usage.free_blob(found.len());
            swept.bytes += found.len();
            match name {
                Name::Blob(id) => {
                    folder::remove(&self.map_path(&id))?;
                    swept.blobs += 1;
                }
                _ => swept.partials += 1,
            }
            Ok(())
        })?;
        Ok(swept)
    }

    fn count_what_is_there(&self) -> Result<(), StoreError> {
        self.each_file(|name, file| match name {
            Name::Blob(_) | Name::Partial(_) => {
                let found = file.metadata().map_err(io_error("look at", &file.path()))?;
                self.0.usage.found_blob(found.len());
                Ok(())
            }
            Name::New => folder::remove(&file.path()),
            Name::Map | Name::Unknown => Ok(()),
        })
    }

    fn each_file(&self, mut each: impl FnMut(Name, &fs::DirEntry) -> Result<(), StoreError>) -> Result<(), StoreError> {
        for shelf in fs::read_dir(&self.0.dir).map_err(io_error("list", &self.0.dir))? {
            let shelf = shelf.map_err(io_error("list", &self.0.dir))?;
            // Not followed if it is a link: `file_type` looks at the entry itself.
            if !shelf.file_type().map_err(io_error("look at", &shelf.path()))?.is_dir() {
                continue;
            }
            for file in fs::read_dir(shelf.path()).map_err(io_error("list", &shelf.path()))? {
                let file = file.map_err(io_error("list", &shelf.path()))?;
                let name = Name::of(shelf.file_name() == PARTIAL, &file.file_name().to_string_lossy());
                // A file that has gone meanwhile needs nothing done to it.
                match each(name, &file) {
                    Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// One level of 256 folders keeps each at 40,000 files for ten million blobs, and costs one more folder sync at
    /// most; a second level would cost two.
    fn shelf(&self, id: &BlobId) -> PathBuf {
        self.shelf_of(id.0[0])
    }

    fn shelf_of(&self, first: u8) -> PathBuf {
        self.0.dir.join(format!("{first:02x}"))
    }

    /// All at once, so that their folder is synced once and not for each.
    fn make_shelves(&self) -> Result<(), StoreError> {
        (0..=u8::MAX).try_for_each(|first| folder::create_private(&self.shelf_of(first)))?;
        folder::sync_dir(&self.0.dir)
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.shelf(id).join(id.to_string())
    }

    fn map_path(&self, id: &BlobId) -> PathBuf {
        self.shelf(id).join(format!("{id}{MAP_SUFFIX}"))
    }

    fn partial_path(&self, id: &BlobId) -> PathBuf {
        self.0.dir.join(PARTIAL).join(id.to_string())
    }

    fn new_path(&self) -> PathBuf {
        let number = self.0.next_new.fetch_add(1, Ordering::Relaxed);
        self.0.dir.join(PARTIAL).join(format!("{NEW}{number}"))
    }

    fn is_uploading(&self, id: &BlobId) -> bool {
        self.0.uploading.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

const MAP_SUFFIX: &str = ".map";

/// What a file in the folder is; a stranger's file is left alone.
enum Name {
    Blob(BlobId),
    Map,
    Partial(BlobId),
    New,
    Unknown,
}

impl Name {
    fn of(partial: bool, name: &str) -> Self {
        if partial && name.starts_with(NEW) {
            return Self::New;
        }
        let (text, map) = name.strip_suffix(MAP_SUFFIX).map_or((name, false), |text| (text, true));
        match text.parse() {
            Ok(id) if partial => Self::Partial(id),
            Ok(_) if map => Self::Map,
            Ok(id) => Self::Blob(id),
            Err(_) => Self::Unknown,
        }
    }
}
