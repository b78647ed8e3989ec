//! The lender's side of a node: gifts that it holds for others, and for itself.
//!
//! None of this is on the books: the giver will place it again. Answers are kept until the giver has noted them.

use super::favours::Line;
use super::made::Made;
use super::{Action, Config, Node};
use crate::circle::FOUNDER;
use crate::id::{JobId, Lease, NodeId, TaskId};
use crate::limits;
use crate::message::{Answer, Decline, Gift, Inputs, Message};
use crate::split;
use crate::state::Fact;
use crate::task::{Act, Span, Why};
use crate::units::{Credits, Millis};
use std::collections::{BTreeMap, VecDeque};

/// All gifts at hand.
#[derive(Debug)]
pub(super) struct Desk {
    me: NodeId,
    solves: bool,
    pub(super) slots: u32,
    /// Slots for its own jobs, whether or not its owner lends just now: a peer's own jobs are its owner's, and of a hub's
    /// those of whoever began the circle.
    pub(super) own: u32,
    pub(super) gifts: BTreeMap<(NodeId, Lease), Held>,
    queue: VecDeque<(NodeId, Lease)>,
    /// Gifts that wait to become tasks, the oldest first.
    pub(super) pieces: VecDeque<(NodeId, Lease)>,
    /// Gifts that are tasks, or wait to be, by job and by levels of split above them.
    pub(super) trees: BTreeMap<JobId, BTreeMap<u8, u32>>,
    /// Gifts that are tasks of this node.
    pub(super) tasks: usize,
    pub(super) line: Line,
    running: u32,
    /// Gifts at work, by job.
    at_work: BTreeMap<JobId, u32>,
    alive_at: Millis,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) gift: Gift,
    stage: HeldStage,
    /// Answers that the giver has not noted.
    unnoted: BTreeMap<u64, Answer>,
    /// Runs without an answer.
    left: u64,
    /// What its answer is made of, once it has one that is made of parts.
    pub(super) made: Option<Made>,
    /// When the giver was last at hand; after [`limits::SPOOL`] its answers are dropped.
    since: Millis,
    /// When it came.
    pub(super) taken: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeldStage {
    Queued,
    Running,
    /// It has become a task of this node.
    Task(TaskId),
    Finished,
}

impl Held {
    /// The one answer of a piece.
    pub(super) fn answer(&self) -> Option<&Answer> {
        self.unnoted.first_key_value().map(|(_, answer)| answer)
    }
}

impl Desk {
    pub(super) fn new(config: Config) -> Desk {
        Desk {
            me: config.id,
            solves: config.solves,
            slots: config.slots,
            own: if config.solves { config.slots } else { 0 },
            gifts: BTreeMap::new(),
            queue: VecDeque::new(),
            pieces: VecDeque::new(),
            trees: BTreeMap::new(),
            tasks: 0,
            line: Line::default(),
            running: 0,
            at_work: BTreeMap::new(),
            alive_at: Millis(0),
        }
    }

    pub(super) fn queue(&self) -> &VecDeque<(NodeId, Lease)> {
        &self.queue
    }

    fn is_made(&self, giver: NodeId, lease: Lease) -> bool {
        self.gifts.get(&(giver, lease)).is_some_and(|held| held.made.is_some())
    }

    fn is_done(&self, giver: NodeId, lease: Lease) -> bool {
        self.gifts.get(&(giver, lease)).is_some_and(|held| held.stage == HeldStage::Finished)
    }

    pub(super) fn slots(&self) -> u32 {
        self.slots
    }

    /// What is held for a giver.
    pub(super) fn holding(&self, giver: NodeId) -> Vec<Lease> {
        self.of(giver).map(|(lease, _)| lease).collect()
    }

    /// The giver has these answers on its books.
    pub(super) fn noted(&mut self, giver: NodeId, noted: &[(Lease, Span)], actions: &mut Vec<Action>) {
        for (lease, span) in noted {
            let Some(held) = self.gifts.get_mut(&(giver, *lease)) else {
                continue;
            };
            let firsts: Vec<u64> = held.unnoted.range(span.first..span.end()).map(|(first, _)| *first).collect();
            firsts.iter().for_each(|first| drop(held.unnoted.remove(first)));
            if held.stage == HeldStage::Finished && held.unnoted.is_empty() {
                self.forget(giver, *lease, actions);
            }
        }
    }

    /// A giver can be reached again: it is told all answers that it has not noted.
    pub(super) fn send_again(&mut self, giver: NodeId, actions: &mut Vec<Action>) {
        for (lease, held) in self.of(giver) {
            if let Some(solved) = held.solved(lease) {
                actions.push(Action::Send { to: giver, message: solved });
                continue;
            }
            let answers: Vec<Answer> = held.unnoted.values().cloned().collect();
            for some in answers.chunks(limits::ANSWERS_MAX) {
                let message = Message::Done { lease, answers: some.to_vec() };
                actions.push(Action::Send { to: giver, message });
            }
        }
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        // A piece is begun after a while, whoever is busy.
        let piece = self.pieces.front().and_then(|key| self.gifts.get(key));
        let piece = piece.filter(|_| self.tasks < limits::TASKS_FOR_PEERS_MAX);
        let piece = piece.map(|held| held.taken.plus(limits::PIECE_WAIT));
        (self.alive_at > Millis(0)).then_some(self.alive_at).into_iter().chain(piece).min()
    }

    pub(super) fn of(&self, giver: NodeId) -> impl Iterator<Item = (Lease, &Held)> + '_ {
        let all = (giver, Lease(0))..=(giver, Lease(u64::MAX));
        self.gifts.range(all).map(|((_, lease), held)| (*lease, held))
    }

    fn forget(&mut self, giver: NodeId, lease: Lease, actions: &mut Vec<Action>) {
        let Some(held) = self.gifts.remove(&(giver, lease)) else {
            return;
        };
        match held.stage {
            HeldStage::Running => {
                self.ended(held.gift.job);
                actions.push(Action::Stop { giver, lease });
            }
            HeldStage::Queued => {
                let is_piece = matches!(held.gift.act, Act::Solve { .. });
                let line = if is_piece { &mut self.pieces } else { &mut self.queue };
                line.retain(|queued| *queued != (giver, lease));
                self.leave_tree(&held.gift);
            }
            HeldStage::Task(_) => {
                self.tasks -= 1;
                self.leave_tree(&held.gift);
            }
            HeldStage::Finished => {}
        }
        if let Some(made) = held.made.filter(|_| held.stage == HeldStage::Finished) {
            actions.push(Action::Drop { task: made.task });
        }
    }

    /// A piece of a job is here.
    pub(super) fn join_tree(&mut self, gift: &Gift) {
        if let Act::Solve { depth } = gift.act {
            *self.trees.entry(gift.job).or_default().entry(depth).or_default() += 1;
        }
    }

    /// A piece of a job is not here any more. When it was the last one, others of this job are welcome again.
    fn leave_tree(&mut self, gift: &Gift) {
        let Act::Solve { depth } = gift.act else { return };
        let Some(levels) = self.trees.get_mut(&gift.job) else { return };
        if let Some(count) = levels.get_mut(&depth) {
            *count -= 1;
            if *count == 0 {
                levels.remove(&depth);
            }
        }
        if levels.is_empty() {
            self.trees.remove(&gift.job);
            self.line.job_is_gone(gift.job);
        }
    }

    /// Whether another gift may begin at all.
    pub(super) fn has_slot(&self) -> bool {
        let begun = if self.solves { limits::BEGUN_PER_SLOT_OF_PEERS } else { limits::BEGUN_PER_SLOT };
        !self.queue.is_empty() && self.running < self.slots.max(1).saturating_mul(begun)
    }

    /// Whether this gift may begin now. A hub that does not lend still proves answers, one at a time.
    pub(super) fn may_start(&self, key: &(NodeId, Lease)) -> bool {
        let slots = self.slots.max(1);
        // The slot beyond is for this node's own proofs, splits and merges: they must not wait for long parts. Nor
        // must a job of which nothing runs here: what runs at one time is for the executors to share among jobs.
        self.running < slots || self.running == slots && self.is_own(key) || self.is_new(key)
    }

    /// Whether a gift is for the slot beyond: a peer's own parts are not, since it has parts as long as others have.
    fn is_own(&self, key: &(NodeId, Lease)) -> bool {
        let free = || self.gifts.get(key).is_some_and(|held| held.gift.price == Credits(0));
        key.0 == self.me && (!self.solves || free())
    }

    pub(super) fn start(&mut self, at: usize, actions: &mut Vec<Action>) {
        let Some(key) = self.queue.remove(at) else { return };
        let Some(held) = self.gifts.get_mut(&key) else { return };
        held.stage = HeldStage::Running;
        self.running += 1;
        *self.at_work.entry(held.gift.job).or_default() += 1;
        actions.push(Action::Run { giver: key.0, gift: Box::new(held.gift.clone()) });
    }

    fn is_new(&self, key: &(NodeId, Lease)) -> bool {
        self.gifts.get(key).is_some_and(|held| !self.at_work.contains_key(&held.gift.job))
    }

    /// A gift is not at work any more.
    fn ended(&mut self, job: JobId) {
        self.running -= 1;
        if let Some(gifts) = self.at_work.get_mut(&job) {
            *gifts -= 1;
            if *gifts == 0 {
                self.at_work.remove(&job);
            }
        }
    }
}

impl Node {
    /// A giver lends pieces.
    pub(super) fn taken(&mut self, from: NodeId, gifts: Vec<Gift>) {
        let mut refused: BTreeMap<Decline, Vec<Lease>> = BTreeMap::new();
        for gift in gifts.into_iter().take(limits::GIFTS_PER_PEER_MAX) {
            let lease = gift.lease;
            if self.desk.gifts.contains_key(&(from, lease)) {
                continue;
            }
            if let Err(why) = self.take(from, gift) {
                refused.entry(why).or_default().push(lease);
            }
        }
        for (why, leases) in refused {
            self.send(from, Message::Decline { leases, why });
        }
    }

    fn take(&mut self, from: NodeId, gift: Gift) -> Result<(), Decline> {
        let me = self.config.id;
        let runs = gift.run_count();
        let carried = match &gift.inputs {
            Inputs::Numbers { .. } => runs,
            Inputs::Carried { data } => data.len() as u64,
        };
        if runs == 0 || runs > limits::GIFT_PIECES_MAX || carried != runs || from != me && !gift.is_bounded() {
            return Err(Decline::Absurd);
        }
        if from != me && self.desk.slots == 0 {
            return Err(Decline::Paused);
        }
        if from != me && self.config.memory > 0 && gift.tool.caps.memory_bytes > self.config.memory {
            // It would fail here for want of what it may have elsewhere.
            return Err(Decline::Full);
        }
        if self.desk.of(from).count() >= limits::GIFTS_PER_PEER_MAX || from != me && self.is_crowded(from) {
            return Err(Decline::Full);
        }
        let key = (from, gift.lease);
        let held = Held {
            stage: HeldStage::Queued,
            unnoted: BTreeMap::new(),
            left: runs,
            made: None,
            since: self.now,
            taken: self.now,
            gift,
        };
        if let Act::Solve { depth } = held.gift.act {
            if runs != 1 {
                return Err(Decline::Absurd);
            }
            self.take_piece(key, &held.gift, depth)?;
        } else if from == me && self.is_proof(held.gift.lease) {
            self.desk.queue.push_front(key);
        } else {
            self.desk.queue.push_back(key);
        }
        self.desk.gifts.insert(key, held);
        Ok(())
    }

    /// A piece that waited becomes a task of this node.
    pub(super) fn make_task(&mut self, key: (NodeId, Lease)) {
        let Some(held) = self.desk.gifts.get(&key) else { return };
        let (gift, Act::Solve { depth }) = (held.gift.clone(), held.gift.act) else { return };
        let task = self.state.next_task();
        let stage = split::first_stage(&gift.tool, depth, self.slots_below(Some(key.0)));
        let without_inputs = Gift { inputs: Inputs::Carried { data: Vec::new() }, ..gift.clone() };
        self.record(Fact::Taken { task, from: key.0, gift: Box::new(without_inputs), stage });
        self.actions.push(Action::Hold { task, gift: Box::new(gift) });
        self.desk.tasks += 1;
        if let Some(held) = self.desk.gifts.get_mut(&key) {
            held.stage = HeldStage::Task(task);
        }
    }

    fn is_proof(&self, lease: Lease) -> bool {
        self.state.lease(lease).is_some_and(|(_, grant)| matches!(grant.why, Why::Proof(_)))
    }

    /// The one run of a piece that has become a task of this node.
    pub fn held_span(&self, giver: NodeId, lease: Lease) -> Option<Span> {
        self.desk.gifts.get(&(giver, lease))?.gift.runs().next()
    }

    /// Executors have answers.
    pub(super) fn ran(&mut self, giver: NodeId, lease: Lease, answers: Vec<Answer>) {
        let Some(held) = self.desk.gifts.get_mut(&(giver, lease)) else {
            return;
        };
        held.left = held.left.saturating_sub(answers.len() as u64);
        let (job, all) = (held.gift.job, held.left == 0);
        let was = if all { std::mem::replace(&mut held.stage, HeldStage::Finished) } else { held.stage };
        let gift = matches!(was, HeldStage::Task(_)).then(|| held.gift.clone());
        if giver != self.config.id {
            held.unnoted.extend(answers.iter().map(|answer| (answer.span.first, answer.clone())));
        }
        if all && was == HeldStage::Running {
            self.desk.ended(job);
        }
        if giver == self.config.id {
            if all {
                self.desk.gifts.remove(&(giver, lease));
            }
            return self.answers(giver, lease, answers);
        }
        self.serve(giver, &answers);
        self.not_ready(giver, lease);
        if let (true, HeldStage::Task(task), Some(gift)) = (all, was, gift) {
            self.desk.tasks -= 1;
            self.desk.leave_tree(&gift);
            if !self.desk.is_made(giver, lease) {
                self.actions.push(Action::Drop { task });
            }
        }
        if self.presence.get(&giver).is_some_and(|peer| peer.linked) {
            let solved = self.desk.gifts.get(&(giver, lease)).and_then(|held| held.solved(lease));
            self.send(giver, solved.unwrap_or(Message::Done { lease, answers }));
        }
    }

    /// A giver does not wait for these any more.
    pub(super) fn called_back(&mut self, giver: NodeId, leases: &[Lease]) {
        for lease in leases {
            let stage = self.desk.gifts.get(&(giver, *lease)).map(|held| held.stage);
            self.desk.forget(giver, *lease, &mut self.actions);
            self.not_ready(giver, *lease);
            if let Some(HeldStage::Task(task)) = stage {
                self.abandon(task);
            }
        }
    }

    /// The owner comes or goes: slots change; with none left, everything held for others goes back at once.
    pub(super) fn lends(&mut self, slots: u32) {
        self.desk.slots = slots;
        let me = self.config.id;
        self.offers_itself();
        if slots == 0 {
            let unfinished = self.desk.gifts.iter().filter(|(_, held)| held.stage != HeldStage::Finished);
            let of_others = unfinished.filter(|((giver, _), _)| *giver != me);
            let of_others: Vec<(NodeId, Lease)> = of_others.map(|(key, _)| *key).collect();
            for (giver, lease) in of_others {
                self.called_back(giver, &[lease]);
                self.send(giver, Message::Decline { leases: vec![lease], why: Decline::Paused });
            }
            // Those that it gave itself are on the books, whether or not they have come yet.
            let own = self.state.peer(me).map(|record| record.leases.clone()).unwrap_or_default();
            let goes = |lease: &Lease| !self.is_proof(*lease) && !self.stays(*lease) && !self.desk.is_done(me, *lease);
            let goes: Vec<Lease> = own.into_iter().filter(goes).collect();
            self.call_back(goes);
        }
        self.say_alive();
    }

    /// A hub's owner is here, and wants own jobs to go on. A peer keeps its slots for its own in any case.
    pub(super) fn keeps(&mut self, slots: u32) {
        if !self.config.solves {
            self.desk.own = slots;
            self.offers_itself();
        }
    }

    fn offers_itself(&mut self) {
        let (me, Desk { slots, own, .. }) = (self.config.id, &self.desk);
        let (all, own_only) = ((*slots).max(*own), *slots == 0 && *own > 0 && !self.config.solves);
        self.offers(me, all);
        if let Some(here) = self.presence.get_mut(&me) {
            here.own_only = own_only;
        }
    }

    /// Whether work of this node for itself goes on while nothing is lent.
    fn stays(&self, lease: Lease) -> bool {
        let job = self.state.lease(lease).and_then(|(task, _)| Some(self.state.task(task)?.job));
        self.desk.own > 0 && (self.config.solves || job.is_some_and(|job| self.is_the_owners(job)))
    }

    /// Whether a job is of whoever began the circle.
    pub(super) fn is_the_owners(&self, job: JobId) -> bool {
        self.state.job(job).is_some_and(|book| book.job.owner == FOUNDER)
    }

    /// The node stops in good order: its givers need not wait for the lease to end.
    pub(super) fn leaves(&mut self) {
        for node in self.neighbours() {
            self.send(node, Message::Bye);
        }
    }

    /// Starts what can start, says that it lives, and drops answers that nobody has asked for in a long time.
    pub(super) fn tend_desk(&mut self) {
        self.start_gifts();
        self.call_again();
        if self.desk.alive_at <= self.now {
            if self.desk.alive_at > Millis(0) {
                self.write_favours();
                self.neighbours().into_iter().for_each(|node| self.owns(node));
                self.say_alive();
                self.neighbours().into_iter().for_each(|node| self.desk.send_again(node, &mut self.actions));
                self.drop_spool();
            }
            self.desk.alive_at = self.now.plus(self.alive_every());
        }
    }

    fn say_alive(&mut self) {
        if self.config.slots > 0 {
            self.neighbours().into_iter().for_each(|node| self.say_alive_to(node));
        }
    }

    pub(super) fn say_alive_to(&mut self, node: NodeId) {
        self.say_memory(node);
        let holding = self.desk.holding(node);
        self.send(node, Message::Alive { slots: self.desk.slots, holding });
    }

    fn drop_spool(&mut self) {
        let mut old = Vec::new();
        for ((giver, lease), held) in &mut self.desk.gifts {
            if *giver == self.config.id || self.presence.get(giver).is_some_and(|peer| peer.linked) {
                held.since = self.now;
            } else if self.now.since(held.since) > limits::SPOOL {
                old.push((*giver, *lease));
            }
        }
        for (giver, lease) in old {
            self.called_back(giver, &[lease]);
        }
    }

    fn neighbours(&self) -> Vec<NodeId> {
        let me = self.config.id;
        self.presence.iter().filter(|(node, peer)| **node != me && peer.linked).map(|(node, _)| *node).collect()
    }
}
