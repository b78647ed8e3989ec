//! What neighbours say, and that they come and go.

use super::Node;
use crate::id::{Incarnation, Lease, NodeId};
use crate::limits;
use crate::message::{Decline, Message};
use crate::planted::{self, Bug};
use crate::state::Fact;
use crate::units::Millis;
use std::collections::BTreeSet;

impl Node {
    pub(super) fn linked(&mut self, node: NodeId) {
        if self.state.circle().is_out(node) {
            // Its machine was put out while it came in.
            return;
        }
        let now = self.now;
        let peer = self.presence.entry(node).or_default();
        // A bound is said before anything is lent.
        (peer.linked, peer.left, peer.heard, peer.memory) = (true, false, now, 0);
        self.look_again(node, now.plus(self.config.lease));
        self.touched.insert(node);
        self.greet(node);
        self.desk.send_again(node, &mut self.actions);
        self.to_pay.insert(node);
    }

    pub(super) fn unlinked(&mut self, node: NodeId) {
        let Some(peer) = self.presence.get_mut(&node) else {
            return;
        };
        self.slots_all -= u64::from(std::mem::take(&mut peer.slots));
        peer.linked = false;
        self.touched.insert(node);
        self.look_again(node, self.now.plus(limits::GONE));
    }

    pub(super) fn heard(&mut self, from: NodeId, message: Message) {
        if from != self.config.id {
            let now = self.now;
            match self.presence.get_mut(&from) {
                Some(peer) if peer.linked => peer.heard = now,
                // Said before its link stood or after it broke: it will say it again.
                _ => return,
            }
        }
        match message {
            Message::Hello { incarnation, slots, solves, holding } => {
                self.hello(from, incarnation, &holding);
                if let Some(peer) = self.presence.get_mut(&from) {
                    peer.solves = solves;
                }
                self.recalls(from);
                self.offers(from, slots);
            }
            Message::Alive { slots, holding } => self.alive(from, slots, &holding),
            Message::Give { gifts } => self.taken(from, gifts),
            Message::Cancel { leases } => self.called_back(from, &leases),
            Message::Noted { noted } => self.desk.noted(from, &noted, &mut self.actions),
            Message::Pay { total } => self.credited(from, total),
            Message::Decline { leases, why } => self.declined(from, &leases, why),
            Message::Done { lease, answers } => self.answers(from, lease, answers),
            Message::Solved { lease, answer, ways, parts } => self.solved(from, lease, answer, ways, parts),
            Message::Show { lease } => self.show(from, lease),
            Message::Shown { lease, answers } => self.shown(from, lease, answers),
            Message::Owns { signed } => self.owned(from, signed),
            Message::Recalls { signed } => self.recalled(from, signed.totals),
            Message::Bye => {
                self.lost(from);
                self.offers(from, 0);
                if let Some(peer) = self.presence.get_mut(&from) {
                    peer.left = true;
                }
            }
            Message::Memory { bytes } => {
                if let Some(peer) = self.presence.get_mut(&from) {
                    peer.memory = bytes;
                }
                self.touched.insert(from);
            }
        }
    }

    /// Says who this node is and what it still holds of the neighbour's.
    fn greet(&mut self, node: NodeId) {
        let hello = Message::Hello {
            incarnation: self.state.incarnation(),
            slots: self.desk.slots(),
            solves: self.config.solves,
            holding: self.desk.holding(node),
        };
        self.say_memory(node);
        self.send(node, hello);
    }

    /// Says how much memory a part may have here, if that is bounded.
    pub(super) fn say_memory(&mut self, node: NodeId) {
        if self.config.memory > 0 {
            self.send(node, Message::Memory { bytes: self.config.memory });
        }
    }

    fn hello(&mut self, from: NodeId, incarnation: Incarnation, holding: &[Lease]) {
        let held: BTreeSet<Lease> = self.state.peer(from).map(|record| record.leases.clone()).unwrap_or_default();
        let known = self.state.peer(from).map(|record| record.incarnation);
        if known != Some(incarnation) {
            // It began anew: what it held it has forgotten.
            self.record(Fact::Met { node: from, incarnation });
            self.earn_for_the_founder(from);
            self.shows_no_more(from);
        }
        let holding: BTreeSet<Lease> = holding.iter().copied().take(limits::GIFTS_PER_PEER_MAX).collect();
        if !planted::is(Bug::ForgetRestarts) {
            self.take_back(held.difference(&holding).copied().collect());
        }
        let stale = holding.difference(&held).copied();
        let stale: Vec<Lease> = stale.filter(|lease| !self.shows.awaits(from, *lease)).collect();
        if !stale.is_empty() {
            self.send(from, Message::Cancel { leases: stale });
        }
    }

    /// A neighbour says what it holds. What it was given a while ago and does not hold was lost on the way, there or
    /// back.
    fn alive(&mut self, from: NodeId, slots: u32, holding: &[Lease]) {
        self.offers(from, slots);
        self.has_room(from);
        self.ask_again(from);
        self.to_pay.insert(from);
        let grace = self.alive_every();
        let holding: BTreeSet<Lease> = holding.iter().copied().take(limits::GIFTS_PER_PEER_MAX).collect();
        let held = self.state.peer(from).map(|record| record.leases.clone()).unwrap_or_default();
        let lost = held.difference(&holding).copied();
        let settled = |lease: &Lease| self.watched.get(lease).is_none_or(|one| one.given.plus(grace) <= self.now);
        if !planted::is(Bug::ForgetRestarts) {
            self.take_back(lost.filter(settled).collect());
        }
        let stale = holding.difference(&held).copied();
        let stale: Vec<Lease> = stale.filter(|lease| !self.shows.awaits(from, *lease)).collect();
        if !stale.is_empty() {
            self.send(from, Message::Cancel { leases: stale });
        }
    }

    /// A neighbour lends so many slots.
    pub(super) fn offers(&mut self, from: NodeId, slots: u32) {
        let Some(peer) = self.presence.get_mut(&from) else {
            return;
        };
        let slots = slots.min(limits::SLOTS_MAX);
        self.slots_all = self.slots_all - u64::from(peer.slots) + u64::from(slots);
        peer.slots = slots;
        self.touched.insert(from);
    }

    fn declined(&mut self, from: NodeId, leases: &[Lease], why: Decline) {
        let held = self.state.peer(from).map(|record| &record.leases);
        let theirs = leases.iter().copied().filter(|lease| held.is_some_and(|held| held.contains(lease))).collect();
        self.take_back(theirs);
        if !matches!(why, Decline::Full | Decline::Ancestor) {
            return self.rest(from, limits::DECLINE_PAUSE);
        }
        // Who is full, or works for this very job, says when that has changed.
        let until = self.now.plus(limits::FULL_PAUSE);
        if let Some(peer) = self.presence.get_mut(&from) {
            peer.declined_until = until;
        }
        self.look_again(from, until);
        self.touched.insert(from);
    }

    /// A neighbour that declined says that it has room.
    fn has_room(&mut self, from: NodeId) {
        if let Some(peer) = self.presence.get_mut(&from) {
            peer.declined_until = Millis(0);
        }
    }

    /// The link to a peer broke a while ago: among peers many may wait for what it holds.
    pub(super) fn is_gone(&mut self, node: NodeId) {
        if self.config.solves {
            self.lost(node);
        }
        self.shows_no_more(node);
    }

    fn credited(&mut self, from: NodeId, total: crate::units::Credits) {
        let before = self.state.peer(from).map(|record| record.paid_us).unwrap_or_default();
        if planted::is(Bug::PayIncrements) {
            return self.record(Fact::Credited { node: from, total: before.plus(total) });
        }
        if planted::is(Bug::WordsAreFavours) {
            let mut favours = self.state.peer(from).map(|record| record.favours).unwrap_or_default();
            favours.they_did(total);
            self.record(Fact::Favoured { node: from, favours });
        }
        if total > before {
            self.record(Fact::Credited { node: from, total });
        }
    }

    /// Whatever a neighbour holds is wanted again.
    pub(super) fn lost(&mut self, node: NodeId) {
        let leases = self.state.peer(node).map(|record| record.leases.iter().copied().collect()).unwrap_or_default();
        self.take_back(leases);
    }

    /// Leases end; what they have not answered goes back to where it is placed from.
    pub(super) fn take_back(&mut self, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        for lease in &leases {
            self.forget_watch(*lease);
            if let Some((task, grant)) = self.state.lease(*lease) {
                let (by, job) = (grant.to, self.state.task(task).map(|task| task.job).unwrap_or_default());
                self.touched.insert(by);
                self.tell(super::News::Returned { job, task, lease: *lease, by });
            }
        }
        self.record(Fact::Returned { leases });
    }

    /// Leases end, and their holders are told to stop.
    pub(super) fn call_back(&mut self, leases: Vec<Lease>) {
        let mut by_holder: std::collections::BTreeMap<NodeId, Vec<Lease>> = Default::default();
        for lease in &leases {
            if let Some((_, grant)) = self.state.lease(*lease) {
                by_holder.entry(grant.to).or_default().push(*lease);
            }
        }
        self.take_back(leases);
        for (holder, leases) in by_holder {
            self.stop_at(holder, leases);
        }
    }

    /// Tells a holder that nobody waits for these any more.
    pub(super) fn stop_at(&mut self, holder: NodeId, leases: Vec<Lease>) {
        if holder == self.config.id {
            self.called_back(holder, &leases);
        } else {
            self.send(holder, Message::Cancel { leases });
        }
    }
}
