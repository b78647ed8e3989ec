//! What is refused, and how it is said.

use std::path::Path;

use redb::Database;

use super::super::database::lay_out;
use super::super::{Commit, FACTS_BYTES_MAX, Page, Settings, Store, StoreError};
use super::{ROOMY, commit_facts, open, replayed};

fn refusal(dir: &Path) -> String {
    let before = std::fs::read(dir.join("store.redb")).ok();
    let error = Store::open(dir, ROOMY).unwrap_err();
    assert_eq!(std::fs::read(dir.join("store.redb")).ok(), before, "a refused file was changed");
    let text = error.to_string();
    assert!(text.contains(&*dir.to_string_lossy()) && text.contains("\nhint: "), "{text}");
    text
}

#[test]
fn a_second_node_is_told_who_has_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let error = Store::open(dir.path(), ROOMY).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }));
    assert!(error.to_string().contains(&format!("in use by another node (process {})", std::process::id())));
    drop(store);
    open(dir.path());
}

#[test]
fn a_reader_that_lives_on_keeps_the_file_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let reader = store.reader();
    drop(store);
    assert!(matches!(Store::open(dir.path(), ROOMY), Err(StoreError::InUse { .. })));
    drop(reader);
    open(dir.path());
}

#[test]
fn a_foreign_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.redb");
    for foreign in [&b"SQLite format 3\0 and so on"[..], b"x", b"redb\x1a\x0a\xa9\x0d"] {
        std::fs::write(&file, foreign).unwrap();
        assert!(refusal(dir.path()).contains("store.redb is not a Grove store"));
    }
    std::fs::write(&file, b"").unwrap();
    assert!(refusal(dir.path()).contains("store.redb is not a Grove store"));
}

#[test]
fn a_database_of_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::create(dir.path().join("store.redb")).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<u64, u64>::new("journal")).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = Store::open(dir.path(), ROOMY).unwrap_err();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    lay_out(&Database::create(dir.path().join("store.redb")).unwrap(), 2, &[1; 16]).unwrap();
    let error = Store::open(dir.path(), ROOMY).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("written by a newer Grove (format 2"));
}

#[test]
fn a_truncated_file_is_refused_wherever_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    (0..100).for_each(|n| _ = commit_facts(&mut store, &vec![n; 2000]));
    let rows = replayed(&store);
    drop(store);
    let file = dir.path().join("store.redb");
    let whole = std::fs::read(&file).unwrap();
    for sixteenth in 0..16 {
        std::fs::write(&file, &whole[..whole.len() * sixteenth / 16 + 1]).unwrap();
        assert!(Store::open(dir.path(), ROOMY).is_err(), "cut to {sixteenth}/16");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(replayed(&open(dir.path()).0), rows);
}

#[test]
fn a_creation_that_was_broken_off_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("store.redb.new"), [0; 5000]).unwrap();
    let (_, opened) = open(dir.path());
    assert!(opened.created && !dir.path().join("store.redb.new").exists());
}

#[test]
fn over_quota_is_an_answer_and_facts_still_go_in() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { quota_bytes: 50_000, ..ROOMY };
    let (mut store, _) = Store::open(dir.path(), settings).unwrap();
    let pages = Page::pack(1, 0, (0..30).map(|item| (item, [7; 1000]))).unwrap();
    store.commit(&Commit { pages: &pages, ..Commit::default() }).unwrap();
    let refused = store.commit(&Commit { pages: &pages, facts: b"lost", ..Commit::default() });
    assert!(matches!(refused, Err(StoreError::OverQuota { quota: 50_000, .. })));
    assert!(refused.unwrap_err().to_string().contains("\nhint: "));
    commit_facts(&mut store, b"job failed: over quota");
    store.commit(&Commit { drop_tasks: &[1], ..Commit::default() }).unwrap();
    assert!(!store.tidy().unwrap());
    let pages = Page::pack(2, 0, (0..30).map(|item| (item, [7; 1000]))).unwrap();
    store.commit(&Commit { pages: &pages, ..Commit::default() }).unwrap();
    assert_eq!(replayed(&store), [(2, b"job failed: over quota".to_vec())]);
}

#[test]
fn a_batch_beyond_its_limit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let refused = store.commit(&Commit { facts: &vec![0; FACTS_BYTES_MAX + 1], ..Commit::default() });
    assert!(matches!(refused, Err(StoreError::TooLarge { what: "a batch of facts", .. })));
    commit_facts(&mut store, b"goes on");
    assert_eq!(replayed(&store).len(), 1);
}

#[test]
fn a_disk_that_fills_up_is_noticed_before_it_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { reserve_bytes: 1 << 60, ..ROOMY };
    let (mut store, _) = Store::open(dir.path(), settings).unwrap();
    let pages = Page::pack(1, 0, [(0, "result")]).unwrap();
    let refused = store.commit(&Commit { pages: &pages, ..Commit::default() });
    assert!(matches!(refused, Err(StoreError::LowSpace { .. })) && !store.has_failed());
    assert!(matches!(store.blobs().put_bytes(b"blob"), Err(StoreError::LowSpace { .. })));
    commit_facts(&mut store, b"facts still fit");
}
