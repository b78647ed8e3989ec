//! How facts lie in the journal: one after another, so that a batch is a row and a row is a batch.

use crate::store::{Position, SNAPSHOT_PIECE_BYTES, Store, StoreError};
use grove_core::state::{Fact, State};

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "commit {} of the journal holds a fact that this version cannot read: {source}\n\
         hint: start the version of grove that wrote it, or restore the folder from a backup", .at.0
    )]
    Fact { at: Position, source: postcard::Error },
}

/// Appends the facts of a batch to a row in the making.
pub(super) fn encode(facts: &[Fact], row: &mut Vec<u8>) {
    for fact in facts {
        let taken = std::mem::take(row);
        *row = postcard::to_extend(fact, taken).expect("a fact in memory can always be written to memory");
    }
}

/// The state that a journal adds up to.
pub(super) fn replay(store: &Store) -> Result<State, JournalError> {
    let mut state = State::default();
    store.replay(|at, mut row: &[u8]| {
        while !row.is_empty() {
            let (fact, rest) = postcard::take_from_bytes(row).map_err(|source| JournalError::Fact { at, source })?;
            state.apply(&fact);
            row = rest;
        }
        Ok::<(), JournalError>(())
    })?;
    Ok(state)
}

/// The state as a shorter journal, in pieces.
pub(super) fn snapshot(state: &State) -> impl Iterator<Item = Vec<u8>> {
    let mut facts = state.facts().into_iter().peekable();
    std::iter::from_fn(move || {
        facts.peek()?;
        let mut piece = Vec::new();
        while piece.len() < SNAPSHOT_PIECE_BYTES {
            let Some(fact) = facts.next() else { break };
            encode(&[fact], &mut piece);
        }
        Some(piece)
    })
}
