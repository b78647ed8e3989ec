//! What peers on one network are measured by: how soon one is found and at work, what a level of the tree costs, and how
//! near to the ideal a job comes. Parts sleep, so that eight computers can be played on one.

use anyhow::ensure;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{PEER, PEERS, joined, linked, wait};
use crate::circle::net::{Net, Running};
use crate::circle::tool;

/// A peer on the same network is found within this.
const FOUND: Duration = Duration::from_secs(2);
/// ... and works on its first piece this much later.
const FIRST_PIECE: Duration = Duration::from_secs(1);
/// Parts that sleep: what all peers together reach of what they could.
const EFFICIENCY: f64 = 0.9;
/// What a level of the tree adds to a job.
const LEVEL: Duration = Duration::from_millis(10);
/// Of short jobs the best of so many counts: what else the machine does is not what a level costs.
const TRIES: usize = 20;

/// All peers, and what they did not reach.
pub(super) fn measured(net: &Net) -> anyhow::Result<(BTreeMap<&'static str, Running>, Vec<String>)> {
    let mut missed = Vec::new();
    let mut figure = |reached: bool, said: String| {
        println!("{}: {said}", if reached { "ok" } else { "missed" });
        if !reached {
            missed.push(said);
        }
    };
    let mut nodes = BTreeMap::from([("p1", net.place("p1").start(&PEER)?)]);
    nodes.insert("p2", joined(net, "p2")?);
    let began = Instant::now();
    wait("two peers find one another", || Ok(linked(&net.place("p2"))? == 1))?;
    let took = began.elapsed();
    figure(took <= FOUND, format!("a peer on the same network is found after {:.2} s", took.as_secs_f64()));
    let level = level(net)?;
    figure(level <= LEVEL, format!("a level of the tree costs {:.1} ms", level.as_secs_f64() * 1_000.0));
    for (name, _) in &PEERS[2..7] {
        nodes.insert(*name, joined(net, name)?);
    }
    for (name, _) in &PEERS[..7] {
        wait("all peers meet", || Ok(linked(&net.place(name))? == 6))?;
    }
    let (met, worked) = late(net, &mut nodes)?;
    let said = format!("one that comes late is met after {:.2} s, at work {:.2} s later", met, worked);
    figure(met <= FOUND.as_secs_f64() && worked <= FIRST_PIECE.as_secs_f64(), said);
    wait("it meets all", || Ok(linked(&net.place("p8"))? == 7))?;
    let (reached, said) = efficient(net)?;
    figure(reached >= EFFICIENCY, said);
    Ok((nodes, missed))
}

/// How long a job of naps takes, the best of several.
fn naps(net: &Net, count: u32, millis: u32, tries: usize) -> anyhow::Result<Duration> {
    let (naps, nap) = (format!("{count} {millis}"), tool("nap"));
    let words = ["run", "--real-time", "--merge", &nap, ":::", &naps];
    let mut best = Duration::MAX;
    for _ in 0..tries {
        let began = Instant::now();
        let out = net.place("p1").right(&words)?;
        best = best.min(began.elapsed());
        ensure!(out == format!("{count}\n"), "{count} naps came to {out:?}");
    }
    Ok(best)
}

/// One nap at home, against two of which the only neighbour takes one: cut, given, begun there, answered and merged.
fn level(net: &Net) -> anyhow::Result<Duration> {
    // Both peers have seen the tool before.
    naps(net, 4, 10, 3)?;
    let (home, away) = (naps(net, 1, 100, TRIES)?, naps(net, 2, 100, TRIES)?);
    println!("   a nap at home {} ms, one on each of two peers {} ms", home.as_millis(), away.as_millis());
    Ok(away.saturating_sub(home))
}

/// The last one comes while there is work. How long until it is met, and how much later it works.
fn late(net: &Net, nodes: &mut BTreeMap<&'static str, Running>) -> anyhow::Result<(f64, f64)> {
    let nap = tool("nap");
    net.place("p1").right(&["run", "--detach", "--real-time", "--merge", &nap, ":::", "400 200"])?;
    nodes.insert("p8", joined(net, "p8")?);
    let (began, place) = (Instant::now(), net.place("p8"));
    wait("the late one is found", || Ok(linked(&place)? > 0))?;
    let met = began.elapsed();
    wait("the late one works", || {
        let peers: Value = serde_json::from_str(&place.right(&["peers", "--json"])?)?;
        let own = peers["peers"].as_array().and_then(|all| all.iter().find(|peer| peer["here"] == true).cloned());
        Ok(own.is_some_and(|own| own["gifts"].as_u64() > Some(0)))
    })?;
    let worked = began.elapsed().saturating_sub(met);
    net.place("p1").right(&["cancel", "last"])?;
    Ok((met.as_secs_f64(), worked.as_secs_f64()))
}

/// What all eight reach of the ideal.
fn efficient(net: &Net) -> anyhow::Result<(f64, String)> {
    let (count, millis, peers) = (256, 250, PEERS.len() as u32);
    let took = naps(net, count, millis, 3)?;
    let ideal = Duration::from_millis(u64::from(count * millis / peers));
    let reached = ideal.as_secs_f64() / took.as_secs_f64();
    let (took, ideal) = (took.as_secs_f64(), ideal.as_secs_f64());
    let said = format!(
        "{count} naps of {millis} ms on {peers} peers take {took:.2} s, ideally {ideal:.2} s: {:.0} %",
        reached * 100.0
    );
    Ok((reached, said))
}
