//! `kill -9` at any moment: a child commits numbered records and says so on a pipe, the parent kills it and looks.
//!
//! The child is this test binary itself, told by an environment variable to run `the_child` only.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use grove::store::{Commit, Opened, Page, Settings, Store, StoreError};

const KILLS: usize = 20;
const CHILD: &str = "GROVE_TEST_STORE_CHILD";
const TASK: u64 = 1;

fn open(dir: &Path) -> (Store, Opened) {
    let settings = Settings { reserve_bytes: 0, ..Settings::default() };
    Store::open(dir, settings).unwrap()
}

/// A record that shows on every byte whether it is whole.
fn record(number: u64) -> Vec<u8> {
    let length = 16 + usize::try_from(number * 131 % 6000).unwrap();
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

/// Not a test of its own: with the variable unset there is nothing to do.
#[test]
fn the_child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let (mut store, _) = open(Path::new(&dir));
    let mut out = std::io::stdout().lock();
    for number in store.last().0 + 1.. {
        let facts = record(number);
        if number % 500 == 0 {
            store.compact([facts.clone()]).unwrap();
        }
        let pages = Page::pack(TASK, 0, [(number, &facts)]).unwrap();
        let position = store.commit(&Commit { facts: &facts, pages: &pages, ..Commit::default() }).unwrap();
        assert_eq!(position.0, number);
        writeln!(out, "\nacknowledged {number}").and_then(|()| out.flush()).unwrap();
    }
}

fn start(dir: &Path) -> (Child, Receiver<u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::crash::the_child", "--nocapture", "--test-threads=1"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let numbers = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
        numbers.take_while(|number| send.send(*number).is_ok()).count()
    });
    (child, receive)
}

/// All that was acknowledged is there, at most one record more, and each is whole.
fn assert_whole(dir: &Path, acknowledged: u64) {
    let (store, opened) = open(dir);
    let last = opened.last.0;
    assert!(!opened.created || acknowledged == 0);
    assert!(last == acknowledged || last == acknowledged + 1, "{acknowledged} acknowledged, {last} found");
    let mut next = None;
    store
        .replay(|at, facts| {
            // A snapshot holds the record that was due next, and carries the sequence before it.
            let number = u64::from_le_bytes(*facts.first_chunk().unwrap());
            assert!(number == at.0 || number == at.0 + 1);
            assert_eq!(facts, record(number));
            assert!(next.is_none_or(|next| next == at.0));
            next = Some(at.0 + 1);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let (mut item, mut results) = (1, 0);
    while let Some(from) = Some(item).filter(|item| *item <= last) {
        let read = store.reader().results(TASK, 0, from, 1000).unwrap();
        for (number, bytes) in &read.items {
            assert!(*number == results + 1 && *bytes == record(*number));
            results = *number;
        }
        item = read.next.unwrap_or(u64::MAX);
    }
    assert_eq!(results, last, "results and facts differ");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_node_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    let mut random = u64::from(std::process::id());
    for kill in 0..KILLS {
        let (mut child, receive) = start(dir.path());
        acknowledged = receive.recv_timeout(Duration::from_secs(60)).unwrap();
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        std::thread::sleep(Duration::from_micros(random >> 47));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = receive.iter().last().unwrap_or(acknowledged);
        assert_whole(dir.path(), acknowledged);
        assert!(acknowledged > kill as u64);
    }
    assert!(acknowledged > KILLS as u64 * 5, "{acknowledged} commits are too few to show anything");
}
