//! Small commits live in the log until the database is synced: none is lost, none is made up, and no other log passes.

use super::super::error::Damage;
use super::super::write::{Logged, read_record};
use super::super::{Commit, Page, PageKey, StoreError};
use super::crash::{Contents, contents, fresh_disk, open_disk, witnessed};
use super::disk::{Disk, Image};
use super::{commit_facts, commit_results};

/// A store that was killed after three small commits, and what it held.
fn killed() -> (tempfile::TempDir, Image, Contents) {
    let dir = tempfile::tempdir().unwrap();
    let disk = fresh_disk();
    drop(open_disk(dir.path(), &disk).unwrap());
    let (mut store, _) = open_disk(dir.path(), &disk).unwrap();
    let before = disk.bytes();
    commit_facts(&mut store, b"one");
    commit_results(&mut store, 1, &[(0, "a"), (1, "b")]);
    let entries = Page::pack(2, 0, [(5, b"paid")]).unwrap();
    store.commit(&Commit { facts: b"three", entries: &entries, now_s: 7_200, ..Commit::default() }).unwrap();
    let (image, held) = (disk.bytes(), contents(&store));
    assert_eq!(image[0], before[0], "the database is not written yet");
    assert_eq!(store.tasks_older_than(10_000, 0).count(), 2);
    (dir, image, held)
}

/// One record, as it was when the log was new: three bytes of facts, one page, a time.
const RECORD: [u8; 14] = [0x03, 0x01, 0x02, 0x03, 0x01, 0xac, 0x02, 0x02, 0x07, 0x01, 0x02, 0x09, 0x09, 0x64];

#[test]
fn a_record_is_written_and_read_as_ever() {
    let logged: Logged<'_> = postcard::from_bytes(&RECORD).unwrap();
    let page = &logged.pages[0];
    assert_eq!((logged.facts, logged.pages.len(), logged.now_s), (&[1, 2, 3][..], 1, 100));
    assert_eq!(
        (page.key(), page.items(), page.body()),
        (&PageKey { task: 300, stage: 2, first_item: 7 }, 1, &[9, 9][..])
    );
    assert_eq!(postcard::to_allocvec(&logged).unwrap(), RECORD);
    assert_eq!(read_record(&RECORD).unwrap().1, [0_u64; 0]);
    let dropping = [&RECORD[..], &[0x02, 0x07, 0xac, 0x02]].concat();
    let (logged, dropped) = read_record(&dropping).unwrap();
    assert_eq!((logged.now_s, dropped), (100, vec![7, 300]));
}

#[test]
fn a_drop_that_only_the_log_has_is_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let disk = fresh_disk();
    drop(open_disk(dir.path(), &disk).unwrap());
    let (mut store, _) = open_disk(dir.path(), &disk).unwrap();
    let before = disk.bytes();
    commit_results(&mut store, 1, &[(0, "a")]);
    commit_results(&mut store, 2, &[(0, "b")]);
    store.commit(&Commit { drop_tasks: &[1], facts: b"over", ..Commit::default() }).unwrap();
    let image = disk.bytes();
    assert_eq!(image[0], before[0], "the database is not written yet");
    drop(store);
    let (mut store, _) = open_disk(dir.path(), &Disk::holding(image)).unwrap();
    assert_eq!((store.tasks().collect::<Vec<_>>(), store.dropped().collect::<Vec<_>>()), (vec![2], vec![1]));
    assert!(!store.tidy().unwrap() && !store.wants_tidying());
}

#[test]
fn what_only_the_log_has_is_there_after_a_kill() {
    let (dir, image, held) = killed();
    let disk = Disk::holding(image);
    for _ in 0..2 {
        let (store, opened) = open_disk(dir.path(), &disk).unwrap();
        assert_eq!((contents(&store), opened.last), (held.clone(), held.last));
        assert_eq!(store.tasks_older_than(10_000, 2_800).count(), 2);
    }
}

#[test]
fn a_log_that_is_gone_is_missed() {
    let (dir, [database, _], _) = killed();
    let lost = open_disk(dir.path(), &Disk::holding([database, Vec::new()])).map(|(_, opened)| opened);
    assert!(
        matches!(&lost, Err(StoreError::Damaged { what: Damage::Lost { acknowledged: 3, found: 0 }, .. })),
        "{lost:?}"
    );
}

#[test]
fn a_bit_flipped_in_the_log_is_noticed_or_harmless() {
    let (dir, image, held) = killed();
    let used = image[1].iter().rposition(|byte| *byte != 0).unwrap();
    let mut noticed = 0;
    for byte in 0..used + 64 {
        let disk = Disk::holding(image.clone());
        disk.log().flip(byte, byte as u32 % 8);
        witnessed(dir.path(), held.last);
        match open_disk(dir.path(), &disk) {
            Ok((store, _)) => assert_eq!(contents(&store), held, "byte {byte}"),
            Err(StoreError::Damaged { what: Damage::Lost { .. }, .. }) => noticed += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(noticed, used + 1, "every byte of a record counts");
}

#[test]
fn the_log_of_another_store_adds_nothing() {
    let (_, [_, log], _) = killed();
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = super::open(dir.path());
    drop(store);
    std::fs::write(dir.path().join("log"), log).unwrap();
    let (store, opened) = super::open(dir.path());
    assert_eq!((opened.last.0, super::replayed(&store).len()), (0, 0));
}

#[test]
fn a_full_log_begins_again_and_keeps_the_file_small() {
    let dir = tempfile::tempdir().unwrap();
    let disk = fresh_disk();
    let (mut store, _) = open_disk(dir.path(), &disk).unwrap();
    for nth in 0..3_000_u64 {
        store.commit(&Commit { facts: &[nth as u8; 200], lazy: nth % 2 == 0, ..Commit::default() }).unwrap();
    }
    let (image, held) = (disk.bytes(), contents(&store));
    assert!(image[0].len() < 16 << 20, "{}", image[0].len());
    drop(store);
    let (store, _) = open_disk(dir.path(), &Disk::holding(image)).unwrap();
    assert_eq!(contents(&store), held);
}
