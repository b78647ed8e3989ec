//! The world around simulated nodes: links, executors, disks, people, and everything that can go wrong with them.

mod network;
mod people;
mod promises;
mod work;

use super::chance::Chance;
use super::disk::Disk;
use super::plan::{Errand, Honesty, PEOPLE, Plan};
use crate::id::{AskId, Incarnation, JobId, Lease, NodeId, PersonId};
use crate::ledger::Account;
use crate::message::{Answer, Message};
use crate::node::{Action, Config, Event, News, Node, Wish};
use crate::planted::{self, Bug};
use crate::state::Fact;
use crate::task::Span;
use crate::units::{Credits, Millis};
use crate::verify::mix;
use std::collections::{BTreeMap, BTreeSet};

/// What a run did, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub events: u64,
    pub messages: u64,
    pub lost: u64,
    pub crashes: u64,
    pub answers: u64,
    pub refused: u64,
    pub jobs_done: u64,
    pub ended_at: Millis,
    /// Fuel that was run, and fuel that was needed.
    pub burned: u64,
}

/// Something to show to whoever watches a run.
#[derive(Debug)]
pub struct Moment<'a> {
    pub at: Millis,
    pub node: usize,
    pub news: &'a News,
}

/// Things that will happen.
#[derive(Debug, Clone)]
enum Next {
    Arrive {
        from: usize,
        to: usize,
        link: u64,
        message: Message,
    },
    Finish {
        node: usize,
        life: u64,
        giver: NodeId,
        lease: Lease,
        answers: Vec<Answer>,
    },
    Wake {
        node: usize,
    },
    Start {
        node: usize,
    },
    Mend {
        link: usize,
    },
    Resume {
        node: usize,
    },
    OwnerLeaves {
        node: usize,
    },
    /// A computer goes for good.
    Vanish {
        node: usize,
    },
    Submit {
        errand: usize,
    },
    Extend {
        errand: usize,
    },
    Cancel {
        errand: usize,
    },
    /// Once a second: chance decides what breaks.
    Trouble,
    /// The end of the first phase.
    Peace,
}

struct Computer {
    id: NodeId,
    config: Config,
    node: Option<Node>,
    disk: Disk,
    life: u64,
    paused: bool,
    held_back: Vec<Next>,
    wake: Option<Millis>,
    /// How far this computer's clock is ahead.
    clock_ahead: u64,
    running: BTreeSet<(NodeId, Lease)>,
    /// Where slots do one thing at a time: from when to when.
    at_work: BTreeMap<(NodeId, Lease), (Millis, Millis)>,
    /// When each slot is free again.
    free_at: Vec<Millis>,
    honesty: Honesty,
    speed: u64,
    /// Leases it has seen, to be forged or replayed.
    seen: Vec<Lease>,
}

struct Link {
    ends: (usize, usize),
    up: bool,
    /// Grows each time the link breaks: what was under way is gone.
    epoch: u64,
}

/// All of it.
pub struct World {
    plan: Plan,
    now: Millis,
    order: u64,
    queue: BTreeMap<(Millis, u64), Next>,
    computers: Vec<Computer>,
    links: Vec<Link>,
    /// Which link joins two computers, the lower number first.
    between: BTreeMap<(usize, usize), usize>,
    network: Chance,
    disks: Chance,
    trouble: Chance,
    lies: Chance,
    peace: bool,
    accepted: BTreeSet<usize>,
    /// Jobs that are over, and when.
    ended: BTreeMap<JobId, Millis>,
    /// Who waits at the first node with nothing out, and how many gifts others were given meanwhile.
    waiting: BTreeMap<Account, u64>,
    stats: Stats,
    trace: u64,
    shown: Vec<(usize, News)>,
    old_messages: Vec<(usize, usize, Message)>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "World of seed {} at {} ms", self.plan.seed, self.now.0)
    }
}

/// Of so many nodes or jobs not everything is looked at after each event, but after one of so many.
const CROWD: usize = 100;
const CROWD_EVERY: u64 = 1_024;

/// The run is stuck when it takes this long after the faults.
const PATIENCE: Millis = Millis(400_000);

impl World {
    pub fn new(plan: Plan) -> World {
        let computer = |node: usize| {
            let id = NodeId(node as u64 + 1);
            let config = Config { id, slots: plan.slots[node], memory: 0, solves: plan.peers, lease: plan.lease };
            Computer {
                id,
                config,
                node: None,
                disk: Disk::default(),
                life: 0,
                paused: false,
                held_back: Vec::new(),
                wake: None,
                clock_ahead: 0,
                running: BTreeSet::new(),
                at_work: BTreeMap::new(),
                free_at: vec![Millis(0); plan.slots[node].max(1) as usize],
                honesty: plan.honesty[node],
                speed: plan.speeds[node],
                seen: Vec::new(),
            }
        };
        let computers: Vec<Computer> = (0..plan.slots.len()).map(computer).collect();
        let links: Vec<Link> = plan.links.iter().map(|ends| Link { ends: *ends, up: false, epoch: 0 }).collect();
        let between = links.iter().enumerate().map(|(at, link)| (link.ends, at)).collect();
        let chance = |purpose| Chance::new(plan.seed, purpose);
        let mut world = World {
            network: chance(10),
            disks: chance(11),
            trouble: chance(12),
            lies: chance(13),
            now: Millis(0),
            order: 0,
            queue: BTreeMap::new(),
            computers,
            links,
            between,
            peace: false,
            accepted: BTreeSet::new(),
            ended: BTreeMap::new(),
            waiting: BTreeMap::new(),
            stats: Stats::default(),
            trace: 0,
            shown: Vec::new(),
            old_messages: Vec::new(),
            plan,
        };
        world.prepare();
        world
    }

    pub fn now(&self) -> Millis {
        self.now
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// How long each errand took from its submission to its end; nothing for one that has not ended.
    pub fn waits(&self) -> Vec<Option<Millis>> {
        let took = |(errand, what): (usize, &Errand)| Some(self.ended.get(&people::job_id(errand))?.since(what.at));
        self.plan.errands.iter().enumerate().map(took).collect()
    }

    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The nodes as they are, for a picture.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, Option<&Node>)> {
        self.computers.iter().map(|one| (one.id, one.node.as_ref()))
    }

    /// Runs to the end; the first broken promise ends it.
    pub fn run(&mut self, watch: &mut impl FnMut(&Moment<'_>)) -> Result<(), String> {
        while let Some(((at, _), next)) = self.queue.pop_first() {
            self.now = at;
            self.stats.events += 1;
            self.mark(at.0 ^ kind(&next));
            self.happen(next)?;
            for (node, news) in std::mem::take(&mut self.shown) {
                watch(&Moment { at, node, news: &news });
            }
            // Of many jobs it is not asked after every event.
            let asks = self.plan.errands.len() < CROWD || self.stats.events.is_multiple_of(CROWD_EVERY);
            if self.peace && asks && self.all_ended() {
                self.stats.ended_at = self.now;
                return self.examine();
            }
            if self.now > self.plan.faults_until.plus(PATIENCE) {
                return Err(format!("not all jobs ended: {}", self.what_hangs()));
            }
        }
        Err("nothing happens any more, and not all jobs have ended".to_owned())
    }

    fn happen(&mut self, next: Next) -> Result<(), String> {
        match next {
            Next::Start { node } => self.start(node),
            Next::Wake { node } => {
                self.computers[node].wake = None;
                self.tell(node, Event::Woke, Next::Wake { node })
            }
            Next::Arrive { from, to, link, message } => self.arrive(from, to, link, message),
            Next::Finish { node, life, giver, lease, answers } => self.finish(node, life, giver, lease, answers),
            Next::Mend { link } => self.mend(link),
            Next::Resume { node } => self.resume(node),
            Next::OwnerLeaves { node } => {
                let slots = self.computers[node].config.slots;
                self.tell(node, Event::Lends { slots }, Next::OwnerLeaves { node })
            }
            Next::Vanish { node } => self.crash(node),
            Next::Submit { errand } => self.submit(errand),
            Next::Extend { errand } => self.extend(errand),
            Next::Cancel { errand } => self.cancel(errand),
            Next::Trouble => self.make_trouble(),
            Next::Peace => self.make_peace(),
        }
    }

    fn start(&mut self, node: usize) -> Result<(), String> {
        if self.computers[node].node.is_some() || self.has_left(node) {
            return Ok(());
        }
        let computer = &mut self.computers[node];
        computer.life += 1;
        computer.running.clear();
        let state = computer.disk.replay();
        let fresh = state.incarnation() == Incarnation(0);
        let incarnation = Incarnation(mix(self.plan.seed ^ (node as u64 * 1_000 + computer.life)));
        let now = clock(self.now, computer);
        computer.node = Some(Node::new(computer.config, state, now));
        let mut events = vec![Event::Started { incarnation, secret: mix(self.plan.seed ^ node as u64) }];
        if fresh {
            let grant = |person| Wish::Grant { person: PersonId(person), amount: Credits(2_000_000_000) };
            events.extend((1..=PEOPLE).map(|person| Event::Asked { ask: AskId(0), wish: grant(person) }));
        }
        self.drive(node, events)?;
        for link in 0..self.links.len() {
            let (a, b) = self.links[link].ends;
            if a == node || b == node {
                self.later(50, Next::Mend { link });
            }
        }
        Ok(())
    }

    /// Something happens to a node, unless it stands still or is down.
    fn tell(&mut self, node: usize, event: Event, again: Next) -> Result<(), String> {
        if self.computers[node].paused {
            self.computers[node].held_back.push(again);
            return Ok(());
        }
        if self.computers[node].node.is_none() {
            return Ok(());
        }
        self.drive(node, vec![event])
    }

    /// The shell of one node: decide, commit, act.
    fn drive(&mut self, node: usize, events: Vec<Event>) -> Result<(), String> {
        let computer = &mut self.computers[node];
        let now = clock(self.now, computer);
        let Some(brain) = computer.node.as_mut() else {
            return Ok(());
        };
        let actions = brain.handle(now, events);
        let facts = brain.take_facts();
        if self.plan.slots.len() < CROWD || self.stats.events.is_multiple_of(CROWD_EVERY) {
            brain.state().check()?;
        }
        if node == 0 {
            promises::examine_turns(brain.state(), &actions, &mut self.waiting)?;
        }
        let wake = brain.next_wake();
        if planted::is(Bug::ActBeforeSync) {
            self.act(node, &actions)?;
        }
        let boundary = !facts.is_empty();
        if boundary && self.crashes(node) {
            // What was decided and not written is gone.
            return self.crash(node);
        }
        let may_wait = facts.iter().all(Fact::may_wait) && !actions.iter().any(Action::is_booked);
        let disk = &mut self.computers[node].disk;
        if may_wait {
            disk.note(&facts, &actions)
        } else {
            disk.commit(&facts, &actions)
        }
        if boundary && self.crashes(node) {
            self.same_after_replay(node)?;
            return self.crash(node);
        }
        self.set_alarm(node, wake);
        if planted::is(Bug::ActBeforeSync) {
            return Ok(());
        }
        if !may_wait {
            return self.act(node, &actions);
        }
        let (promises, others): (Vec<Action>, Vec<Action>) = actions.into_iter().partition(Action::is_promise);
        self.act(node, &others)?;
        if self.computers[node].node.is_none() || promises.is_empty() {
            return Ok(());
        }
        if self.crashes(node) {
            // A lender has been given something that the books do not know.
            return self.crash(node);
        }
        self.computers[node].disk.sync();
        self.act(node, &promises)
    }

    fn crashes(&mut self, node: usize) -> bool {
        let rate = self.plan.faults.crash;
        !self.peace && self.computers[node].honesty == Honesty::Honest && self.disks.per_mille(rate)
    }

    fn has_left(&self, node: usize) -> bool {
        self.plan.leavers.iter().any(|(leaver, at)| *leaver == node && *at <= self.now)
    }

    fn crash(&mut self, node: usize) -> Result<(), String> {
        self.stats.crashes += 1;
        self.computers[node].node = None;
        self.computers[node].disk.crash();
        self.computers[node].paused = false;
        self.computers[node].held_back.clear();
        for link in 0..self.links.len() {
            let (a, b) = self.links[link].ends;
            if a == node || b == node {
                self.unlink(link)?;
            }
        }
        if !self.has_left(node) {
            let pause = self.disks.between(20, 9_000);
            self.later(pause, Next::Start { node });
        }
        Ok(())
    }

    fn set_alarm(&mut self, node: usize, wake: Option<Millis>) {
        let computer = &mut self.computers[node];
        let Some(wake) = wake else { return };
        let at = Millis(wake.0.saturating_sub(computer.clock_ahead)).max(self.now.plus(Millis(1)));
        // One wake per node: a new one only if it comes earlier.
        if computer.wake.is_none_or(|set| at < set) {
            computer.wake = Some(at);
            self.at(at, Next::Wake { node });
        }
    }

    fn act(&mut self, node: usize, actions: &[Action]) -> Result<(), String> {
        let mut to_self = Vec::new();
        for action in actions {
            match action {
                Action::Give { to, gifts } => {
                    let disk = &self.computers[node].disk;
                    let gifts = gifts.iter().map(|(gift, feed)| disk.fill(gift.clone(), *feed)).collect::<Vec<_>>();
                    self.examine_gifts(node, *to, &gifts)?;
                    self.convey(node, *to, Message::Give { gifts }, &mut to_self);
                }
                Action::Send { to, message } => self.convey(node, *to, message.clone(), &mut to_self),
                Action::Run { giver, gift } => self.execute(node, *giver, gift),
                Action::Stop { giver, lease } => {
                    self.stop(node, (*giver, *lease));
                }
                Action::Show { to, lease, task, parts } => {
                    let answers = self.shown(node, *task, *parts);
                    to_self.push(Event::Shown { giver: *to, lease: *lease, answers });
                }
                Action::Deliver { to, lease, row, outcome, fuel, parts } => {
                    to_self.push(self.deliver(node, (*to, *lease), *row, (*outcome, *fuel, *parts)));
                }
                Action::Reply { ask, reply } => self.replied(*ask, reply),
                Action::Admit => {}
                Action::Tell { news } => {
                    self.note_news(news);
                    self.shown.push((node, news.clone()));
                }
                Action::Keep { .. }
                | Action::Lift { .. }
                | Action::Drop { .. }
                | Action::Hold { .. }
                | Action::Post { .. } => {}
            }
        }
        if to_self.is_empty() { Ok(()) } else { self.drive(node, to_self) }
    }

    fn span_of(&self, node: usize, giver: NodeId, lease: Lease) -> Span {
        let held = self.computers[node].node.as_ref().and_then(|brain| brain.held_span(giver, lease));
        held.unwrap_or(Span { first: 0, len: 1 })
    }

    fn at(&mut self, at: Millis, next: Next) {
        self.order += 1;
        self.queue.insert((at, self.order), next);
    }

    fn later(&mut self, wait: u64, next: Next) {
        self.at(self.now.plus(Millis(wait)), next);
    }

    fn mark(&mut self, what: u64) {
        self.trace = mix(self.trace ^ what);
    }
}

fn clock(now: Millis, computer: &Computer) -> Millis {
    now.plus(Millis(computer.clock_ahead))
}

fn kind(next: &Next) -> u64 {
    match next {
        Next::Arrive { from, to, .. } => 1 << 40 | (*from as u64) << 20 | *to as u64,
        Next::Finish { node, lease, .. } => 2 << 40 | lease.0 << 8 | *node as u64,
        Next::Wake { node } => 3 << 40 | *node as u64,
        Next::Start { node } => 4 << 40 | *node as u64,
        Next::Mend { link } => 5 << 40 | *link as u64,
        Next::Resume { node } => 6 << 40 | *node as u64,
        Next::OwnerLeaves { node } => 7 << 40 | *node as u64,
        Next::Vanish { node } => 11 << 40 | *node as u64,
        Next::Submit { errand } | Next::Extend { errand } | Next::Cancel { errand } => 8 << 40 | *errand as u64,
        Next::Trouble => 9 << 40,
        Next::Peace => 10 << 40,
    }
}
