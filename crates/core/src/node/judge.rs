//! What answers are worth: counted, set aside until they are proved, or found to be lies.

use super::give::most_fuel;
use super::{Action, Kept, News, Node, Row};
use crate::estimate;
use crate::id::{Lease, NodeId, TaskId};
use crate::job::Chunk;
use crate::limits;
use crate::message::{Answer, Message, Outcome, Trap};
use crate::planted::{self, Bug};
use crate::state::Fact;
use crate::task::{Grant, Owner, Pending, Span, Spans, Stage, Task, Why};
use crate::units::{Credits, Fuel, Millis};
use crate::verify::{self, Claim};

/// What a batch of answers under one lease comes to.
#[derive(Default)]
pub(super) struct Sorted {
    counted: Spans,
    fuel: Fuel,
    /// Believed, and the tool fails on them.
    failures: Vec<(Span, Fuel)>,
    aside: Vec<Pending>,
    /// Tries that came to nothing.
    broke: Vec<(Span, Outcome)>,
    dearer: Vec<Span>,
    pub(super) kept: Vec<Kept>,
    /// Runs that tell what such runs cost.
    learned: (u64, Fuel, Fuel),
    micros: u64,
    /// What a split cut its input into.
    pieces: u64,
}

impl Node {
    /// A lender answers.
    pub(super) fn answers(&mut self, from: NodeId, lease: Lease, answers: Vec<Answer>) {
        let noted = noted(lease, &answers);
        if self.hear_answers(from, lease, answers) && from != self.config.id {
            self.send(from, Message::Noted { noted });
        }
    }

    /// Judges answers. Says whether they were looked at.
    pub(super) fn hear_answers(&mut self, from: NodeId, lease: Lease, answers: Vec<Answer>) -> bool {
        let held_by = self.state.lease(lease).map(|(task, grant)| (task, grant.to, grant.why));
        let anybody = planted::is(Bug::AnswersFromAnybody);
        let Some((task, holder, why)) = held_by.filter(|(_, holder, _)| *holder == from || anybody) else {
            // A stale lease: nobody waits for this.
            if !self.shows.awaits(from, lease) {
                self.stop_at_other(from, lease);
            }
            return false;
        };
        let from = if anybody { holder } else { from };
        if answers.len() > limits::ANSWERS_MAX {
            return false;
        }
        match why {
            Why::Proof(proof) => self.proofs(from, task, lease, proof, answers),
            Why::Try | Why::Copy { .. } => self.tries(from, task, lease, answers),
        }
        self.touched.insert(from);
        true
    }

    fn stop_at_other(&mut self, from: NodeId, lease: Lease) {
        if from != self.config.id {
            self.send(from, Message::Cancel { leases: vec![lease] });
        }
    }

    fn tries(&mut self, from: NodeId, id: TaskId, lease: Lease, answers: Vec<Answer>) {
        let Some(task) = self.state.task(id) else { return };
        let (job, stage, twin) = (task.job, task.stage, task.parts.out.get(&lease).and_then(|grant| grant.twin));
        let runs = answers.len() as u64;
        let sorted = self.sort(from, task, lease, answers);
        self.learn(from, id, &sorted, runs, lease);
        self.note_trees(id, lease, &sorted);
        if let Some(first) = sorted.kept.first() {
            let row = Row { task: id, stage: stage.row(), first: first.span.first };
            self.actions.push(Action::Keep { row, answers: sorted.kept });
        }
        if stage == Stage::Split {
            self.cut.insert(id, sorted.pieces);
        }
        self.tell(News::Answered {
            job,
            task: id,
            lease,
            by: from,
            runs,
            fuel: sorted.learned.1,
            micros: sorted.micros,
        });
        self.finished_items(id, sorted.counted.iter().collect(), false, from);
        if !sorted.counted.is_empty() {
            let spans = sorted.counted.iter().collect();
            self.record(Fact::Answered { lease, spans, fuel: sorted.fuel });
        }
        for (span, fuel) in sorted.failures {
            self.finished_items(id, vec![span], true, from);
            self.record(Fact::Corrected { lease, span, fuel, failed: true });
        }
        if !sorted.aside.is_empty() {
            self.put_on_probation(id, &sorted.aside);
            self.record(Fact::SetAside { lease, pending: sorted.aside });
        }
        for (span, outcome) in sorted.broke {
            let enough = if outcome == Outcome::Broken { limits::BROKEN_MAX } else { limits::SLOW_MAX };
            self.broke(from, id, lease, span, (outcome, enough));
        }
        for span in sorted.dearer {
            self.dearer(id, lease, span);
        }
        self.after_lease(lease);
        self.after_twin(twin);
    }

    /// Decides on each answer of a lease; nothing is recorded here.
    fn sort(&self, from: NodeId, task: &Task, lease: Lease, answers: Vec<Answer>) -> Sorted {
        let mut sorted = Sorted::default();
        let Some(grant) = task.parts.out.get(&lease) else {
            return sorted;
        };
        let free_of_charge = grant.price == Credits(0);
        let mut seen = Spans::default();
        let nothing = Span { first: 0, len: 0 };
        let claim = self.claim_of(from, task, nothing, false);
        for answer in answers {
            let span = answer.span;
            let fits = grant.is_run(span) && grant.left.holds(span) && !seen.touches(span);
            if !fits && !planted::is(Bug::AnswersTwice) {
                continue;
            }
            seen.add(span);
            sorted.micros = sorted.micros.saturating_add(answer.micros);
            let fuel = if free_of_charge { Fuel(0) } else { answer.fuel };
            // A claim above the price cannot be: the run would have been stopped.
            let overclaims = !free_of_charge && Credits::reserved(answer.fuel) > grant.price;
            let outcome = self.outcome(task, grant, answer.outcome);
            match outcome {
                _ if overclaims => sorted.broke.push((span, Outcome::Broken)),
                outcome if outcome.is_the_machines() => {
                    sorted.broke.push((span, outcome));
                    sorted.kept.push(kept(from, outcome, answer));
                }
                Outcome::OutOfFuel => sorted.dearer.push(span),
                _ => {
                    let failed = outcome.is_failure() || answer.pieces > limits::WAYS_MAX;
                    let draw = self.draw(task.root, span.first);
                    let pending = verify::proof(Claim { failed, draw, ..claim });
                    match pending {
                        Some(proof) => sorted.aside.push(Pending {
                            by: from,
                            span,
                            digest: answer.digest,
                            fuel,
                            failed,
                            inner: grant.inner,
                            proof,
                            at: None,
                        }),
                        None if failed => sorted.failures.push((span, fuel)),
                        None => {
                            sorted.counted.add(span);
                            sorted.fuel = sorted.fuel.plus(fuel);
                        }
                    }
                    if !failed {
                        let (items, sum, most) = sorted.learned;
                        sorted.learned = (items + span.len, sum.plus(answer.fuel), most.max(answer.fuel));
                    }
                    sorted.pieces = answer.pieces;
                    sorted.kept.push(kept(from, outcome, answer));
                }
            }
        }
        sorted
    }

    /// Out of fuel means that the estimate was too low, unless the job itself allows no more.
    fn outcome(&self, task: &Task, grant: &Grant, outcome: Outcome) -> Outcome {
        let most = Credits::reserved(most_fuel(task, grant.inner));
        if outcome == Outcome::OutOfFuel && (grant.price >= most || grant.price == Credits(0)) {
            return Outcome::Trapped { trap: Trap::OutOfFuel };
        }
        outcome
    }

    pub(super) fn claim_of(&self, from: NodeId, task: &Task, span: Span, failed: bool) -> Claim {
        Claim {
            check: task.terms.check,
            failed,
            trusted: self.presence.get(&from).is_some_and(|peer| peer.trusted),
            trust: self.state.peer(from).map(|record| record.trust).unwrap_or_default(),
            repeats: !task.terms.tool.real_time,
            draw: self.draw(task.root, span.first),
        }
    }

    fn learn(&mut self, from: NodeId, id: TaskId, sorted: &Sorted, runs: u64, lease: Lease) {
        let Some(task) = self.state.task(id) else { return };
        let (items, fuel, dearest) = sorted.learned;
        let done = self.watched.get(&lease).map_or(Fuel(0), |watched| watched.run.times(runs));
        if task.stage == Stage::Work {
            let key = self.estimate_of(id, task);
            let chunked = task.terms.chunk == Chunk::Timed;
            // With timed chunks the cost of one item is what counts; the dearest run grows with its chunk.
            let dearest = if chunked { Fuel(dearest.0 / items.max(1)) } else { dearest };
            self.estimates.entry(key).or_default().learn(items, fuel, dearest);
        }
        if let Some(peer) = self.presence.get_mut(&from) {
            peer.load = Fuel(peer.load.0.saturating_sub(done.0));
            peer.speed = estimate::speed(peer.speed, fuel, sorted.micros);
        }
    }

    pub(super) fn broke(&mut self, from: NodeId, id: TaskId, lease: Lease, span: Span, tried: (Outcome, u32)) {
        // Where a twin works on the same items, the first broken run has ended the whole lease.
        if self.state.lease(lease).is_none() {
            return;
        }
        self.record(Fact::Broke { lease, span });
        self.give_up_or_rest(from, id, span, tried);
    }

    /// A part was tried in vain. After enough times it is given up; whoever tried has a rest, so that others try. That a
    /// run took too long may be the tool's doing: then it is a rest from this job alone.
    pub(super) fn give_up_or_rest(&mut self, from: NodeId, id: TaskId, span: Span, tried: (Outcome, u32)) {
        let Some(task) = self.state.task(id) else { return };
        let (outcome, enough) = tried;
        let (tries, root) = (task.parts.broken.get(&span.first).copied().unwrap_or(0), task.root);
        if tries >= enough {
            self.finished_items(id, vec![span], true, from);
            self.record(Fact::GaveUp { task: id, span });
        }
        match outcome {
            Outcome::Broken => self.rest(from, limits::BROKEN_PAUSE),
            _ => self.rest_from(root, from, limits::BROKEN_PAUSE),
        }
        self.unproved_until.retain(|_, until| *until > self.now);
    }

    fn dearer(&mut self, id: TaskId, lease: Lease, span: Span) {
        let Some((_, grant)) = self.state.lease(lease) else {
            return;
        };
        let most = self.state.task(id).map_or(Fuel(0), |task| most_fuel(task, grant.inner));
        let limit = grant.price.buys().times(limits::FUEL_SLACK).max(limits::FUEL_FIRST).min(most);
        self.record(Fact::Dearer { lease, span, limit });
    }

    /// Answers are final: accepted and paid in one fact.
    pub(super) fn vest(&mut self, id: TaskId, node: NodeId, all: bool, fuel: Fuel) {
        let Some(task) = self.state.task(id) else { return };
        let (job, root) = (task.job, task.root);
        let held = self.state.purse(root).map(|purse| purse.held).unwrap_or_default();
        let pay = Credits::earned(fuel).min(held);
        let giver = self.state.task(root).map(|root| root.owner);
        self.note_spent(id, fuel);
        self.record(Fact::Vested { task: id, node, all, pay });
        if pay == Credits(0) {
            return;
        }
        if let Some(Owner::Peer { node: giver, .. }) = giver {
            use crate::ledger::Account;
            self.record(Fact::Moved { from: Account::Node(giver), to: Account::Node(node), amount: pay });
        }
        self.tell(News::Paid { job, to: node, amount: pay });
        self.to_pay.insert(node);
    }

    /// Tells whoever watches that inputs of a job have their answer.
    pub(super) fn finished_items(&mut self, id: TaskId, spans: Vec<Span>, failed: bool, by: NodeId) {
        let Some(task) = self.state.task(id) else { return };
        if failed {
            self.failing.insert(id);
        }
        if task.owner == Owner::Person && task.stage == Stage::Work {
            let job = task.job;
            for span in spans {
                self.tell(News::Finished { job, span, failed, by: Some(by) });
            }
        }
    }

    /// Whether a lease has ended with what was recorded; then it needs no watch.
    pub(super) fn after_lease(&mut self, lease: Lease) {
        if self.state.lease(lease).is_none() {
            self.forget_watch(lease);
        }
    }

    /// The other lease over the same items ends with this one's answers.
    fn after_twin(&mut self, twin: Option<Lease>) {
        let Some(twin) = twin else { return };
        if self.state.lease(twin).is_some() {
            return;
        }
        if let Some(watched) = self.watched.get(&twin).copied() {
            let holder = watched.holder;
            self.forget_watch(twin);
            self.stop_at(holder, vec![twin]);
            self.touched.insert(holder);
        }
    }

    /// A gift is not out any more.
    pub(super) fn forget_watch(&mut self, lease: Lease) {
        let Some(watched) = self.watched.remove(&lease) else {
            return;
        };
        let idle = self.state.peer(watched.holder).is_none_or(|record| record.leases.len() <= 1);
        if let Some(peer) = self.presence.get_mut(&watched.holder)
            && idle
        {
            peer.load = Fuel(0);
        }
        self.touched.insert(watched.holder);
    }

    /// How long a lease may be out before it counts as slow.
    pub(super) fn is_slow(&self, lease: Lease, now: Millis) -> bool {
        self.watched.get(&lease).is_none_or(|watched| {
            let gone = !self.presence.get(&watched.holder).is_some_and(|peer| peer.linked);
            let patience = if gone { limits::STRAGGLER_MIN } else { watched.patience };
            watched.given.plus(patience) <= now
        })
    }
}

pub(super) fn kept(by: NodeId, outcome: Outcome, answer: Answer) -> Kept {
    Kept { span: answer.span, outcome, output: answer.output, fuel: answer.fuel, micros: answer.micros, by }
}

/// What a giver confirms: the spans of a message, neighbouring ones as one.
fn noted(lease: Lease, answers: &[Answer]) -> Vec<(Lease, Span)> {
    let spans = answers.iter().fold(Spans::default(), |mut spans, answer| {
        spans.add(answer.span);
        spans
    });
    spans.iter().map(|span| (lease, span)).collect()
}
