//! Reading what is kept: answers and inputs, from any thread, beside the commits.

use super::answers;
use crate::store::{BlobId, Blobs, PageKey, Reader, StoreError};
use grove_core::id::TaskId;
use grove_core::message::Data;
use grove_core::node::{Kept, Row};
use grove_core::task::{Span, Stage};

/// Rows read at a time where a longer run of them is wanted.
const ROWS_AT_ONCE: usize = 4_096;

/// Why something that should be kept cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("what is kept for item {} of task {} stage {} cannot be read\nhint: was it written by a newer grove?",
        .row.first, .row.task.0, .row.stage)]
    Unreadable { row: Row },
    #[error("item {} of task {} stage {} is not kept any more", .row.first, .row.task.0, .row.stage)]
    Missing { row: Row },
    #[error("what a split printed for task {} are not counted items\nhint: each is its length, a newline, its bytes",
        .row.task.0)]
    NotCounted { row: Row },
}

/// Reads rows and blobs.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) reader: Reader,
    pub(super) blobs: Blobs,
}

impl Rows {
    /// Answers from item `from` on in the order of their items, at most about `limit`; later answers over the same
    /// items win. The second is where to go on, if there is more.
    pub(super) fn answers(
        &self,
        task: TaskId,
        stage: u8,
        from: u64,
        limit: usize,
    ) -> Result<(Vec<Kept>, Option<u64>), RowError> {
        let found = self.reader.results(task.0, stage, from, limit)?;
        let mut rows = Vec::with_capacity(found.items.len());
        for (first, bytes) in found.items {
            let row = Row { task, stage, first };
            rows.push(answers::decode(first, &bytes).ok_or(RowError::Unreadable { row })?);
        }
        Ok((answers::newest(rows), found.next))
    }

    /// The answers whose first items lie in the span.
    pub(super) fn answers_in(&self, task: TaskId, stage: u8, span: Span) -> Result<Vec<Kept>, RowError> {
        let (mut all, mut from) = (Vec::new(), Some(span.first));
        while let Some(at) = from.filter(|at| *at < span.end()) {
            let most = usize::try_from(span.end() - at).unwrap_or(ROWS_AT_ONCE).min(ROWS_AT_ONCE);
            let (some, next) = self.answers(task, stage, at, most)?;
            all.extend(some.into_iter().filter(|kept| kept.span.first < span.end()));
            from = next;
        }
        Ok(all)
    }

    /// The answer at one row.
    pub(super) fn answer(&self, row: Row) -> Result<Kept, RowError> {
        let bytes = self.reader.result(page_key(row))?.ok_or(RowError::Missing { row })?;
        Ok(answers::decode(row.first, &bytes).ok_or(RowError::Unreadable { row })?.0)
    }

    /// Inputs that came with a job: one for each item of the span.
    pub(super) fn inputs(&self, task: TaskId, span: Span) -> Result<Vec<Data>, RowError> {
        let mut inputs = Vec::with_capacity(usize::try_from(span.len).unwrap_or(0).min(ROWS_AT_ONCE));
        let mut item = span.first;
        while item < span.end() {
            let most = usize::try_from(span.end() - item).unwrap_or(ROWS_AT_ONCE).min(ROWS_AT_ONCE);
            let found = self.reader.results(task.0, Stage::INPUTS, item, most)?;
            let before = item;
            for (first, bytes) in found.items.into_iter().take(most) {
                let row = Row { task, stage: Stage::INPUTS, first: item };
                if first != item {
                    return Err(RowError::Missing { row });
                }
                inputs.push(answers::decode_input(&bytes).ok_or(RowError::Unreadable { row })?);
                item += 1;
            }
            if item == before {
                return Err(RowError::Missing { row: Row { task, stage: Stage::INPUTS, first: item } });
            }
        }
        Ok(inputs)
    }

    /// Inputs that are kept from item `from` on, and where to go on.
    pub(super) fn kept_inputs(
        &self,
        task: TaskId,
        from: u64,
        limit: usize,
    ) -> Result<(Vec<Data>, Option<u64>), RowError> {
        let found = self.reader.results(task.0, Stage::INPUTS, from, limit)?;
        let read = |(first, bytes): (u64, Vec<u8>)| {
            answers::decode_input(&bytes).ok_or(RowError::Unreadable { row: Row { task, stage: Stage::INPUTS, first } })
        };
        Ok((found.items.into_iter().map(read).collect::<Result<_, _>>()?, found.next))
    }

    /// The bytes themselves, wherever they lie.
    pub(super) fn bytes(&self, data: &Data) -> Result<Vec<u8>, RowError> {
        read_data(&self.blobs, data)
    }
}

/// The bytes themselves, wherever they lie.
pub(super) fn read_data(blobs: &Blobs, data: &Data) -> Result<Vec<u8>, RowError> {
    let (id, len) = match data {
        Data::Inline { bytes } => return Ok(bytes.to_vec()),
        Data::Blob { id, len } => (BlobId(id.0), *len),
    };
    let mut blob = blobs.open_blob(&id)?;
    Ok(blob.piece(0, usize::try_from(len.min(blob.len())).unwrap_or(usize::MAX))?)
}

pub(super) fn page_key(row: Row) -> PageKey {
    PageKey { task: row.task.0, stage: row.stage, first_item: row.first }
}
