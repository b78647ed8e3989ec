//! What has to be done now and then: old jobs leave the books, dropped results the disk, unnamed blobs their folder,
//! and a long journal becomes a shorter one. In slices, while nobody wants anything.

use super::packages::Packages;
use super::rows::Rows;
use super::shares::{Counted, Shares};
use super::{Shell, ShellError, journal};
use crate::store::{BlobId, Store, StoreError};
use grove_core::id::{AskId, Digest, PersonId, TaskId};
use grove_core::job::Source;
use grove_core::node::{Event, Wish};
use grove_core::state::State;
use grove_core::task::{Stage, Task};
use grove_core::units::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A node that has just started has better things to do.
const FIRST_ROUND: Duration = Duration::from_secs(60);
/// Jobs are kept for days, so an hour more or less is nothing.
const ROUND: Duration = Duration::from_secs(3_600);
/// A blob that came a moment ago may belong to a job that is just being submitted.
const BLOB_GRACE: Duration = Duration::from_secs(24 * 3_600);
/// When a snapshot is tried again for which there was no room.
const COMPACT_AGAIN: Duration = Duration::from_secs(60);
/// Upkeep syncs the database, so it begins when nobody has wanted anything for so long: more may be about to come.
const QUIET: Duration = Duration::from_millis(200);
/// ... or in any pause, however short, when it has waited for so long.
const WAITS_FOR: Duration = Duration::from_secs(5);
/// A node that never has a quiet moment writes its snapshot all the same when the journal is this long.
const JOURNAL_BYTES_URGENT: u64 = 256 << 20;
/// Rows looked at in one go while the blobs are counted.
const ROWS_AT_ONCE: usize = 1_024;

#[derive(Debug)]
pub(super) struct Upkeep {
    due: Instant,
    /// When somebody wanted something last.
    busy: Instant,
    /// Since when something waits for a quiet moment.
    waits: Option<Instant>,
    /// The disk has no room for a snapshot until then.
    compact_after: Option<Instant>,
    /// A sweep is going on in its own thread.
    sweeping: Arc<AtomicBool>,
}

impl Upkeep {
    pub(super) fn new() -> Upkeep {
        let now = Instant::now();
        Upkeep { due: now + FIRST_ROUND, busy: now, waits: None, compact_after: None, sweeping: Arc::default() }
    }

    /// When the next round begins.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Somebody wants something.
    pub(super) fn puts_off(&mut self) {
        self.busy = Instant::now();
    }

    /// When to begin with what a quiet moment would be good for, if there is anything.
    pub(super) fn begins(&mut self, store: &Store) -> Option<Instant> {
        let waits = store.wants_tidying() || store.wants_compaction() && self.may_compact();
        let since = waits.then(|| self.waits.unwrap_or_else(Instant::now));
        self.waits = since;
        since.map(|since| (self.busy + QUIET).min(since + WAITS_FOR))
    }

    fn may_compact(&self) -> bool {
        self.compact_after.is_none_or(|at| at <= Instant::now())
    }
}

impl Shell {
    /// After each batch: what cannot wait for a quiet moment.
    pub(super) fn keep_up(&mut self) -> Result<(), ShellError> {
        if Instant::now() >= self.upkeep.due {
            self.upkeep.due = Instant::now() + ROUND;
            self.begin_round();
        }
        if self.lent.wants_tidying() {
            self.tidy_lent();
        }
        let urgent = self.store.journal_bytes() > JOURNAL_BYTES_URGENT && self.upkeep.may_compact();
        if urgent && self.store.wants_compaction() {
            self.compact()?;
        }
        Ok(())
    }

    /// A quiet moment: one slice of what waits.
    pub(super) fn tidy_up(&mut self) -> Result<(), ShellError> {
        if self.upkeep.begins(&self.store).is_none_or(|at| at > Instant::now()) {
            Ok(())
        } else if self.store.wants_compaction() && self.upkeep.may_compact() {
            self.compact()
        } else if self.store.wants_tidying() {
            self.store.tidy()?;
            Ok(())
        } else {
            Ok(())
        }
    }

    fn compact(&mut self) -> Result<(), ShellError> {
        match self.store.compact(journal::snapshot(self.node.state())) {
            Err(error @ StoreError::LowSpace { .. }) => {
                tracing::warn!("the journal stays long for now: {error}");
                self.upkeep.compact_after = Some(Instant::now() + COMPACT_AGAIN);
                Ok(())
            }
            done => Ok(done?),
        }
    }

    fn tidy_lent(&self) {
        let state = self.node.state();
        self.lent.tidy(|lease| state.lease(lease).is_some());
    }

    fn begin_round(&mut self) {
        let now = self.clock.now();
        let before = Millis(now.since(self.side.keep()).0);
        self.echo.push(Event::Asked { ask: AskId(0), wish: Wish::Expire { before } });
        self.tidy_lent();
        let named = named_by(self.node.state(), self.lent.blobs());
        let (owners, shares) = (owners(self.node.state()), self.side.shares().clone());
        let tasks: Vec<u64> = self.store.tasks().collect();
        if self.rows.blobs.used_bytes() == 0 || self.upkeep.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let (rows, sweeping) = (self.rows.clone(), Arc::clone(&self.upkeep.sweeping));
        let thread = std::thread::Builder::new().name("grove-sweep".into()).spawn(move || {
            if let Err(error) = sweep(&rows, tasks, named, &owners, &shares) {
                tracing::warn!("blobs could not be swept: {error}");
            }
            sweeping.store(false, Ordering::Release);
        });
        if let Err(error) = thread {
            tracing::warn!("blobs are not swept: {error}");
        }
    }
}

/// Blobs that the books name.
fn named_by(state: &State, lent: Vec<Digest>) -> BTreeSet<Digest> {
    let mut named: BTreeSet<Digest> = lent.into_iter().collect();
    for book in state.jobs().values() {
        named.insert(book.job.tool.module);
        if let Source::Lines { blob, .. } = book.job.source {
            named.insert(blob);
        }
    }
    named.extend(state.tasks().values().map(|task| task.terms.tool.module));
    named
}

/// Whose tasks they are that people wait for.
fn owners(state: &State) -> BTreeMap<TaskId, PersonId> {
    let owner = |task: &Task| state.job(task.job).map(|book| book.job.owner);
    state.tasks().iter().filter_map(|(id, task)| Some((*id, owner(task)?))).collect()
}

/// Removes the blobs that neither the books nor any row names, and counts whose the others are.
fn sweep(
    rows: &Rows,
    tasks: Vec<u64>,
    mut named: BTreeSet<Digest>,
    owners: &BTreeMap<TaskId, PersonId>,
    shares: &Shares,
) -> Result<(), super::RowError> {
    let mut counted: BTreeMap<PersonId, Counted> = BTreeMap::new();
    let packages = Packages::new(rows.blobs.clone());
    named.extend(named.iter().filter_map(|tool| packages.image_of(*tool)).collect::<Vec<_>>());
    let Some(older_than) = SystemTime::now().checked_sub(BLOB_GRACE) else {
        return Ok(());
    };
    for task in tasks.into_iter().map(TaskId) {
        // What nobody's job is, is dropped soon.
        let mut nobodys = Counted::default();
        let theirs = owners.get(&task).map_or(&mut nobodys, |owner| counted.entry(*owner).or_default());
        let mut item = Some(0);
        while let Some(from) = item {
            let (inputs, next) = rows.kept_inputs(task, from, ROWS_AT_ONCE)?;
            inputs.iter().for_each(|input| theirs.add(input));
            named.extend(inputs.iter().filter_map(super::answers::blob_of));
            item = next;
        }
        for stage in (Stage::INPUTS + 1)..=LAST_STAGE {
            let mut item = Some(0);
            while let Some(from) = item {
                let (answers, next) = rows.answers(task, stage, from, ROWS_AT_ONCE)?;
                for output in answers.iter().map(|answer| &answer.output) {
                    theirs.add(&output.stdout);
                    output.files.iter().for_each(|(_, data)| theirs.add(data));
                    named.extend(super::answers::blobs_of(output));
                }
                item = next;
            }
        }
    }
    let swept = rows.blobs.sweep(|id: &BlobId| named.contains(&Digest(id.0)), older_than)?;
    shares.count(counted, |blob| rows.blobs.has(&BlobId(blob.0)).unwrap_or(true));
    if swept.bytes > 0 {
        tracing::info!(blobs = swept.blobs, bytes = swept.bytes, "swept blobs that nothing names any more");
    }
    Ok(())
}

/// Merges of merges never go beyond this: 256 outputs to one, of 2^40 inputs at the most.
const LAST_STAGE: u8 = Stage::INPUTS + 2 + 5;
