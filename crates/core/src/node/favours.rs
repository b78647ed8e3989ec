//! Whom this node serves first, and whom it asks to come back later.
//!
//! Among peers nobody pays with credits that count elsewhere. Each node remembers what each neighbour has done for it,
//! and when it cannot serve everybody it serves those first to whom it owes most. Now and then whoever has waited
//! longest is served all the same, so that a newcomer's first job is done.

use super::Node;
use super::desk::Held;
use crate::id::{JobId, Lease, NodeId};
use crate::limits;
use crate::message::{Answer, Decline, Gift, Message, Signed, Totals};
use crate::peer::{Favours, Record};
use crate::place::Want;
use crate::state::Fact;
use crate::units::{Credits, Fuel};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who waits, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Gifts begun while several neighbours wanted to be served.
    turn: u32,
    /// Neighbours that were turned away because this node was full, and when.
    full: BTreeMap<NodeId, u64>,
    /// Neighbours that were turned away because this node works for the same job further up.
    of_job: BTreeMap<JobId, BTreeSet<NodeId>>,
    /// Neighbours turned away so far.
    count: u64,
    /// What was done for neighbours and is not on the books yet.
    served: BTreeMap<NodeId, Credits>,
    /// What neighbours were last told that this node owns to.
    owned: BTreeMap<NodeId, Totals>,
}

/// What comes first: this node's own proofs, splits and merges, its own jobs, and then whoever has given most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Neighbour(Credits),
    OwnJob,
    OwnProof,
}

impl Line {
    /// Nothing of a job is here any more: whoever wanted to give of it may.
    pub(super) fn job_is_gone(&mut self, job: JobId) {
        for node in self.of_job.remove(&job).unwrap_or_default() {
            self.turn_away(node);
        }
    }

    fn turn_away(&mut self, node: NodeId) {
        self.count += 1;
        self.full.entry(node).or_insert(self.count);
    }

    /// Whether this turn is that of whoever has waited longest.
    fn next_is_oldest(&mut self) -> bool {
        self.turn = self.turn.wrapping_add(1);
        self.turn.is_multiple_of(limits::TURN)
    }
}

impl Node {
    /// Runs the next gifts while slots are free.
    pub(super) fn start_gifts(&mut self) {
        while self.desk.has_slot() {
            let Some(at) = self.next_gift() else { return };
            self.desk.start(at, &mut self.actions);
        }
    }

    /// Where in the queue the gift is that comes next.
    fn next_gift(&mut self) -> Option<usize> {
        let may = |key: &(NodeId, Lease)| self.desk.may_start(key);
        let oldest = self.desk.queue().iter().position(may)?;
        let (first, _) = *self.desk.queue().get(oldest)?;
        let contended = self.config.solves && self.desk.queue().iter().any(|(giver, _)| *giver != first);
        if !contended || self.desk.line.next_is_oldest() {
            return Some(oldest);
        }
        // No more than [`limits::GIFTS_HELD_MAX`] wait here.
        let waiting = self.desk.queue().iter().enumerate();
        let may_start = waiting.filter(|(_, key)| self.desk.may_start(key));
        may_start.max_by_key(|(at, key)| (self.rank(**key), Reverse(*at))).map(|(at, _)| at)
    }

    fn rank(&self, (giver, lease): (NodeId, Lease)) -> Rank {
        if giver != self.config.id {
            return Rank::Neighbour(self.owed_to(giver));
        }
        let Some((task, grant)) = self.state.lease(lease) else { return Rank::OwnJob };
        match self.state.customer(task) {
            _ if grant.price == Credits(0) => Rank::OwnProof,
            None => Rank::OwnJob,
            Some(node) => Rank::Neighbour(self.owed_to(node)),
        }
    }

    /// What a neighbour has done for this node and has not had back.
    fn owed_to(&self, node: NodeId) -> Credits {
        let owed = self.state.peer(node).map_or(Credits(0), |record| record.favours.theirs);
        owed.minus(self.desk.line.served.get(&node).copied().unwrap_or_default())
    }

    /// Whether what is held for neighbours leaves no room for this one.
    pub(super) fn is_crowded(&self, from: NodeId) -> bool {
        let stranger = self.owed_to(from) == Credits(0);
        let most = if stranger { limits::GIFTS_HELD_MAX / 2 } else { limits::GIFTS_HELD_MAX };
        self.desk.gifts.len() >= most
    }

    /// A piece is taken to be split further, unless a part of its job is held here already, further up: no piece goes
    /// round in circles. It waits until this node, or somebody below it, has nothing to do.
    pub(super) fn take_piece(&mut self, key: (NodeId, Lease), gift: &Gift, depth: u8) -> Result<(), Decline> {
        let (from, _) = key;
        if gift.run_count() != 1 {
            return Err(Decline::Absurd);
        }
        if depth > limits::DEPTH_MAX {
            return Err(Decline::TooDeep);
        }
        let above = |levels: &BTreeMap<u8, u32>| levels.first_key_value().is_some_and(|(level, _)| *level < depth);
        if self.state.job(gift.job).is_some() {
            return Err(Decline::Ancestor);
        }
        if self.desk.trees.get(&gift.job).is_some_and(above) {
            self.desk.line.of_job.entry(gift.job).or_default().insert(from);
            return Err(Decline::Ancestor);
        }
        let owed = self.owed_to(from);
        let stranger = owed == Credits(0);
        let most = if stranger { limits::TASKS_FOR_PEERS_MAX / 2 } else { limits::TASKS_FOR_PEERS_MAX };
        let has_task_room = self.desk.tasks + self.desk.pieces.len() < most;
        if !has_task_room || self.desk.pieces.len() >= self.pieces_max() && !self.make_way(owed) {
            self.desk.line.turn_away(from);
            return Err(Decline::Full);
        }
        self.desk.join_tree(gift);
        self.desk.pieces.push_back(key);
        Ok(())
    }

    /// Pieces that wait here: one ahead for each slot, and one for whoever has nothing out elsewhere.
    fn pieces_max(&self) -> usize {
        usize::try_from(self.desk.slots).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// Whoever has given more than somebody whose piece waits here gets its place.
    fn make_way(&mut self, owed: Credits) -> bool {
        let least = self.desk.pieces.iter().rev().min_by_key(|(giver, _)| self.owed_to(*giver)).copied();
        let Some((giver, lease)) = least.filter(|(giver, _)| self.owed_to(*giver) < owed) else { return false };
        self.called_back(giver, &[lease]);
        self.desk.line.turn_away(giver);
        let why = Decline::Full;
        self.send(giver, Message::Decline { leases: vec![lease], why });
        true
    }

    /// Begins with the next piece that waits, if this node or somebody below it has nothing to do.
    pub(super) fn begin_piece(&mut self) -> bool {
        let Some(oldest) = self.desk.pieces.front().copied() else { return false };
        let since = self.desk.gifts.get(&oldest).map(|held: &Held| held.taken);
        let patient = since.is_some_and(|since| since.plus(limits::PIECE_WAIT) > self.now);
        let idle =
            self.state.wants().splitting.is_empty() && self.hungry.first().is_some_and(|(want, _)| *want == Want::Work);
        if patient && !idle || self.desk.tasks >= limits::TASKS_FOR_PEERS_MAX {
            return false;
        }
        let by_turn = !patient || self.desk.line.next_is_oldest();
        let best = self.desk.pieces.iter().enumerate().max_by_key(|(at, key)| (self.owed_to(key.0), Reverse(*at)));
        let at = if by_turn { 0 } else { best.map_or(0, |(at, _)| at) };
        let Some(key) = self.desk.pieces.remove(at) else { return false };
        self.make_task(key);
        true
    }

    /// There is room: those who were turned away are told so, whoever has given most before the others.
    pub(super) fn call_again(&mut self) {
        let room = self.pieces_max().saturating_sub(self.desk.pieces.len());
        for _ in 0..room {
            if self.desk.line.full.is_empty() || self.desk.slots == 0 {
                return;
            }
            let by_turn = self.desk.line.next_is_oldest();
            let owed = |node: NodeId| if by_turn { Credits(0) } else { self.owed_to(node) };
            let next = self.desk.line.full.iter().max_by_key(|(node, at)| (owed(**node), Reverse(**at)));
            let Some((node, _)) = next.map(|(node, at)| (*node, *at)) else { return };
            self.desk.line.full.remove(&node);
            if self.presence.get(&node).is_some_and(|peer| peer.linked) {
                self.say_alive_to(node);
            }
        }
    }

    /// Work was done for a neighbour.
    pub(super) fn serve(&mut self, giver: NodeId, answers: &[Answer]) {
        let fuel = answers.iter().fold(Fuel(0), |sum, answer| sum.plus(answer.fuel));
        let served = self.desk.line.served.entry(giver).or_default();
        *served = served.plus(Credits::earned(fuel));
    }

    /// What was done for neighbours goes on the books, once in a while: it is nobody's claim.
    pub(super) fn write_favours(&mut self) {
        for (node, work) in std::mem::take(&mut self.desk.line.served) {
            let mut favours: Favours = self.state.peer(node).map(|record| record.favours).unwrap_or_default();
            favours.we_did(work);
            self.record(Fact::Favoured { node, favours });
        }
    }
    /// Tells a neighbour what the two have done for one another, if that is more than when it was told last.
    pub(super) fn owns(&mut self, node: NodeId) {
        if !self.are_peers(node) {
            return;
        }
        let record = self.state.peer(node);
        let of = |record: &Record| Totals { yours: record.paid_them, mine: record.favours.served };
        let totals = record.map(of).unwrap_or_default();
        if self.desk.line.owned.get(&node).copied().unwrap_or_default() == totals {
            return;
        }
        self.desk.line.owned.insert(node, totals);
        self.send(node, Message::Owns { signed: Signed { totals, seal: Arc::default() } });
    }

    /// Keeps what a neighbour has signed: it grows, or is older than what is kept.
    pub(super) fn owned(&mut self, from: NodeId, signed: Signed) {
        let kept = self.state.peer(from).and_then(|record| record.signed.as_ref());
        let before = kept.map(|kept| kept.totals).unwrap_or_default();
        let grows = signed.totals.yours >= before.yours && signed.totals.mine >= before.mine;
        if self.are_peers(from) && grows && signed.totals != before {
            self.record(Fact::Signed { node: from, signed });
        }
    }

    /// Tells a neighbour that has just come what it has signed before: its books may have been lost.
    pub(super) fn recalls(&mut self, node: NodeId) {
        self.desk.line.owned.remove(&node);
        let kept = self.state.peer(node).and_then(|record| record.signed.clone());
        if let Some(signed) = kept.filter(|_| self.are_peers(node)) {
            self.send(node, Message::Recalls { signed });
        }
    }

    /// A neighbour shows what this node has signed. It says nothing new unless the books of this node were lost.
    pub(super) fn recalled(&mut self, from: NodeId, totals: Totals) {
        let known = self.state.peer(from).map_or(Credits(0), |record| record.paid_them);
        if self.are_peers(from) && totals.yours > known {
            self.record(Fact::Recalled { node: from, totals });
        }
    }

    fn are_peers(&self, node: NodeId) -> bool {
        self.config.solves && self.presence.get(&node).is_some_and(|peer| peer.linked && peer.solves)
    }
}
