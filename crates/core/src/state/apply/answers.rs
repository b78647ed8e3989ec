//! How facts about answers change the state.

use crate::id::{Lease, NodeId, TaskId};
use crate::planted::{self, Bug};
use crate::state::{State, Then};
use crate::task::{Pending, Proof, Span, Why};
use crate::units::{Credits, Fuel};

impl State {
    pub(super) fn answered(&mut self, lease: Lease, spans: &[Span], fuel: Fuel) -> Option<()> {
        let id = *self.leases.get(&lease)?;
        let by = self.clear(lease, spans)?;
        let task = self.tasks.get_mut(&id)?;
        let mut rest = fuel;
        for span in spans {
            task.parts.accept(by, *span, std::mem::take(&mut rest), false);
        }
        self.owe(id, fuel);
        self.note(id);
        Some(())
    }

    pub(super) fn set_aside(&mut self, lease: Lease, pending: &[Pending]) -> Option<()> {
        let id = *self.leases.get(&lease)?;
        let spans: Vec<Span> = pending.iter().map(|one| one.span).collect();
        self.clear(lease, &spans)?;
        let task = self.tasks.get_mut(&id)?;
        pending.iter().for_each(|one| task.parts.set_aside(*one));
        let fuel = pending.iter().fold(Fuel(0), |sum, one| sum.plus(one.fuel));
        self.owe(id, fuel);
        self.note(id);
        Some(())
    }

    pub(super) fn proved(&mut self, id: TaskId, lease: Lease, firsts: &[u64]) -> Option<()> {
        let (_, grant) = self.lease(lease)?;
        let (prover, paid) = (grant.to, grant.price > Credits(0));
        for first in firsts {
            let pending = self.tasks.get_mut(&id)?.parts.take_pending(*first)?;
            self.clear(lease, &[pending.span])?;
            let task = self.tasks.get_mut(&id)?;
            task.parts.accept(pending.by, pending.span, pending.fuel, pending.failed);
            if let Some(book) = task.parts.unvested.get_mut(&pending.by) {
                book.passed += 1;
            }
            if paid {
                // Whoever repeated the work has worked as much.
                let book = task.parts.unvested.entry(prover).or_default();
                book.fresh.1 = book.fresh.1.plus(pending.fuel);
                self.owe(id, pending.fuel);
            }
            let record = self.peers.entry(pending.by).or_default();
            record.trust.passed = record.trust.passed.saturating_add(1);
        }
        self.note(id);
        Some(())
    }

    pub(super) fn unsettled(&mut self, id: TaskId, lease: Lease, firsts: &[u64], then: Then) -> Option<()> {
        for first in firsts {
            let pending = self.tasks.get_mut(&id)?.parts.take_pending(*first)?;
            self.clear(lease, &[pending.span])?;
            let parts = &mut self.tasks.get_mut(&id)?.parts;
            let failed = pending.failed || then == Then::Doubt;
            match then {
                Then::Count => parts.accept(pending.by, pending.span, pending.fuel, failed),
                Then::Audit | Then::Doubt => {
                    parts.set_aside(Pending { proof: Proof::Audit, at: None, failed, ..pending });
                }
            }
        }
        self.note(id);
        Some(())
    }

    pub(super) fn believed(&mut self, id: TaskId, firsts: &[u64]) -> Option<()> {
        let parts = &mut self.tasks.get_mut(&id)?.parts;
        for first in firsts {
            let pending = parts.take_pending(*first)?;
            parts.accept(pending.by, pending.span, pending.fuel, pending.failed);
        }
        self.note(id);
        Some(())
    }

    pub(super) fn refuted(&mut self, id: TaskId, lease: Lease, first: u64) -> Option<()> {
        let task = self.tasks.get_mut(&id)?;
        let (pending, root) = (task.parts.take_pending(first)?, task.root);
        task.parts.again.add(pending.span);
        if task.terms.tool.real_time {
            // It was not proved who is wrong: such a part is not tried for ever.
            *task.parts.broken.entry(first).or_default() += 1;
        }
        self.unowe(root, pending.fuel);
        // The run that refuted it stays out until its own answer is dealt with.
        if self.lease(lease).is_some_and(|(_, grant)| grant.why != Why::Proof(Proof::Audit)) {
            self.clear(lease, &[pending.span])?;
        }
        self.refused += 1;
        self.note(id);
        Some(())
    }

    pub(super) fn withdrawn(&mut self, id: TaskId, first: u64) -> Option<()> {
        let task = self.tasks.get_mut(&id)?;
        let (pending, root) = (task.parts.take_pending(first)?, task.root);
        task.parts.again.add(pending.span);
        self.unowe(root, pending.fuel);
        self.note(id);
        Some(())
    }

    pub(super) fn corrected(&mut self, lease: Lease, span: Span, fuel: Fuel, failed: bool) -> Option<()> {
        let id = *self.leases.get(&lease)?;
        let by = self.clear(lease, &[span])?;
        let parts = &mut self.tasks.get_mut(&id)?.parts;
        parts.again.remove(span);
        parts.accept(by, span, fuel, failed);
        self.owe(id, fuel);
        self.note(id);
        Some(())
    }

    pub(super) fn caught(&mut self, node: NodeId) -> Option<()> {
        let record = self.peers.entry(node).or_default();
        record.trust.caught = true;
        if planted::is(Bug::KeepTheLies) {
            return Some(());
        }
        let leases: Vec<Lease> = record.leases.iter().copied().collect();
        leases.into_iter().for_each(|lease| self.end_lease(lease));
        let tasks: Vec<TaskId> = self.tasks.iter().filter(|(_, task)| !task.over).map(|(id, _)| *id).collect();
        for id in tasks {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            let lies = task.parts.pending.values().filter(|pending| pending.by == node);
            let proofs: Vec<_> = lies.filter_map(|lie| lie.at.map(|lease| (lease, lie.span))).collect();
            let (unpaid, root) = (task.parts.disown(node), task.root);
            self.unowe(root, unpaid);
            for (lease, span) in proofs {
                self.clear(lease, &[span]);
            }
            self.note(id);
        }
        Some(())
    }

    pub(super) fn broke(&mut self, lease: Lease, span: Span) -> Option<()> {
        let id = *self.leases.get(&lease)?;
        let grant = self.tasks.get(&id)?.parts.out.get(&lease)?;
        let (proof, twin) = (matches!(grant.why, Why::Proof(_)), grant.twin);
        let parts = &mut self.tasks.get_mut(&id)?.parts;
        *parts.broken.entry(span.first).or_default() += 1;
        if proof || twin.is_some_and(|twin| parts.out.contains_key(&twin)) {
            // Whoever else works on it goes on alone; a proof is given anew.
            self.end_lease(lease);
        } else {
            self.clear(lease, &[span])?;
            self.tasks.get_mut(&id)?.parts.again.add(span);
        }
        self.note(id);
        Some(())
    }

    pub(super) fn gave_up(&mut self, id: TaskId, span: Span) -> Option<()> {
        let task = self.tasks.get_mut(&id)?;
        let (parts, root) = (&mut task.parts, task.root);
        // An answer that nobody can prove counts for nothing.
        let unproved = parts.take_pending(span.first).map(|pending| pending.fuel).unwrap_or_default();
        parts.again.remove(span);
        parts.answered.add(span);
        parts.failed.add(span);
        parts.broken.remove(&span.first);
        self.unowe(root, unproved);
        self.note(id);
        Some(())
    }

    pub(super) fn dearer(&mut self, lease: Lease, span: Span, limit: Fuel) -> Option<()> {
        let id = *self.leases.get(&lease)?;
        self.clear(lease, &[span])?;
        let parts = &mut self.tasks.get_mut(&id)?.parts;
        parts.raised = parts.raised.max(limit);
        parts.again.add(span);
        self.note(id);
        Some(())
    }
}
