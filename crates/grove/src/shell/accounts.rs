//! How the lines of people's accounts lie in the store: like the answers of a task that nobody ever asks for, one such
//! task for each account, a line under each number.

use super::rows::Rows;
use crate::store::{Page, PageKey, StoreError};
use grove_core::id::PersonId;
use grove_core::node::Entry;

/// Tasks of the node are numbered from below and never come here.
pub(super) const FIRST_TASK: u64 = 1 << 63;
/// Beyond the stages of any task.
const STAGE: u8 = 200;
/// What is read at one time while the newest lines are looked for.
const AT_ONCE: usize = 4_096;

/// Some lines of an account.
#[derive(Debug)]
pub struct Lines {
    /// In their order, each with its number.
    pub lines: Vec<(u64, Entry)>,
    /// The number at which to go on.
    pub next: Option<u64>,
}

pub(super) fn page(person: PersonId, number: u64, entry: &Entry) -> Result<Page, StoreError> {
    let mut page = Page::new(PageKey { task: FIRST_TASK | person.0, stage: STAGE, first_item: number });
    page.push(&postcard::to_stdvec(entry).expect("a line can always be written to memory"))?;
    Ok(page)
}

/// Lines of an account from a number on.
pub(super) fn lines(rows: &Rows, person: PersonId, from: u64, limit: usize) -> Result<Lines, StoreError> {
    let found = rows.reader.results(FIRST_TASK | person.0, STAGE, from, limit.clamp(1, AT_ONCE))?;
    // A line that a newer grove wrote is left out: what it means is not known here.
    let read = |(number, bytes): (u64, Vec<u8>)| Some((number, postcard::from_bytes(&bytes).ok()?));
    Ok(Lines { lines: found.items.into_iter().filter_map(read).collect(), next: found.next })
}
