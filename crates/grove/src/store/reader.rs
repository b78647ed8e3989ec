//! Reading results and settings, from any thread, while the loop commits. A reader sees whole commits, the lazy ones
//! too: what could still be lost is the caller's to know.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableDatabase};

use super::database::{Shared, guarded};
use super::error::{Damage, StoreError, database_error};
use super::page::{PageKey, items_of};
use super::reach::Reach;
use super::row::{self, DROPPED, PAGES, SETTINGS, TASKS};

/// One answer of the API; a longer list is read by asking again from `next`.
pub const RESULTS_BYTES_MAX: usize = 4 << 20;

#[derive(Clone, Debug)]
pub struct Reader {
    database: Arc<Shared>,
    file: Arc<Path>,
    reach: Reach,
}

/// Some results in item order. Items without a result are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    pub items: Vec<(u64, Vec<u8>)>,
    /// Where to go on; `None` when this was all.
    pub next: Option<u64>,
}

/// A row of results, checked.
pub(super) struct PageRow<'a> {
    pub(super) key: PageKey,
    pub(super) order: u64,
    pub(super) items: u32,
    pub(super) body: &'a [u8],
}

impl Reader {
    pub(super) fn new(database: Arc<Shared>, file: &Path, reach: Reach) -> Self {
        Self { database, file: file.into(), reach }
    }

    /// The results of a stage from `from_item` on, at most `limit` of them and at most `RESULTS_BYTES_MAX` bytes.
    pub fn results(&self, task: u64, stage: u8, from_item: u64, limit: usize) -> Result<Results, StoreError> {
        guarded(&self.file, || self.read_results(task, stage, from_item, limit.max(1)))
    }

    /// The newest result of one item.
    pub fn result(&self, key: PageKey) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.results(key.task, key.stage, key.first_item, 1)?;
        Ok(found.items.into_iter().find(|(item, _)| *item == key.first_item).map(|(_, bytes)| bytes))
    }

    pub fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.settings(name)?.remove(name))
    }

    /// Settings whose names begin with `prefix`.
    pub fn settings(&self, prefix: &str) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        guarded(&self.file, || {
            let read = self.begin()?;
            let table = read.open_table(SETTINGS).map_err(database_error(&self.file))?;
            let mut settings = BTreeMap::new();
            for entry in table.range(prefix..).map_err(database_error(&self.file))? {
                let (name, value) = entry.map_err(database_error(&self.file))?;
                if !name.value().starts_with(prefix) {
                    break;
                }
                let value = row::decode_setting(name.value(), value.value()).ok_or_else(|| StoreError::Damaged {
                    file: self.file.to_path_buf(),
                    what: Damage::Setting(name.value().into()),
                })?;
                settings.insert(name.value().to_owned(), value.to_vec());
            }
            Ok(settings)
        })
    }

    fn read_results(&self, task: u64, stage: u8, from_item: u64, limit: usize) -> Result<Results, StoreError> {
        let read = self.begin()?;
        // Asked after the transaction began: it cannot see a page of which nothing is known here.
        let first = self.reach.back_from(task, stage, from_item);
        if !self.is_kept(&read, task)? {
            return Ok(Results::default());
        }
        let table = read.open_table(PAGES).map_err(database_error(&self.file))?;
        let rows = (task, stage, first, 0)..=(task, stage, u64::MAX, u64::MAX);
        let mut newest: BTreeMap<u64, (u64, Vec<u8>)> = BTreeMap::new();
        let (mut bytes, mut ended) = (0, true);
        for entry in table.range(rows).map_err(database_error(&self.file))? {
            let (key, value) = entry.map_err(database_error(&self.file))?;
            let row = decode(&self.file, key.value(), value.value())?;
            // Rows ascend by first item: what is asked for is settled once enough lies before this row.
            let settled = newest.len() >= limit || bytes > RESULTS_BYTES_MAX;
            if settled && settled_before(&newest, row.key.first_item, limit) {
                ended = false;
                break;
            }
            for item in items_of(row.key.first_item, row.items, row.body) {
                let (item, result) = item.ok_or_else(|| row.damaged(&self.file))?;
                let superseded = newest.get(&item).is_some_and(|(order, _)| *order > row.order);
                if item >= from_item && !superseded {
                    bytes += result.len();
                    newest.insert(item, (row.order, result.to_vec()));
                }
            }
        }
        Ok(cut(newest, limit, ended))
    }

    fn is_kept(&self, read: &ReadTransaction, task: u64) -> Result<bool, StoreError> {
        let table = read.open_table(TASKS).map_err(database_error(&self.file))?;
        let at = table.get(task).map_err(database_error(&self.file))?;
        Ok(at.is_some_and(|at| at.value() != DROPPED))
    }

    fn begin(&self) -> Result<ReadTransaction, StoreError> {
        self.database.begin_read().map_err(database_error(&self.file))
    }
}

/// Whether the first `limit` items, or as many bytes as one answer may have, all lie before `item`.
fn settled_before(newest: &BTreeMap<u64, (u64, Vec<u8>)>, item: u64, limit: usize) -> bool {
    let mut bytes = 0;
    for (nth, (number, (_, result))) in newest.iter().enumerate() {
        bytes += result.len();
        if nth + 1 == limit || bytes > RESULTS_BYTES_MAX {
            return *number < item;
        }
    }
    false
}

/// Cuts to the limits; `ended` says that no row was left unread.
fn cut(newest: BTreeMap<u64, (u64, Vec<u8>)>, limit: usize, ended: bool) -> Results {
    let mut results = Results::default();
    let mut bytes = 0;
    for (item, (_, result)) in newest {
        bytes += result.len();
        if results.items.len() == limit || (bytes > RESULTS_BYTES_MAX && !results.items.is_empty()) {
            results.next = Some(item);
            return results;
        }
        results.items.push((item, result));
    }
    if !ended {
        results.next = results.items.last().map(|(item, _)| item + 1);
    }
    results
}

pub(super) fn decode<'a>(
    file: &Path,
    (task, stage, first_item, order): (u64, u8, u64, u64),
    value: &'a [u8],
) -> Result<PageRow<'a>, StoreError> {
    let key = PageKey { task, stage, first_item };
    let (items, body) = row::decode_page(&key, order, value)
        .ok_or_else(|| StoreError::Damaged { file: file.to_owned(), what: Damage::Page(key) })?;
    Ok(PageRow { key, order, items, body })
}

impl PageRow<'_> {
    pub(super) fn covers(&self, item: u64) -> bool {
        item >= self.key.first_item && item - self.key.first_item < u64::from(self.items)
    }

    pub(super) fn damaged(&self, file: &Path) -> StoreError {
        StoreError::Damaged { file: file.to_owned(), what: Damage::Page(self.key) }
    }
}
