//! Writing blobs: hashed while they are written, durable before they have a name.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::SystemTime;

use super::super::error::{StoreError, io_error};
use super::super::folder::{self, private_options};
use super::super::write::admit_on_disk;
use super::map::{BLOCK, Map, Surveyor};
use super::{BlobId, Blobs};

/// How often the free space of the disk is looked at while a blob streams in.
const DISK_CHECK_BYTES: u64 = 16 << 20;

/// A blob in the making; dropped before `finish` it leaves nothing behind.
#[derive(Debug)]
pub struct BlobWriter {
    draft: Draft,
    finished: bool,
}

/// A blob that is sent in pieces under the name it will have; dropped before `finish` it can be resumed.
#[derive(Debug)]
pub struct Upload {
    draft: Option<Draft>,
    id: BlobId,
    blobs: Blobs,
}

impl Blobs {
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<BlobId, StoreError> {
        let mut writer = self.writer()?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Takes a whole stream, at most `bytes_max` of it.
    pub fn put_stream(&self, mut from: impl Read, bytes_max: u64) -> Result<BlobId, StoreError> {
        let mut writer = self.writer()?;
        let mut buffer = vec![0; BLOCK];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return writer.finish(),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(io_error("receive into", &writer.draft.path)(error)),
            };
            if writer.len() + read as u64 > bytes_max {
                return Err(StoreError::TooLarge { what: "a blob", bytes: writer.len() + read as u64, max: bytes_max });
            }
            writer.write(&buffer[..read])?;
        }
    }

    pub fn writer(&self) -> Result<BlobWriter, StoreError> {
        let path = self.new_path();
        let file = private_options().write(true).create_new(true).open(&path).map_err(io_error("create", &path))?;
        Ok(BlobWriter { draft: Draft::new(self.clone(), path, file, true), finished: false })
    }

    /// Begins an upload, or goes on with one that was broken off: `offset` says from where.
    pub fn upload(&self, id: BlobId) -> Result<Upload, StoreError> {
        self.begin(id, false)
    }

    /// The same for what work leaves that was accepted before.
    pub fn upload_of_work(&self, id: BlobId) -> Result<Upload, StoreError> {
        self.begin(id, true)
    }

    /// How much has come of a blob that somebody began to send; making nothing and reading nothing.
    pub fn begun(&self, id: &BlobId) -> Result<u64, StoreError> {
        let path = self.partial_path(id);
        match fs::symlink_metadata(&path) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(io_error("look for", &path)(error)),
        }
    }

    /// It is as young as one that has just come.
    pub fn renew(&self, id: &BlobId) -> Result<(), StoreError> {
        let path = self.path(id);
        match File::open(&path).and_then(|blob| blob.set_modified(SystemTime::now())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("renew", &path)(error)),
            _ => Ok(()),
        }
    }

    fn begin(&self, id: BlobId, of_work: bool) -> Result<Upload, StoreError> {
        if !self.0.uploading.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
            return Err(StoreError::Uploading { id });
        }
        // From here on the drop of `upload` gives the name free again.
        let mut upload = Upload { draft: None, id, blobs: self.clone() };
        let path = self.partial_path(&id);
        let mut file =
            private_options().read(true).append(true).create(true).open(&path).map_err(io_error("open", &path))?;
        let mut surveyor = Surveyor::default();
        survey(&mut file, &path, &mut surveyor)?;
        upload.draft = Some(Draft { surveyor, ..Draft::new(self.clone(), path, file, of_work) });
        Ok(upload)
    }
}

impl BlobWriter {
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.draft.write(bytes)
    }

    pub fn len(&self) -> u64 {
        self.draft.surveyor.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes it durable and names it; only now may a fact name it too.
    pub fn finish(mut self) -> Result<BlobId, StoreError> {
        let (id, map) = std::mem::take(&mut self.draft.surveyor).finish();
        self.draft.publish(&id, &map)?;
        self.finished = true;
        Ok(id)
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.draft.discard();
        }
    }
}

impl Upload {
    /// How many bytes have arrived; the next piece begins here.
    pub fn offset(&self) -> u64 {
        self.draft.as_ref().map_or(0, |draft| draft.surveyor.len())
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(draft) = self.draft.as_mut() else {
            return Ok(());
        };
        let written = draft.write(bytes);
        if matches!(written, Err(StoreError::LowSpace { .. } | StoreError::OverQuota { .. })) {
            // What has come of it would keep others out for as long as nobody goes on with it.
            draft.discard();
            self.draft = None;
        }
        written
    }

    /// Checks that it is what it was called, and only then names it so. Anything else is thrown away.
    pub fn finish(mut self) -> Result<BlobId, StoreError> {
        let Some(mut draft) = self.draft.take() else {
            return Ok(self.id);
        };
        let (found, map) = std::mem::take(&mut draft.surveyor).finish();
        if found != self.id {
            draft.discard();
            return Err(StoreError::WrongBlob { expected: self.id, found });
        }
        draft.publish(&found, &map)?;
        Ok(found)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.blobs.0.uploading.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// A file that is to become a blob.
#[derive(Debug)]
struct Draft {
    blobs: Blobs,
    path: PathBuf,
    file: File,
    surveyor: Surveyor,
    of_work: bool,
    /// At which length to look at the disk again.
    check_at: u64,
}

impl Draft {
    fn new(blobs: Blobs, path: PathBuf, file: File, of_work: bool) -> Self {
        Self { blobs, path, file, of_work, surveyor: Surveyor::default(), check_at: 0 }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let inner = &self.blobs.0;
        if self.surveyor.len() >= self.check_at {
            admit_on_disk(&inner.dir, inner.reserve_bytes, bytes.len() as u64)?;
            self.check_at = self.surveyor.len() + DISK_CHECK_BYTES;
        }
        inner.usage.take_blob(bytes.len() as u64, self.of_work)?;
        if let Err(error) = self.file.write_all(bytes) {
            inner.usage.free_blob(bytes.len() as u64);
            return Err(io_error("write", &self.path)(error));
        }
        self.surveyor.take(bytes);
        Ok(())
    }

    /// File, name, folder, in this order: a name never points to bytes that a crash can still take away.
    fn publish(&self, id: &BlobId, map: &Map) -> Result<(), StoreError> {
        self.file.sync_all().map_err(io_error("sync", &self.path))?;
        let shelf = self.blobs.shelf(id);
        if !fs::exists(&shelf).map_err(io_error("look for", &shelf))? {
            self.blobs.make_shelves()?;
        }
        if map.is_kept() {
            map.save(id, &self.blobs.new_path(), &self.blobs.map_path(id))?;
        }
        // One that is there already is replaced: that costs little, makes it new for a sweep, and heals a damaged one.
        let replaced = self.blobs.len(id)?;
        fs::rename(&self.path, self.blobs.path(id)).map_err(io_error("rename", &self.path))?;
        self.blobs.0.usage.free_blob(replaced.unwrap_or(0));
        folder::sync_dir(&shelf)
    }

    fn discard(&self) {
        // What is on the disk counts, also after the surveyor was taken.
        let len = self.file.metadata().map_or(0, |found| found.len());
        // If it cannot be removed now, the next start or sweep does.
        if folder::remove(&self.path).is_ok() {
            self.blobs.0.usage.free_blob(len);
        }
    }
}

/// Reads a file to its end into the surveyor.
pub(super) fn survey(file: &mut File, path: &Path, surveyor: &mut Surveyor) -> Result<(), StoreError> {
    let mut buffer = vec![0; BLOCK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => surveyor.take(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read", path)(error)),
        }
    }
}
