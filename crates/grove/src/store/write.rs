//! Commits: facts, results and settings that become true together, in one transaction and one sync.
//! It decides nothing about them but whether there is room.

use std::collections::BTreeMap;

use redb::{Durability, ReadableTable, Table, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::database::guarded;
use super::error::{Damage, StoreError, database_error, io_error};
use super::page::{Page, PageKey, items_of};
use super::reader;
use super::row::{self, DROPPED, JOURNAL, JournalRow, PAGES, SETTINGS, TASKS, Totals};
use super::{Position, Store, log, system};

/// One batch of the event loop is a few kilobytes; more than this is a mistake and not a batch.
pub const FACTS_BYTES_MAX: usize = 64 << 20;
/// Facts are small, and the last to be let in: into all but this share of the reserve. A database that finds no room at
/// all in the middle of a write is lost to this process.
const FACTS_SHARE: u64 = 16;
/// More than a database grows by at one time need not be kept free.
const FACTS_RESERVE_MAX: u64 = 16 << 20;
/// Numbers the pages of one commit within 16 bits of its sequence.
pub const PAGES_PER_COMMIT_MAX: usize = 1 << 16;
/// A time is kept to the hour, so that a task's row is not written anew by every commit.
const HOUR_S: u64 = 3600;

/// What becomes true together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Commit<'a> {
    /// The facts of this commit, already encoded; replayed as they are. Empty if there are none.
    pub facts: &'a [u8],
    /// Results. Where pages cover the same items, the later one wins.
    pub pages: &'a [Page],
    /// Small pages that are let in however full the store is: what has been paid must be on record.
    pub entries: &'a [Page],
    /// Results that become those of another task too, as when a part's answer becomes its parent's.
    pub lifts: &'a [Lift],
    /// Tasks whose results are gone from now on; their space follows by `tidy`.
    pub drop_tasks: &'a [u64],
    /// Named values; `None` removes one.
    pub settings: &'a [(&'a str, Option<&'a [u8]>)],
    /// Seconds since 1970, for `tasks_older_than`.
    pub now_s: u64,
    /// Readers see it at once, but a crash may undo it until the next commit that is not lazy, or a `sync`.
    pub lazy: bool,
}

/// Copies one item's result.
#[derive(Clone, Copy, Debug)]
pub struct Lift {
    pub from: PageKey,
    pub to: PageKey,
}

/// A small commit, as the log keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Logged<'a> {
    #[serde(borrow)]
    pub(super) facts: &'a [u8],
    /// Results and entries.
    pub(super) pages: Vec<Page>,
    pub(super) now_s: u64,
}

/// A record of the log. Dropped tasks stand behind the rest, where there are any.
fn record(logged: &Logged<'_>, drop_tasks: &[u64]) -> Vec<u8> {
    let written = || -> postcard::Result<Vec<u8>> {
        let body = postcard::to_allocvec(logged)?;
        if drop_tasks.is_empty() { Ok(body) } else { postcard::to_extend(drop_tasks, body) }
    };
    written().expect("what is in memory can be written to memory")
}

pub(super) fn read_record(body: &[u8]) -> postcard::Result<(Logged<'_>, Vec<u64>)> {
    let (logged, rest) = postcard::take_from_bytes(body)?;
    Ok((logged, if rest.is_empty() { Vec::new() } else { postcard::from_bytes(rest)? }))
}

/// What a transaction changes of the store's own memory, once it is durable.
#[derive(Default)]
struct Changed {
    totals: Totals,
    tasks: BTreeMap<u64, u64>,
}

impl Store {
    /// Makes it durable, unless it is lazy. A refusal changes nothing and can be answered; after any other error the
    /// caller must stop, and must not have acknowledged anything that this commit was to hold. Readers see it a moment
    /// before it is durable: what may be told of it is the caller's to know.
    pub fn commit(&mut self, commit: &Commit<'_>) -> Result<Position, StoreError> {
        self.refuse_if_failed()?;
        self.admit(commit)?;
        let next = Position(self.last.0 + 1);
        let logged = self.log_commit(next, commit)?;
        let totals = self.write_down(next, commit, !commit.lazy && !logged)?;
        if commit.lazy {
            self.grow(next, totals);
            self.behind = true;
        } else if logged {
            let synced = self.log.sync();
            self.settle(synced)?;
            self.acknowledge(next, totals)?;
        } else {
            self.advance(next, totals)?;
        }
        Ok(next)
    }

    /// Makes durable what lazy commits have left.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.refuse_if_failed()?;
        if !self.behind {
            return Ok(());
        }
        if self.log.is_whole() {
            let synced = self.log.write().and_then(|()| self.log.sync());
            self.settle(synced)?;
            return self.acknowledge(self.last, self.totals);
        }
        self.sync_database()
    }

    /// Takes over what the log has and the database has not: the process ended between the two.
    pub(super) fn catch_up(&mut self) -> Result<(), StoreError> {
        for body in self.log.after(self.last)? {
            let damaged = |_| StoreError::Damaged { file: self.folder.path(log::FILE), what: Damage::Walk };
            let (Logged { facts, pages, now_s }, drop_tasks) = read_record(&body).map_err(damaged)?;
            let next = Position(self.last.0 + 1);
            let commit = Commit { facts, pages: &pages, drop_tasks: &drop_tasks, now_s, ..Commit::default() };
            let totals = self.write_down(next, &commit, false)?;
            self.grow(next, totals);
            self.behind = true;
        }
        if self.behind { self.sync_database() } else { Ok(()) }
    }

    fn sync_database(&mut self) -> Result<(), StoreError> {
        let outcome = guarded(&self.file, || {
            let write = self.database.begin_write().map_err(database_error(&self.file))?;
            write.commit().map_err(database_error(&self.file))
        });
        self.settle(outcome)?;
        self.advance(self.last, self.totals)
    }

    /// Whether the log has it. Unless the commit is lazy, it is on its way to the disk while the database is written.
    fn log_commit(&mut self, next: Position, commit: &Commit<'_>) -> Result<bool, StoreError> {
        let pages = || commit.pages.iter().chain(commit.entries);
        let bytes = commit.facts.len() + pages().map(|page| page.body().len()).sum::<usize>();
        let plain = commit.lifts.is_empty() && commit.settings.is_empty();
        if plain && self.log.has_room(bytes) {
            let pages = pages().cloned().collect();
            let logged = Logged { facts: commit.facts, pages, now_s: commit.now_s };
            let body = record(&logged, commit.drop_tasks);
            if self.log.has_room(body.len()) {
                self.log.add(next, &body);
                let written = if commit.lazy { Ok(()) } else { self.log.write() };
                return self.settle(written).map(|()| true);
            }
        }
        self.log.skip();
        Ok(false)
    }

    /// Writes it into the database; what is kept there then.
    fn write_down(&mut self, next: Position, commit: &Commit<'_>, synced: bool) -> Result<Totals, StoreError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let outcome = guarded(&self.file, || self.write(next, commit, synced, &mut scratch));
        self.scratch = scratch;
        let changed = self.settle(outcome)?;
        self.tasks.extend(changed.tasks);
        Ok(changed.totals)
    }

    /// Facts alone are let in over the quota, and while the disk has any room: a node that keeps too much must still be
    /// able to end and to drop jobs.
    fn admit(&self, commit: &Commit<'_>) -> Result<(), StoreError> {
        at_most("a batch of facts", commit.facts.len(), FACTS_BYTES_MAX)?;
        let pages = commit.pages.len() + commit.lifts.len() + commit.entries.len();
        at_most("a batch of pages", pages, PAGES_PER_COMMIT_MAX)?;
        if commit.pages.is_empty() && commit.lifts.is_empty() {
            let reserve = (self.settings.reserve_bytes / FACTS_SHARE).min(FACTS_RESERVE_MAX);
            return admit_on_disk(self.folder.dir(), reserve, commit.facts.len() as u64);
        }
        let wanted: usize = commit.pages.iter().map(|page| row::page_row_bytes(page.body().len())).sum();
        let wanted = (wanted + commit.facts.len()) as u64;
        self.usage.admit_work(wanted)?;
        admit_on_disk(self.folder.dir(), self.settings.reserve_bytes, wanted)
    }

    fn write(
        &self,
        next: Position,
        commit: &Commit<'_>,
        synced: bool,
        scratch: &mut Vec<u8>,
    ) -> Result<Changed, StoreError> {
        let mut write = self.database.begin_write().map_err(database_error(&self.file))?;
        if !synced {
            write.set_durability(Durability::None).map_err(database_error(&self.file))?;
        }
        let mut changed = Changed { totals: self.totals, tasks: BTreeMap::new() };
        self.write_results(&write, next, commit, &mut changed)?;
        self.write_tasks(&write, commit, &mut changed)?;
        self.write_settings(&write, commit)?;
        self.write_row(&write, next, commit.facts, &mut changed.totals, scratch)?;
        write.commit().map_err(database_error(&self.file))?;
        Ok(changed)
    }

    fn write_results(
        &self,
        write: &WriteTransaction,
        next: Position,
        commit: &Commit<'_>,
        changed: &mut Changed,
    ) -> Result<(), StoreError> {
        if commit.pages.is_empty() && commit.lifts.is_empty() && commit.entries.is_empty() {
            return Ok(());
        }
        let mut table = write.open_table(PAGES).map_err(database_error(&self.file))?;
        let mut order = next.0 << 16;
        for page in commit.pages.iter().chain(commit.entries) {
            self.write_page(&mut table, page, order, commit.now_s, changed)?;
            order += 1;
        }
        for lift in commit.lifts {
            let lifted = self.lift(&table, lift)?;
            self.write_page(&mut table, &lifted, order, commit.now_s, changed)?;
            order += 1;
        }
        Ok(())
    }

    fn write_page(
        &self,
        table: &mut Table<'_, (u64, u8, u64, u64), &'static [u8]>,
        page: &Page,
        order: u64,
        now_s: u64,
        changed: &mut Changed,
    ) -> Result<(), StoreError> {
        let (key, body) = (page.key(), page.body());
        let written = self.tasks.get(&key.task).copied();
        // A late answer to a task that was dropped: nobody can read it any more.
        if page.items() == 0 || written == Some(DROPPED) {
            return Ok(());
        }
        self.reach.note(key.task, key.stage, page.items(), written.is_none());
        let bytes = row::page_row_bytes(body.len());
        let mut slot = table
            .insert_reserve((key.task, key.stage, key.first_item, order), bytes)
            .map_err(database_error(&self.file))?;
        row::encode_page(key, order, page.items(), body, slot.as_mut());
        changed.totals.pages += bytes as u64;
        let hour = now_s - now_s % HOUR_S;
        if written.is_none_or(|at| at < hour) {
            changed.tasks.insert(key.task, hour);
        }
        Ok(())
    }

    fn lift(
        &self,
        table: &impl ReadableTable<(u64, u8, u64, u64), &'static [u8]>,
        lift: &Lift,
    ) -> Result<Page, StoreError> {
        let PageKey { task, stage, first_item: item } = lift.from;
        let mut newest: Option<(u64, Page)> = None;
        let first = self.reach.back_from(task, stage, item);
        let range =
            table.range((task, stage, first, 0)..=(task, stage, item, u64::MAX)).map_err(database_error(&self.file))?;
        for entry in range {
            let (key, value) = entry.map_err(database_error(&self.file))?;
            let row = reader::decode(&self.file, key.value(), value.value())?;
            if newest.as_ref().is_some_and(|(order, _)| *order > row.order) || !row.covers(item) {
                continue;
            }
            let nth = items_of(row.key.first_item, row.items, row.body).flatten().find(|(number, _)| *number == item);
            let (_, bytes) = nth.ok_or_else(|| row.damaged(&self.file))?;
            let mut page = Page::new(lift.to);
            page.push(bytes)?;
            newest = Some((row.order, page));
        }
        newest.map(|(_, page)| page).ok_or(StoreError::NoItem { key: lift.from })
    }

    fn write_tasks(
        &self,
        write: &WriteTransaction,
        commit: &Commit<'_>,
        changed: &mut Changed,
    ) -> Result<(), StoreError> {
        for task in commit.drop_tasks {
            if changed.tasks.contains_key(task) || self.tasks.contains_key(task) {
                changed.tasks.insert(*task, DROPPED);
            }
        }
        if changed.tasks.is_empty() {
            return Ok(());
        }
        let mut table = write.open_table(TASKS).map_err(database_error(&self.file))?;
        for (task, at) in &changed.tasks {
            table.insert(task, at).map_err(database_error(&self.file))?;
        }
        Ok(())
    }

    fn write_settings(&self, write: &WriteTransaction, commit: &Commit<'_>) -> Result<(), StoreError> {
        if commit.settings.is_empty() {
            return Ok(());
        }
        let mut table = write.open_table(SETTINGS).map_err(database_error(&self.file))?;
        for (name, value) in commit.settings {
            match value {
                Some(value) => table.insert(*name, row::encode_setting(name, value).as_slice()),
                None => table.remove(*name),
            }
            .map_err(database_error(&self.file))?;
        }
        Ok(())
    }

    /// Every commit has its row, also one without facts: the row carries the totals.
    pub(super) fn write_row(
        &self,
        write: &WriteTransaction,
        next: Position,
        facts: &[u8],
        totals: &mut Totals,
        scratch: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        totals.journal += JournalRow::bytes(facts.len()) as u64;
        let row = JournalRow { sequence: next.0, piece: 0, snapshot: false, more: false, totals: *totals };
        row.encode(facts, scratch);
        let mut table = write.open_table(JOURNAL).map_err(database_error(&self.file))?;
        table.insert((next.0, 0), scratch.as_slice()).map_err(database_error(&self.file))?;
        Ok(())
    }
}

/// Answers a filling disk while it can still be answered: once a write has failed, the store is lost to this process.
pub(super) fn admit_on_disk(dir: &std::path::Path, reserve: u64, wanted: u64) -> Result<(), StoreError> {
    let free = system::free_bytes(dir).map_err(io_error("look at the disk of", dir))?;
    if free < reserve.saturating_add(wanted) {
        return Err(StoreError::LowSpace { dir: dir.to_owned(), free, reserve });
    }
    Ok(())
}

fn at_most(what: &'static str, found: usize, max: usize) -> Result<(), StoreError> {
    if found <= max { Ok(()) } else { Err(StoreError::TooLarge { what, bytes: found as u64, max: max as u64 }) }
}
