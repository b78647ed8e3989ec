//! `cargo xtask peers`: eight computers in network namespaces of their own, without a hub. They find one another, grow
//! trees for jobs, lose two in the middle, have one cut off by a firewall, and speak with nobody else. It needs root, `ip`
//! and `nft`; where these are missing it says so.

mod figures;

use anyhow::{Context, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::circle::net::{self, Net, Place, Running};
use crate::circle::{built, tool};
use crate::test::root;

/// The peers, and the last digits of their addresses. The last one comes late.
const PEERS: [(&str, u8); 8] = [("p1", 1), ("p2", 2), ("p3", 3), ("p4", 4), ("p5", 5), ("p6", 6), ("p7", 7), ("p8", 8)];
/// Whatever is waited for is there by then, or never.
const PATIENCE: Duration = Duration::from_secs(60);

/// Let computers of namespaces work for one another without a hub
#[derive(Debug, clap::Args)]
pub(crate) struct Peers {
    /// The program to be tried [default: built optimised]
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// Where the picture of a tree is written
    #[arg(long, value_name = "FILE", default_value = "target/peers.svg")]
    picture: PathBuf,
    /// Measure how fast peers are, and leave it at that
    #[arg(long)]
    figures: bool,
}

/// A job, and what it has to come to.
struct Task {
    name: &'static str,
    words: Vec<String>,
    answer: String,
}

impl Peers {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if let Some(missing) = net::missing().or_else(no_firewall) {
            println!("skipped: {missing}");
            return Ok(());
        }
        let program = match &self.program {
            Some(path) => path.canonicalize().with_context(|| format!("{} is not there", path.display()))?,
            None => built()?,
        };
        let net = Net::lan(&program, "gp", &PEERS)?;
        for (name, _) in PEERS {
            net.place(name).firewall(WATCH)?;
        }
        let (mut nodes, missed) = figures::measured(&net)?;
        if !self.figures {
            let tasks = tasks(&net)?;
            right(&net, &tasks)?;
            self.survived(&net, &mut nodes, &tasks)?;
            nobody_else(&net)?;
        }
        // What a busy machine makes of figures is no reason not to try the rest.
        ensure!(missed.is_empty(), "{}", missed.join("\n"));
        println!("ok: all of it holds");
        Ok(())
    }
}

/// Whatever goes to somebody else than the peers of this network and the address at which they announce themselves.
const WATCH: &str = "
table inet watch {
  counter strangers { }
  chain out {
    type filter hook output priority 0; policy accept;
    oif lo accept
    meta l4proto != { tcp, udp } accept
    ip daddr { 10.77.0.0/29, 10.77.0.8, 224.0.0.251 } accept
    ip6 daddr ff02::fb accept
    counter name strangers
  }
}
";
/// A cable that is pulled out.
const CUT: &str = "
table inet cut {
  chain in { type filter hook input priority -10; policy accept; iif != lo drop; }
  chain out { type filter hook output priority -10; policy accept; oif != lo drop; }
}
";
const HEAL: &str = "delete table inet cut\n";

fn no_firewall() -> Option<&'static str> {
    let there = Command::new("nft").arg("--version").output().is_ok_and(|out| out.status.success());
    (!there).then_some("there is no `nft` here (the package nftables, on Linux)")
}

/// What one computer alone makes of the four tools, one part after another.
fn tasks(net: &Net) -> anyhow::Result<Vec<Task>> {
    let place = net.place("p1").beside("alone");
    std::fs::create_dir_all(&place.home)?;
    let alone = place.start(&[&PEER[..], &["--quiet", "--link", "127.0.0.1:0"]].concat())?;
    let text: String = (0..150_000).map(|n| format!("oak elm{} ash{}\n", n % 7, n % 1_000)).collect();
    let (file, script) = (place.home.join("text"), place.home.join("sum.py"));
    std::fs::write(&file, text)?;
    std::fs::write(&script, SUM)?;
    let (file, script) = (file.display().to_string(), script.display().to_string());
    let numbers = ["1000000016000000063", "18446744073709551617", "998244359987710471"];
    let mut all = vec![
        ("wordcount", vec!["--merge".to_owned(), tool("wordcount"), ":::".to_owned(), file]),
        ("render", vec!["--merge".to_owned(), tool("render"), ":::".to_owned(), PICTURE.to_owned()]),
    ];
    let factor = [tool("factor"), ":::".to_owned()].into_iter().chain(numbers.map(str::to_owned));
    all.push(("factor", factor.collect()));
    let range = ["--merge", "--range", "0..2000", "--chunk", "2000"].map(str::to_owned);
    all.push(("a script", range.into_iter().chain([script]).collect()));
    let mut tasks = Vec::new();
    for (name, words) in all {
        let began = Instant::now();
        let told = place.grove(&run(&words))?;
        if name == "a script" && told.err.contains("no Python on this machine") {
            println!("skipped: no script is run, since there is no Python image (cargo xtask python)");
            continue;
        }
        ensure!(told.code == 0 && !told.out.is_empty(), "{name}: {} {}", told.code, told.err);
        println!("   {name} alone: {:.1} s", began.elapsed().as_secs_f64());
        tasks.push(Task { name, words, answer: told.out });
    }
    drop(alone);
    Ok(tasks)
}

const PEER: [&str; 6] = ["peer", "--always", "--slots", "1", "--listen", "127.0.0.1:0"];
const PICTURE: &str = "480x360 -0.743 0.131 60 3000";
const SUM: &str = "\
def split(n: range, ways: int):
    ways = min(ways, len(n) // 100)
    cut = [n.start + len(n) * at // ways for at in range(ways + 1)] if ways > 1 else []
    return [range(a, b) for a, b in zip(cut, cut[1:])] or None

def work(n: range):
    return sum(i * i % 7 for i in n)

def merge(sums: list[int]):
    return sum(sums)
";

fn run(words: &[String]) -> Vec<&str> {
    std::iter::once("run").chain(words.iter().map(String::as_str)).collect()
}

/// A peer that knows the group, and nobody of it.
fn joined(net: &Net, name: &str) -> anyhow::Result<Running> {
    let (from, to) = (net.place("p1").home.join("peer"), net.place(name).home.join("peer"));
    if !to.exists() {
        std::fs::create_dir_all(&to)?;
        // A copy has the rights of the file.
        std::fs::copy(from.join("group.json"), to.join("group.json"))?;
    }
    net.place(name).start(&PEER)
}

fn linked(place: &Place) -> anyhow::Result<usize> {
    let peers: Value = serde_json::from_str(&place.right(&["peers", "--json"])?)?;
    let known = peers["known"].as_array().cloned().unwrap_or_default();
    Ok(known.iter().filter(|one| one["linked"] == true).count())
}

fn wait(what: &str, is_so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so()? {
        ensure!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Four tools, started by four peers.
fn right(net: &Net, tasks: &[Task]) -> anyhow::Result<()> {
    for (task, (name, _)) in tasks.iter().zip(&PEERS) {
        let began = Instant::now();
        let out = net.place(name).right(&run(&task.words))?;
        ensure!(out == task.answer, "{} of {name} is not what one machine alone computes", task.name);
        println!("ok: {} of {name} is right, {:.1} s", task.name, began.elapsed().as_secs_f64());
    }
    Ok(())
}

impl Peers {
    /// Two are killed and one is cut off while all four tools run, and then comes back.
    fn survived(&self, net: &Net, nodes: &mut BTreeMap<&'static str, Running>, tasks: &[Task]) -> anyhow::Result<()> {
        let root_of = net.place("p1");
        let nap = tool("nap");
        let naps = ["run", "--detach", "--real-time", "--merge", &nap, ":::", "160 250"];
        let naps = root_of.right(&naps)?.trim().to_owned();
        let mut jobs = Vec::new();
        for task in tasks {
            jobs.push(root_of.right(&[&["run", "--detach"], &run(&task.words)[1..]].concat())?.trim().to_owned());
        }
        wait("a tree has grown", || {
            let tree: Value = serde_json::from_str(&root_of.right(&["tree", &naps, "--json"])?)?;
            let branches = tree["branches"].as_array().cloned().unwrap_or_default();
            Ok(branches.iter().filter(|branch| branch["state"] == "working").count() > 8)
        })?;
        let picture = if self.picture.is_relative() { root().join(&self.picture) } else { self.picture.clone() };
        root_of.right(&["tree", &naps, "--svg", &picture.display().to_string()])?;
        let drawn = std::fs::read_to_string(&picture)?;
        ensure!(drawn.matches("<rect x=").count() > 8, "the picture shows no tree");
        println!("ok: {} shows a tree of {} places", picture.display(), drawn.matches("<rect x=").count());
        for name in ["p3", "p5"] {
            nodes.remove(name).context("it runs")?.kill()?;
        }
        net.place("p6").firewall(CUT)?;
        let (cut, heals) = (Instant::now(), Duration::from_secs(20));
        for (job, task) in jobs.iter().zip(tasks) {
            root_of.right(&["watch", job])?;
            ensure!(root_of.right(&["get", job])? == task.answer, "{} is wrong after a loss", task.name);
            println!("ok: {} is right, with two peers killed and one cut off", task.name);
        }
        std::thread::sleep(heals.saturating_sub(cut.elapsed()));
        net.place("p6").firewall(HEAL)?;
        let began = Instant::now();
        root_of.right(&["watch", &naps])?;
        ensure!(root_of.right(&["get", &naps])? == "160\n", "naps were lost");
        wait("whoever was cut off comes back", || Ok(linked(&net.place("p6"))? >= 5))?;
        println!("ok: whoever was cut off is back {:.1} s after the cable is", began.elapsed().as_secs_f64());
        Ok(())
    }
}

/// No packet to anybody else, whatever the system's own services say.
fn nobody_else(net: &Net) -> anyhow::Result<()> {
    for (name, _) in PEERS {
        let listed = net.place(name).firewall("")?;
        ensure!(listed.contains("packets 0 bytes 0"), "{name} has spoken with somebody else: {listed}");
    }
    println!("ok: no packet to anybody but peers");
    Ok(())
}
