//! A node: hub, lender or peer, whichever its settings and its neighbours make of it.
//!
//! Handlers take note of what happened and record facts; `place` then looks at what *is* and fills the gap. Retry,
//! lost lender, slow lender, repeated answer and declined offer are that one line, not five features.

mod action;
mod circle;
mod desk;
mod event;
mod favours;
mod finish;
mod give;
mod hear;
mod inputs;
mod judge;
mod made;
mod people;
mod posts;
mod proofs;
mod prove;
mod share;
mod shown;
#[cfg(test)]
mod stories;

pub use action::{Action, Feed, FeedFrom, Kept, Kind, News, Reply, Row};
pub use event::{Change, Event, Revoked, Wish};
pub use posts::{Cause, Entry};

use crate::estimate::Estimate;
use crate::id::{Incarnation, JobId, Lease, NodeId, PersonId, TaskId};
use crate::job::Standing;
use crate::limits;
use crate::message::{Gift, Message};
use crate::peer::Presence;
use crate::place::Want;
use crate::planted::{self, Bug};
use crate::state::{Fact, State};
use crate::task::Task;
use crate::units::{Fuel, Millis};
use crate::view::{self, JobView, PeerView, Reason};
use desk::Desk;
use made::Trees;
use shown::Shows;
use std::collections::{BTreeMap, BTreeSet};

/// What a node is set up to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    pub id: NodeId,
    /// Parts it runs at one time; zero for a hub that does not lend.
    pub slots: u32,
    /// Bytes that one part may have here; 0 for as many as a job allows.
    pub memory: u64,
    /// Takes whole pieces of its neighbours and splits them further: a peer.
    pub solves: bool,
    /// How long a silent lender keeps its leases.
    pub lease: Millis,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    config: Config,
    state: State,
    now: Millis,
    /// Neighbours, this node itself among them.
    presence: BTreeMap<NodeId, Presence>,
    /// Neighbours whose answers are believed.
    believed: BTreeSet<NodeId>,
    /// Answers that are to be run again only because nothing is known yet of who gave them.
    on_probation: BTreeMap<NodeId, BTreeSet<(TaskId, u64)>>,
    /// What is known about gifts that are out, beyond the books.
    watched: BTreeMap<Lease, Watched>,
    /// What a part of a job costs, by the root of its tree.
    estimates: BTreeMap<TaskId, Estimate>,
    /// Answers whose proof broke the machine that made it: not before then again.
    unproved_until: BTreeMap<(TaskId, u64), Millis>,
    /// Neighbours that could take more.
    hungry: BTreeSet<(Want, NodeId)>,
    /// Neighbours about which something changed in this batch.
    touched: BTreeSet<NodeId>,
    /// Tasks in which something failed just now.
    failing: BTreeSet<TaskId>,
    /// Neighbours to be told what they were paid in all.
    to_pay: BTreeSet<NodeId>,
    /// What a lender was given beyond its window, for somebody who had nothing.
    beyond: BTreeMap<NodeId, Lease>,
    /// When such a gift has waited for long.
    long_at: BTreeSet<(Millis, NodeId, Lease)>,
    /// The last lender at which room beyond its window was looked for.
    looked_at: NodeId,
    /// When to look at a neighbour again: it may have gone silent, or rested enough.
    alarms: BTreeSet<(Millis, NodeId)>,
    /// Slots of all neighbours that are here.
    slots_all: u64,
    /// Gifts of this batch.
    giving: BTreeMap<NodeId, Vec<(Gift, Feed)>>,
    /// What inputs were cut into in this batch.
    cut: BTreeMap<TaskId, u64>,
    /// Jobs that somebody submitted, in which minute.
    submits: BTreeMap<PersonId, (u64, u32)>,
    /// The number of the last line in an account.
    posted: u64,
    desk: Desk,
    shows: Shows,
    trees: Trees,
    facts: Vec<Fact>,
    actions: Vec<Action>,
}

/// A gift that is out.
#[derive(Debug, Clone, Copy)]
struct Watched {
    holder: NodeId,
    given: Millis,
    /// After this long it counts as slow.
    patience: Millis,
    /// Expected fuel of one run.
    run: Fuel,
}

impl Node {
    /// A node whose journal says what `state` says.
    pub fn new(config: Config, state: State, now: Millis) -> Node {
        let own = Presence {
            linked: true,
            slots: config.slots,
            memory: config.memory,
            trusted: true,
            heard: now,
            ..Presence::default()
        };
        Node {
            desk: Desk::new(config),
            config,
            state,
            now,
            presence: BTreeMap::from([(config.id, own)]),
            believed: BTreeSet::from([config.id]),
            on_probation: BTreeMap::new(),
            watched: BTreeMap::new(),
            estimates: BTreeMap::new(),
            unproved_until: BTreeMap::new(),
            hungry: BTreeSet::new(),
            touched: BTreeSet::from([config.id]),
            failing: BTreeSet::new(),
            to_pay: BTreeSet::new(),
            beyond: BTreeMap::new(),
            long_at: BTreeSet::new(),
            looked_at: NodeId::default(),
            alarms: BTreeSet::new(),
            slots_all: u64::from(config.slots),
            giving: BTreeMap::new(),
            cut: BTreeMap::new(),
            submits: BTreeMap::new(),
            posted: 0,
            shows: Shows::default(),
            trees: Trees::default(),
            facts: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Decides on a batch of events. The facts that it took are in [`Node::take_facts`]: they belong on the disk
    /// before any action is performed.
    pub fn handle(&mut self, now: Millis, events: Vec<Event>) -> Vec<Action> {
        self.now = self.now.max(now);
        for event in events {
            self.on(event);
        }
        self.ring_alarms();
        self.make_room();
        self.tend_desk();
        self.tend_shows();
        loop {
            self.finish();
            if !self.place() && !self.begin_piece() {
                break;
            }
        }
        self.tend_shows();
        self.tell_payments();
        #[cfg(debug_assertions)]
        if let Err(imbalance) = self.state.check() {
            panic!("after an event: {imbalance}");
        }
        // The next batch will probably need as much room.
        let room = self.actions.len();
        std::mem::replace(&mut self.actions, Vec::with_capacity(room))
    }

    /// The facts of the last batch, to be journaled.
    pub fn take_facts(&mut self) -> Vec<Fact> {
        let room = self.facts.len();
        std::mem::replace(&mut self.facts, Vec::with_capacity(room))
    }

    /// When something will have to be looked at although nothing happens.
    pub fn next_wake(&self) -> Option<Millis> {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let slow = self.slow_at();
        let long = self.long_at.first().map(|(at, ..)| *at);
        [alarm, slow, long, self.desk.next_wake(), self.shows.next_wake()]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(self.now.plus(Millis(1))))
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The moment of the last batch.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// How long a gift has been out, if it still is.
    pub fn out_for(&self, lease: Lease) -> Option<Millis> {
        self.watched.get(&lease).map(|watched| self.now.since(watched.given))
    }

    /// One job as people see it.
    pub fn view_job(&self, job: JobId) -> Option<JobView> {
        view::job(&self.state, &self.presence, self.state.job(job)?)
    }

    /// What stands how far of a task.
    pub fn counts(&self, task: &Task) -> view::Counts {
        view::counts(&self.state, &self.presence, task)
    }

    /// All jobs, in the order of their ids.
    pub fn view_jobs(&self) -> impl Iterator<Item = JobView> + '_ {
        self.state.jobs().values().filter_map(|book| view::job(&self.state, &self.presence, book))
    }

    /// All neighbours, this node among them.
    pub fn view_peers(&self) -> Vec<PeerView> {
        view::peers(&self.state, &self.presence, self.now)
    }

    /// Why a job is not further than it is.
    pub fn why(&self, job: JobId) -> Vec<Reason> {
        view::why(&self.state, &self.presence, self.now, job)
    }

    /// How many running jobs have parts that wait for a lender.
    pub fn waiting_jobs(&self) -> u64 {
        view::wanted(&self.state).len() as u64
    }

    /// After how long a job may get its next part, as far as that can be told.
    pub fn soonest(&self, job: JobId) -> Option<Millis> {
        let book = self.state.job(job).filter(|book| book.standing == Standing::Running)?;
        view::soonest(&self.presence, self.now, book.job.tool.caps.memory_bytes)
    }

    /// Who lends to somebody, told apart by what keeps them from work.
    pub fn crew(&self, of: PersonId) -> view::Crew {
        view::crew(&self.state, &self.presence, self.now, of)
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Started { incarnation, secret } => self.started(incarnation, secret),
            Event::Asked { ask, wish } => self.asked(ask, wish),
            Event::Linked { node } => self.linked(node),
            Event::Unlinked { node } => self.unlinked(node),
            Event::Heard { from, message } => self.heard(from, message),
            Event::Ran { giver, lease, answers } => self.ran(giver, lease, answers),
            Event::Solved { giver, lease, answer, parts } => self.has_solved(giver, lease, answer, parts),
            Event::Shown { giver, lease, answers } => self.send(giver, Message::Shown { lease, answers }),
            Event::Lends { slots } => self.lends(slots),
            Event::Keeps { slots } => self.keeps(slots),
            Event::Leaves => self.leaves(),
            Event::Woke => {}
        }
    }

    /// A life begins. What this node itself was working on it has forgotten; its lenders have not, and get a full
    /// new term to say so.
    fn started(&mut self, incarnation: Incarnation, secret: u64) {
        self.record(Fact::Started { incarnation, secret });
        self.lost(self.config.id);
        self.earn_for_the_founder(self.config.id);
        let known: Vec<(NodeId, bool)> =
            self.state.peers().iter().map(|(node, record)| (*node, !record.leases.is_empty())).collect();
        for (node, holds) in known {
            // When it was heard last nobody has written down: not since now.
            let now = self.now;
            let peer = self.presence.entry(node).or_default();
            // Of those that held nothing, nobody knows whether they are to be waited for.
            (peer.heard, peer.left) = (now, !holds);
            if holds {
                self.look_again(node, now.plus(self.config.lease));
            }
        }
    }

    /// Slots that could work on a task and what it is cut into: not those of whoever gave it.
    fn slots_below(&self, giver: Option<NodeId>) -> u64 {
        let givers = giver.and_then(|giver| self.presence.get(&giver)).map_or(0, |peer| u64::from(peer.slots));
        self.slots_all.saturating_sub(givers)
    }

    /// The only way to change the state: what is recorded is applied at once and journaled with the batch.
    fn record(&mut self, fact: Fact) {
        let journaled = self.state.is_journaled(&fact);
        let accounts = posts::about(&self.state, &fact);
        self.state.apply(&fact);
        self.post(accounts);
        debug_assert_eq!(self.state.misfits(), 0, "{fact:?} does not fit");
        self.take_note(&fact);
        if journaled {
            self.facts.push(fact);
        }
    }

    /// The evidence of what is judged is not needed any more.
    fn take_note(&mut self, fact: &Fact) {
        match fact {
            Fact::Proved { task, .. }
            | Fact::Unsettled { task, .. }
            | Fact::Refuted { task, .. }
            | Fact::Believed { task, .. }
            | Fact::Withdrawn { task, .. }
            | Fact::GaveUp { task, .. }
            | Fact::Ended { task, .. } => self.shows.judged(*task),
            Fact::Caught { .. } => self.shows.all_judged(),
            _ => {}
        }
    }

    /// The task for which a neighbour may bring something under that lease: an answer, or what one is made of.
    pub fn awaited(&self, from: NodeId, lease: Lease) -> Option<TaskId> {
        let given = self.state.lease(lease).filter(|(_, grant)| grant.to == from);
        given.map(|(task, _)| task).or_else(|| self.shows.task_of(from, lease))
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.actions.push(Action::Send { to, message });
    }

    fn tell(&mut self, news: News) {
        self.actions.push(Action::Tell { news });
    }

    /// Looks at neighbours whose time has come: silent ones lose their leases.
    fn ring_alarms(&mut self) {
        while let Some((at, node)) = self.alarms.first().copied() {
            if at > self.now {
                return;
            }
            self.alarms.remove(&(at, node));
            self.touched.insert(node);
            let Some(peer) = self.presence.get(&node) else { continue };
            let (end, linked) = (peer.heard.plus(self.config.lease), peer.linked);
            if !linked {
                self.is_gone(node);
            }
            if end > self.now {
                self.alarms.insert((end, node));
            } else {
                self.silent(node);
            }
        }
    }

    /// A neighbour has said nothing for the length of a lease: it holds nothing any more, and gets nothing until it
    /// speaks again.
    fn silent(&mut self, node: NodeId) {
        if node == self.config.id || planted::is(Bug::ForgetTheLost) {
            return;
        }
        self.lost(node);
        self.offers(node, 0);
        if self.presence.get(&node).is_some_and(|peer| peer.linked) {
            self.look_again(node, self.now.plus(self.config.lease));
        }
    }

    /// Neighbours are told all that they were ever paid: a lost or repeated message does no harm.
    fn tell_payments(&mut self) {
        for node in std::mem::take(&mut self.to_pay) {
            let Some(record) = self.state.peer(node) else { continue };
            if node != self.config.id && self.presence.get(&node).is_some_and(|peer| peer.linked) {
                let total = record.paid_them;
                self.send(node, Message::Pay { total });
            }
        }
    }

    /// A neighbour will be looked at again at that moment at the latest.
    fn look_again(&mut self, node: NodeId, at: Millis) {
        self.alarms.insert((at, node));
    }

    /// A number below 1,000 about one item, which nobody outside can guess.
    fn draw(&self, task: TaskId, item: u64) -> u32 {
        crate::verify::draw(self.state.secret(), task.0, item)
    }

    /// How long a neighbour that declined or broke something is left alone.
    fn rest(&mut self, node: NodeId, span: Millis) {
        let until = self.now.plus(span);
        if let Some(peer) = self.presence.get_mut(&node) {
            peer.resting_until = peer.resting_until.max(until);
        }
        self.look_again(node, until);
        self.touched.insert(node);
    }

    /// How long a neighbour gets nothing of one task's tree, so that somebody else tries it. Others' work goes on there: what
    /// takes too long may be the tool's own doing.
    fn rest_from(&mut self, root: TaskId, node: NodeId, span: Millis) {
        let (now, until) = (self.now, self.now.plus(span));
        if let Some(peer) = self.presence.get_mut(&node) {
            peer.rests_from.retain(|_, until| *until > now);
            peer.rests_from.insert(root, until);
        }
        self.look_again(node, until);
        self.touched.insert(node);
    }

    /// How often a lender says that it lives.
    fn alive_every(&self) -> Millis {
        let third = Millis(self.config.lease.0 / 3);
        if planted::is(Bug::LazyHeartbeat) {
            self.config.lease.plus(self.config.lease)
        } else {
            third.min(limits::ALIVE_EVERY)
        }
    }
}
