//! What a seed stands for: who is there, what they want done, and what goes wrong.

use super::chance::Chance;
use super::toy::Toy;
use crate::id::PersonId;
use crate::job::{Check, Chunk};
use crate::units::Millis;

/// The shape of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A hub and its lenders.
    Hub,
    /// Peers without a hub: tasks are split further at every level.
    Peers,
    /// Either, as the seed says.
    Any,
}

/// How a lender behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Honesty {
    Honest,
    /// Gives wrong answers.
    Liar,
    /// Gives right answers and claims more fuel than they took.
    Overclaimer,
    /// Says that it has answers to leases that it never held.
    Forger,
    /// Merges wrongly.
    Botcher,
    /// Says that it cut its pieces into more parts than there are.
    Oversplitter,
}

/// Fuel per millisecond of one slot, where nothing else is said: a slow core.
pub(super) const SPEED: u64 = 1_000_000;
/// Those who want something done.
pub(super) const PEOPLE: u64 = 3;

/// One job of a run.
#[derive(Debug, Clone)]
pub struct Errand {
    pub at: Millis,
    /// The computer that it is asked of.
    pub node: usize,
    pub owner: PersonId,
    pub toy: Toy,
    pub items: u64,
    pub chunk: Chunk,
    pub check: Check,
    pub merge: bool,
    /// Inputs are added while the job runs.
    pub open: bool,
    pub cancel_at: Option<Millis>,
    pub budget: u64,
    /// Submitted more than once, as after a lost reply.
    pub repeats: u64,
}

/// Faults by kind, each in parts of a thousand; zero switches a kind off for the whole run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    pub drop: u64,
    pub repeat: u64,
    pub delay: u64,
    pub replay: u64,
    /// At each commit.
    pub crash: u64,
    pub break_run: u64,
    /// Each second.
    pub cut: u64,
    pub pause: u64,
    pub jump: u64,
    pub owner: u64,
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub peers: bool,
    /// Slots of each node; the first one is the hub, or the peer that submits.
    pub slots: Vec<u32>,
    pub honesty: Vec<Honesty>,
    /// Fuel per millisecond of each node.
    pub speeds: Vec<u64>,
    pub links: Vec<(usize, usize)>,
    pub errands: Vec<Errand>,
    pub faults: Faults,
    /// Computers that go for good, and when.
    pub leavers: Vec<(usize, Millis)>,
    /// Computers that come late, and when.
    pub late: Vec<(usize, Millis)>,
    /// How long things go wrong.
    pub faults_until: Millis,
    pub lease: Millis,
    /// A slot does one thing at a time; else whatever a node begins goes on at once.
    pub shared: bool,
}

impl Plan {
    /// What the seed says.
    pub fn of(seed: u64, mode: Mode) -> Plan {
        let mut chance = Chance::new(seed, 1);
        let peers = match mode {
            Mode::Hub => false,
            Mode::Peers => true,
            Mode::Any => chance.per_mille(300),
        };
        let nodes = usize::try_from(chance.between(2, 9)).unwrap_or(2);
        let liars = chance.per_mille(400);
        let slots = (0..nodes).map(|node| slots(node, peers, &mut chance)).collect();
        let honesty = (0..nodes).map(|node| honesty(node, liars, peers, &mut chance)).collect::<Vec<_>>();
        let dishonest = honesty.iter().any(|one| *one != Honesty::Honest);
        let collusion = honesty.iter().filter(|one| **one == Honesty::Liar).count() > 1;
        let speeds = (0..nodes).map(|_| chance.between(200_000, 4_000_000)).collect();
        let links = if peers { tree(nodes, &mut chance) } else { (1..nodes).map(|lender| (0, lender)).collect() };
        let errands = (0..chance.between(1, 4)).map(|_| errand(peers, dishonest, collusion, &mut chance)).collect();
        let faults = faults(&mut chance);
        let faults_until = Millis(chance.between(2_000, 60_000));
        let leaver = (nodes > 3 && chance.per_mille(300)).then(|| (nodes - 1, Millis(chance.below(15_000))));
        let leavers = leaver.into_iter().collect();
        let late = Vec::new();
        Plan {
            leavers,
            late,
            seed,
            peers,
            slots,
            honesty,
            speeds,
            links,
            errands,
            faults,
            faults_until,
            lease: Millis(6_000),
            shared: false,
        }
    }

    /// A run to look at: so many honest nodes, and nothing that goes wrong but a lost lender now and then.
    pub fn show(seed: u64, nodes: usize, peers: bool) -> Plan {
        let mut chance = Chance::new(seed, 2);
        let links = if peers { tree(nodes, &mut chance) } else { (1..nodes).map(|lender| (0, lender)).collect() };
        let items = 4 * nodes as u64;
        let one = Errand::of(0, Toy::sum(true), items, Check::Spot { per_mille: 50 });
        Plan {
            peers,
            slots: (0..nodes).map(|node| u32::from(node > 0 || peers)).collect(),
            speeds: (0..nodes).map(|_| chance.between(1_000_000, 3_000_000)).collect(),
            links,
            errands: vec![Errand { at: Millis(10), budget: 500_000_000, ..one }],
            faults: Faults { delay: 100, crash: 2, cut: 5, pause: 5, ..Faults::default() },
            faults_until: Millis(20_000),
            lease: Millis(6_000),
            shared: false,
            ..Plan::quiet(seed, nodes)
        }
    }

    /// So many honest peers who do not know one another and want nothing, and nothing that goes wrong.
    pub(super) fn quiet(seed: u64, peers: usize) -> Plan {
        Plan {
            seed,
            peers: true,
            slots: vec![1; peers],
            honesty: vec![Honesty::Honest; peers],
            speeds: vec![SPEED; peers],
            links: Vec::new(),
            errands: Vec::new(),
            faults: Faults::default(),
            leavers: Vec::new(),
            late: Vec::new(),
            faults_until: Millis(1_000),
            lease: Millis(30_000),
            shared: true,
        }
    }
}

impl Errand {
    /// A job whose items are runs, and that is left to its course.
    pub(super) fn of(node: usize, toy: Toy, items: u64, check: Check) -> Errand {
        Errand {
            at: Millis(500),
            node,
            owner: PersonId(1),
            toy,
            items,
            chunk: Chunk::Items(1),
            check,
            merge: false,
            open: false,
            cancel_at: None,
            budget: 200_000_000,
            repeats: 1,
        }
    }
}

fn slots(node: usize, peers: bool, chance: &mut Chance) -> u32 {
    let least = u64::from(node > 0 || peers);
    u32::try_from(chance.between(least, 3)).unwrap_or(1)
}

fn honesty(node: usize, liars: bool, peers: bool, chance: &mut Chance) -> Honesty {
    match chance.below(10) {
        // One lender at least can be believed: where everybody lies nothing gets done.
        _ if node <= 1 || !liars => Honesty::Honest,
        0..3 => Honesty::Liar,
        3 => Honesty::Overclaimer,
        4 => Honesty::Forger,
        5 if peers => Honesty::Botcher,
        6 if peers => Honesty::Oversplitter,
        _ => Honesty::Honest,
    }
}

/// A tree of two levels below the first node, and a link across now and then.
fn tree(nodes: usize, chance: &mut Chance) -> Vec<(usize, usize)> {
    let fan = usize::try_from(chance.between(1, 4)).unwrap_or(1);
    let up = |node: usize| if node <= fan { 0 } else { 1 + (node - fan - 1) % fan };
    let mut links: Vec<(usize, usize)> = (1..nodes).map(|node| (up(node), node)).collect();
    if nodes > fan + 2 && chance.per_mille(500) {
        links.push((fan, nodes - 1));
    }
    links.sort_unstable();
    links.dedup();
    links
}

fn errand(peers: bool, dishonest: bool, collusion: bool, chance: &mut Chance) -> Errand {
    let toy = match chance.below(8) {
        7 if !peers => Toy::contrary(),
        6 if !peers => Toy::heavy(),
        0..2 if !peers => Toy::plain(),
        2 if !peers => Toy::failing(),
        3 => Toy::search(),
        _ => Toy::sum(!peers || chance.per_mille(700)),
    };
    // With liars about, only a check of every answer gives a right result for certain.
    let spot = if dishonest { 1_000 } else { chance.below(200) };
    let spot = u32::try_from(spot).unwrap_or(1_000);
    let check = match chance.below(4) {
        0 if toy.abilities().check => Check::Prove { spot_per_mille: spot },
        // Two liars who tell the same lie confirm one another: copies do not help against that.
        1 if !peers && !collusion => Check::Copies,
        2 if !dishonest => Check::Trust,
        _ => Check::Spot { per_mille: spot },
    };
    let merge = toy.abilities().merge && chance.per_mille(400);
    let chunk = match chance.below(3) {
        0 if toy.chunks() => Chunk::Items(chance.between(1, 5)),
        1 if toy.chunks() => Chunk::Timed,
        _ => Chunk::Items(1),
    };
    let tight = chance.per_mille(100);
    let at = Millis(chance.below(4_000));
    let owner = PersonId(chance.between(1, PEOPLE));
    let items = if toy.is_dear() { chance.between(1, 5) } else { chance.between(1, 90) };
    Errand {
        at,
        owner,
        chunk,
        merge,
        open: chance.per_mille(200) && !merge,
        cancel_at: chance.per_mille(80).then(|| Millis(chance.below(20_000))),
        budget: if tight { chance.between(200, 30_000) } else { 200_000_000 },
        repeats: chance.between(1, 3),
        ..Errand::of(0, toy, items, check)
    }
}

/// Each seed switches some kinds off entirely: uniform noise hides rare orders.
fn faults(chance: &mut Chance) -> Faults {
    let mut rate = |most: u64| {
        if chance.per_mille(500) { chance.below(most + 1) } else { 0 }
    };
    Faults {
        drop: rate(150),
        repeat: rate(100),
        delay: rate(300),
        replay: rate(40),
        crash: rate(30),
        break_run: rate(60),
        cut: rate(200),
        pause: rate(150),
        jump: rate(60),
        owner: rate(100),
    }
}
