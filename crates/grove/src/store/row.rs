//! Rows of the database: their tables, and the checksum that each carries so that a flipped bit inside one is noticed.
//! The database checks its own pages when it is opened, not when it is read; this is what guards reading.

use redb::TableDefinition;

use super::page::PageKey;

/// (sequence, piece) -> a journal row. A commit is one row of piece 0; a snapshot is one row in many pieces.
pub(super) const JOURNAL: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("journal");
/// (task, stage, first item, sequence) -> results. The sequence is in the key, so a later page never removes items
/// of an earlier one that it does not cover.
pub(super) const PAGES: TableDefinition<'_, (u64, u8, u64, u64), &[u8]> = TableDefinition::new("pages");
/// task -> when its results were last written, or `DROPPED`.
pub(super) const TASKS: TableDefinition<'_, u64, u64> = TableDefinition::new("tasks");
/// name -> whatever the caller keeps there.
pub(super) const SETTINGS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("settings");
/// The format marker.
pub(super) const GROVE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("grove");

/// The task is gone for every reader; its rows follow in bounded slices.
pub(super) const DROPPED: u64 = u64::MAX;

const CHECK: usize = 8;

/// 64 bits of BLAKE3: it guards against rot, not against somebody who can write the file.
fn check(kind: u8, key: &[u64; 4], body: &[u8]) -> [u8; CHECK] {
    let mut head = [0; 33];
    head[0] = kind;
    for (slot, part) in head[1..].chunks_exact_mut(8).zip(key) {
        slot.copy_from_slice(&part.to_le_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head).update(body);
    let mut check = [0; CHECK];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK]);
    check
}

fn sealed<'a>(kind: u8, key: &[u64; 4], value: &'a [u8]) -> Option<&'a [u8]> {
    let (found, body) = value.split_at_checked(CHECK)?;
    (found == check(kind, key, body)).then_some(body)
}

/// Running totals, carried by every journal row: the last row tells how much is kept, without a scan at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Bytes of journal rows, all that a restart has to read.
    pub(super) journal: u64,
    /// Bytes of result rows.
    pub(super) pages: u64,
}

impl Totals {
    pub(super) fn all(&self) -> u64 {
        self.journal.saturating_add(self.pages)
    }
}

/// What a journal row is, beside its facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalRow {
    pub(super) sequence: u64,
    pub(super) piece: u32,
    /// Stands for all rows before it.
    pub(super) snapshot: bool,
    /// The row goes on in the next piece.
    pub(super) more: bool,
    pub(super) totals: Totals,
}

const JOURNAL_HEAD: usize = CHECK + 17;

impl JournalRow {
    pub(super) fn bytes(body: usize) -> usize {
        JOURNAL_HEAD + body
    }

    pub(super) fn encode(&self, body: &[u8], out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&[0; CHECK]);
        out.push(u8::from(self.snapshot) | u8::from(self.more) << 1);
        out.extend_from_slice(&self.totals.journal.to_le_bytes());
        out.extend_from_slice(&self.totals.pages.to_le_bytes());
        out.extend_from_slice(body);
        let check = check(b'j', &[self.sequence, self.piece.into(), 0, 0], &out[CHECK..]);
        out[..CHECK].copy_from_slice(&check);
    }

    pub(super) fn decode((sequence, piece): (u64, u32), value: &[u8]) -> Option<(Self, &[u8])> {
        let body = sealed(b'j', &[sequence, piece.into(), 0, 0], value)?;
        let (head, facts) = body.split_at_checked(17)?;
        let totals = Totals { journal: read_u64(&head[1..9])?, pages: read_u64(&head[9..17])? };
        let row = Self { sequence, piece, snapshot: head[0] & 1 != 0, more: head[0] & 2 != 0, totals };
        Some((row, facts))
    }
}

const PAGE_HEAD: usize = CHECK + 4;

pub(super) fn page_row_bytes(body: usize) -> usize {
    PAGE_HEAD + body
}

/// Fills the space that the database reserved for a page row.
pub(super) fn encode_page(key: &PageKey, sequence: u64, items: u32, body: &[u8], out: &mut [u8]) {
    out[CHECK..PAGE_HEAD].copy_from_slice(&items.to_le_bytes());
    out[PAGE_HEAD..].copy_from_slice(body);
    let check = check(b'p', &page_check_key(key, sequence), &out[CHECK..]);
    out[..CHECK].copy_from_slice(&check);
}

pub(super) fn decode_page<'a>(key: &PageKey, sequence: u64, value: &'a [u8]) -> Option<(u32, &'a [u8])> {
    let body = sealed(b'p', &page_check_key(key, sequence), value)?;
    let (items, body) = body.split_at_checked(4)?;
    Some((u32::from_le_bytes(items.try_into().ok()?), body))
}

fn page_check_key(key: &PageKey, sequence: u64) -> [u64; 4] {
    [key.task, key.stage.into(), key.first_item, sequence]
}

pub(super) fn encode_setting(name: &str, body: &[u8]) -> Vec<u8> {
    let mut out = setting_check(name, body).to_vec();
    out.extend_from_slice(body);
    out
}

pub(super) fn decode_setting<'a>(name: &str, value: &'a [u8]) -> Option<&'a [u8]> {
    let (found, body) = value.split_at_checked(CHECK)?;
    (found == setting_check(name, body)).then_some(body)
}

/// The name is hashed in front of the value, so that a value never answers to another name.
fn setting_check(name: &str, body: &[u8]) -> [u8; CHECK] {
    check(b's', &[name.len() as u64, 0, 0, 0], &[name.as_bytes(), body].concat())
}

fn read_u64(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
