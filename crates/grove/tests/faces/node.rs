//! `grove up` and `grove lend` as processes: they start, work, say goodbye, and say why they cannot start.

use super::{Ran, grove_in, noop};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A node in a process of its own, killed when this is dropped.
pub(super) struct Process {
    child: Child,
    pub(super) ready: serde_json::Value,
}

impl Process {
    /// Starts it, and waits until it says that it is ready.
    pub(super) fn start(home: &Path, words: &[&str]) -> Process {
        Process::start_with(home, words, &[])
    }

    /// The same, with variables.
    pub(super) fn start_with(home: &Path, words: &[&str], variables: &[(&str, &Path)]) -> Process {
        let variables = variables.iter().copied();
        let mut child = command(home).envs(variables).args(words).arg("--json").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{words:?} did not start: {said}")
        });
        Process { child, ready }
    }

    pub(super) fn hub(home: &Path, slots: &str) -> Process {
        let lends = if slots == "0" { &["--no-lend"][..] } else { &["--slots", slots] };
        Process::start(home, &[&["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"], lends].concat())
    }

    /// Asks it to stop; the exit code.
    pub(super) fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have stopped by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove"));
    command.env("GROVE_HOME", home).env("XDG_CONFIG_HOME", home).env("GROVE_LOG", "error");
    // Or each would compile it beside what is tested.
    command.env("GROVE_PYTHON", "none");
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

pub(super) fn home() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    (dir, home)
}

pub(super) fn grove(home: &Path, words: &[&str]) -> Ran {
    grove_in(home, home.parent().unwrap(), words, b"")
}

#[test]
fn a_hub_runs_a_tool_and_leaves_in_good_order() {
    let (_dir, home) = home();
    let hub = Process::hub(&home, "1");
    let ran = grove(&home, &["run", "--json", &noop(), ":::", "a", "b"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{ran:?}");
    let status = grove(&home, &["status"]);
    assert!(status.out.contains("lending 1 slot") && status.out.contains("seccomp"), "{status:?}");
    assert!(grove(&home, &["doctor"]).out.contains("ok   hub"));
    let (api, link) = (hub.ready["api"].as_str().unwrap(), hub.ready["link"].as_str().unwrap());
    let ran = grove(&home, &["--hub", link, "jobs"]);
    assert!(
        ran.code == 2
            && ran.err.contains(&format!("hears other nodes\nhint: people and programs ask it at --hub {api}")),
        "{ran:?}"
    );
    assert_eq!(hub.stop(), Some(0));
    let ran = grove(&home, &["jobs"]);
    assert!(ran.code == 6 && ran.err.contains("hint: start one with `grove up`"), "{ran:?}");
}

#[test]
fn a_lender_works_for_a_hub_that_does_not_and_a_restart_forgets_no_job() {
    let (_dir, home) = home();
    let hub = Process::hub(&home, "0");
    let ran = grove(&home, &["run", "--detach", &noop(), ":::", "a"]);
    assert!(ran.code == 0 && ran.err.contains("no lender yet"), "{ran:?}");
    drop(hub);
    let hub = Process::hub(&home, "0");
    let lender = Process::start(&home, &["lend", "--always", "--slots", "1"]);
    let second =
        Process::start(&home, &["lend", "--always", "--slots", "1", "--hub", hub.ready["api"].as_str().unwrap()]);
    let ran = grove(&home, &["watch", "last"]);
    assert!(ran.code == 0 && ran.err.contains("is done: 1 of 1 done"), "{ran:?}");
    let begun = std::time::Instant::now();
    while !grove(&home, &["status", "--json"]).out.contains(r#""lenders":2"#) {
        assert!(begun.elapsed().as_secs() < 20, "{:?}", grove(&home, &["status"]));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!((lender.stop(), second.stop()), (Some(0), Some(0)));
}

#[test]
fn two_lenders_answer_alike_and_neither_is_lost() {
    let (_dir, home) = home();
    let _hub = Process::hub(&home, "0");
    let _lenders = [(); 2].map(|()| Process::start(&home, &["lend", "--always", "--slots", "1"]));
    let ran = grove(&home, &["run", "--detach", "--check", "copies", &noop(), ":::", "a", "b", "c"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let begun = std::time::Instant::now();
    while !grove(&home, &["jobs", "--json"]).out.contains(r#""standing":"done""#) {
        assert!(begun.elapsed().as_secs() < 20, "{:?}", grove(&home, &["jobs", "--json"]));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(grove(&home, &["status", "--json"]).out.contains(r#""lenders":2"#));
}

#[test]
fn what_is_taken_is_named() {
    let (_dir, home) = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _held = TcpListener::bind(taken).unwrap();
    let taken = taken.to_string();
    for (flag, other) in [("--listen", "--link"), ("--link", "--listen")] {
        let ran = grove(&home, &["up", flag, &taken, other, "127.0.0.1:0"]);
        assert!(ran.code == 1 && ran.err.contains(&format!("error: {taken} is in use by another program")), "{ran:?}");
        assert!(ran.err.contains("\nhint: stop that one, or choose another address with "), "{ran:?}");
    }
    let _hub = Process::hub(&home, "0");
    let ran = grove(&home, &["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"]);
    assert!(ran.code == 1 && ran.err.contains("is in use by another node"), "{ran:?}");
}

#[test]
fn a_damaged_store_is_refused_by_name_and_in_two_lines() {
    let (_dir, home) = home();
    assert_eq!(Process::hub(&home, "0").stop(), Some(0));
    let file = home.join("store.redb");
    let whole = std::fs::read(&file).unwrap();
    let cut = |len: usize| whole[..len].to_vec();
    // Whole pages, so that the database trips over them rather than over a checksum.
    let rotten: Vec<u8> = whole
        .iter()
        .enumerate()
        .map(|(at, byte)| if at >= 4_096 && at % 512 < 16 { byte ^ 0x5a } else { *byte })
        .collect();
    for (bytes, expect) in [
        (Vec::new(), "is not a Grove store"),
        (b"something else".to_vec(), "is not a Grove store"),
        (cut(100), "is damaged: it ends after 100 bytes"),
        (cut(whole.len() / 2), "is damaged: "),
        (rotten, "is damaged: "),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let ran = grove(&home, &["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"]);
        let told = format!("error: {} {expect}", file.display());
        assert!(ran.code == 1 && ran.err.starts_with(&told) && ran.err.lines().count() == 2, "{told:?}: {ran:?}");
    }
    std::fs::remove_file(&file).unwrap();
    for _ in 0..2 {
        let ran = grove(&home, &["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"]);
        assert!(ran.code == 1 && ran.err.contains("it is not there, and commit"), "{ran:?}");
    }
    std::fs::write(&file, whole).unwrap();
    assert_eq!(Process::hub(&home, "0").stop(), Some(0), "and none of that has changed anything");
}

#[test]
fn a_disk_that_runs_short_during_a_job_makes_the_hub_wait_and_loses_nothing() {
    let (dir, home) = home();
    std::fs::create_dir(&home).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=272m", "tmpfs"]).arg(&home).output();
    if !mount.is_ok_and(|done| done.status.success()) {
        eprintln!("skipped: no right to mount a file system");
        return;
    }
    let hub = Process::hub(&home, "1");
    let spin = noop().replace("noop", "spin");
    let ran = grove(&home, &["run", "--detach", "--range", "40000000..40000040", &spin]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let fill = home.join("fill");
    std::fs::write(&fill, vec![0; 40 << 20]).unwrap();
    let begun = std::time::Instant::now();
    while !grove(&home, &["status"]).err.contains("the node waits for room") {
        assert!(begun.elapsed().as_secs() < 20, "{:?}", grove(&home, &["status"]));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ran = grove(&home, &["run", &spin, ":::", "1"]);
    assert!(ran.code == 4 && ran.err.contains("are kept in reserve\nhint: free some space"), "{ran:?}");
    std::fs::remove_file(&fill).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ran = grove(&home, &["watch", "last"]);
    assert!(ran.code == 0 && ran.err.contains("is done: 40 of 40 done"), "{ran:?}");
    std::fs::write(&fill, vec![0; 40 << 20]).unwrap();
    assert_eq!(hub.stop(), Some(0));
    let unmounted = Command::new("umount").arg("-l").arg(&home).status();
    assert!(unmounted.is_ok_and(|done| done.success()), "{}", dir.path().display());
}

#[test]
fn settings_that_can_hold_at_once_do() {
    let (_dir, home) = home();
    let _hub = Process::hub(&home, "0");
    let set = |key: &str, value: &str| grove_in(&home, &home, &["config", "set", key, value], b"");
    let told = set("disk", "3MiB");
    assert!(told.code == 0 && told.err.contains("holds at once"), "{told:?}");
    let begun = std::time::Instant::now();
    while !grove(&home, &["status", "--json"]).out.contains(r#""quota_bytes":3145728"#) {
        assert!(begun.elapsed().as_secs() < 10, "{:?}", grove(&home, &["status"]));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // What is wrong changes nothing.
    let file = home.join("grove/config.toml");
    std::fs::write(&file, "disk = \"lots\"\n").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(grove(&home, &["status", "--json"]).out.contains(r#""quota_bytes":3145728"#));
    std::fs::remove_file(&file).unwrap();
    assert!(set("listen", "127.0.0.1:9").err.contains("holds after a restart"));
    assert!(set("hub", "127.0.0.1:9").err.contains("holds from the next command on"));
}

#[test]
fn a_lender_without_a_hub_says_so() {
    let (_dir, home) = home();
    std::fs::create_dir_all(&home).unwrap();
    let ran = grove(&home, &["lend"]);
    assert!(ran.code == 6 && ran.err.contains("no hub has been started here"), "{ran:?}");
    grove::config::Home::at(home.clone()).token_or_new().unwrap();
    let ran = grove(&home, &["lend"]);
    assert!(ran.code == 6 && ran.err.contains("\nhint: start one with `grove up`"), "{ran:?}");
    let ran = grove(&home, &["up", "--listen", "0.0.0.0:0"]);
    assert!(ran.code == 2 && ran.err.contains("hint: use 127.0.0.1"), "{ran:?}");
}

#[test]
fn a_job_whose_lenders_were_all_caught_says_so_wherever_one_looks() {
    let (_dir, home) = home();
    let hub = Process::hub(&home, "0");
    let liar = Process::start(&home, &["lend", "--always", "--slots", "1", "--pretend"]);
    let words: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let noop = noop();
    let ran = grove(&home, &[&["run", "--detach", &noop, ":::"], &words[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let caught = "1 lender found lying";
    let begun = std::time::Instant::now();
    while !grove(&home, &["why", "last"]).out.contains(caught) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", grove(&home, &["why", "last"]));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(grove(&home, &["status"]).out.contains(caught));
    let ran = grove(&home, &["run", "--no-wait", &noop, ":::", "a"]);
    assert!(ran.code == 4 && ran.err.contains(caught), "{ran:?}");
    drop((liar, hub));
}

#[test]
fn copies_of_the_only_lender_are_made_by_the_hub() {
    let (_dir, home) = home();
    let _hub = Process::hub(&home, "0");
    let _lender = Process::start(&home, &["lend", "--always", "--slots", "1"]);
    let ran = grove(&home, &["run", "--check", "copies", &noop(), ":::", "a", "b"]);
    assert!(ran.code == 0 && ran.err.contains("the hub itself repeats each part\nhint: lend on another"), "{ran:?}");
}
