//! Gifts that prove answers, and those that only go where answers are believed.

use super::Kind;
use super::Node;
use super::give::{LOOKED_AT, LOOKED_AT_OF_ONE, Offer, PROOFS_PER_GIFT, RANGES_PER_GIFT, carries, second_price};
use crate::id::{Lease, NodeId, TaskId};
use crate::place;
use crate::planted::{self, Bug};
use crate::split;
use crate::task::{Act, Pending, Proof, Span, Stage, Task, Why};
use crate::units::Credits;
use std::collections::BTreeSet;

/// Neighbours whose slots are counted: a tool is never asked to cut in more ways than they make.
const SPARE_LOOKED_AT: usize = 1_024;

impl Node {
    /// Splits, merges and proofs go where answers are believed: proving a split costs as much as making it.
    pub(super) fn place_trusted(&mut self) -> bool {
        let mut given = false;
        while let Some(node) = self.trusted_with_room() {
            if self.prove_without_second(node) {
                given = true;
                continue;
            }
            let wanting = self.state.wants().trusted.in_turn(LOOKED_AT_OF_ONE).take(LOOKED_AT);
            let mut offers = wanting.filter_map(|id| self.trusted_offer(node, id));
            let Some(offer) = offers.next() else { break };
            drop(offers);
            let audited = (offer.why == Why::Proof(Proof::Audit) && matches!(offer.act, Act::Split { .. }))
                .then(|| offer.pieces.first().map(|piece| (offer.task, piece.first)));
            self.give(node, offer);
            if let Some((task, first)) = audited.flatten() {
                self.begin_audit(task, first);
            }
            given = true;
        }
        given
    }

    /// What a task wants of those whose answers are believed; nothing while it waits for what they have already.
    fn trusted_offer(&self, node: NodeId, id: TaskId) -> Option<Offer> {
        let task = self.state.task(id)?;
        if let Some((proof, _)) = task.parts.unproved.first().filter(|(proof, _)| *proof != Proof::Second) {
            if *proof == Proof::Audit
                && node == self.config.id
                && let Some((span, ways)) = self.next_shown(id, task)
            {
                let (act, why, fuel) = (Act::Split { ways }, Why::Proof(Proof::Audit), task.terms.tool.caps.fuel);
                let (pieces, chunk, price, kind) = (vec![span], span.len, Credits(0), Kind::Audit);
                return Some(Offer { task: id, act, why, pieces, chunk, fuel, price, kind });
            }
            let offer = self.proof_offer(node, id, task, *proof);
            return (!offer.pieces.is_empty()).then_some(offer);
        }
        let ways = split::ways(self.slots_to_spare(id)).max(split::least_ways(self.config.solves, task.depth));
        let (act, chunk, kind) = match task.stage {
            Stage::Split => (Act::Split { ways }, 1, Kind::Split),
            Stage::Merge { level } => (Act::Merge, split::merge_chunk(level), Kind::Merge),
            Stage::Work => return None,
        };
        Some(Offer {
            task: id,
            act,
            why: Why::Try,
            pieces: task.parts.first_todo(chunk.saturating_mul(4), RANGES_PER_GIFT),
            chunk,
            fuel: task.terms.tool.caps.fuel,
            price: Credits(0),
            kind,
        })
    }

    /// Slots that could begin with what a task is cut into. A peer knows who has nothing to do; for a hub all count,
    /// since whoever is busy now is free again soon.
    fn slots_to_spare(&self, id: TaskId) -> u64 {
        let giver = self.state.customer(id);
        if !self.config.solves {
            return self.slots_below(giver);
        }
        let me = self.config.id;
        let slots = |node: NodeId| self.presence.get(&node).map_or(0, |peer| u64::from(peer.slots));
        let idle = self.hungry.iter().map(|(_, node)| *node).filter(|node| *node != me && giver != Some(*node));
        idle.take(SPARE_LOOKED_AT).map(slots).sum::<u64>().saturating_add(slots(me))
    }

    /// An answer that another lender should repeat, when there is no other or the purse does not reach: it is repeated
    /// here.
    fn prove_without_second(&mut self, node: NodeId) -> bool {
        let Some(id) = self.state.wants().seconds.first() else {
            return false;
        };
        let Some(task) = self.state.task(id) else { return false };
        let pending = task.parts.unproved.last().and_then(|(_, first)| task.parts.pending.get(first));
        let Some(pending) = pending else { return false };
        let honest = |node: &NodeId| !self.state.peer(*node).is_some_and(|record| record.trust.caught);
        let mut lenders = self.presence.iter().filter(|(_, peer)| peer.linked && peer.slots > 0);
        let others = lenders.any(|(lender, _)| *lender != pending.by && honest(lender));
        let free = self.state.purse(task.root).map(|purse| purse.free()).unwrap_or_default();
        let free = free.plus(self.state.may_hold(task.root));
        // Whoever cancelled a job does not wait for other lenders.
        if task.parts.ending.is_none() && others && second_price(pending.fuel) <= free {
            return false;
        }
        let offer = self.proof_offer(node, id, task, Proof::Second);
        let some = !offer.pieces.is_empty();
        if some {
            self.give(node, offer);
        }
        some
    }

    fn proof_offer(&self, node: NodeId, id: TaskId, task: &Task, proof: Proof) -> Offer {
        let most = self.proofs_in_one(node, id, task, proof);
        let mut new = BTreeSet::new();
        let mut is_next = |one: &&Pending| {
            let rests = self.unproved_until.get(&(id, one.span.first)).is_some_and(|until| *until > self.now);
            !rests
                && self.may_repeat(id, one.span.first)
                && (proof != Proof::Audit || one.failed || self.is_next_audit(one, &mut new))
        };
        let same = task.parts.unproved.iter().filter(|(kind, _)| *kind == proof);
        let pieces = same
            .take(most * 4)
            .filter_map(|(_, first)| task.parts.pending.get(first))
            .filter(|one| is_next(one))
            .take(most)
            .map(|one| one.span)
            .collect::<Vec<_>>();
        let chunk = whole(&pieces);
        let (act, kind) = if proof == Proof::Prove { (Act::Check, Kind::Check) } else { (Act::Run, Kind::Audit) };
        let fuel = task.terms.tool.caps.fuel;
        Offer { task: id, act, why: Why::Proof(proof), pieces, chunk, fuel, price: Credits(0), kind }
    }

    /// One audit tells what a new lender is worth; its other answers can wait for that.
    fn is_next_audit(&self, one: &Pending, new: &mut BTreeSet<NodeId>) -> bool {
        let waiting = self.on_probation.get(&one.by).into_iter().flatten();
        let mut at_proof = waiting.take(LOOKED_AT).map(|(task, first)| {
            let pending = self.state.task(*task).and_then(|task| task.parts.pending.get(first));
            pending.is_some_and(|pending| pending.at.is_some())
        });
        !self.on_probation.contains_key(&one.by) || !at_proof.any(|at_proof| at_proof) && new.insert(one.by)
    }

    /// Checks are cheap; running again costs what the answers cost.
    fn proofs_in_one(&self, node: NodeId, id: TaskId, task: &Task, proof: Proof) -> usize {
        let estimate = self.estimates.get(&self.estimate_of(id, task)).copied().unwrap_or_default();
        match self.presence.get(&node).filter(|_| proof != Proof::Prove) {
            Some(prover) => usize::try_from(place::audits(&estimate, prover, carries(task))).unwrap_or(1),
            None => PROOFS_PER_GIFT,
        }
    }

    fn trusted_with_room(&self) -> Option<NodeId> {
        let room = |node: &NodeId| {
            let leases = self.state.peer(*node).map(|record| &record.leases);
            let proofs = leases.map_or(0, |leases| leases.iter().filter(|lease| self.is_free_work(**lease)).count());
            proofs < 2
        };
        self.believed.iter().copied().filter(room).min_by_key(|node| *node != self.config.id)
    }

    fn is_free_work(&self, lease: Lease) -> bool {
        self.state.lease(lease).is_some_and(|(_, grant)| grant.price == Credits(0))
    }

    /// An answer that another lender should repeat.
    pub(super) fn give_second(&mut self, node: NodeId) -> bool {
        for id in self.state.wants().seconds.in_turn(LOOKED_AT_OF_ONE).take(LOOKED_AT).collect::<Vec<_>>() {
            let fits = |task: &&Task| task.parts.ending.is_none() && self.fits(node, task);
            let Some(task) = self.state.task(id).filter(fits) else { continue };
            let same = planted::is(Bug::SecondBySame);
            let seconds = task.parts.unproved.iter().rev().filter(|(proof, _)| *proof == Proof::Second);
            let others =
                seconds.filter_map(|(_, first)| task.parts.pending.get(first)).filter(|one| one.by != node || same);
            let pieces: Vec<Span> = others.take(PROOFS_PER_GIFT).map(|one| one.span).collect();
            let dearest =
                pieces.iter().filter_map(|span| task.parts.pending.get(&span.first)).map(|one| one.fuel).max();
            let price = second_price(dearest.unwrap_or_default());
            let (fuel, root) = (price.buys(), task.root);
            self.can_pay(root, price);
            let free = self.state.purse(root).map(|purse| purse.free()).unwrap_or_default();
            let affordable = usize::try_from(free.0 / price.0.max(1)).unwrap_or(usize::MAX);
            let mut pieces: Vec<Span> = pieces.into_iter().take(affordable).collect();
            pieces.sort_unstable();
            if pieces.is_empty() {
                continue;
            }
            let (why, chunk) = (Why::Proof(Proof::Second), whole(&pieces));
            let offer = Offer { task: id, act: Act::Run, why, pieces, chunk, fuel, price, kind: Kind::Work };
            self.give(node, offer);
            return true;
        }
        false
    }
}

/// A chunk that cuts none of these pieces: an answer is proved as it was given.
fn whole(pieces: &[Span]) -> u64 {
    pieces.iter().map(|piece| piece.len).max().unwrap_or(1)
}
