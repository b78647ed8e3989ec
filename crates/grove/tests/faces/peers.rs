//! Peers without a hub, as processes: they meet by tickets and by those who name one another, grow a tree for a job, and
//! nobody else is spoken to.

use super::guide::{PEERS, commands};
use super::node::{Process, grove, home};
use super::python::{grove as grove_with, image};
use super::{Ran, noop};
use grove::link::{Acquaintance, Secret};
use grove::peers::Ticket;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Whatever is waited for is there by then, on a busy machine too.
const SOON: Duration = Duration::from_secs(30);
/// ... and so is the image of Python, which each machine compiles once.
const COMPILED: Duration = Duration::from_secs(180);

struct Peer {
    _dir: TempDir,
    home: PathBuf,
    process: Process,
}

impl Peer {
    fn start(tickets: &[&str]) -> Peer {
        let (dir, home) = home();
        let process = started(&home, "127.0.0.1:0", tickets);
        Peer { _dir: dir, home, process }
    }

    fn said(&self, what: &str) -> String {
        self.process.ready[what].as_str().unwrap().to_owned()
    }

    fn grove(&self, words: &[&str]) -> Ran {
        grove(&self.home, words)
    }

    fn json(&self, words: &[&str]) -> Value {
        let ran = self.grove(&[words, &["--json"]].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{words:?}: {ran:?}"))
    }

    /// The nodes with which it speaks.
    fn linked(&self) -> Vec<String> {
        let peers = self.json(&["peers"]);
        let known = peers["known"].as_array().cloned().unwrap_or_default();
        let linked = known.iter().filter(|one| one["linked"] == true);
        linked.map(|one| one["node"].as_str().unwrap().to_owned()).collect()
    }

    fn has_met(&self, others: &[&Peer]) {
        wait("they meet", || others.iter().all(|other| self.linked().contains(&other.said("node"))));
    }

    /// Gifts that it works on.
    fn gifts(&self) -> u64 {
        let peers = self.json(&["peers"]);
        let own = peers["peers"].as_array().unwrap().iter().find(|peer| peer["here"] == true).cloned();
        own.unwrap()["gifts"].as_u64().unwrap()
    }
}

fn started(home: &Path, link: &str, tickets: &[&str]) -> Process {
    let joins: Vec<&str> = tickets.iter().flat_map(|ticket| ["--join", ticket]).collect();
    let words = ["peer", "--listen", "127.0.0.1:0", "--link", link, "--always", "--slots", "1"];
    Process::start(home, &[&words[..], &joins].concat())
}

fn wait(what: &str, is_so: impl Fn() -> bool) {
    wait_for(SOON, what, is_so);
}

fn wait_for(most: Duration, what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < most, "{what}: not within {most:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn tool(name: &str) -> String {
    format!("{}/../../tools/prebuilt/{name}.wasm", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn two_meet_by_ticket_and_a_job_of_one_is_worked_on_by_both() {
    let one = Peer::start(&[]);
    let two = Peer::start(&[&one.said("ticket")]);
    one.has_met(&[&two]);
    two.has_met(&[&one]);
    let status = one.grove(&["status"]).out;
    assert!(status.contains("\npeer     ") && status.contains("\nPEER ") && !status.contains("hub"), "{status}");
    assert!(status.contains("this machine lends 1 slot"), "{status}");
    let doctor = one.json(&["doctor"]);
    let of_a_hub = ["token", "hub", "link", "clock", "ports", "peers", "peer"];
    let ill = doctor["findings"].as_array().unwrap().iter().filter(|finding| finding["ok"] == false);
    let wrong: Vec<&Value> = ill.filter(|finding| of_a_hub.iter().any(|what| finding["what"] == *what)).collect();
    assert!(wrong.is_empty(), "a peer needs nothing that a hub has: {wrong:?}");
    let lines: String = (0..60_000).map(|n| format!("oak elm{} ash{}\n", n % 7, n % 1_000)).collect();
    let file = two.home.with_file_name("text");
    std::fs::write(&file, &lines).unwrap();
    let ran = two.grove(&["run", "--merge", &tool("wordcount"), ":::", file.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let (oaks, elms) = (ran.out.contains("oak 60000\n"), ran.out.contains("elm3 8571\n"));
    assert!(oaks && elms && ran.out.lines().count() == 1_008, "{}", &ran.out[..400.min(ran.out.len())]);
    let naps = two.grove(&["run", "--detach", "--real-time", "--merge", &tool("nap"), ":::", "40 100"]);
    assert_eq!(naps.code, 0, "{naps:?}");
    wait("the other one works for it", || {
        let tree = two.json(&["tree", "last"]);
        let branches = tree["branches"].as_array().unwrap();
        branches.iter().any(|branch| branch["node"] == one.said("node").as_str() && branch["state"] == "working")
    });
    let ran = two.grove(&["watch", "last"]);
    assert!(ran.code == 0 && ran.err.contains("is done"), "{ran:?}");
    assert_eq!(two.grove(&["get", "last"]).out, "40\n");
}

#[test]
fn a_root_that_is_killed_goes_on_from_its_journal() {
    let one = Peer::start(&[]);
    let (_dir, home) = home();
    let root = started(&home, "127.0.0.1:0", &[&one.said("ticket")]);
    let link = root.ready["link"].as_str().unwrap().to_owned();
    wait("they meet", || one.linked().len() == 1);
    let ran = grove(&home, &["run", "--detach", "--real-time", "--merge", &tool("nap"), ":::", "40 150"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    wait("some of it is done", || {
        let tree: Value = serde_json::from_str(&grove(&home, &["tree", "last", "--json"]).out).unwrap();
        tree["branches"].as_array().unwrap().iter().any(|branch| branch["items"] != 1 && branch["done"] != 0)
    });
    drop(root);
    let _root = started(&home, &link, &[]);
    let ran = grove(&home, &["watch", "last"]);
    assert!(ran.code == 0 && ran.err.contains("is done"), "{ran:?}");
    assert_eq!(grove(&home, &["get", "last"]).out, "40\n");
    assert_eq!(one.linked().len(), 1, "and they have met again");
}

#[test]
fn a_job_that_is_cancelled_stops_everywhere() {
    let one = Peer::start(&[]);
    let two = Peer::start(&[&one.said("ticket")]);
    let three = Peer::start(&[&one.said("ticket")]);
    let all = [&one, &two, &three];
    two.has_met(&[&one, &three]);
    let ran = two.grove(&["run", "--detach", "--real-time", "--merge", &tool("nap"), ":::", "400 60000"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    wait("all work", || all.iter().all(|peer| peer.gifts() > 0));
    assert_eq!(two.grove(&["cancel", "last"]).code, 0);
    let begun = Instant::now();
    wait("all stop", || all.iter().all(|peer| peer.gifts() == 0));
    assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
}

#[test]
fn a_peer_speaks_with_those_of_its_tickets_and_with_whom_they_name_and_with_nobody_else() {
    let one = Peer::start(&[]);
    let two = Peer::start(&[&one.said("ticket")]);
    let three = Peer::start(&[&two.said("ticket")]);
    three.has_met(&[&one, &two]);
    one.has_met(&[&two, &three]);
    // Whoever knows where one of them is, and its key, but not what the group shares.
    let ticket: Ticket = one.said("ticket").parse().unwrap();
    let wrong = Ticket { group: Secret([7; 32]), ..ticket.clone() };
    let four = Peer::start(&[&wrong.to_string()]);
    wait("it is told why", || {
        let known = four.json(&["peers"]);
        known["known"][0]["problem"].as_str().is_some_and(|why| why.contains("of another group"))
    });
    // Another key than the one that answers there.
    let address = ticket.peer.addresses.clone();
    let other = Ticket { peer: Acquaintance { key: [9; 32], addresses: address }, ..ticket };
    let five = Peer::start(&[&other.to_string()]);
    // Somebody on the same machine whom nobody has named.
    let six = Peer::start(&[]);
    std::thread::sleep(Duration::from_secs(2));
    for alone in [&four, &five, &six] {
        assert!(alone.linked().is_empty(), "{:?}", alone.json(&["peers"]));
    }
    for (peer, known) in [(&one, 2), (&two, 2), (&three, 2), (&six, 0)] {
        let peers = peer.json(&["peers"]);
        let all = peers["known"].as_array().map_or(0, Vec::len);
        assert_eq!(all, known, "{peers}");
    }
}

#[test]
fn a_machine_of_a_circle_has_free_peers_beside_it_and_keeps_their_books_apart() {
    let (_dir, home) = home();
    let _hub = Process::hub(&home, "1");
    let peer = started(&home, "127.0.0.1:0", &[]);
    let other = Peer::start(&[peer.ready["ticket"].as_str().unwrap()]);
    wait("they meet", || other.linked().len() == 1);
    let json = |words: &[&str]| -> Value {
        let ran = grove(&home, words);
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{words:?}: {ran:?}"))
    };
    let ran = grove(&home, &["run", "--json", &noop(), ":::", "a"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = grove(&home, &["--hub", "peers", "run", "--real-time", "--merge", &tool("nap"), ":::", "20 50"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "20\n"), "{ran:?}");
    let (of_circle, of_peers) = (json(&["jobs", "--json"]), json(&["--hub", "peers", "jobs", "--json"]));
    let ids = |jobs: &Value| -> Vec<String> {
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["id"].to_string()).collect()
    };
    assert_eq!((ids(&of_circle).len(), ids(&of_peers).len()), (1, 1), "{of_circle} {of_peers}");
    assert_ne!(ids(&of_circle), ids(&of_peers));
    // Neither knows the other's neighbours, and what is spent on one side is not missing on the other.
    let near = |peers: &Value| -> Vec<String> {
        peers["peers"].as_array().unwrap().iter().map(|peer| peer["node"].to_string()).collect()
    };
    let (circle, peers) = (json(&["peers", "--json"]), json(&["--hub", "peers", "peers", "--json"]));
    assert!(near(&circle).iter().all(|node| !near(&peers).contains(node)), "{circle} {peers}");
    assert_eq!((near(&circle).len(), near(&peers).len()), (1, 2));
    let log = |words: &[&str]| json(words)["lines"].as_array().unwrap().len();
    assert!(log(&["credits", "--log", "--json"]) > 0);
    drop(peer);
    let ran = grove(&home, &["run", "--json", &noop(), ":::", "b"]);
    assert_eq!(ran.code, 0, "the circle does not need the peer: {ran:?}");
}

#[test]
fn a_free_rider_reads_so_and_favours_are_shown() {
    let one = Peer::start(&[]);
    let two = Peer::start(&[&one.said("ticket")]);
    two.has_met(&[&one]);
    let ran = two.grove(&["run", "--detach", "--real-time", "--merge", &tool("nap"), ":::", "400 1000"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    wait("it is told that others come first", || two.grove(&["why", "last"]).out.contains("owes this one anything"));
    let peers = two.grove(&["peers"]);
    assert!(peers.out.contains("FAVOURS") && peers.out.contains("even"), "{peers:?}");
    let tree = two.grove(&["tree", "last"]);
    assert!(tree.out.contains("here"), "{tree:?}");
    assert_eq!(two.grove(&["cancel", "last"]).code, 0);
}

#[test]
fn what_is_owed_outlives_the_books() {
    let one = Peer::start(&[]);
    let (_dir, home) = home();
    let owes = started(&home, "127.0.0.1:0", &[&one.said("ticket")]);
    let link = owes.ready["link"].as_str().unwrap().to_owned();
    wait("they meet", || one.linked().len() == 1);
    let ran = grove(&home, &["run", &tool("spin"), "30000000", ":::", "a", "b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let debt = |home: &Path| {
        let peers: Value = serde_json::from_str(&grove(home, &["peers", "--json"]).out).unwrap();
        let other = peers["peers"].as_array().unwrap().iter().find(|peer| peer["here"] != true).cloned();
        let theirs = other.map(|other| other["favours"]["theirs"].as_str().unwrap().to_owned());
        theirs.map_or(0, |theirs| theirs.parse::<u64>().unwrap())
    };
    let owed = debt(&home);
    assert!(owed > 0, "the other one has worked for it");
    // By then it has owned to that.
    std::thread::sleep(Duration::from_secs(12));
    drop(owes);
    for name in ["store.redb", "log", "acknowledged"] {
        std::fs::remove_file(home.join("peer").join(name)).unwrap();
    }
    let _again = started(&home, &link, &[]);
    wait("it knows again what it owes", || debt(&home) == owed);
}

#[test]
fn what_the_guide_of_peers_tells_to_type_does_what_it_says() {
    let one = Peer::start(&[]);
    let two = Peer::start(&[&one.said("ticket")]);
    two.has_met(&[&one]);
    std::fs::write(two.home.with_file_name("book.txt"), "oak elm\n".repeat(2_000)).unwrap();
    let mut typed = 0;
    for command in commands(PEERS) {
        let command = command.trim().replace("tools/prebuilt/", &tool("").replace(".wasm", ""));
        // Peers run already, and a script needs Python.
        if command == "grove peer" || command.starts_with("grove peer ") || command.ends_with(".py") {
            continue;
        }
        let part = |(nth, part): (usize, &str)| match nth % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
            _ => vec![part.to_owned()],
        };
        let words: Vec<String> = command.split('\'').enumerate().flat_map(part).collect();
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let ran = two.grove(&words);
        // What a doctor finds is about this machine.
        assert!(ran.code == 0 || words == ["doctor"], "{command}: {ran:?}");
        typed += 1;
    }
    assert!(typed > 12, "{typed}");
}

/// The image is fetched by its hash from whoever gave the piece.
#[test]
fn a_script_with_split_work_and_merge_is_worked_on_by_both() {
    let Some(image) = image() else { return };
    let one = Peer::start(&[]);
    let two = Peer::start(&[&one.said("ticket")]);
    two.has_met(&[&one]);
    let script = two.home.with_file_name("sum.py");
    std::fs::write(&script, SUM).unwrap();
    let words = ["run", "--merge", "--range", "0..40", "--chunk", "40", script.to_str().unwrap()];
    let ran = grove_with(&two.home, &image, &words);
    assert_eq!((ran.code, ran.out.trim()), (0, "780"), "{ran:?}");
    assert!(ran.err.contains("1 of 1 done"), "a range is one input, which the script cuts: {ran:?}");
    // It is cut again, with both at work.
    let detached = [&["run", "--detach"], &words[1..]].concat();
    let ran = grove_with(&two.home, &image, &detached);
    assert_eq!(ran.code, 0, "{ran:?}");
    wait_for(COMPILED, "the other one works for it", || one.gifts() > 0);
    wait_for(COMPILED, "it is done", || two.grove(&["watch", "last"]).err.contains("is done"));
    assert_eq!(two.grove(&["get", "last"]).out.trim(), "780");
}

/// Each part takes a while, so that there is something to give.
const SUM: &str = "\
def split(n: range, ways: int):
    ways = min(ways, len(n))
    cut = [n.start + len(n) * at // ways for at in range(ways + 1)] if ways > 1 else []
    return [range(a, b) for a, b in zip(cut, cut[1:])] or None

def work(n: range):
    for _ in range(2_000_000): pass
    return sum(n)

def merge(sums: list[int]):
    return sum(sums)
";
