//! Bits that flip: noticed or harmless, never a wrong answer.

use std::path::Path;

use super::super::{StoreError, error::Damage};
use super::crash::{Contents, contents, fresh_disk, open_disk, open_with, step, witnessed};
use super::disk::{Disk, Image};
use super::{ROOMY, Settings, replayed};

const STEPS: u64 = 120;

/// A store's disk after an orderly end and after `kill -9`, and what it held.
fn images(dir: &Path) -> (Image, Image, Contents) {
    let disk = fresh_disk();
    let (mut store, _) = open_disk(dir, &disk).unwrap();
    (1..=STEPS).for_each(|nth| step(&mut store, nth).unwrap());
    let (killed, after) = (disk.bytes(), contents(&store));
    drop(store);
    (disk.bytes(), killed, after)
}

/// Flips that land in the parts of the file that are in use, where they matter.
fn flips(image: &[u8], count: usize) -> impl Iterator<Item = (usize, u32)> {
    let mut random = 5_u64;
    std::iter::from_fn(move || {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Some(((random >> 16) as usize, (random >> 13) as u32 % 8))
    })
    .map(|(at, bit)| (at % image.len(), bit))
    .filter(|(at, _)| image[at & !0xfff..].iter().take(4096).any(|byte| *byte != 0))
    .take(count)
}

#[derive(Debug, Default)]
struct Tally {
    noticed: usize,
    harmless: usize,
}

fn flip_and_open(image: &Image, flips: impl Iterator<Item = (usize, u32)>, after: &Contents) -> Tally {
    let dir = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    for (at, bit) in flips {
        let disk = Disk::holding(image.clone());
        disk.flip(at, bit);
        witnessed(dir.path(), after.last);
        match open_disk(dir.path(), &disk) {
            Err(error) => {
                assert!(error.to_string().contains("store.redb"), "{error}");
                tally.noticed += 1;
            }
            Ok((store, _)) => {
                assert!(contents(&store) == *after, "bit {bit} of byte {at} changed what is read");
                tally.harmless += 1;
            }
        }
    }
    tally
}

#[test]
fn a_bit_flipped_in_a_closed_store() {
    let dir = tempfile::tempdir().unwrap();
    let (closed, _, after) = images(dir.path());
    let tally = flip_and_open(&closed, flips(&closed[0], 300), &after);
    assert!(tally.noticed > 25 && tally.harmless > 25, "{tally:?}");
}

#[test]
fn a_bit_flipped_in_a_store_that_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (_, killed, after) = images(dir.path());
    // More of them than elsewhere: much of the file is older than what the log brings back.
    let tally = flip_and_open(&killed, flips(&killed[0], 600), &after);
    assert!(tally.noticed > 25 && tally.harmless > 25, "{tally:?}");
}

#[test]
fn a_bit_flipped_in_the_header_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (closed, killed, after) = images(dir.path());
    let header = || (0..320).map(|at| (at, (at % 8) as u32));
    flip_and_open(&closed, header(), &after);
    flip_and_open(&killed, header(), &after);
}

#[test]
fn a_bit_flipped_under_an_open_store() {
    let dir = tempfile::tempdir().unwrap();
    let (closed, _, after) = images(dir.path());
    let mut noticed = 0;
    for (at, bit) in flips(&closed[0], 150) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::holding(closed.clone());
        // Without memory for pages, everything is read from the disk.
        let (store, _) = open_with(dir.path(), &disk, Settings { cache_bytes: 0, ..ROOMY }).unwrap();
        disk.flip(at, bit);
        let mut facts = Vec::new();
        let walked = store.replay(|at, bytes| {
            facts.push((at.0, bytes.to_vec()));
            Ok::<_, StoreError>(())
        });
        let results: Result<Vec<_>, StoreError> =
            (0..3).map(|task| store.reader().results(task, 0, 0, 1000).map(|results| results.items)).collect();
        match walked {
            Ok(_) => assert_eq!(facts, after.facts(), "bit {bit} of byte {at}"),
            Err(_) => noticed += 1,
        }
        // A page that the flip has made unreachable is missed until the next start; what is served is never made up.
        match results {
            Ok(results) => assert!(results.iter().flatten().all(|(_, bytes)| bytes.starts_with(b"result of "))),
            Err(_) => noticed += 1,
        }
        // Closing such a store may end the process, as a crash would; the next start notices the damage too.
        std::mem::forget(store);
    }
    assert!(noticed > 10, "{noticed}");
}

#[test]
fn a_damaged_record_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = super::open(dir.path());
    super::commit_facts(&mut store, b"one");
    // Too large for the log.
    super::commit_facts(&mut store, &[b"a record to be found in the file".as_slice(), &[1; 20_000]].concat());
    super::commit_facts(&mut store, b"three");
    assert_eq!(replayed(&store).len(), 3);
    let file = dir.path().join("store.redb");
    let bytes = std::fs::read(&file).unwrap();
    let needle = b"a record to be found";
    let places = (0..bytes.len() - needle.len()).filter(|at| bytes[*at..].starts_with(needle));
    for at in places {
        use std::os::unix::fs::FileExt;
        std::fs::File::options().write(true).open(&file).unwrap().write_at(b"X", at as u64).unwrap();
    }
    // The database has its pages in memory and sees nothing; a start does.
    drop(store);
    let error = super::Store::open(dir.path(), ROOMY).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { what: Damage::Structure(_) | Damage::Row { sequence: 2, .. }, .. }));
    assert!(error.to_string().contains("store.redb is damaged: ") && error.to_string().contains("\nhint: "), "{error}");
}
