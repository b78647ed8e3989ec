//! Power cuts at every point of a run, and a disk that fails: nothing acknowledged is lost, nothing half done is seen.

use std::path::Path;

use redb::Database;

use super::super::database::{self, lay_out};
use super::super::folder::Folder;
use super::super::{Commit, Opened, Page, PageKey, Position, Settings, Store, StoreError, witness};
use super::disk::{Disk, Image, Op, apply, apply_torn};
use super::{ROOMY, replayed};

/// A disk with an empty store on it.
pub(super) fn fresh_disk() -> Disk {
    let disk = Disk::default();
    lay_out(&Database::builder().create_with_backend(disk.clone()).unwrap(), 1, &[7; 16]).unwrap();
    disk
}

pub(super) fn open_disk(dir: &Path, disk: &Disk) -> Result<(Store, Opened), StoreError> {
    open_with(dir, disk, ROOMY)
}

pub(super) fn open_with(dir: &Path, disk: &Disk, settings: Settings) -> Result<(Store, Opened), StoreError> {
    let folder = Folder::open(dir)?;
    let (database, found) = database::open_on(disk.clone(), &database::file(&folder), settings.cache_bytes, false)?;
    Store::start(folder, database, Box::new(disk.log()), found, settings)
}

/// The nth commit of the run: facts of changing size, results over the same items again and again, now and then a
/// drop, a slice of tidying or a compaction.
pub(super) fn step(store: &mut Store, nth: u64) -> Result<(), StoreError> {
    match nth % 50 {
        20 => store.commit(&Commit { facts: &facts(nth), drop_tasks: &[1], ..Commit::default() }).map(|_| ()),
        30 => store.tidy().map(|_| ()),
        40 => store.compact([b"up to ".to_vec(), store.last().0.to_le_bytes().to_vec()]),
        _ => {
            let text = format!("result of {nth}");
            let pages = Page::pack(nth % 3, 0, (nth % 7..nth % 7 + 5).map(|item| (item, &text))).unwrap();
            store.commit(&Commit { facts: &facts(nth), pages: &pages, ..Commit::default() }).map(|_| ())
        }
    }
}

fn facts(nth: u64) -> Vec<u8> {
    [&nth.to_le_bytes()[..], &vec![nth as u8; (nth as usize * 37) % 3000]].concat()
}

/// Everything that can be read of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) last: Position,
    used_bytes: u64,
    facts: Vec<(u64, Vec<u8>)>,
    results: Vec<Vec<(u64, Vec<u8>)>>,
}

pub(super) fn contents(store: &Store) -> Contents {
    Contents {
        last: store.last(),
        used_bytes: store.used_bytes(),
        facts: replayed(store),
        results: (0..3).map(|task| store.reader().results(task, 0, 0, 1000).unwrap().items).collect(),
    }
}

/// What the store held after a step.
struct Held {
    /// How many operations the disk had seen by then.
    ops: usize,
    contents: Contents,
    /// After the lazy commit ahead of the step: it may be there without it.
    halfway: Option<Contents>,
}

/// Runs `steps` steps, some with a lazy commit ahead that becomes durable with them.
fn run(dir: &Path, disk: &Disk, steps: u64) -> Vec<Held> {
    let (mut store, _) = open_disk(dir, disk).unwrap();
    disk.record();
    let mut history = vec![Held { ops: disk.ops_so_far(), contents: contents(&store), halfway: None }];
    for nth in 1..=steps {
        let mut halfway = None;
        if nth % 3 == 0 {
            let pages = Page::pack(1, 0, [(nth, b"lazy")]).unwrap();
            store.commit(&Commit { facts: b"lazy", pages: &pages, lazy: true, ..Commit::default() }).unwrap();
            halfway = Some(contents(&store));
        }
        step(&mut store, nth).unwrap();
        store.sync().unwrap();
        history.push(Held { ops: disk.ops_so_far(), contents: contents(&store), halfway });
    }
    history
}

/// Makes the witness in the folder say this.
pub(super) fn witnessed(dir: &Path, acknowledged: Position) {
    std::fs::write(dir.join(witness::FILE), witness::encode(acknowledged)).unwrap();
}

/// After a power cut, what is there must be the state after the last acknowledged step, or after the one that was
/// under way, and the store must go on.
fn assert_recovers(dir: &Path, image: Image, history: &[Held], cut: usize) {
    let acked = history.iter().rposition(|held| held.ops <= cut).unwrap();
    // The strictest case: the power cut took nothing of the witness.
    witnessed(dir, history[acked].contents.last);
    let (mut store, _) = open_disk(dir, &Disk::holding(image)).unwrap();
    let found = contents(&store);
    let under_way = history.get(acked + 1);
    let mut allowed = [Some(&history[acked].contents), under_way.map(|held| &held.contents)]
        .into_iter()
        .chain([under_way.and_then(|held| held.halfway.as_ref())])
        .flatten();
    assert!(allowed.any(|contents| *contents == found), "cut after operation {cut}, {acked} acknowledged");
    let last = store.commit(&Commit { facts: b"on", ..Commit::default() }).unwrap();
    assert_eq!(last.0, found.last.0 + 1);
}

fn cut_everywhere(steps: u64, mut left: impl FnMut(&Image, &[(usize, Op)]) -> Image) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let disk = fresh_disk();
    let mut synced = disk.bytes();
    // Opening writes too; what it wrote is synced before the run is recorded.
    drop(open_disk(dir.path(), &disk).unwrap());
    synced.clone_from(&disk.bytes());
    let history = run(dir.path(), &Disk::holding(synced.clone()), 0);
    assert_eq!(history.len(), 1);

    let disk = Disk::holding(synced.clone());
    witnessed(dir.path(), Position(0));
    disk.record();
    let history = run(dir.path(), &disk, steps);
    let ops = disk.ops();
    let first = history[0].ops;
    let mut pending: Vec<(usize, Op)> = Vec::new();
    for (cut, (file, op)) in ops.iter().enumerate() {
        pending.push((*file, op.clone()));
        if matches!(op, Op::Sync) {
            pending.extract_if(.., |(of, _)| of == file).for_each(|(_, op)| apply(&mut synced[*file], &op));
        }
        if cut + 1 >= first {
            assert_recovers(dir.path(), left(&synced, &pending), &history, cut + 1);
        }
    }
    assert_eq!(history.len() as u64, steps + 1);
    ops.len() - first
}

#[test]
fn a_power_cut_that_loses_all_that_was_not_synced() {
    let cuts = cut_everywhere(200, |synced, _| synced.clone());
    assert!(cuts > 700, "{cuts}");
}

#[test]
fn a_power_cut_that_leaves_any_sectors_of_what_was_not_synced() {
    let mut random = 1_u64;
    let cuts = cut_everywhere(160, |synced, pending| {
        let mut image = synced.clone();
        for (file, op) in pending {
            apply_torn(&mut image[*file], op, || {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                random >> 63 == 0
            });
        }
        image
    });
    assert!(cuts > 500, "{cuts}");
}

#[test]
fn lazy_commits_are_read_at_once_and_written_with_the_next_sync() {
    let dir = tempfile::tempdir().unwrap();
    let disk = fresh_disk();
    let (mut store, _) = open_disk(dir.path(), &disk).unwrap();
    super::commit_facts(&mut store, b"durable");
    let lost = disk.bytes();
    for item in 0..3 {
        let pages = Page::pack(0, 0, [(item, b"lazy")]).unwrap();
        store.commit(&Commit { facts: b"lazy", pages: &pages, lazy: true, ..Commit::default() }).unwrap();
    }
    assert!(store.is_behind());
    let before = contents(&store);
    assert_eq!((before.facts.len(), before.results[0].len()), (4, 3));
    assert_eq!(disk.bytes(), lost);
    store.sync().unwrap();
    assert!(!store.is_behind());
    let kept = disk.bytes();
    drop(store);

    let (store, _) = open_disk(dir.path(), &Disk::holding(kept)).unwrap();
    assert_eq!(contents(&store), before);
    drop(store);
    // The sync was acknowledged, so a disk without it has lost something.
    assert!(matches!(open_disk(dir.path(), &Disk::holding(lost.clone())), Err(StoreError::Damaged { .. })));
    witnessed(dir.path(), Position(1));
    let (store, _) = open_disk(dir.path(), &Disk::holding(lost)).unwrap();
    assert_eq!(contents(&store).facts, [(1, b"durable".to_vec())]);
}

#[test]
fn a_disk_that_fails_once_ends_the_store_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = fresh_disk();
    drop(open_disk(dir.path(), &disk).unwrap());
    let image = disk.bytes();
    for fail_in in 0.. {
        let disk = Disk::holding(image.clone());
        witnessed(dir.path(), Position(0));
        let (mut store, _) = open_disk(dir.path(), &disk).unwrap();
        disk.fail_in(fail_in);
        let mut acked = contents(&store);
        let mut failed = None;
        for nth in 1..=60 {
            match step(&mut store, nth) {
                Ok(()) if !disk.has_failed() => acked = contents(&store),
                Ok(()) => panic!("acknowledged although operation {fail_in} of the disk failed"),
                Err(error) => {
                    failed = Some((nth, error));
                    break;
                }
            }
        }
        let Some((nth, error)) = failed else {
            assert!(fail_in > 150, "{fail_in}");
            return;
        };
        assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
        assert!(store.has_failed());
        let (last, after) = (store.last(), store.commit(&Commit { facts: b"no", ..Commit::default() }));
        assert!(matches!(after, Err(StoreError::Failed)) && store.last() == last);
        assert!(matches!(store.tidy(), Err(StoreError::Failed)));
        assert!(matches!(store.compact([]), Err(StoreError::Failed)));
        drop(store);

        // The commit that failed may be there: its outcome was unknown, and nobody was told.
        let (mut store, _) = open_disk(dir.path(), &disk).unwrap();
        let found = contents(&store);
        if found != acked {
            // A compaction has no place of its own among the commits.
            let more = u64::from(nth % 50 != 40);
            assert_eq!(found.last.0, acked.last.0 + more, "failed at operation {fail_in}, step {nth}");
        }
        step(&mut store, 3).unwrap();
    }
}

#[test]
fn the_same_item_is_read_after_every_restart() {
    let dir = tempfile::tempdir().unwrap();
    let disk = fresh_disk();
    for nth in 1..=60 {
        let (mut store, opened) = open_disk(dir.path(), &disk).unwrap();
        assert!(!opened.repaired && !opened.undone);
        let before = contents(&store);
        step(&mut store, nth).unwrap();
        let kept = store.reader().result(PageKey { task: 0, stage: 0, first_item: 3 }).unwrap();
        assert!(nth < 3 || kept.is_some());
        assert!(contents(&store) != before || nth % 50 == 30);
    }
}

impl Contents {
    pub(super) fn facts(&self) -> &[(u64, Vec<u8>)] {
        &self.facts
    }
}
