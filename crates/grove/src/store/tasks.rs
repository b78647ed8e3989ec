//! Which tasks have results, since when, and how they go: at once for a reader, in bounded slices for the disk.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable};

use super::database::guarded;
use super::error::{StoreError, database_error};
use super::row::{DROPPED, PAGES, TASKS, Totals};
use super::{Position, Store};

/// One slice of a drop takes a few milliseconds at most, so that expiry never blocks the loop.
const TIDY_ROWS_MAX: usize = 1024;

impl Store {
    /// Tasks that have results.
    pub fn tasks(&self) -> impl Iterator<Item = u64> {
        self.tasks.iter().filter(|(_, at)| **at != DROPPED).map(|(task, _)| *task)
    }

    /// Tasks whose results were last written `age_s` or longer ago, to the hour.
    pub fn tasks_older_than(&self, now_s: u64, age_s: u64) -> impl Iterator<Item = u64> {
        let limit = now_s.saturating_sub(age_s);
        self.tasks.iter().filter(move |(_, at)| **at != DROPPED && **at <= limit).map(|(task, _)| *task)
    }

    /// Tasks whose results are gone and still take space; nothing is kept under these numbers until they are tidied.
    pub fn dropped(&self) -> impl Iterator<Item = u64> {
        self.tasks.iter().filter(|(_, at)| **at == DROPPED).map(|(task, _)| *task)
    }

    /// Whether dropped results still take space.
    pub fn wants_tidying(&self) -> bool {
        self.tasks.values().any(|at| *at == DROPPED)
    }

    /// Frees one slice of the dropped results; `true` while there is more. For idle moments of the loop.
    pub fn tidy(&mut self) -> Result<bool, StoreError> {
        self.refuse_if_failed()?;
        if !self.wants_tidying() {
            return Ok(false);
        }
        let outcome = guarded(&self.file, || self.free_slice());
        let (totals, done) = self.settle(outcome)?;
        self.advance(Position(self.last.0 + 1), totals)?;
        for task in done {
            self.tasks.remove(&task);
            self.reach.forget(task);
        }
        Ok(self.wants_tidying())
    }

    /// Small tasks go together: what costs time is the sync.
    fn free_slice(&self) -> Result<(Totals, Vec<u64>), StoreError> {
        let (mut totals, mut done, mut left) = (self.totals, Vec::new(), TIDY_ROWS_MAX);
        let write = self.database.begin_write().map_err(database_error(&self.file))?;
        {
            let mut pages = write.open_table(PAGES).map_err(database_error(&self.file))?;
            let mut tasks = write.open_table(TASKS).map_err(database_error(&self.file))?;
            for task in self.dropped() {
                let range = (task, 0, 0, 0)..=(task, u8::MAX, u64::MAX, u64::MAX);
                let taken = pages.extract_from_if(range, |_, _| true).map_err(database_error(&self.file))?;
                for entry in taken.take(left) {
                    let (_, value) = entry.map_err(database_error(&self.file))?;
                    totals.pages = totals.pages.saturating_sub(value.value().len() as u64);
                    left -= 1;
                }
                if left == 0 {
                    break;
                }
                tasks.remove(task).map_err(database_error(&self.file))?;
                done.push(task);
                left -= 1;
            }
        }
        self.write_row(&write, Position(self.last.0 + 1), &[], &mut totals, &mut Vec::new())?;
        write.commit().map_err(database_error(&self.file))?;
        Ok((totals, done))
    }
}

pub(super) fn read_tasks(database: &Database, file: &Path) -> Result<BTreeMap<u64, u64>, StoreError> {
    let read = database.begin_read().map_err(database_error(file))?;
    let table = read.open_table(TASKS).map_err(database_error(file))?;
    let mut tasks = BTreeMap::new();
    for entry in table.iter().map_err(database_error(file))? {
        let (task, at) = entry.map_err(database_error(file))?;
        tasks.insert(task.value(), at.value());
    }
    Ok(tasks)
}
