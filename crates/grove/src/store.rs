//! The store: the journal of facts, the pages of results and the blobs of one node, in one private folder.
//!
//! One thread commits; each commit is one transaction and one sync, and what it returned is there after any crash. A
//! small one is synced in the log, and the database follows. A lazy commit leaves the sync to a later one: whole
//! commits may be lost with it, from the end, and never the middle.
//! Anybody may read meanwhile through a [`Reader`]. The store knows a database and files. It knows no network, no
//! scheduling and no clock, and what facts and results mean is not its business: they are bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, StorageBackend};

mod blobs;
mod compact;
mod database;
mod error;
mod folder;
mod log;
mod page;
mod reach;
mod reader;
mod replay;
mod row;
#[cfg_attr(unix, path = "store/system_unix.rs")]
#[cfg_attr(not(unix), path = "store/system_other.rs")]
mod system;
mod tasks;
#[cfg(test)]
mod tests;
mod usage;
mod witness;
mod write;

pub use blobs::{BlobId, BlobReader, BlobWriter, Blobs, LINE_BYTES_MAX, Line, NotABlobId, Room, Swept, Upload};
pub use compact::SNAPSHOT_PIECE_BYTES;
pub(crate) use database::is_guarded;
pub use error::{Damage, Owner, StoreError};
pub use page::{ITEM_BYTES_MAX, PAGE_BYTES_MAX, PAGE_ITEMS_MAX, Page, PageKey, items_of};
pub use reader::{RESULTS_BYTES_MAX, Reader, Results};
pub use replay::Replayed;
pub use write::{Commit, FACTS_BYTES_MAX, Lift, PAGES_PER_COMMIT_MAX};

use database::{Found, Shared};
use folder::Folder;
use log::Log;
use reach::Reach;
use row::Totals;
use usage::Usage;
use witness::Witness;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Rows and blobs together.
    pub quota_bytes: u64,
    /// What work leaves that was accepted before is kept beyond the quota too, as long as the disk has room: only what
    /// is new is refused.
    pub keeps_promises: bool,
    /// Results and blobs are refused while the disk has less than this free, so that facts can still be written.
    pub reserve_bytes: u64,
    /// Memory for pages of the database.
    pub cache_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { quota_bytes: 20 << 30, keeps_promises: false, reserve_bytes: 256 << 20, cache_bytes: 32 << 20 }
    }
}

/// A folder whose database has gone is not a new one.
fn refuse_if_lost(folder: &Folder) -> Result<(), StoreError> {
    let file = database::file(folder);
    if std::fs::exists(&file).map_err(error::io_error("look for", &file))? {
        return Ok(());
    }
    match Witness::open(folder)?.1 {
        Position(0) => Ok(()),
        Position(acknowledged) => Err(StoreError::Damaged { file, what: Damage::Missing { acknowledged } }),
    }
}

/// What was found when the folder was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Nothing was there before.
    pub created: bool,
    /// Random, made with the folder: tells one store from a copy's sibling.
    pub store_id: [u8; 16],
    /// The last commit of the journal.
    pub last: Position,
    /// The store was not closed in order, and was put right.
    pub repaired: bool,
    /// The newest commit was not whole and was undone: the crash came before it was acknowledged.
    pub undone: bool,
}

/// The sequence of a commit; the first is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

#[derive(Debug)]
pub struct Store {
    database: Arc<Shared>,
    file: PathBuf,
    settings: Settings,
    usage: Usage,
    blobs: Blobs,
    last: Position,
    log: Log,
    witness: Witness,
    totals: Totals,
    /// How much of the journal is its last snapshot.
    snapshot_bytes: u64,
    /// Tasks with results, and when these were last written; a handful beside the rows themselves.
    tasks: BTreeMap<u64, u64>,
    reach: Reach,
    /// After a failed write or sync nobody can say what the disk holds, so nothing more is acknowledged.
    failed: bool,
    /// A crash would undo lazy commits.
    behind: bool,
    /// Reused for encoding rows.
    scratch: Vec<u8>,
    /// Last, so that the lock outlives everything that it guards.
    folder: Folder,
}

impl Store {
    /// Opens the store in `dir`, or creates it there. A store that is refused is left as it is.
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Opened), StoreError> {
        let folder = Folder::open(dir)?;
        refuse_if_lost(&folder)?;
        let (database, found) = database::open(&folder, settings.cache_bytes)?;
        let log = log::open(&folder)?;
        Self::start(folder, database, log, found, settings)
    }

    fn start(
        folder: Folder,
        mut database: Database,
        log: Box<dyn StorageBackend>,
        found: Found,
        settings: Settings,
    ) -> Result<(Self, Opened), StoreError> {
        let usage = Usage::new(settings.quota_bytes, settings.keeps_promises);
        let blobs = Blobs::open(folder.dir(), settings.reserve_bytes, usage.clone())?;
        let file = database::file(&folder);
        let tail = database::guarded(&file, || replay::read_tail(&database, &file))?;
        let (witness, acknowledged) = Witness::open(&folder)?;
        let log = Log::new(log, &folder.path(log::FILE), found.store_id)?;
        let tasks = database::guarded(&file, || tasks::read_tasks(&database, &file))?;
        database::guarded(&file, || database::give_back(&mut database, &file, found.file_bytes, tail.totals.all()))?;
        usage.set_rows(tail.totals.all());
        let mut store = Self {
            database: Shared::new(database),
            file,
            settings,
            usage,
            blobs,
            last: tail.last,
            log,
            witness,
            totals: tail.totals,
            snapshot_bytes: tail.snapshot_bytes,
            tasks,
            reach: Reach::default(),
            failed: false,
            behind: false,
            scratch: Vec::new(),
            folder,
        };
        store.catch_up()?;
        if store.last < acknowledged {
            let what = Damage::Lost { acknowledged: acknowledged.0, found: store.last.0 };
            return Err(StoreError::Damaged { file: store.file, what });
        }
        let Found { created, store_id, repaired, undone, .. } = found;
        let opened = Opened { created, store_id, last: store.last, repaired, undone };
        Ok((store, opened))
    }

    /// Reads beside the commits, from any thread.
    pub fn reader(&self) -> Reader {
        Reader::new(self.database.clone(), &self.file, self.reach.clone())
    }

    /// The blobs of this store, from any thread.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    pub fn last(&self) -> Position {
        self.last
    }

    /// Bytes kept in rows and blobs, as the quota counts them.
    pub fn used_bytes(&self) -> u64 {
        self.usage.used()
    }

    /// Bytes that a restart has to read before it hands out work.
    pub fn journal_bytes(&self) -> u64 {
        self.totals.journal
    }

    /// Whether a crash would undo lazy commits.
    pub fn is_behind(&self) -> bool {
        self.behind
    }

    /// Whether an earlier commit failed: the only way on is to stop and to start again.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// The database is durable with all that was written so far.
    fn advance(&mut self, last: Position, totals: Totals) -> Result<(), StoreError> {
        self.log.begin_again();
        self.acknowledge(last, totals)
    }

    /// A commit is durable: from here on it counts.
    fn acknowledge(&mut self, last: Position, totals: Totals) -> Result<(), StoreError> {
        self.grow(last, totals);
        self.behind = false;
        let witnessed = self.witness.write(last);
        self.settle(witnessed)
    }

    fn grow(&mut self, last: Position, totals: Totals) {
        self.last = last;
        self.totals = totals;
        self.usage.set_rows(totals.all());
    }

    fn refuse_if_failed(&self) -> Result<(), StoreError> {
        if self.failed { Err(StoreError::Failed) } else { Ok(()) }
    }

    /// A refusal is the caller's to answer; anything else is final.
    fn settle<T>(&mut self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &outcome {
            self.failed |= !error.is_refusal();
        }
        outcome
    }
}
