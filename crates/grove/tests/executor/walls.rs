//! The second wall: what a native program could do inside an executor, were the engine broken.

use grove::executor::Process;
use grove_sandbox::order::{Ask, Tell};
use grove_sandbox::walls::{Attempt, Plan, Targets};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

const ANSWER_WITHIN: Duration = Duration::from_secs(60);

fn start(folder: &Path) -> Process {
    let empty = folder.join("empty");
    std::fs::create_dir_all(&empty).expect("an empty folder");
    let plan = Plan { data_bytes: 2 << 30, file_bytes: 1 << 20, empty, ..Plan::default() };
    Process::start(Path::new(env!("CARGO_BIN_EXE_grove")), plan).expect("an executor")
}

#[test]
fn nothing_gets_out() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "secret").expect("a token");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    listener.set_nonblocking(true).expect("not waiting");
    let (executor, other) = (start(folder.path()), start(folder.path()));
    let targets = Targets {
        files: vec![
            token.display().to_string(),
            format!("/proc/{}/maps", other.pid()),
            format!("/proc/{}/environ", std::process::id()),
        ],
        folder: folder.path().display().to_string(),
        port: listener.local_addr().expect("an address").port(),
        pid: i32::try_from(other.pid()).expect("a process"),
    };
    let attempts = escape(&executor, targets.clone());
    assert!(attempts.len() >= 20, "{attempts:?}");
    // The node itself is the other process that matters.
    let node = escape(&executor, Targets { pid: i32::try_from(std::process::id()).expect("a process"), ..targets });
    let out: Vec<&Attempt> = attempts.iter().chain(&node).filter(|attempt| !attempt.refused).collect();
    assert!(out.is_empty(), "{out:#?}");
    assert!(listener.accept().is_err(), "somebody connected");
    assert!(!folder.path().join("planted").exists());
    assert!(escape(&other, Targets::default()).len() > 10, "the other executor lives");
}

fn escape(executor: &Process, targets: Targets) -> Vec<Attempt> {
    executor.ask(&Ask::Escape(targets), None).expect("asked");
    match executor.hear(Some(ANSWER_WITHIN)).expect("heard") {
        Some(Tell::Escaped(attempts)) => attempts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_floor_stands_and_every_wall_is_named() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let executor = start(folder.path());
    let walls = executor.walls();
    for wall in walls {
        assert!(wall.stands || !wall.floor, "{wall:?}");
        assert!(!wall.why.is_empty(), "{wall:?}");
    }
    let named: Vec<&str> = walls.iter().map(|wall| wall.name.as_str()).collect();
    for name in ["own user", "limits", "no privileges", "seccomp", "landlock", "namespaces", "empty root"] {
        assert!(named.contains(&name), "{name} is not among {named:?}");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", executor.pid())).expect("it lives");
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"] {
        assert!(status.contains(line), "{line} is not in\n{status}");
    }
}

#[test]
fn two_executors_of_a_root_node_are_two_users() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (one, two) = (start(folder.path()), start(folder.path()));
    let user = |process: &Process| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("it lives");
        status.lines().find(|line| line.starts_with("Uid:")).expect("a user").to_owned()
    };
    assert_ne!(user(&one), user(&two));
    assert!(!user(&one).contains("\t0"), "{}", user(&one));
}

#[test]
fn an_executor_without_a_node_says_what_it_is_for() {
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_grove")).arg("executor").output().expect("it starts");
    assert_eq!(told.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&told.stderr).contains("hint:"));
}
