//! The world around simulated nodes: links, executors, disks, people, and everything that can go wrong with them.

use super::chance::Chance;
use super::disk::Disk;
use super::plan::{Errand, Honesty, Plan};
use super::toy::{self, Toy};
use crate::id::{AskId, Incarnation, JobId, Lease, NodeId, PersonId, TaskId};
use crate::job::{Job, Source, Standing};
use crate::ledger::Account;
use crate::message::{Answer, Gift, Inputs, Message, Outcome, Output, Trap};
use crate::node::{Action, Config, Event, News, Node, Reply, Wish};
use crate::peer::Record;
use crate::planted::{self, Bug};
use crate::state::{Fact, State};
use crate::task::{Act, Span, Stage};
use crate::units::{Credits, Fuel, Millis};
use crate::verify::mix;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    network: Chance,
    disks: Chance,
    trouble: Chance,
    lies: Chance,
    peace: bool,
    accepted: BTreeSet<usize>,
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

/// The run is stuck when it takes this long after the faults.
const PATIENCE: Millis = Millis(400_000);

impl World {
    pub fn new(plan: Plan) -> World {
        let computer = |node: usize| {
            let id = NodeId(node as u64 + 1);
            let config = Config {
                id,
                slots: plan.slots[node],
                solves: plan.peers,
                lease: plan.lease,
            };
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
                honesty: plan.honesty[node],
                speed: plan.speeds[node],
                seen: Vec::new(),
            }
        };
        let computers: Vec<Computer> = (0..plan.slots.len()).map(computer).collect();
        let links = plan
            .links
            .iter()
            .map(|ends| Link {
                ends: *ends,
                up: false,
                epoch: 0,
            })
            .collect();
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
            peace: false,
            accepted: BTreeSet::new(),
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

    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// The nodes as they are, for a picture.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, Option<&Node>)> {
        self.computers.iter().map(|one| (one.id, one.node.as_ref()))
    }

    fn prepare(&mut self) {
        for node in 0..self.computers.len() {
            self.at(Millis(0), Next::Start { node });
        }
        for (errand, what) in self.plan.errands.clone().iter().enumerate() {
            for n in 0..what.repeats {
                self.at(what.at.plus(Millis(n * 700)), Next::Submit { errand });
            }
            if what.open {
                self.at(what.at.plus(Millis(3_000)), Next::Extend { errand });
            }
            if let Some(at) = what.cancel_at {
                self.at(at, Next::Cancel { errand });
            }
        }
        if let Some((node, at)) = self.plan.leaver {
            self.at(at, Next::Vanish { node });
        }
        self.at(Millis(1_000), Next::Trouble);
        self.at(self.plan.faults_until, Next::Peace);
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
            if self.peace && self.all_ended() {
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
            Next::Arrive {
                from,
                to,
                link,
                message,
            } => self.arrive(from, to, link, message),
            Next::Finish {
                node,
                life,
                giver,
                lease,
                answers,
            } => self.finish(node, life, giver, lease, answers),
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
        let computer = &mut self.computers[node];
        if computer.node.is_some()
            || self
                .plan
                .leaver
                .is_some_and(|(leaver, at)| leaver == node && at <= self.now)
        {
            return Ok(());
        }
        computer.life += 1;
        computer.running.clear();
        let state = computer.disk.replay();
        let fresh = state.incarnation() == Incarnation(0);
        let incarnation = Incarnation(mix(self.plan.seed ^ (node as u64 * 1_000 + computer.life)));
        let now = clock(self.now, computer);
        computer.node = Some(Node::new(computer.config, state, now));
        let mut events = vec![Event::Started {
            incarnation,
            secret: mix(self.plan.seed ^ node as u64),
        }];
        if fresh {
            let wish = Wish::Grant {
                person: PersonId(1),
                amount: Credits(2_000_000_000),
            };
            events.push(Event::Asked { ask: AskId(0), wish });
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
        brain.state().check()?;
        let wake = brain.next_wake();
        if planted::is(Bug::ActBeforeSync) {
            self.act(node, &actions)?;
        }
        let boundary = !facts.is_empty();
        if boundary && self.crashes(node) {
            // What was decided and not written is gone.
            return self.crash(node);
        }
        self.computers[node].disk.commit(&facts, &actions);
        if boundary && self.crashes(node) {
            self.same_after_replay(node)?;
            return self.crash(node);
        }
        if !planted::is(Bug::ActBeforeSync) {
            self.act(node, &actions)?;
        }
        self.set_alarm(node, wake);
        Ok(())
    }

    fn crashes(&mut self, node: usize) -> bool {
        let rate = self.plan.faults.crash;
        !self.peace && self.computers[node].honesty == Honesty::Honest && self.disks.per_mille(rate)
    }

    fn has_left(&self, node: usize) -> bool {
        self.plan
            .leaver
            .is_some_and(|(leaver, at)| leaver == node && at <= self.now)
    }

    fn crash(&mut self, node: usize) -> Result<(), String> {
        self.stats.crashes += 1;
        self.computers[node].node = None;
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

    fn same_after_replay(&self, node: usize) -> Result<(), String> {
        let computer = &self.computers[node];
        let Some(brain) = &computer.node else { return Ok(()) };
        let replayed = computer.disk.replay();
        if planted::is(Bug::LeasesFromZero) {
            return Ok(());
        }
        same(brain.state(), &replayed)
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
                    let gifts = gifts
                        .iter()
                        .map(|(gift, feed)| disk.fill(gift.clone(), *feed))
                        .collect();
                    self.convey(node, *to, Message::Give { gifts }, &mut to_self);
                }
                Action::Send { to, message } => self.convey(node, *to, message.clone(), &mut to_self),
                Action::Run { giver, gift } => self.execute(node, *giver, gift),
                Action::Stop { giver, lease } => {
                    self.computers[node].running.remove(&(*giver, *lease));
                }
                Action::Deliver {
                    to,
                    lease,
                    row,
                    outcome,
                    fuel,
                } => {
                    let kept = self.computers[node].disk.answer(*row).cloned();
                    let output = kept.map_or(Output::of(toy::data("")), |kept| kept.output);
                    let answer = Answer {
                        span: self.span_of(node, *to, *lease),
                        outcome: *outcome,
                        fuel: *fuel,
                        micros: 1_000,
                        digest: toy::digest(*outcome, &output),
                        output,
                        pieces: 0,
                    };
                    to_self.push(Event::Ran {
                        giver: *to,
                        lease: *lease,
                        answers: vec![answer],
                    });
                }
                Action::Reply { ask, reply } => self.replied(*ask, reply),
                Action::Tell { news } => {
                    self.note_news(news);
                    self.shown.push((node, news.clone()));
                }
                Action::Keep { .. } | Action::Lift { .. } | Action::Drop { .. } | Action::Hold { .. } => {}
            }
        }
        if to_self.is_empty() {
            Ok(())
        } else {
            self.drive(node, to_self)
        }
    }

    fn span_of(&self, node: usize, giver: NodeId, lease: Lease) -> Span {
        let held = self.computers[node]
            .node
            .as_ref()
            .and_then(|brain| brain.held_span(giver, lease));
        held.unwrap_or(Span { first: 0, len: 1 })
    }

    fn convey(&mut self, from: usize, to: NodeId, message: Message, to_self: &mut Vec<Event>) {
        let to = usize::try_from(to.0 - 1).unwrap_or(0);
        if to == from {
            return to_self.push(Event::Heard {
                from: self.computers[from].id,
                message,
            });
        }
        self.stats.messages += 1;
        let Some(link) = self.link(from, to) else { return };
        let faults = self.plan.faults;
        let peace = self.peace;
        let times = match () {
            () if peace => 1,
            () if self.network.per_mille(faults.drop) => {
                self.stats.lost += 1;
                0
            }
            () if self.network.per_mille(faults.repeat) => 2,
            () => 1,
        };
        if !peace && self.network.per_mille(faults.replay) {
            self.old_messages.push((from, to, message.clone()));
        }
        for _ in 0..times {
            let slow = !peace && self.network.per_mille(faults.delay);
            let wait = if slow {
                self.network.between(1, 3_000)
            } else {
                self.network.between(0, 3)
            };
            self.later(
                wait,
                Next::Arrive {
                    from,
                    to,
                    link,
                    message: message.clone(),
                },
            );
        }
    }

    fn link(&self, a: usize, b: usize) -> Option<u64> {
        let ends = (a.min(b), a.max(b));
        self.links
            .iter()
            .find(|link| link.ends == ends && link.up)
            .map(|link| link.epoch)
    }

    fn arrive(&mut self, from: usize, to: usize, link: u64, message: Message) -> Result<(), String> {
        if self.link(from, to) != Some(link) {
            return Ok(());
        }
        if let Message::Give { gifts } = &message {
            self.computers[to].seen.extend(gifts.iter().map(|gift| gift.lease));
        }
        let sender = self.computers[from].id;
        let again = Next::Arrive {
            from,
            to,
            link,
            message: message.clone(),
        };
        self.tell(to, Event::Heard { from: sender, message }, again)
    }

    fn execute(&mut self, node: usize, giver: NodeId, gift: &Gift) {
        let lease = gift.lease;
        self.computers[node].running.insert((giver, lease));
        let toy = Toy::of(&gift.tool);
        let speed = self.computers[node].speed;
        let mut burned = 0;
        let mut answers = Vec::new();
        for (at, run) in gift.runs().enumerate() {
            let mut answer = run_toy(toy, gift, at, run);
            burned += answer.fuel.0;
            answer.micros = answer.fuel.0 * 1_000 / speed;
            self.misbehave(node, gift.act, &mut answer);
            answers.push(answer);
        }
        self.stats.burned += burned;
        self.stats.answers += answers.len() as u64;
        let life = self.computers[node].life;
        let wait = burned / speed + 1;
        // Answers come in two batches, so that half a gift can be lost.
        let late = answers.split_off(answers.len() / 2);
        if !answers.is_empty() {
            self.later(
                wait / 2,
                Next::Finish {
                    node,
                    life,
                    giver,
                    lease,
                    answers,
                },
            );
        }
        self.later(
            wait,
            Next::Finish {
                node,
                life,
                giver,
                lease,
                answers: late,
            },
        );
    }

    fn misbehave(&mut self, node: usize, act: Act, answer: &mut Answer) {
        let honesty = self.computers[node].honesty;
        if !self.peace && self.trouble.per_mille(self.plan.faults.break_run) {
            answer.outcome = Outcome::Broken;
        } else if honesty == Honesty::Liar && act == Act::Run && self.lies.per_mille(700) {
            // All liars tell the same lie.
            answer.outcome = Outcome::Right;
            answer.output = Output::of(toy::data(&format!("{}", 7 + answer.span.first)));
            answer.digest = toy::digest(answer.outcome, &answer.output);
        } else if honesty == Honesty::Overclaimer {
            answer.fuel = answer.fuel.times(2);
        }
    }

    fn finish(
        &mut self,
        node: usize,
        life: u64,
        giver: NodeId,
        lease: Lease,
        answers: Vec<Answer>,
    ) -> Result<(), String> {
        let computer = &self.computers[node];
        if computer.life != life || !computer.running.contains(&(giver, lease)) {
            return Ok(());
        }
        let again = Next::Finish {
            node,
            life,
            giver,
            lease,
            answers: answers.clone(),
        };
        if self.computers[node].honesty == Honesty::Forger && !self.peace {
            self.forge(node, giver, &answers);
        }
        self.tell(node, Event::Ran { giver, lease, answers }, again)
    }

    /// Says that it has answers to leases of others.
    fn forge(&mut self, node: usize, giver: NodeId, answers: &[Answer]) {
        let guess = Lease(self.lies.below(200));
        let lease = self.computers[node]
            .seen
            .last()
            .map_or(guess, |seen| Lease(seen.0 ^ self.lies.below(4)));
        let mut forged = answers.to_vec();
        for answer in &mut forged {
            answer.output = Output::of(toy::data("666"));
            answer.digest = toy::digest(answer.outcome, &answer.output);
            answer.span.first = self.lies.below(90);
        }
        for guess in 0..4 {
            let lease = Lease(lease.0.wrapping_sub(guess));
            self.convey(
                node,
                giver,
                Message::Done {
                    lease,
                    answers: forged.clone(),
                },
                &mut Vec::new(),
            );
        }
    }

    fn mend(&mut self, link: usize) -> Result<(), String> {
        let (a, b) = self.links[link].ends;
        let standing = [a, b].iter().all(|end| self.computers[*end].node.is_some());
        if self.links[link].up || !standing {
            return Ok(());
        }
        if self.computers[a].paused || self.computers[b].paused {
            // Whoever stands still answers no call.
            self.later(500, Next::Mend { link });
            return Ok(());
        }
        self.links[link].up = true;
        for (here, there) in [(a, b), (b, a)] {
            let node = self.computers[there].id;
            if self.computers[here].node.is_some() {
                self.drive(here, vec![Event::Linked { node }])?;
            }
        }
        Ok(())
    }

    fn unlink(&mut self, link: usize) -> Result<(), String> {
        if !self.links[link].up {
            return Ok(());
        }
        self.links[link].up = false;
        self.links[link].epoch += 1;
        let (a, b) = self.links[link].ends;
        for (here, there) in [(a, b), (b, a)] {
            let node = self.computers[there].id;
            if self.computers[here].node.is_some() && !self.computers[here].paused {
                self.drive(here, vec![Event::Unlinked { node }])?;
            }
        }
        Ok(())
    }

    fn resume(&mut self, node: usize) -> Result<(), String> {
        self.computers[node].paused = false;
        for next in std::mem::take(&mut self.computers[node].held_back) {
            self.later(0, next);
        }
        // Links that broke meanwhile are noticed now.
        for link in 0..self.links.len() {
            let (a, b) = self.links[link].ends;
            let other = if a == node { b } else { a };
            if (a == node || b == node) && !self.links[link].up && self.computers[node].node.is_some() {
                let gone = self.computers[other].id;
                self.drive(node, vec![Event::Unlinked { node: gone }])?;
                self.later(30, Next::Mend { link });
            }
        }
        self.later(0, Next::Wake { node });
        Ok(())
    }

    fn make_trouble(&mut self) -> Result<(), String> {
        if self.peace {
            return Ok(());
        }
        self.later(1_000, Next::Trouble);
        let faults = self.plan.faults;
        for link in 0..self.links.len() {
            if self.trouble.per_mille(faults.cut) {
                self.unlink(link)?;
                let wait = self.trouble.between(10, 12_000);
                self.later(wait, Next::Mend { link });
            }
        }
        for node in 0..self.computers.len() {
            if self.trouble.per_mille(faults.pause) && !self.computers[node].paused {
                self.computers[node].paused = true;
                let wait = self.trouble.between(100, self.plan.lease.0 * 3);
                self.later(wait, Next::Resume { node });
            }
            if self.trouble.per_mille(faults.jump) {
                self.computers[node].clock_ahead += self.trouble.between(1, 20_000);
            }
            if node > 0 && self.trouble.per_mille(faults.owner) {
                let wait = self.trouble.between(100, 5_000);
                self.later(wait, Next::OwnerLeaves { node });
                self.tell(node, Event::Lends { slots: 0 }, Next::Wake { node })?;
            }
        }
        if let Some((from, to, message)) = self.old_messages.pop() {
            if let Some(link) = self.link(from, to) {
                self.later(
                    self.now.0 % 50,
                    Next::Arrive {
                        from,
                        to,
                        link,
                        message,
                    },
                );
            }
        }
        Ok(())
    }

    fn make_peace(&mut self) -> Result<(), String> {
        self.peace = true;
        for node in 0..self.computers.len() {
            self.later(0, Next::Start { node });
            self.later(1, Next::Resume { node });
            self.later(2, Next::OwnerLeaves { node });
        }
        for link in 0..self.links.len() {
            self.later(10, Next::Mend { link });
        }
        for errand in 0..self.plan.errands.len() {
            self.later(5, Next::Submit { errand });
            if self.plan.errands[errand].open {
                self.later(200, Next::Extend { errand });
            }
        }
        Ok(())
    }

    fn submit(&mut self, errand: usize) -> Result<(), String> {
        if self.computers[0].node.is_none() || self.accepted.contains(&errand) && self.peace {
            return Ok(());
        }
        let job = Box::new(job(&self.plan.errands[errand], errand));
        let ask = AskId(errand as u64 + 1);
        let again = Next::Submit { errand };
        self.tell(
            0,
            Event::Asked {
                ask,
                wish: Wish::Submit { job },
            },
            again,
        )
    }

    fn extend(&mut self, errand: usize) -> Result<(), String> {
        let what = &self.plan.errands[errand];
        let (id, from) = (job_id(errand), what.items);
        let wish = Wish::Extend {
            job: id,
            from,
            count: what.items,
        };
        self.tell(0, Event::Asked { ask: AskId(0), wish }, Next::Extend { errand })?;
        let known = self.computers[0].node.as_ref().and_then(|brain| brain.view_job(id));
        let extended = known.is_some_and(|view| view.counts.items > from || view.standing != Standing::Running);
        if extended {
            let wish = Wish::Close { job: id };
            return self.tell(0, Event::Asked { ask: AskId(0), wish }, Next::Extend { errand });
        }
        if self.peace {
            self.later(300, Next::Extend { errand });
        }
        Ok(())
    }

    fn cancel(&mut self, errand: usize) -> Result<(), String> {
        let wish = Wish::Cancel { job: job_id(errand) };
        self.tell(0, Event::Asked { ask: AskId(0), wish }, Next::Cancel { errand })
    }

    fn replied(&mut self, ask: AskId, reply: &Reply) {
        if let (Some(errand), Reply::Accepted { .. } | Reply::Refused { .. }) = (ask.0.checked_sub(1), reply) {
            self.accepted.insert(usize::try_from(errand).unwrap_or(0));
        }
    }

    fn note_news(&mut self, news: &News) {
        match news {
            News::Refused { .. } => self.stats.refused += 1,
            News::Ended { .. } => self.stats.jobs_done += 1,
            _ => {}
        }
    }

    fn all_ended(&self) -> bool {
        let Some(brain) = &self.computers[0].node else {
            return false;
        };
        let ended = |errand: usize| {
            brain
                .state()
                .job(job_id(errand))
                .is_none_or(|book| book.ended.is_some())
        };
        (0..self.plan.errands.len()).all(|errand| self.accepted.contains(&errand) && ended(errand))
    }

    fn what_hangs(&self) -> String {
        let Some(brain) = &self.computers[0].node else {
            return "the first node is down".to_owned();
        };
        let hanging = brain.state().tasks().iter().filter(|(_, task)| !task.over);
        let told: Vec<String> = hanging
            .map(|(id, task)| {
                let p = &task.parts;
                format!(
                    "{id:?} {:?} {:?} count {} next {} again {} out {:?} pending {} opened {} ending {:?} limit {:?}",
                    task.owner,
                    task.stage,
                    p.count,
                    p.next,
                    p.again.count(),
                    p.out,
                    p.pending.len(),
                    p.opened.len(),
                    p.ending,
                    p.raised
                )
            })
            .collect();
        let purses: Vec<String> = brain
            .state()
            .tasks()
            .keys()
            .filter_map(|id| brain.state().purse(*id))
            .map(|p| format!("{p:?}"))
            .collect();
        format!("{} | {} | {:?}", told.join("; "), purses.join("; "), brain.view_peers())
    }

    /// At the end: every answer is what one computer alone would have given, and every book balances.
    fn examine(&mut self) -> Result<(), String> {
        for node in 0..self.computers.len() {
            if let Some(brain) = &self.computers[node].node {
                brain.state().check()?;
                self.same_after_replay(node)?;
            }
        }
        let books = self.computers[0]
            .node
            .iter()
            .flat_map(|brain| brain.state().ledger().accounts());
        if let Some((account, held)) = books.filter(|(account, _)| matches!(account, Account::Hold(_))).next() {
            return Err(format!("{held} are still set aside on {account:?}"));
        }
        for (errand, what) in self.plan.errands.iter().enumerate() {
            self.examine_answers(errand, what)?;
        }
        self.examine_payments()
    }

    fn examine_answers(&self, errand: usize, what: &Errand) -> Result<(), String> {
        let Some(brain) = &self.computers[0].node else {
            return Ok(());
        };
        let Some(view) = brain.view_job(job_id(errand)) else {
            return Ok(());
        };
        if view.standing == Standing::Running {
            return Err(format!("job {errand} has not ended"));
        }
        if view.spent > view.job.budget {
            return Err(format!("job {errand} cost more than its budget"));
        }
        if what.cancel_at.is_some() || view.standing == Standing::Unpaid {
            return Ok(());
        }
        let disk = &self.computers[0].disk;
        let root = view.root;
        if view.merged && view.standing == Standing::Done {
            let (stage, first) = view.answer;
            let row = crate::node::Row {
                task: root,
                stage,
                first,
            };
            let told = disk
                .answer(row)
                .map(|kept| toy::text(&kept.output.stdout))
                .unwrap_or_default();
            if !merged_agrees(what.toy, view.counts.items, &told) {
                return Err(format!("job {errand}: merged answer {told:?} is wrong"));
            }
            return Ok(());
        }
        self.examine_items(errand, what.toy, root, view.counts.items)
    }

    fn examine_items(&self, errand: usize, toy: Toy, root: TaskId, items: u64) -> Result<(), String> {
        let mut at = 0;
        for kept in self.computers[0]
            .disk
            .answers(root, Stage::Work.row(), Span { first: 0, len: items })
        {
            if kept.span.first != at {
                return Err(format!("job {errand}: item {at} has no answer"));
            }
            at = kept.span.end();
            let (outcome, _) = toy.alone(kept.span.first, kept.span.len);
            let told = toy::text(&kept.output.stdout);
            let right = match outcome {
                Outcome::Right => kept.outcome == Outcome::Right && toy.agrees(kept.span.first, kept.span.len, &told),
                failure => kept.outcome == failure,
            };
            // A tool that no machine could run has failed for another reason than its own.
            let gave_up = kept.outcome.is_failure() && self.plan.faults.break_run > 0;
            if !right && !gave_up {
                return Err(format!(
                    "job {errand}: item {} is {:?} {told:?}, by {:?}",
                    kept.span.first, kept.outcome, kept.by
                ));
            }
        }
        if at != items && self.plan.faults.break_run == 0 {
            return Err(format!("job {errand}: answers end at item {at} of {items}"));
        }
        Ok(())
    }

    /// Nobody believes to have been paid more than was paid.
    fn examine_payments(&self) -> Result<(), String> {
        for giver in &self.computers {
            let Some(brain) = &giver.node else { continue };
            for (node, record) in brain.state().peers() {
                let there = usize::try_from(node.0 - 1).ok().and_then(|at| self.computers.get(at));
                let believed = giver.honesty == Honesty::Honest;
                if believed && record.trust.caught && there.is_some_and(|there| there.honesty == Honesty::Honest) {
                    return Err(format!("{node:?} is honest and was taken for a liar"));
                }
                let Some(other) = there.and_then(|there| there.node.as_ref()) else {
                    continue;
                };
                let heard = other
                    .state()
                    .peer(giver.id)
                    .map(|record| record.paid_us)
                    .unwrap_or_default();
                if heard > record.paid_them {
                    return Err(format!("{node:?} believes {heard:?}, was paid {:?}", record.paid_them));
                }
            }
        }
        Ok(())
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

fn job_id(errand: usize) -> JobId {
    JobId(1_000 + errand as u64)
}

fn job(what: &Errand, errand: usize) -> Job {
    Job {
        id: job_id(errand),
        owner: PersonId(1),
        name: Arc::from("errand"),
        tool: Arc::new(what.toy.tool()),
        source: Source::Numbers {
            from: 0,
            count: what.items,
        },
        chunk: what.chunk,
        check: what.check,
        merge: what.merge,
        open: what.open,
        budget: Credits(what.budget),
        fails_max: u64::MAX,
    }
}

/// One run of a toy in an executor.
fn run_toy(toy: Toy, gift: &Gift, at: usize, run: Span) -> Answer {
    let input = match &gift.inputs {
        Inputs::Carried { data } => toy::text(&data[at]),
        Inputs::Numbers { from } => {
            let first = from + run.first;
            format!("{}..{}", toy.input(first).0, toy.input(first + run.len - 1).1)
        }
    };
    let mut pieces = 0;
    let (mut outcome, text, fuel) = match gift.act {
        Act::Run | Act::Solve { .. } => toy.run(toy::range_of(&input)),
        Act::Split { ways } => {
            let cut = toy.split(toy::range_of(&input), ways);
            pieces = cut.len() as u64;
            let cut: Vec<String> = cut.iter().map(|(from, to)| format!("{from}..{to}")).collect();
            (Outcome::Right, cut.join("\n"), Fuel(1_000))
        }
        Act::Merge => {
            let outputs: Vec<String> = input.split('\n').map(str::to_owned).collect();
            (Outcome::Right, toy.merge(&outputs), Fuel(1_000))
        }
        Act::Check => {
            let (range, output) = input.split_once('\n').unwrap_or((&input, ""));
            (toy.check(toy::range_of(range), output), String::new(), Fuel(1_000))
        }
    };
    if fuel > gift.fuel {
        outcome = Outcome::OutOfFuel;
    }
    if outcome == Outcome::OutOfFuel && gift.fuel >= gift.tool.caps.fuel {
        outcome = Outcome::Trapped { trap: Trap::OutOfFuel };
    }
    let output = Output::of(toy::data(&text));
    Answer {
        span: run,
        outcome,
        fuel: fuel.min(gift.fuel),
        micros: 0,
        digest: toy::digest(outcome, &output),
        output,
        pieces,
    }
}

fn merged_agrees(toy: Toy, items: u64, told: &str) -> bool {
    let each: Vec<String> = (0..items).map(|item| toy.alone(item, 1).1).collect();
    if toy.abilities().first {
        let found = each.iter().position(|answer| answer != "none");
        return match found {
            None => told == "none",
            Some(_) => (0..items).any(|item| toy.agrees(item, 1, told) && told != "none"),
        };
    }
    toy.merge(&each) == told
}

/// A state that came out of the journal is the state that was lost, but for what was done for neighbours.
fn same(state: &State, replayed: &State) -> Result<(), String> {
    let lasting = |state: &State| {
        let facts = state
            .facts()
            .into_iter()
            .filter(|fact| !matches!(fact, Fact::Numbered { .. }));
        let facts = facts.map(without_trust);
        let nobody = |fact: &Fact| matches!(fact, Fact::Known { record, .. } if *record == Record::default());
        facts.filter(|fact| !nobody(fact)).collect::<Vec<_>>()
    };
    let (live, again) = (lasting(state), lasting(replayed));
    let known = |facts: &[Fact], fact: &Fact| facts.contains(fact);
    let lost = live.iter().find(|fact| !known(&again, fact));
    let made_up = again.iter().find(|fact| !known(&live, fact));
    match (lost, made_up) {
        (None, None) => Ok(()),
        differs => Err(format!("replay differs: {differs:?}")),
    }
}

/// Trust that grew in work for neighbours is not journaled.
fn without_trust(fact: Fact) -> Fact {
    match fact {
        Fact::Known { node, mut record } => {
            record.trust.passed = 0;
            Fact::Known { node, record }
        }
        fact => fact,
    }
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
