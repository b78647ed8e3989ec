//! Commit, replay, compaction, results, settings, drops.

use super::super::{Commit, Lift, PageKey, Position, StoreError};
use super::{commit_facts, commit_results, open, replayed, results_by};

#[test]
fn replay_equals_what_was_committed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, opened) = open(dir.path());
    assert!(opened.created && !opened.repaired && opened.last == Position(0));
    let facts: Vec<Vec<u8>> = (1..=200_usize).map(|n| vec![n as u8; n * 7]).collect();
    for (n, facts) in facts.iter().enumerate() {
        assert_eq!(commit_facts(&mut store, facts), Position(n as u64 + 1));
    }
    let expected: Vec<(u64, Vec<u8>)> = (1..).zip(facts).collect();
    assert_eq!(replayed(&store), expected);
    drop(store);

    let (store, again) = open(dir.path());
    assert_eq!((again.created, again.repaired, again.last), (false, false, Position(200)));
    assert_eq!(again.store_id, opened.store_id);
    assert_eq!(replayed(&store), expected);
}

#[test]
fn a_commit_without_facts_takes_a_number_and_is_not_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    commit_facts(&mut store, b"one");
    commit_results(&mut store, 7, &[(0, "zero")]);
    assert_eq!(commit_facts(&mut store, b"three"), Position(3));
    assert_eq!(replayed(&store), [(1, b"one".to_vec()), (3, b"three".to_vec())]);
}

#[test]
fn the_callers_error_stops_a_replay_and_comes_back() {
    #[derive(Debug, PartialEq)]
    enum Stop {
        At(u64),
        Store,
    }
    impl From<StoreError> for Stop {
        fn from(_: StoreError) -> Self {
            Self::Store
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    (0..5).for_each(|_| _ = commit_facts(&mut store, b"facts"));
    let mut seen = 0;
    let stopped = store.replay(|at, _| {
        seen += 1;
        if at.0 == 3 { Err(Stop::At(3)) } else { Ok(()) }
    });
    assert_eq!((stopped, seen), (Err(Stop::At(3)), 3));
}

#[test]
fn a_compacted_journal_replays_the_snapshot_and_what_came_after() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    (0..50).for_each(|n| _ = commit_facts(&mut store, &[n; 1000]));
    commit_results(&mut store, 1, &[(0, "kept")]);
    store.compact([b"first".to_vec(), b"second".to_vec(), Vec::new(), b"last".to_vec()]).unwrap();
    assert!(store.journal_bytes() < 1000);
    commit_facts(&mut store, b"after");
    let expected: Vec<(u64, Vec<u8>)> = [(51, "first"), (51, "second"), (51, "last"), (52, "after")]
        .map(|(at, facts)| (at, facts.as_bytes().to_vec()))
        .to_vec();
    assert_eq!(replayed(&store), expected);
    let (journal_bytes, used) = (store.journal_bytes(), store.used_bytes());
    drop(store);

    let (mut store, opened) = open(dir.path());
    assert_eq!((opened.last, store.journal_bytes(), store.used_bytes()), (Position(52), journal_bytes, used));
    assert_eq!(replayed(&store), expected);
    assert_eq!(results_by(&store.reader(), 1, 10), [(0, "kept".to_owned())]);
    store.compact([]).unwrap();
    assert_eq!(replayed(&store), []);
    commit_facts(&mut store, b"again");
    assert_eq!(replayed(&store), [(53, b"again".to_vec())]);
}

#[test]
fn compaction_is_wanted_when_the_journal_has_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let megabytes = |store: &mut super::Store, count: usize| {
        (0..count).for_each(|_| _ = commit_facts(store, &vec![1; 1 << 20]));
    };
    megabytes(&mut store, 15);
    assert!(!store.wants_compaction());
    megabytes(&mut store, 1);
    assert!(store.wants_compaction());
    store.compact((0..20).map(|_| vec![0; 1 << 20])).unwrap();
    assert!(!store.wants_compaction());
    megabytes(&mut store, 18);
    assert!(!store.wants_compaction());
    drop(store);
    let (mut store, _) = open(dir.path());
    assert!(!store.wants_compaction());
    megabytes(&mut store, 2);
    assert!(store.wants_compaction());
}

#[test]
fn results_are_read_in_item_order_by_answers_of_any_size() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    commit_results(&mut store, 5, &[(4, "e"), (5, "f"), (9, "j")]);
    commit_results(&mut store, 5, &[(0, "a"), (1, "b")]);
    commit_results(&mut store, 6, &[(2, "of another task")]);
    commit_results(&mut store, 5, &[(2, "c"), (3, "d")]);
    let all = [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e"), (5, "f"), (9, "j")].map(|(n, s)| (n, s.to_owned()));
    for limit in 1..9 {
        assert_eq!(results_by(&store.reader(), 5, limit), all);
    }
    let tail = store.reader().results(5, 0, 5, 10).unwrap();
    assert_eq!(tail.items, [(5, b"f".to_vec()), (9, b"j".to_vec())]);
    assert_eq!(store.reader().results(5, 1, 0, 10).unwrap().items, []);
}

#[test]
fn a_later_page_wins_item_by_item() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    commit_results(&mut store, 1, &[(0, "old"), (1, "old"), (2, "old"), (3, "old")]);
    commit_results(&mut store, 1, &[(2, "new")]);
    commit_results(&mut store, 1, &[(0, "new")]);
    let all = [(0, "new"), (1, "old"), (2, "new"), (3, "old")].map(|(n, s)| (n, s.to_owned()));
    for limit in 1..6 {
        assert_eq!(results_by(&store.reader(), 1, limit), all);
    }
}

#[test]
fn many_overlapping_pages_read_as_a_plain_map_would() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let mut model = std::collections::BTreeMap::new();
    let mut random = 7_u64;
    for round in 0..120 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let (first, length) = ((random >> 33) % 3000, 1 + (random >> 21) % 1024);
        let text = format!("round {round}");
        let results: Vec<(u64, &str)> = (first..first + length).map(|item| (item, text.as_str())).collect();
        commit_results(&mut store, 3, &results);
        model.extend(results.iter().map(|(item, text)| (*item, (*text).to_owned())));
    }
    let expected: Vec<(u64, String)> = model.into_iter().collect();
    for limit in [1000, 64, 977] {
        assert_eq!(results_by(&store.reader(), 3, limit), expected);
    }
    assert!(store.reader().result(PageKey { task: 3, stage: 0, first_item: 2000 }).unwrap().is_some());
}

#[test]
fn a_reader_sees_whole_commits_from_another_thread() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    commit_results(&mut store, 1, &[(0, "0"), (9, "0")]);
    let reader = store.reader();
    let watching = std::thread::spawn(move || {
        let mut last = 0;
        while last < 300 {
            let seen = reader.results(1, 0, 0, 10).unwrap().items;
            assert_eq!(seen[0].1, seen[1].1, "half a commit was seen");
            let now: u64 = String::from_utf8(seen[0].1.clone()).unwrap().parse().unwrap();
            assert!(now >= last);
            last = now;
        }
    });
    for n in 1..=300 {
        let text = n.to_string();
        commit_results(&mut store, 1, &[(0, &text), (9, &text)]);
    }
    watching.join().unwrap();
}

#[test]
fn a_result_is_lifted_to_another_task_within_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let key = |task, stage, first_item| PageKey { task, stage, first_item };
    commit_results(&mut store, 1, &[(10, "ten"), (11, "eleven"), (12, "twelve")]);
    commit_results(&mut store, 1, &[(11, "ELEVEN")]);
    let lifts = [Lift { from: key(1, 0, 11), to: key(2, 3, 500) }, Lift { from: key(2, 3, 500), to: key(4, 0, 0) }];
    store.commit(&Commit { lifts: &lifts, facts: b"lifted", ..Commit::default() }).unwrap();
    assert_eq!(store.reader().result(key(2, 3, 500)).unwrap().unwrap(), b"ELEVEN");
    assert_eq!(store.reader().result(key(4, 0, 0)).unwrap().unwrap(), b"ELEVEN");

    let missing = [Lift { from: key(1, 0, 13), to: key(2, 3, 501) }];
    let refused = store.commit(&Commit { lifts: &missing, facts: b"no", ..Commit::default() });
    assert!(matches!(refused, Err(StoreError::NoItem { key: at }) if at == key(1, 0, 13)));
    assert!(!store.has_failed());
    assert_eq!(replayed(&store), [(3, b"lifted".to_vec())]);
}

#[test]
fn dropped_results_are_gone_at_once_and_their_space_follows_in_slices() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for item in 0..2500 {
        // Every second item, so that each is a page of its own.
        let pages = super::Page::pack(1, 0, [(item * 2, "gone"), (item * 2 + 5001, "gone")]).unwrap();
        store.commit(&Commit { pages: &pages, ..Commit::default() }).unwrap();
        if item == 1250 {
            commit_results(&mut store, 2, &[(0, "stays")]);
        }
    }
    let before = store.used_bytes();
    store.commit(&Commit { drop_tasks: &[1, 77], facts: b"dropped", ..Commit::default() }).unwrap();
    assert_eq!(results_by(&store.reader(), 1, 100), []);
    assert_eq!(store.tasks().collect::<Vec<_>>(), [2]);
    assert!(store.tidy().unwrap());
    drop(store);

    let (mut store, _) = open(dir.path());
    assert_eq!(results_by(&store.reader(), 1, 100), []);
    commit_results(&mut store, 1, &[(0, "too late")]);
    let mut slices = 1;
    while store.tidy().unwrap() {
        slices += 1;
    }
    assert!(slices > 3, "{slices}");
    assert!(!store.wants_tidying() && store.used_bytes() + 5000 * 16 < before);
    assert_eq!(results_by(&store.reader(), 1, 100), []);
    assert_eq!(results_by(&store.reader(), 2, 100), [(0, "stays".to_owned())]);
}

#[test]
fn tasks_are_told_apart_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let day = 24 * 3600;
    for task in 1..=5_u64 {
        let pages = super::Page::pack(task, 0, [(0, "x")]).unwrap();
        store.commit(&Commit { pages: &pages, now_s: 100 * day + task * day, ..Commit::default() }).unwrap();
    }
    let now_s = 110 * day;
    assert_eq!(store.tasks_older_than(now_s, 7 * day).collect::<Vec<_>>(), [1, 2, 3]);
    drop(store);
    let (mut store, _) = open(dir.path());
    let pages = super::Page::pack(2, 0, [(1, "y")]).unwrap();
    store.commit(&Commit { pages: &pages, now_s, ..Commit::default() }).unwrap();
    assert_eq!(store.tasks_older_than(now_s, 7 * day).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn settings_are_kept_replaced_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    let settings: [(&str, Option<&[u8]>); 3] =
        [("token/a", Some(b"1")), ("token/b", Some(b"2")), ("tokens", Some(b"3"))];
    store.commit(&Commit { settings: &settings, ..Commit::default() }).unwrap();
    store.commit(&Commit { settings: &[("token/b", None), ("token/a", Some(b"one"))], ..Commit::default() }).unwrap();
    drop(store);
    let (store, _) = open(dir.path());
    let tokens = store.reader().settings("token/").unwrap();
    assert_eq!(tokens.into_iter().collect::<Vec<_>>(), [("token/a".to_owned(), b"one".to_vec())]);
    assert_eq!(store.reader().setting("tokens").unwrap().unwrap(), b"3");
    assert_eq!(store.reader().setting("token/b").unwrap(), None);
}

#[test]
fn space_is_given_back_to_the_disk_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = open(dir.path());
    for first in 0..1200 {
        let pages = super::Page::pack(1, 0, [(first * 2, vec![first as u8; 60_000])]).unwrap();
        store.commit(&Commit { pages: &pages, ..Commit::default() }).unwrap();
    }
    commit_results(&mut store, 2, &[(0, "stays")]);
    store.commit(&Commit { drop_tasks: &[1], ..Commit::default() }).unwrap();
    while store.tidy().unwrap() {}
    let file_bytes = || std::fs::metadata(dir.path().join("store.redb")).unwrap().len();
    assert!(file_bytes() > 70_000_000);
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(results_by(&store.reader(), 2, 10), [(0, "stays".to_owned())]);
    assert!(file_bytes() < 10_000_000, "{}", file_bytes());
}
