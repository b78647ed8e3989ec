//! What proofs say: answers that count, that need another proof, or that are lies.

use super::judge::kept;
use super::shown::tree_fuel;
use super::{Action, News, Node, Row};
use crate::id::{Lease, NodeId, TaskId};
use crate::job::Standing;
use crate::limits;
use crate::message::{Answer, Outcome, Output, Trap};
use crate::planted::{self, Bug};
use crate::state::{Fact, Then};
use crate::task::{Owner, Pending, Proof, Stage, Why};
use crate::units::Fuel;
use crate::verify::{self, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Node {
    /// Somebody who is believed has proved answers, or another lender has repeated them.
    pub(super) fn proofs(&mut self, from: NodeId, id: TaskId, lease: Lease, proof: Proof, answers: Vec<Answer>) {
        if self.audit_goes_on(from, id, lease, &answers) {
            return;
        }
        let mut proved = Vec::new();
        let mut unsure = Vec::new();
        let mut doubted = Vec::new();
        let mut wrong = Vec::new();
        let mut broken = None;
        for answer in answers {
            let Some(task) = self.state.task(id) else { break };
            let pending = task.parts.pending.get(&answer.span.first).copied();
            let Some(pending) = pending.filter(|one| one.at == Some(lease) && one.span == answer.span) else {
                continue;
            };
            if answer.outcome.is_the_machines() {
                broken = Some(answer);
                continue;
            }
            match self.verdict(proof, &pending, &answer) {
                Verdict::Right => {
                    self.keep_contradiction(from, id, &pending, answer);
                    proved.push(pending);
                }
                Verdict::Unsure => unsure.push(pending),
                // Whoever wrote the tool wrote its check: that alone is no evidence against a lender.
                Verdict::Wrong if proof == Proof::Prove && !task.terms.tool.real_time => {
                    doubted.push(pending.span.first)
                }
                Verdict::Wrong => wrong.push((pending, answer)),
            }
        }
        self.proved(id, lease, proof, proved);
        self.unsure(id, lease, proof, unsure);
        if !doubted.is_empty() {
            self.record(Fact::Unsettled { task: id, lease, firsts: doubted, then: Then::Doubt });
        }
        for (pending, answer) in wrong {
            // Whoever told one lie told others: its other answers may be gone by now.
            let stands =
                self.state.task(id).and_then(|task| task.parts.pending.get(&pending.span.first)) == Some(&pending);
            if stands {
                self.refute(from, id, lease, pending, answer);
            }
        }
        if let Some(answer) = broken.filter(|_| self.state.lease(lease).is_some()) {
            // What ails the machine may pass: the tries are spread over time.
            let until = self.now.plus(limits::BROKEN_PAUSE);
            self.unproved_until.insert((id, answer.span.first), until);
            self.broke(from, id, lease, answer.span, (answer.outcome, limits::BROKEN_MAX));
            self.keep_unproved(from, id, answer);
        }
        self.after_lease(lease);
    }

    fn verdict(&self, proof: Proof, pending: &Pending, answer: &Answer) -> Verdict {
        let cost = answer.fuel == pending.fuel || pending.inner && pending.fuel <= tree_fuel(answer.fuel);
        let same = answer.digest == pending.digest && cost;
        // That a tree failed is right if its piece fails as a whole; in which of its parts first may differ.
        let fails = pending.inner && pending.failed && answer.outcome.is_failure();
        let same = same || fails;
        match proof {
            Proof::Prove => verify::verdict(answer.outcome),
            _ if same || planted::is(Bug::BlindAudit) => Verdict::Right,
            Proof::Audit => Verdict::Wrong,
            // Two lenders disagree: only a run that is believed can tell who lies.
            Proof::Second => Verdict::Unsure,
        }
    }

    /// An answer that no machine can prove is given up: instead of it, what went wrong is kept.
    pub(super) fn keep_unproved(&mut self, prover: NodeId, id: TaskId, answer: Answer) {
        let Some(task) = self.state.task(id).filter(|task| task.parts.failed.holds(answer.span)) else { return };
        let row = Row { task: id, stage: task.stage.row(), first: answer.span.first };
        self.actions.push(Action::Keep { row, answers: vec![kept(prover, answer.outcome, answer)] });
    }

    /// A tool whose check refuses what it answers wherever it runs: its answer is kept, as a failure.
    fn keep_contradiction(&mut self, prover: NodeId, id: TaskId, pending: &Pending, answer: Answer) {
        if !pending.failed || answer.outcome != Outcome::Right {
            return;
        }
        let Some(task) = self.state.task(id) else { return };
        let row = Row { task: id, stage: task.stage.row(), first: pending.span.first };
        let note = Arc::from("the tool's own check refuses this answer");
        let answer = Answer { output: Output { note, ..answer.output }, ..answer };
        let outcome = Outcome::Trapped { trap: Trap::Contradicts };
        self.actions.push(Action::Keep { row, answers: vec![kept(prover, outcome, answer)] });
    }

    pub(super) fn proved(&mut self, id: TaskId, lease: Lease, proof: Proof, proved: Vec<Pending>) {
        if proved.is_empty() {
            return;
        }
        for one in &proved {
            self.finished_items(id, vec![one.span], one.failed, one.by);
        }
        let firsts = proved.iter().map(|one| one.span.first).collect();
        self.record(Fact::Proved { task: id, lease, firsts });
        let lenders: BTreeSet<NodeId> = proved.iter().map(|one| one.by).collect();
        for node in lenders {
            self.end_probation(node);
            self.vest_older(id, node);
        }
        let settles = self.state.task(id).is_some_and(|task| {
            task.terms.tool.abilities.first && task.owner != Owner::Person && task.stage == Stage::Work
        });
        if proof == Proof::Prove && settles {
            self.settle(id, proved[0].span.first, proved[0].by);
        }
    }

    /// One right answer is enough for the whole task.
    fn settle(&mut self, id: TaskId, first: u64, by: NodeId) {
        let Some(task) = self.state.task(id) else { return };
        if task.parts.ending.is_some() {
            return;
        }
        let job = task.job;
        self.record(Fact::Settled { task: id, first });
        self.record(Fact::Ending { task: id, standing: Standing::Done });
        self.tell(News::Settled { job, task: id, by });
        self.call_back_tries(id);
    }

    fn unsure(&mut self, id: TaskId, lease: Lease, proof: Proof, unsure: Vec<Pending>) {
        let Some(task) = self.state.task(id) else { return };
        let audit = |one: &Pending| {
            let claim = self.claim_of(one.by, task, one.span, one.failed);
            proof == Proof::Second || verify::unsure(claim).is_some()
        };
        let (audited, counted): (Vec<Pending>, Vec<Pending>) = unsure.into_iter().partition(audit);
        for one in &counted {
            self.finished_items(id, vec![one.span], one.failed, one.by);
        }
        self.put_on_probation(id, &audited);
        for (some, then) in [(audited, Then::Audit), (counted, Then::Count)] {
            if !some.is_empty() {
                let firsts: Vec<u64> = some.iter().map(|one| one.span.first).collect();
                if then == Then::Audit {
                    firsts.iter().for_each(|first| self.ask_to_show(id, *first));
                }
                self.record(Fact::Unsettled { task: id, lease, firsts, then });
            }
        }
    }

    /// Takes note of answers that need no audit once their lender has passed its first.
    pub(super) fn put_on_probation(&mut self, id: TaskId, aside: &[Pending]) {
        let Some(task) = self.state.task(id) else { return };
        for one in aside.iter().filter(|one| one.proof != Proof::Second && !one.failed) {
            let claim = self.claim_of(one.by, task, one.span, false);
            if verify::on_probation(claim) && claim.draw >= claim.check.per_mille() {
                let waiting = self.on_probation.entry(one.by).or_default();
                waiting.insert((id, one.span.first));
            }
        }
    }

    /// A lender has passed: of what it said meanwhile only the usual share is run again.
    fn end_probation(&mut self, node: NodeId) {
        if self.state.peer(node).is_none_or(|record| record.trust.is_new()) {
            return;
        }
        // An item may have been set aside more than once.
        let mut by_task: BTreeMap<TaskId, BTreeSet<u64>> = BTreeMap::new();
        for (id, first) in self.on_probation.remove(&node).unwrap_or_default() {
            let pending = self.state.task(id).and_then(|task| task.parts.pending.get(&first));
            let waits = |one: &Pending| one.by == node && one.at.is_none() && one.proof == Proof::Audit && !one.failed;
            if let Some(span) = pending.filter(|one| waits(one)).map(|one| one.span)
                && by_task.entry(id).or_default().insert(first)
            {
                self.finished_items(id, vec![span], false, node);
            }
        }
        for (task, firsts) in by_task {
            let firsts = firsts.into_iter().collect();
            self.record(Fact::Believed { task, firsts });
        }
    }

    /// An answer is a lie. What its lender said and is not final is wanted again.
    fn refute(&mut self, prover: NodeId, id: TaskId, lease: Lease, pending: Pending, answer: Answer) {
        let Some(task) = self.state.task(id) else { return };
        let (job, stage, repeats) = (task.job, task.stage, !task.terms.tool.real_time);
        self.tell(News::Refused { job, task: id, by: pending.by });
        self.record(Fact::Refuted { task: id, lease, first: pending.span.first });
        if self.state.lease(lease).is_some()
            && matches!(answer.outcome, Outcome::Right | Outcome::Exit { .. } | Outcome::Trapped { .. })
        {
            let failed = answer.outcome.is_failure();
            if self.state.lease(lease).is_some_and(|(_, grant)| grant.why == Why::Proof(Proof::Audit)) {
                let row = Row { task: id, stage: stage.row(), first: answer.span.first };
                let span = answer.span;
                self.finished_items(id, vec![span], failed, prover);
                self.actions.push(Action::Keep { row, answers: vec![kept(prover, answer.outcome, answer)] });
                self.record(Fact::Corrected { lease, span, fuel: Fuel(0), failed });
            }
        }
        if !repeats {
            // Nobody can tell who is wrong, the lender or the check: somebody else should try.
            return self.give_up_or_rest(pending.by, id, pending.span, (Outcome::Broken, limits::BROKEN_MAX));
        }
        self.catch(pending.by);
    }

    /// A lender was found out.
    pub(super) fn catch(&mut self, node: NodeId) {
        let holds: Vec<Lease> =
            self.state.peer(node).map(|record| record.leases.iter().copied().collect()).unwrap_or_default();
        for lease in &holds {
            self.forget_watch(*lease);
        }
        self.on_probation.remove(&node);
        self.record(Fact::Caught { node });
        self.stop_at(node, holds);
        self.touched.insert(node);
    }

    /// Older answers of a lender are final once enough audits that came later were right.
    fn vest_older(&mut self, id: TaskId, node: NodeId) {
        let book = self.state.task(id).and_then(|task| task.parts.unvested.get(&node));
        if let Some(book) = book.filter(|book| book.passed >= limits::VESTING_AUDITS) {
            let fuel = book.older.1;
            self.vest(id, node, false, fuel);
        }
    }
}
