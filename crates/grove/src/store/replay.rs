//! Replay: the journal in order, every record checked. One path, for snapshots and for commits.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::database::guarded;
use super::error::{Damage, StoreError, database_error};
use super::row::{JOURNAL, JournalRow, Totals};
use super::{Position, Store};

/// What a replay went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub rows: u64,
    pub bytes: u64,
}

/// The end of the journal, as far as the store needs it to go on.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) last: Position,
    pub(super) totals: Totals,
    pub(super) snapshot_bytes: u64,
}

impl Store {
    /// Hands over the facts of each commit since the last snapshot, after those of the snapshot itself, whose pieces
    /// all carry the sequence up to which they stand. The caller's error stops the replay and is returned.
    pub fn replay<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(Position, &[u8]) -> Result<(), E>,
    ) -> Result<Replayed, E> {
        let mut replayed = Replayed::default();
        let mut stopped = None;
        let walked = guarded(&self.file, || {
            walk(&self.database, &self.file, |row, facts, value_bytes| {
                replayed.rows += 1;
                replayed.bytes += value_bytes;
                if !facts.is_empty() && stopped.is_none() {
                    stopped = each(Position(row.sequence), facts).err();
                }
                stopped.is_none()
            })
        });
        match stopped {
            Some(error) => Err(error),
            None => walked.map(|()| replayed).map_err(E::from),
        }
    }
}

/// Goes through all rows until `each` says no. Whatever is missing at the front, in the middle or at the end is found.
fn walk(
    database: &Database,
    file: &Path,
    mut each: impl FnMut(JournalRow, &[u8], u64) -> bool,
) -> Result<(), StoreError> {
    let damaged = |what| StoreError::Damaged { file: file.to_owned(), what };
    let read = database.begin_read().map_err(database_error(file))?;
    let table = read.open_table(JOURNAL).map_err(database_error(file))?;
    let (mut counted, mut before) = (0, None);
    for entry in table.iter().map_err(database_error(file))? {
        let (key, value) = entry.map_err(database_error(file))?;
        let (sequence, piece) = key.value();
        let (row, facts) =
            JournalRow::decode(key.value(), value.value()).ok_or_else(|| damaged(Damage::Row { sequence, piece }))?;
        let (wanted, wanted_piece) = follows(before.as_ref(), &row);
        if (sequence, piece) != (wanted, wanted_piece) {
            return Err(damaged(Damage::Gap { wanted, found: sequence }));
        }
        counted += 1;
        if !each(row, facts, value.value().len() as u64) {
            return Ok(());
        }
        before = Some(row);
    }
    let wanted = table.len().map_err(database_error(file))?;
    if counted != wanted || before.is_some_and(|row| row.more) {
        return Err(damaged(Damage::Count { counted, wanted }));
    }
    Ok(())
}

/// Which row must come here.
fn follows(before: Option<&JournalRow>, row: &JournalRow) -> (u64, u32) {
    match before {
        None if row.snapshot => (row.sequence, 0),
        None => (1, 0),
        Some(before) if before.more => (before.sequence, before.piece + 1),
        Some(before) => (before.sequence + 1, 0),
    }
}

pub(super) fn read_tail(database: &Database, file: &Path) -> Result<Tail, StoreError> {
    let read = database.begin_read().map_err(database_error(file))?;
    let table = read.open_table(JOURNAL).map_err(database_error(file))?;
    let (Some(first), Some(last)) =
        (table.first().map_err(database_error(file))?, table.last().map_err(database_error(file))?)
    else {
        return Ok(Tail::default());
    };
    let decode = |key, value| {
        JournalRow::decode(key, value).map(|(row, _)| row).ok_or_else(|| StoreError::Damaged {
            file: file.to_owned(),
            what: Damage::Row { sequence: key.0, piece: key.1 },
        })
    };
    let newest = decode(last.0.value(), last.1.value())?;
    let oldest = decode(first.0.value(), first.1.value())?;
    let mut tail = Tail { last: Position(newest.sequence), totals: newest.totals, snapshot_bytes: 0 };
    if oldest.snapshot {
        let pieces = (oldest.sequence, 0)..=(oldest.sequence, u32::MAX);
        let mut range = table.range(pieces).map_err(database_error(file))?;
        if let Some(end) = range.next_back() {
            let (key, value) = end.map_err(database_error(file))?;
            tail.snapshot_bytes = decode(key.value(), value.value())?.totals.journal;
        }
    }
    Ok(tail)
}
