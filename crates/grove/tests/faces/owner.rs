//! The owner comes first: work stops when a key is pressed, goes elsewhere or waits, and goes on when the owner is away.

use super::circle::{beside, invite, join};
use super::node::{Process, grove, home};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// On a machine that does much else at the same time; `cargo xtask owner` measures.
const SOON: Duration = Duration::from_secs(5);
/// For what takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The owner touches the machine.
fn touch(file: &Path, ago: Duration) {
    let file = std::fs::File::options().create(true).append(true).open(file).unwrap();
    file.set_modified(SystemTime::now() - ago).unwrap();
}

/// Processes that a lender has started: those that could work for others.
fn executors(lender: &Process) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", lender.ready["pid"])).unwrap().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    children.map(|children| children.split_whitespace().count()).sum()
}

fn until(what: &str, within: Duration, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < within, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn spin() -> String {
    format!("{}/../../tools/prebuilt/spin.wasm", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_owner_who_comes_back_has_the_machine_and_the_work_is_done_later() {
    let (dir, home) = home();
    let _hub = Process::hub(&home, "0");
    let owner = dir.path().join("owner");
    touch(&owner, Duration::from_secs(3_600));
    let words =
        ["lend", "--slots", "1", "--idle-after", "10s", "--load", "100", "--temperature", "120", "--fake-owner"];
    let lender = Process::start(&home, &[&words[..], &[owner.to_str().unwrap()]].concat());
    let parts = ["150000000", "150000001", "150000002", "150000003"];
    let ran = grove(&home, &[&["run", "--detach", &spin(), "{}", ":::"], &parts[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    until("it works", PATIENCE, || !grove(&home, &["jobs", "--json"]).out.contains(r#""running":0"#));
    touch(&owner, Duration::ZERO);
    until("nothing is left", SOON, || executors(&lender) == 0);
    let status = grove(&home, &["status"]);
    assert!(
        status.out.contains("this machine lends nothing, since") && status.out.contains("(probe: fake)"),
        "{status:?}"
    );
    until("the way back is measured", SOON, || {
        grove(&home, &["why"]).out.contains("you came back once: everything stood still after")
    });
    let why = grove(&home, &["why", "last"]);
    assert!(why.out.contains("1 lender there, but not lending now"), "{why:?}");
    let ran = grove(&home, &["watch", "last"]);
    assert!(ran.code == 0 && ran.err.contains("4 of 4 done"), "{ran:?}");
    assert_eq!(lender.stop(), Some(0));
    let diary = grove(&home, &["diary", "--json"]);
    assert!(diary.out.contains(r#""parts":"#) && grove(&home, &["diary"]).out.contains("EARNS"), "{diary:?}");
    assert!(!grove(&home, &["status"]).out.contains("this machine lends"), "a lender that has ended tells nothing");
    assert!(diary.out.contains(r#""returns":{"count":1,"#) && diary.out.contains(r#""free_p99_ms""#), "{diary:?}");
    assert!(grove(&home, &["diary"]).out.contains("you came back once while something ran"), "also after its end");
}

#[test]
fn a_pause_holds_for_who_lends_always_too_and_resume_ends_it() {
    let (_dir, home) = home();
    let _hub = Process::hub(&home, "0");
    let paused = grove(&home, &["pause"]);
    assert!(paused.code == 0 && paused.err.contains("nothing is lent from here now anyway"), "{paused:?}");
    let lender = Process::start(&home, &["lend", "--always", "--slots", "1"]);
    let ran = grove(&home, &["run", "--detach", &super::noop(), ":::", "a"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("it is told", SOON, || grove(&home, &["why"]).out.contains("you said `grove pause`; until `grove resume`"));
    assert!(!grove(&home, &["jobs", "--json"]).out.contains(r#""standing":"done""#));
    let resumed = grove(&home, &["resume"]);
    assert!(resumed.code == 0 && resumed.err.contains("the pause is over; lending goes on"), "{resumed:?}");
    let ran = grove(&home, &["watch", "last"]);
    assert!(ran.code == 0 && ran.err.contains("1 of 1 done"), "{ran:?}");
    let paused = grove(&home, &["pause", "2h"]);
    assert!(paused.err.contains("paused for 2h 00m: what ran here goes to others"), "{paused:?}");
    let why = grove(&home, &["why"]);
    assert!(why.out.contains("this machine lends nothing") && why.out.contains("you said `grove pause`"), "{why:?}");
    let ran = grove(&home, &["run", "--detach", &super::noop(), ":::", "b"]);
    let why = grove(&home, &["why", "last"]);
    assert!(ran.code == 0 && why.out.contains("1 lender there, but not lending now"), "{ran:?} {why:?}");
    assert!(why.out.contains("paused, or in use") && why.out.contains("you said `grove pause`"), "{why:?}");
    until("nothing is left", SOON, || executors(&lender) == 0);
    assert_eq!(grove(&home, &["resume"]).code, 0);
    let why = grove(&home, &["why"]);
    assert!(why.out.contains("this machine lends 1 slot"), "{why:?}");
    assert!(grove(&home, &["resume"]).err.contains("there was no pause"));
    assert!(grove(&home, &["pause", "2", "hours"]).err.contains("paused for 2h 00m"));
}

#[test]
fn a_hub_rests_too_when_it_is_asked_to() {
    let (_dir, home) = home();
    let _hub = Process::hub(&home, "1");
    let ran = grove(&home, &["run", &super::noop(), ":::", "a"]);
    assert_eq!(ran.code, 0, "whoever starts a hub does not wait: {ran:?}");
    assert_eq!(grove(&home, &["pause"]).code, 0);
    until("it is told", SOON, || grove(&home, &["status"]).out.contains("you said `grove pause`"));
    let ran = grove(&home, &["run", "--no-wait", &super::noop(), ":::", "a"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert_eq!(grove(&home, &["resume"]).code, 0);
    let ran = grove(&home, &["run", &super::noop(), ":::", "b"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn terms_that_cannot_be_are_refused() {
    let (_dir, home) = home();
    for (words, said) in [
        (&["lend", "--hours", "late"][..], "hint: for instance 22-7"),
        (&["lend", "--idle-after", "soon"], "hint: "),
        (&["lend", "--on-battery", "maybe"], "it is yes or no"),
        (&["lend", "--hours", "7-7"], "hint: for instance 22-7"),
        (&["lend", "--load", "101"], "hint: it is per cent of all cores, from 1 to 100"),
        (&["lend", "--temperature", "0"], "hint: it is degrees Celsius, from 30 to 120"),
        (&["lend", "--temperature", "9999"], "the setting temperature cannot be 9999"),
        (&["lend", "--disk", "1"], "the setting disk cannot be 1 B\nhint: it is a size of 1MiB at the least"),
        (&["lend", "--memory", "0"], "the setting memory cannot be 0 B\nhint: it is a size of 64MiB at the least"),
        (&["peer", "--memory", "1KiB"], "the setting memory cannot be 1.0 KiB\nhint: "),
        (&["lend", "--cpus", "999"], "999 slots are too many"),
        (&["up", "--slots", "999"], "999 slots are too many"),
        (&["pause", "long"], "hint: for instance 90min, 2h or 1d"),
        (&["pause", "0"], "a pause of 0 ms cannot be"),
        (&["pause", "99999999999h"], "hint: for instance 90min, 2h or 1d; without a time it lasts until"),
    ] {
        let ran = grove(&home, words);
        assert!(ran.code == 2 && ran.err.contains(said), "{words:?}: {ran:?}");
    }
}

#[test]
fn while_its_owner_is_here_a_hub_runs_its_owners_jobs_and_no_others() {
    let (dir, root) = home();
    let owner = dir.path().join("owner");
    touch(&owner, Duration::ZERO);
    let terms = [("GROVE_LOAD", "100"), ("GROVE_TEMPERATURE", "120"), ("GROVE_IDLE_AFTER", "1h")];
    let terms = terms.map(|(name, value)| (name, Path::new(value)));
    let up = ["up", "--admin", "Root", "--tls", "--slots", "1", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
    let words = [&up[..], &["--fake-owner", owner.to_str().unwrap()]].concat();
    let _hub = Process::start_with(&root, &words, &terms);
    let bob = beside(&root, "bob");
    join(&bob, &invite(&root, &["--role", "run"]), "Bob");
    let ran = grove(&root, &["run", &super::noop(), ":::", "a"]);
    assert_eq!(ran.code, 0, "the owner's own do not wait: {ran:?}");
    let ran = grove(&bob, &["run", "--detach", &super::noop(), ":::", "b"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("it waits", SOON, || grove(&bob, &["why", "last"]).out.contains("1 lender there, but not lending now"));
    let status = grove(&root, &["status"]);
    assert!(status.out.contains("1 slot to your own jobs, and none to others") && status.out.contains("hint: "));
    touch(&owner, Duration::from_secs(7_200));
    let ran = grove(&bob, &["watch", "last"]);
    assert!(ran.code == 0 && ran.err.contains("1 of 1 done"), "{ran:?}");
}
