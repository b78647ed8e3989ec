//! Compaction: the journal so far is replaced by a shorter one that says the same. When, the caller decides.

use super::Store;
use super::database::guarded;
use super::error::{StoreError, database_error};
use super::row::{JOURNAL, JournalRow, Totals};
use super::write::admit_on_disk;

/// Below this a journal is replayed in milliseconds, and a snapshot would only cost.
const COMPACT_JOURNAL_BYTES_MIN: u64 = 16 << 20;

/// The size for a piece of a snapshot: rows this large are written and replayed ten times as fast as rows of single
/// facts, and with its head a piece just fits the 64 KiB that the database gives it.
pub const SNAPSHOT_PIECE_BYTES: usize = 60 * 1024;

impl Store {
    /// Whether a snapshot pays: the journal has grown to twice the last one, so that the writing of snapshots stays
    /// within the writing of facts.
    pub fn wants_compaction(&self) -> bool {
        let since = self.totals.journal.saturating_sub(self.snapshot_bytes);
        since >= COMPACT_JOURNAL_BYTES_MIN && since >= self.snapshot_bytes
    }

    /// Replaces the whole journal by a snapshot of what it has led to, given in pieces of facts, best of
    /// about `SNAPSHOT_PIECE_BYTES`. One transaction:
    /// a crash leaves either journal. The space is used again at once, and given back to the disk at the next start.
    pub fn compact(&mut self, snapshot: impl IntoIterator<Item = Vec<u8>>) -> Result<(), StoreError> {
        self.refuse_if_failed()?;
        // The new journal is written before the old one goes; it is at most as long.
        admit_on_disk(self.folder.dir(), self.settings.reserve_bytes, self.totals.journal)?;
        let mut pieces = snapshot.into_iter();
        let outcome = guarded(&self.file, || self.write_snapshot(&mut pieces));
        let totals = self.settle(outcome)?;
        self.snapshot_bytes = totals.journal;
        self.advance(self.last, totals)
    }

    fn write_snapshot(&self, pieces: &mut dyn Iterator<Item = Vec<u8>>) -> Result<Totals, StoreError> {
        let mut totals = Totals { journal: 0, pages: self.totals.pages };
        let mut encoded = Vec::new();
        let write = self.database.begin_write().map_err(database_error(&self.file))?;
        write.delete_table(JOURNAL).map_err(database_error(&self.file))?;
        {
            let mut table = write.open_table(JOURNAL).map_err(database_error(&self.file))?;
            let mut piece = 0;
            let mut next = Some(pieces.next().unwrap_or_default());
            while let Some(facts) = next {
                next = pieces.next();
                totals.journal += JournalRow::bytes(facts.len()) as u64;
                let sequence = self.last.0;
                JournalRow { sequence, piece, snapshot: true, more: next.is_some(), totals }
                    .encode(&facts, &mut encoded);
                table.insert((sequence, piece), encoded.as_slice()).map_err(database_error(&self.file))?;
                piece += 1;
            }
        }
        write.commit().map_err(database_error(&self.file))?;
        Ok(totals)
    }
}
