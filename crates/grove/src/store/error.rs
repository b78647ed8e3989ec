//! What can go wrong with the store. Refusals (over quota, too large, no such item) leave the store usable;
//! everything that concerns the disk itself does not.

use std::io;
use std::path::{Path, PathBuf};

use super::blobs::BlobId;
use super::page::PageKey;
use crate::amount::bytes_text;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "{} is in use by {owner}\nhint: stop that node, or give this one its own folder",
        dir.display()
    )]
    InUse { dir: PathBuf, owner: Owner },

    #[error(
        "{} is not a Grove store\nhint: move it away, or choose another folder; nothing in it was changed",
        file.display()
    )]
    Foreign { file: PathBuf },

    #[error(
        "{} was written by a newer Grove (format {found}, this one knows up to {known})\nhint: start the newer version",
        file.display()
    )]
    Newer { file: PathBuf, found: u32, known: u32 },

    #[error(
        "{} is damaged: {what}\nhint: restore the folder from a backup; the node does not start on half a store",
        file.display()
    )]
    Damaged { file: PathBuf, what: Damage },

    #[error(
        "no space left on the disk of {}\nhint: free some space, then start the node again",
        file.display()
    )]
    NoSpace { file: PathBuf, source: io::Error },

    #[error(
        "the disk of {} has only {} free, and {} are kept in reserve\nhint: free some space",
        dir.display(), bytes_text(*free), bytes_text(*reserve)
    )]
    LowSpace { dir: PathBuf, free: u64, reserve: u64 },

    #[error(
        "over quota: {} are kept, {} more were asked for, {} are allowed\n\
         hint: raise the setting `disk`, or keep jobs less long with `keep`: `grove config`",
        bytes_text(*used), bytes_text(*wanted), bytes_text(*quota)
    )]
    OverQuota { used: u64, wanted: u64, quota: u64 },

    #[error("{what} of {bytes} bytes is too large, {max} are allowed")]
    TooLarge { what: &'static str, bytes: u64, max: u64 },

    #[error("no result is kept for item {} of task {} stage {}", key.first_item, key.task, key.stage)]
    NoItem { key: PageKey },

    #[error("no blob {id} is kept here")]
    NoBlob { id: BlobId },

    #[error("what was sent as blob {expected} is {found}")]
    WrongBlob { expected: BlobId, found: BlobId },

    #[error(
        "{} is damaged: its bytes from {offset} on are not the ones it is named for\nhint: send the file again",
        file.display()
    )]
    DamagedBlob { file: PathBuf, offset: u64 },

    #[error("blob {id} is being sent by somebody else just now")]
    Uploading { id: BlobId },

    #[error("cannot {doing} {}: {source}\nhint: check the disk and the rights on the folder", file.display())]
    Io { doing: &'static str, file: PathBuf, source: io::Error },

    #[error(
        "the database {} cannot be used: {source}\nhint: check the disk, then start the node again",
        file.display()
    )]
    Database { file: PathBuf, source: Box<redb::Error> },

    #[error("the store has failed before and accepts nothing more\nhint: start the node again")]
    Failed,
}

impl StoreError {
    /// Whether it was said before anything was written, so that the store goes on as if it had not been asked.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::OverQuota { .. }
            | Self::LowSpace { .. }
            | Self::TooLarge { .. }
            | Self::NoItem { .. }
            | Self::NoBlob { .. }
            | Self::WrongBlob { .. }
            | Self::Uploading { .. } => true,
            Self::InUse { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::DamagedBlob { .. }
            | Self::NoSpace { .. }
            | Self::Io { .. }
            | Self::Database { .. }
            | Self::Failed => false,
        }
    }
}

/// Which part is damaged, so that the message names a record and not only a file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("its structure does not check ({0})")]
    Structure(#[source] Box<redb::Error>),
    #[error("it ends after {len} bytes")]
    CutOff { len: u64 },
    #[error("it is not there, and commit {acknowledged} was acknowledged")]
    Missing { acknowledged: u64 },
    #[error("its structure cannot be walked")]
    Walk,
    #[error("its format marker does not check")]
    Marker,
    #[error("journal record {sequence}.{piece} does not check")]
    Row { sequence: u64, piece: u32 },
    #[error("journal record {wanted} is missing, {found} comes next")]
    Gap { wanted: u64, found: u64 },
    #[error("commit {acknowledged} was acknowledged, but the journal ends with {found}")]
    Lost { acknowledged: u64, found: u64 },
    #[error("the journal holds {counted} records and should hold {wanted}")]
    Count { counted: u64, wanted: u64 },
    #[error("the results of task {} stage {} from item {} do not check", .0.task, .0.stage, .0.first_item)]
    Page(PageKey),
    #[error("setting {0:?} does not check")]
    Setting(Box<str>),
}

/// Who holds the lock of a folder, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner(pub Option<u32>);

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "another node (process {pid})"),
            None => write!(f, "another node"),
        }
    }
}

/// For `map_err`: what was being done to which file.
pub(super) fn io_error(doing: &'static str, file: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::NoSpace { file: file.to_owned(), source }
        }
        _ => StoreError::Io { doing, file: file.to_owned(), source },
    }
}

/// For `map_err`: tells a full disk and a damaged file from the rest of what the database reports.
pub(super) fn database_error<E: Into<redb::Error>>(file: &Path) -> impl FnOnce(E) -> StoreError {
    move |error| match error.into() {
        redb::Error::Io(source) => io_error("use", file)(source),
        source @ redb::Error::Corrupted(_) => {
            StoreError::Damaged { file: file.to_owned(), what: Damage::Structure(Box::new(source)) }
        }
        redb::Error::PreviousIo => StoreError::Failed,
        source => StoreError::Database { file: file.to_owned(), source: Box::new(source) },
    }
}
