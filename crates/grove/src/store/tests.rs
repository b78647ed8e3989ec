//! The store from outside: what was committed is read back, refused or noticed as damaged, and nothing else.

use std::path::Path;

use super::{Commit, Opened, Page, Position, Reader, Settings, Store, StoreError};

mod basics;
mod blobs;
mod crash;
mod disk;
mod log;
mod refusals;
mod rot;

const ROOMY: Settings =
    Settings { quota_bytes: 1 << 40, keeps_promises: false, reserve_bytes: 0, cache_bytes: 8 << 20 };

fn open(dir: &Path) -> (Store, Opened) {
    Store::open(dir, ROOMY).unwrap()
}

/// All facts in order.
fn replayed(store: &Store) -> Vec<(u64, Vec<u8>)> {
    let mut rows = Vec::new();
    store
        .replay(|at, facts| {
            rows.push((at.0, facts.to_vec()));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    rows
}

fn commit_facts(store: &mut Store, facts: &[u8]) -> Position {
    store.commit(&Commit { facts, ..Commit::default() }).unwrap()
}

fn commit_results(store: &mut Store, task: u64, results: &[(u64, &str)]) {
    let pages = Page::pack(task, 0, results.iter().copied()).unwrap();
    store.commit(&Commit { pages: &pages, ..Commit::default() }).unwrap();
}

/// All results of a task, read in answers of `limit`.
fn results_by(reader: &Reader, task: u64, limit: usize) -> Vec<(u64, String)> {
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(item) = from {
        let results = reader.results(task, 0, item, limit).unwrap();
        assert!(results.items.len() <= limit);
        all.extend(results.items.into_iter().map(|(item, bytes)| (item, String::from_utf8(bytes).unwrap())));
        from = results.next;
    }
    all
}
