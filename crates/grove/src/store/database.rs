//! Opening the database file: created whole or not at all, recognised by its marker, checked before it is trusted.
//! Knows the file and its marker; the rows are none of its business.

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, StorageBackend};

use super::error::{Damage, Owner, StoreError, database_error, io_error};
use super::folder::{self, Folder, private_options};
use super::row::{self, GROVE, JOURNAL, PAGES, SETTINGS, TASKS};

const FILE: &str = "store.redb";
/// A crash while the file is created leaves this one behind, which the next start removes.
const UNFINISHED: &str = "store.redb.new";
const REDB_MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// The database's own header; it reads this much without asking whether it is there.
const HEADER_BYTES: u64 = 320;
const MARKER: &str = "format";
const MARKER_MAGIC: &[u8] = b"grove store";
const FORMAT: u32 = 1;
/// Walking all checksums costs about 1 s for each GiB; beyond this a start would miss its 2 s, and the checks that
/// every row carries must do.
const VERIFY_AT_OPEN_BYTES_MAX: u64 = 1 << 30;
/// Giving space back moves pages about, which is worth it only when much of a file that can be moved quickly is empty.
const COMPACT_FILE_BYTES_MIN: u64 = 16 << 20;
const COMPACT_LIVE_BYTES_MAX: u64 = 64 << 20;

pub(super) fn file(folder: &Folder) -> PathBuf {
    folder.path(FILE)
}

/// What was found on opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) created: bool,
    pub(super) store_id: [u8; 16],
    pub(super) repaired: bool,
    pub(super) undone: bool,
    pub(super) file_bytes: u64,
}

pub(super) fn open(folder: &Folder, cache_bytes: usize) -> Result<(Database, Found), StoreError> {
    let path = folder.path(FILE);
    folder::remove(&folder.path(UNFINISHED))?;
    let created = !fs::exists(&path).map_err(io_error("look for", &path))?;
    if created {
        create(folder, &path)?;
    }
    let mut file = private_options().read(true).write(true).open(&path).map_err(io_error("open", &path))?;
    let len = file.metadata().map_err(io_error("look at", &path))?.len();
    let mut magic = Vec::new();
    file.by_ref().take(REDB_MAGIC.len() as u64).read_to_end(&mut magic).map_err(io_error("read", &path))?;
    if magic != REDB_MAGIC {
        return Err(StoreError::Foreign { file: path });
    }
    if len < HEADER_BYTES {
        return Err(StoreError::Damaged { file: path, what: Damage::CutOff { len } });
    }
    let disk = FileBackend::new(file).map_err(|error| open_error(&path, error))?;
    open_on(disk, &path, cache_bytes, created)
}

/// A database that is closed when its last user is gone. Closing reads and writes; a page that has rotted meanwhile
/// must not bring down the thread that happens to be last, and the next start finds it.
pub(super) struct Shared(Option<Database>);

impl Shared {
    pub(super) fn new(database: Database) -> Arc<Self> {
        Arc::new(Self(Some(database)))
    }
}

impl Deref for Shared {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("it is only taken by drop")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let database = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
            tracing::error!("the database could not be closed in order; the next start will check it");
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

/// A damaged file may trip an assertion of the database; to the caller that is damage like any other.
pub(super) fn guarded<T>(file: &Path, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let before = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.unwrap_or_else(|_| Err(StoreError::Damaged { file: file.to_owned(), what: Damage::Walk }))
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread is about to become an error, which says all that a person can use.
pub(crate) fn is_guarded() -> bool {
    GUARDED.get()
}

fn create(folder: &Folder, path: &Path) -> Result<(), StoreError> {
    let unfinished = folder.path(UNFINISHED);
    let file = private_options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&unfinished)
        .map_err(io_error("create", &unfinished))?;
    let synced = file.try_clone().map_err(io_error("create", &unfinished))?;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| io_error("name", &unfinished)(io::Error::other(error.to_string())))?;
    let database = Database::builder().create_file(file).map_err(database_error(&unfinished))?;
    lay_out(&database, FORMAT, &id).map_err(database_error(&unfinished))?;
    drop(database);
    synced.sync_all().map_err(io_error("sync", &unfinished))?;
    fs::rename(&unfinished, path).map_err(io_error("rename", &unfinished))?;
    folder::sync_dir(folder.dir())
}

/// Writes the marker and makes every table, so that readers need not ask whether one exists.
pub(super) fn lay_out(database: &Database, format: u32, id: &[u8; 16]) -> Result<(), redb::Error> {
    let marker = [MARKER_MAGIC, &format.to_le_bytes(), id].concat();
    let write = database.begin_write()?;
    write.open_table(GROVE)?.insert(MARKER, row::encode_setting(MARKER, &marker).as_slice())?;
    write.open_table(JOURNAL)?;
    write.open_table(PAGES)?;
    write.open_table(TASKS)?;
    write.open_table(SETTINGS)?;
    Ok(write.commit()?)
}

/// Opens a database that is there. Tests give it disks that lose writes and fail.
pub(super) fn open_on(
    disk: impl StorageBackend,
    path: &Path,
    cache_bytes: usize,
    created: bool,
) -> Result<(Database, Found), StoreError> {
    guarded(path, || {
        let file_bytes = disk.len().map_err(io_error("read", path))?;
        let (mut database, mut repaired, undone) = recover(disk, path, cache_bytes)?;
        let store_id = read_marker(&database, path)?;
        // A repair has walked every checksum already.
        if !repaired && file_bytes <= VERIFY_AT_OPEN_BYTES_MAX {
            repaired |= !database.check_integrity().map_err(database_error(path))?;
        }
        let found = Found { created, store_id, repaired, undone, file_bytes };
        Ok((database, found))
    })
}

/// Also tells whether a repair was needed, and whether it undid the newest commit.
fn recover(disk: impl StorageBackend, path: &Path, cache_bytes: usize) -> Result<(Database, bool, bool), StoreError> {
    let repaired = Arc::new(AtomicBool::new(false));
    let undone = Arc::new(AtomicBool::new(false));
    let (saw_repair, saw_undone) = (repaired.clone(), undone.clone());
    let database = Database::builder()
        .set_cache_size(cache_bytes)
        .set_repair_callback(move |session| {
            saw_repair.store(true, Ordering::Relaxed);
            // The first of three scans reports 0.3 only when the newest commit did not check and the one
            // before it is taken.
            if (0.25..0.5).contains(&session.progress()) {
                saw_undone.store(true, Ordering::Relaxed);
            }
        })
        .create_with_backend(disk)
        .map_err(|error| open_error(path, error))?;
    Ok((database, repaired.load(Ordering::Relaxed), undone.load(Ordering::Relaxed)))
}

fn open_error(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        // The folder's own lock is free, so this is a reader that outlived its store.
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { dir: path.to_owned(), owner: Owner(None) },
        DatabaseError::UpgradeRequired(_) => StoreError::Foreign { file: path.to_owned() },
        other => database_error(path)(other),
    }
}

fn read_marker(database: &Database, path: &Path) -> Result<[u8; 16], StoreError> {
    let foreign = || StoreError::Foreign { file: path.to_owned() };
    let damaged = || StoreError::Damaged { file: path.to_owned(), what: Damage::Marker };
    let read = database.begin_read().map_err(database_error(path))?;
    let table = match read.open_table(GROVE) {
        Ok(table) => table,
        Err(redb::TableError::Storage(error)) => return Err(database_error(path)(error)),
        Err(_) => return Err(foreign()),
    };
    let value = table.get(MARKER).map_err(database_error(path))?.ok_or_else(foreign)?;
    let marker = row::decode_setting(MARKER, value.value()).ok_or_else(damaged)?;
    let rest = marker.strip_prefix(MARKER_MAGIC).ok_or_else(foreign)?;
    let (format, id) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    let found = u32::from_le_bytes(*format);
    if found > FORMAT {
        return Err(StoreError::Newer { file: path.to_owned(), found, known: FORMAT });
    }
    id.try_into().map_err(|_| damaged())
}

/// Gives space back to the disk; only while nobody reads or writes.
pub(super) fn give_back(
    database: &mut Database,
    path: &Path,
    file_bytes: u64,
    live_bytes: u64,
) -> Result<(), StoreError> {
    let sparse = file_bytes > COMPACT_FILE_BYTES_MIN && file_bytes / 4 > live_bytes;
    if sparse && live_bytes <= COMPACT_LIVE_BYTES_MAX {
        database.compact().map_err(database_error(path))?;
    }
    Ok(())
}
