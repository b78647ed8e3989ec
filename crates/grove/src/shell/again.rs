//! What is said twice must be the same both times. The node counts a job's inputs; what is in them is compared here,
//! and only for what was said before: two people who add to one job at one place must not get each other's results.

use super::rows::{RowError, Rows};
use grove_core::id::Digest;
use grove_core::message::Data;
use grove_core::node::Row;

/// Inputs that are read in one go.
const AT_ONCE: usize = 1_024;

/// Whether other inputs than these are kept from that row on, or about to be. Where none are kept any more, nothing
/// differs.
pub(super) fn differ(rows: &Rows, fresh: &[(Row, Vec<Data>)], row: Row, inputs: &[Data]) -> bool {
    if let Some((_, fresh)) = fresh.iter().find(|(at, _)| *at == row) {
        return fresh.iter().zip(inputs).any(|(kept, said)| !is_same(kept, said));
    }
    let compare = || {
        let mut at = row.first;
        for some in inputs.chunks(AT_ONCE) {
            let (kept, _) = rows.kept_inputs(row.task, at, some.len())?;
            if kept.iter().zip(some).any(|(kept, said)| !is_same(kept, said)) {
                return Ok(true);
            }
            at += some.len() as u64;
        }
        Ok(false)
    };
    compare().unwrap_or_else(|error: RowError| {
        tracing::warn!("inputs that were said again could not be compared: {error}");
        false
    })
}

/// What is large is kept as a blob, however it was sent.
fn is_same(kept: &Data, said: &Data) -> bool {
    match (kept, said) {
        (Data::Blob { id, .. }, Data::Inline { bytes }) => Digest(*blake3::hash(bytes).as_bytes()) == *id,
        _ => kept == said,
    }
}
