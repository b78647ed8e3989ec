//! Inputs are made when their parts are placed: integers need nothing, the rest is read from where it lies.

use super::answers;
use super::rows::{RowError, Rows};
use crate::store::{BlobId, BlobReader};
use grove_core::id::{Digest, TaskId};
use grove_core::message::{Data, Gift, Inputs, Outcome};
use grove_core::node::{Feed, FeedFrom, Row};
use grove_core::task::Span;
use std::collections::VecDeque;
use std::sync::Arc;

/// Outputs of splits that are kept at hand, since their pieces are given out one after another.
const PIECES_BYTES_MAX: usize = 64 << 20;
/// Blobs that are kept open, since their lines are given out one after another.
const OPEN_BLOBS_MAX: usize = 16;

/// Makes inputs, and remembers what the next gift will need too.
#[derive(Debug)]
pub(super) struct Feeder {
    rows: Rows,
    /// Inputs of this very batch, whose rows are about to be written.
    pub(super) fresh: Vec<(Row, Vec<Data>)>,
    /// The most recent at the back.
    pieces: VecDeque<(Row, Arc<Pieces>)>,
    open: VecDeque<(Digest, BlobReader)>,
}

/// The output of a split, told apart.
#[derive(Debug)]
struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<std::ops::Range<usize>>,
}

/// Whether making these inputs takes so little that the loop may do it itself.
pub(super) fn is_quick(feed: &Feed) -> bool {
    feed.claims.is_none() && matches!(feed.from, FeedFrom::Numbers { .. } | FeedFrom::Listed { .. })
}

impl Feeder {
    pub(super) fn new(rows: Rows) -> Feeder {
        Feeder { rows, fresh: Vec::new(), pieces: VecDeque::new(), open: VecDeque::new() }
    }

    /// The inputs of a gift, one for each run.
    pub(super) fn inputs(&mut self, gift: &Gift, feed: &Feed) -> Result<Inputs, RowError> {
        if let (FeedFrom::Numbers { from }, None) = (feed.from, feed.claims) {
            return Ok(Inputs::Numbers { from: from.saturating_add(feed.shift) });
        }
        let mut data = Vec::new();
        for piece in &gift.pieces {
            let there = Span { first: piece.first.saturating_add(feed.shift), ..*piece };
            let inputs = self.runs(feed.from, there, gift.chunk)?;
            match feed.claims {
                None => data.extend(inputs),
                Some(claims) => {
                    for (run, input) in piece.cut(gift.chunk).zip(inputs) {
                        data.push(self.claim(claims, run, &input)?);
                    }
                }
            }
        }
        Ok(Inputs::Carried { data })
    }

    /// One input for each run of a piece.
    fn runs(&mut self, from: FeedFrom, piece: Span, chunk: u64) -> Result<Vec<Data>, RowError> {
        let items = match from {
            FeedFrom::Numbers { from } => return Ok(numbers(from, piece, chunk)),
            FeedFrom::Outputs { task, stage } => {
                return piece.cut(chunk).map(|run| self.outputs(task, stage, run)).collect();
            }
            FeedFrom::Listed { task } => self.listed(task, piece)?,
            FeedFrom::Lines { blob } => self.lines(blob, piece)?,
            FeedFrom::Pieces { row } => self.cut_off(row, piece)?,
        };
        if chunk <= 1 {
            return Ok(items);
        }
        let chunk = usize::try_from(chunk).unwrap_or(usize::MAX);
        items.chunks(chunk).map(|some| self.joined(some)).collect()
    }

    /// Inputs that came with a job, of which the last may not lie in their rows yet.
    fn listed(&self, task: TaskId, piece: Span) -> Result<Vec<Data>, RowError> {
        let fresh = || self.fresh.iter().filter(|(row, _)| row.task == task);
        let first = fresh().map(|(row, _)| row.first).min().unwrap_or(u64::MAX).clamp(piece.first, piece.end());
        let kept = Span { len: first - piece.first, ..piece };
        let mut all = if kept.len > 0 { self.rows.inputs(task, kept)? } else { Vec::new() };
        for (row, inputs) in fresh() {
            let at =
                |item: u64| usize::try_from(item.saturating_sub(row.first)).unwrap_or(usize::MAX).min(inputs.len());
            all.extend_from_slice(&inputs[at(piece.first)..at(piece.end())]);
        }
        Ok(all)
    }

    /// Items of one run, each on its line.
    fn joined(&self, items: &[Data]) -> Result<Data, RowError> {
        let mut bytes = Vec::new();
        for item in items {
            bytes.extend(self.rows.bytes(item)?);
            bytes.push(b'\n');
        }
        Ok(answers::data(&self.rows.blobs, bytes)?)
    }

    fn lines(&mut self, blob: Digest, piece: Span) -> Result<Vec<Data>, RowError> {
        let at = self.open.iter().position(|(id, _)| *id == blob);
        let mut open = match at.and_then(|at| self.open.remove(at)) {
            Some((_, open)) => open,
            None => self.rows.blobs.open_blob(&BlobId(blob.0))?,
        };
        let mut lines = Vec::new();
        while (lines.len() as u64) < piece.len {
            let from = piece.first + lines.len() as u64;
            let left = usize::try_from(piece.end() - from).unwrap_or(usize::MAX);
            let some = open.line_range(from, left)?;
            if some.is_empty() {
                return Err(RowError::Missing { row: Row { task: TaskId(0), stage: 0, first: from } });
            }
            for line in some {
                lines.push(answers::data(&self.rows.blobs, line)?);
            }
        }
        self.open.push_back((blob, open));
        if self.open.len() > OPEN_BLOBS_MAX {
            self.open.pop_front();
        }
        Ok(lines)
    }

    /// Pieces into which a tool has cut.
    fn cut_off(&mut self, row: Row, piece: Span) -> Result<Vec<Data>, RowError> {
        let pieces = self.pieces_at(row)?;
        (piece.first..piece.end())
            .map(|item| {
                let range = usize::try_from(item).ok().and_then(|item| pieces.ends.get(item));
                let range = range.ok_or(RowError::Missing { row: Row { first: item, ..row } })?;
                Ok(answers::data(&self.rows.blobs, pieces.bytes[range.clone()].to_vec())?)
            })
            .collect()
    }

    fn pieces_at(&mut self, row: Row) -> Result<Arc<Pieces>, RowError> {
        if let Some(at) = self.pieces.iter().position(|(known, _)| *known == row) {
            let found = self.pieces.remove(at).ok_or(RowError::Missing { row })?;
            self.pieces.push_back(found.clone());
            return Ok(found.1);
        }
        let bytes = self.rows.bytes(&self.rows.answer(row)?.output.stdout)?;
        let ends = counted(&bytes).ok_or(RowError::NotCounted { row })?;
        let pieces = Arc::new(Pieces { bytes, ends });
        self.pieces.push_back((row, Arc::clone(&pieces)));
        let held = |all: &VecDeque<(Row, Arc<Pieces>)>| all.iter().map(|(_, pieces)| pieces.bytes.len()).sum::<usize>();
        while self.pieces.len() > 1 && held(&self.pieces) > PIECES_BYTES_MAX {
            self.pieces.pop_front();
        }
        Ok(pieces)
    }

    /// What a merge gets: the right outputs in order, counted.
    fn outputs(&self, task: TaskId, stage: u8, run: Span) -> Result<Data, RowError> {
        let mut bytes = Vec::new();
        for kept in self.rows.answers_in(task, stage, run)? {
            if kept.outcome == Outcome::Right {
                count(&self.rows.bytes(&kept.output.stdout)?, &mut bytes);
            }
        }
        Ok(answers::data(&self.rows.blobs, bytes)?)
    }

    /// What a check gets: an input and the output given for it, counted.
    fn claim(&self, (task, stage): (TaskId, u8), run: Span, input: &Data) -> Result<Data, RowError> {
        let output = self.rows.answer(Row { task, stage, first: run.first })?.output;
        let mut bytes = Vec::new();
        count(&self.rows.bytes(input)?, &mut bytes);
        count(&self.rows.bytes(&output.stdout)?, &mut bytes);
        Ok(answers::data(&self.rows.blobs, bytes)?)
    }
}

/// Runs of integers as text, for a tool that has to be shown them.
fn numbers(from: u64, piece: Span, chunk: u64) -> Vec<Data> {
    let run = |run: Span| super::work::number_text(from.saturating_add(run.first), run.len);
    piece.cut(chunk).map(|span| Data::Inline { bytes: run(span).into_bytes().into() }).collect()
}

/// Appends an item: its length in decimal, a newline, its bytes.
fn count(item: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(item.len().to_string().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(item);
}

/// Where the counted items lie in these bytes; `None` if they are not counted items.
pub fn counted(bytes: &[u8]) -> Option<Vec<std::ops::Range<usize>>> {
    let (mut items, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes[at..].iter().take(DIGITS_MAX + 1).position(|byte| *byte == b'\n')?;
        let length: usize = std::str::from_utf8(&bytes[at..at + digits]).ok()?.parse().ok()?;
        let begin = at + digits + 1;
        let end = begin.checked_add(length).filter(|end| *end <= bytes.len())?;
        items.push(begin..end);
        at = end;
    }
    Some(items)
}

/// Digits in the length of a counted item: more than any that fits into memory.
const DIGITS_MAX: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_items_are_told_apart() {
        let mut bytes = Vec::new();
        for item in [&b"one"[..], b"", b"3\nthree"] {
            count(item, &mut bytes);
        }
        let items: Vec<&[u8]> = counted(&bytes).unwrap().into_iter().map(|range| &bytes[range]).collect();
        assert_eq!(items, [&b"one"[..], b"", b"3\nthree"]);
        for wrong in [&b"3\nab"[..], b"x\nab", b"12", b"\n", b"-1\n", b"99999999999999999999\n"] {
            assert_eq!(counted(wrong), None, "{wrong:?}");
        }
        assert_eq!(counted(b""), Some(Vec::new()));
    }
}
