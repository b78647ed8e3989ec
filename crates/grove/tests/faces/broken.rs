//! When things break in the middle: a lost answer, a person who leaves, a reader that goes away.

use super::{Hub, noop};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Stands between the program and the hub, and loses the answers to the first submissions.
fn losing_proxy(hub: SocketAddr, lose: u32) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&seen);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, count) = (client.unwrap(), Arc::clone(&count));
            let node = TcpStream::connect(hub).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), node.try_clone().unwrap());
            let losing = Arc::new(AtomicU32::new(0));
            let lost = Arc::clone(&losing);
            std::thread::spawn(move || {
                let mut buffer = [0; 65_536];
                while let Ok(read @ 1..) = from.read(&mut buffer) {
                    if buffer[..read].starts_with(b"POST /v1/jobs ") && count.fetch_add(1, Ordering::SeqCst) < lose {
                        lost.store(1, Ordering::SeqCst);
                    }
                    if to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Both);
            });
            std::thread::spawn(move || {
                let (mut node, mut client) = (node, client);
                let mut buffer = [0; 65_536];
                while let Ok(read @ 1..) = node.read(&mut buffer) {
                    if losing.load(Ordering::SeqCst) == 1 || client.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                let _ = client.shutdown(Shutdown::Both);
            });
        }
    });
    (address, seen)
}

#[test]
fn a_submission_whose_answer_is_lost_is_said_again_and_makes_one_job() {
    let hub = Hub::start(1);
    let (proxy, submissions) = losing_proxy(hub.address, 2);
    let ran = hub.grove(&["--hub", &proxy.to_string(), "run", &noop(), ":::", "a"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[a]\n", 0), "{}", ran.err);
    assert_eq!(submissions.load(Ordering::SeqCst), 3, "said three times");
    assert!(hub.grove(&["jobs", "--json"]).out.contains(r#""total":1"#));
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_the_job_running_and_says_how_to_come_back() {
    let hub = Hub::start(0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_grove"))
        .args(["--home", hub.home().to_str().unwrap(), "run", &noop(), ":::", "a"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("no lender yet") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it says why it waits");
    }
    let id = line.split_whitespace().nth(1).unwrap().trim_end_matches(':').to_owned();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(&format!("job {id} keeps running: grove watch {id}")), "{rest}");
    assert!(hub.grove(&["jobs"]).out.contains("running"));
}

#[test]
fn a_reader_that_goes_away_ends_the_command_and_not_the_job() {
    let hub = Hub::start(1);
    let mut child = Command::new(env!("CARGO_BIN_EXE_grove"))
        .args(["--home", hub.home().to_str().unwrap(), "run", "--range", "0..20000", &noop(), "{}"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(0) && !said.contains("error"), "{said}");
    let ran = hub.grove(&["watch"]);
    assert!(ran.code == 0 && ran.err.contains("20000 of 20000 done"), "{ran:?}");
}

/// A node of canned answers: the first page has a result that turns out to be a lie.
fn lying_node(home: &std::path::Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let home = grove::config::Home::at(home.to_owned());
    home.token_or_new().unwrap();
    home.announce(&grove::config::Hub { v: 1, api: address, link: address, pid: 0, key: None }).unwrap();
    let job = |standing: &str| {
        format!(
            r#"{{"v":1,"id":"0000000000009","name":"n","standing":"{standing}","stage":"work","submitted_ms":1,"ended_ms":2,
            "items":2,"done":2,"failed":0,"running":0,"checking":0,"waiting":0,"spent":"0","budget":"0","fuel":"0",
            "merged":false,"open":false,"source":"inputs","check":"trust","tool":"","args":[]}}"#
        )
    };
    let result = |item: u64, text: &str| {
        format!(r#"{{"item":{item},"outcome":"right","stdout":"{text}\n","fuel":"1","micros":1,"by":"0"}}"#)
    };
    let page = move |results: &[String], next: u64, last: bool, refused: u64| {
        let standing = if last { "done" } else { "running" };
        let results = results.join(",");
        format!(
            r#"{{"v":1,"results":[{results}],"next":{next},"last":{last},"refused":{refused},"job":{}}}"#,
            job(standing)
        )
    };
    let mut pages = vec![
        page(&[result(0, "lie")], 1, false, 3),
        page(&[result(1, "b")], 2, true, 4),
        page(&[result(0, "truth"), result(1, "b")], 2, true, 4),
    ]
    .into_iter();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut head = BufReader::new(client.try_clone().unwrap());
            let mut first = String::new();
            head.read_line(&mut first).unwrap();
            let body = if first.contains("/results") { pages.next().unwrap() } else { job("running") };
            let mut line = String::new();
            while head.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            client.write_all(head.as_bytes()).unwrap();
            client.write_all(body.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn a_result_that_turns_out_to_be_a_lie_is_put_right_or_owned_up_to() {
    for (words, code, out, err) in [
        (&["get", "--wait"][..], 1, "lie\nb\n", "1 result changed after it was printed"),
        (&["get", "--wait", "-o", "out"], 0, "", "1 result put right"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        lying_node(folder.path());
        let ran = super::grove_in(folder.path(), folder.path(), words, b"");
        assert_eq!((ran.code, ran.out.as_str()), (code, out), "{}", ran.err);
        assert!(ran.err.contains(err), "{}", ran.err);
        if words.contains(&"-o") {
            assert_eq!(std::fs::read_to_string(folder.path().join("out/input 1.txt")).unwrap(), "truth\n");
        }
    }
}
