//! Experiments with peers: how evenly work spreads, what deaths cost, and whether giving is worth it.

use super::chance::Chance;
use super::plan::{Errand, Honesty, Plan, SPEED};
use super::toy::Toy;
use super::{Failure, World};
use crate::job::{Check, Chunk};
use crate::node::Node;
use crate::units::Millis;
use std::collections::BTreeSet;

/// Neighbours of each peer, about: as many as people know.
const DEGREE: usize = 8;

/// How long one job took a crowd, beside how long it would take if nothing were ever lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    pub peers: usize,
    pub ideal: Millis,
    pub took: Millis,
    /// Fuel that was run, in thousandths of what the job needs.
    pub burned_per_mille: u64,
    pub messages: u64,
    pub died: usize,
    pub failure: Option<Failure>,
}

impl Spread {
    /// The ideal in thousandths of what it took.
    pub fn per_mille(&self) -> u64 {
        self.ideal.0 * 1_000 / self.took.0.max(1)
    }
}

/// One job that its tool cuts by itself, on so many peers who know some of the others each.
pub fn makespan(seed: u64, peers: usize, range_bits: u8) -> Spread {
    spread(crowd(seed, peers, range_bits), range_bits)
}

/// The same while three of ten peers die, the one who submits never.
pub fn mortal(seed: u64, peers: usize, range_bits: u8) -> Spread {
    let mut plan = crowd(seed, peers, range_bits);
    let mut chance = Chance::new(seed, 21);
    let ideal = ideal(&plan, range_bits);
    let mut dying = BTreeSet::new();
    while dying.len() < (peers - 1) * 3 / 10 {
        dying.insert(chance.between(1, peers as u64 - 1) as usize);
    }
    plan.leavers = dying.into_iter().map(|node| (node, Millis(10 + chance.below(ideal.0)))).collect();
    spread(plan, range_bits)
}

fn spread(plan: Plan, range_bits: u8) -> Spread {
    let (peers, died, ideal) = (plan.slots.len(), plan.leavers.len(), ideal(&plan, range_bits));
    let needed = needed(range_bits);
    let mut world = World::new(plan);
    let failure = world.run(&mut |_| {}).err().map(|what| Failure { at: world.now(), what });
    let took = world.waits().first().copied().flatten().unwrap_or_else(|| world.now());
    let stats = world.stats();
    let burned_per_mille = stats.burned.saturating_mul(1_000) / needed.max(1);
    Spread { peers, ideal, took, burned_per_mille, messages: stats.messages, died, failure }
}

/// Six honest peers and one that is not: says whether that one was found out, and what else went wrong.
pub fn one_bad(seed: u64, bad: Honesty) -> (bool, Option<Failure>) {
    let mut chance = Chance::new(seed, 23);
    let mut plan = Plan { links: known(7, &mut chance), ..Plan::quiet(seed, 7) };
    plan.honesty[3] = bad;
    let one = Errand::of(0, Toy::grand(11), 3, Check::Spot { per_mille: 1_000 });
    plan.errands.push(Errand { merge: true, budget: 2_000_000_000, ..one });
    let mut world = World::new(plan);
    let failure = world.run(&mut |_| {}).err().map(|what| Failure { at: world.now(), what });
    let caught = |node: &Node| node.view_peers().iter().any(|peer| peer.caught);
    let found = world.nodes().any(|(_, node)| node.is_some_and(caught));
    (found, failure)
}

/// How long people of one kind waited for their jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    pub jobs: u64,
    pub done: u64,
    /// On average, of those that are done.
    pub mean: Millis,
    pub longest: Millis,
}

/// What giving is worth where not everybody can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reciprocity {
    pub peers: usize,
    pub givers: Waits,
    pub riders: Waits,
    /// Their first jobs.
    pub newcomers: Waits,
    pub messages: u64,
    pub failure: Option<Failure>,
}

/// One job after another of everybody, more than all can do at once. Three of ten peers never work for others, and one
/// of twenty comes when the others know one another already.
pub fn reciprocity(seed: u64, peers: usize) -> Reciprocity {
    let mut chance = Chance::new(seed, 22);
    let kind = |node: usize| match node % 20 {
        0..6 => Kind::Rider,
        6 => Kind::Newcomer,
        _ => Kind::Giver,
    };
    let plan = Plan {
        slots: (0..peers).map(|node| u32::from(kind(node) != Kind::Rider)).collect(),
        links: known_to_a_giver(peers, kind, &mut chance),
        late: (0..peers).filter(|node| kind(*node) == Kind::Newcomer).map(|node| (node, NEWCOMERS_AT)).collect(),
        faults_until: Millis(60_000),
        errands: (0..peers).flat_map(|node| errands_of(node, kind(node), &mut chance)).collect(),
        ..Plan::quiet(seed, peers)
    };
    let kinds: Vec<(Kind, bool)> = plan.errands.iter().map(|one| (kind(one.node), one.at >= KNOWN_BY)).collect();
    let mut world = World::new(plan);
    let failure = world.run(&mut |_| {}).err().map(|what| Failure { at: world.now(), what });
    let waits = world.waits();
    let of = |wanted: Kind| {
        let those = kinds.iter().zip(&waits).filter(|((kind, counts), _)| *kind == wanted && *counts);
        let took: Vec<Option<Millis>> = those.map(|(_, wait)| *wait).collect();
        let done: Vec<u64> = took.iter().flatten().map(|wait| wait.0).collect();
        let mean = done.iter().sum::<u64>() / (done.len() as u64).max(1);
        let longest = done.iter().max().copied().unwrap_or(0);
        Waits { jobs: took.len() as u64, done: done.len() as u64, mean: Millis(mean), longest: Millis(longest) }
    };
    let (givers, riders, newcomers) = (of(Kind::Giver), of(Kind::Rider), of(Kind::Newcomer));
    Reciprocity { peers, givers, riders, newcomers, messages: world.stats().messages, failure }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Giver,
    Rider,
    Newcomer,
}

/// By then most peers have worked for one another; what was before is not looked at.
const KNOWN_BY: Millis = Millis(20_000);
const NEWCOMERS_AT: Millis = Millis(30_000);
/// Everybody wants something about as often: a little more than all can do.
const EVERY: u64 = 5_000;
const JOBS: u64 = 8;

fn errands_of(node: usize, kind: Kind, chance: &mut Chance) -> Vec<Errand> {
    let phase = chance.below(EVERY);
    let times: Vec<u64> = match kind {
        Kind::Newcomer => vec![NEWCOMERS_AT.0 + 500 + phase],
        Kind::Giver | Kind::Rider => (0..JOBS).map(|job| 500 + phase + job * EVERY).collect(),
    };
    let one = |at: u64| Errand {
        at: Millis(at),
        chunk: Chunk::Items(10),
        ..Errand::of(node, Toy::plain(), ITEMS, Check::Trust)
    };
    times.into_iter().map(one).collect()
}

/// Numbers of one such job: about four seconds of one core, in runs of a fifth of a second.
const ITEMS: u64 = 200;

fn needed(range_bits: u8) -> u64 {
    let toy = Toy::grand(range_bits);
    toy.run(toy.input(0)).2.0
}

fn ideal(plan: &Plan, range_bits: u8) -> Millis {
    let speed: u64 = plan.speeds.iter().zip(&plan.slots).map(|(speed, slots)| speed * u64::from(*slots)).sum();
    Millis(needed(range_bits) / speed.max(1))
}

/// Peers of about the same speed, of whom one has one large job.
fn crowd(seed: u64, peers: usize, range_bits: u8) -> Plan {
    let mut chance = Chance::new(seed, 20);
    let errand = Errand {
        at: Millis(500),
        merge: true,
        budget: 2_000_000_000,
        ..Errand::of(0, Toy::grand(range_bits), 1, Check::Spot { per_mille: 30 })
    };
    Plan {
        speeds: (0..peers).map(|_| chance.between(SPEED * 3 / 4, SPEED * 5 / 4)).collect(),
        links: known(peers, &mut chance),
        errands: vec![errand],
        ..Plan::quiet(seed, peers)
    }
}

/// Everybody knows about [`DEGREE`] others, and everybody can be reached from everybody.
fn known(peers: usize, chance: &mut Chance) -> Vec<(usize, usize)> {
    let mut links: BTreeSet<(usize, usize)> =
        (1..peers).map(|node| (chance.below(node as u64) as usize, node)).collect();
    let wanted = (peers * DEGREE / 2).min(peers * (peers - 1) / 2);
    while links.len() < wanted {
        let (a, b) = (chance.below(peers as u64) as usize, chance.below(peers as u64) as usize);
        if a != b {
            links.insert((a.min(b), a.max(b)));
        }
    }
    links.into_iter().collect()
}

/// The same, and everybody knows somebody who gives: whoever knows none can be served by nobody.
fn known_to_a_giver(peers: usize, kind: impl Fn(usize) -> Kind, chance: &mut Chance) -> Vec<(usize, usize)> {
    let mut links = known(peers, chance);
    let giver = |node: usize| kind(node) == Kind::Giver;
    for node in 0..peers {
        let mut around = links.iter().filter(|(a, b)| *a == node || *b == node);
        if around.any(|(a, b)| giver(a + b - node)) {
            continue;
        }
        let other = (node + 1..peers).chain(0..node).find(|other| giver(*other));
        links.extend(other.map(|other| (node.min(other), node.max(other))));
    }
    links
}
