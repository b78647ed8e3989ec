//! Answers of whole pieces, and what they are made of.
//!
//! Whoever solves a piece says with its answer in how many ways it asked the tool to cut, and of each part a digest and
//! the fuel. The giver picks some parts by chance, asks to be shown the outputs of all, and then cuts anew, runs the
//! picked parts and merges what it was shown: with its own executors, so nobody has to be believed. Too many parts, a
//! part or a merge that is wrong, and fuel that nobody burned are found that way, at the price of a few parts. How a
//! part came about does not matter here: a child answers for all that it returns.

use super::judge::kept;
use super::{Action, Feed, FeedFrom, Node, Row};
use crate::id::{Lease, NodeId, TaskId};
use crate::limits;
use crate::message::{Answer, Gift, Inputs, Message, Outcome, Part, Trap};
use crate::planted::{self, Bug};
use crate::state::Fact;
use crate::task::{Act, Pending, Proof, Span, Stage, Task};
use crate::units::{Credits, Fuel, Millis};
use crate::verify;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Answers of pieces that are not judged yet.
#[derive(Debug, Default)]
pub(super) struct Shows {
    by_item: BTreeMap<(TaskId, u64), Show>,
    by_lease: BTreeMap<(NodeId, Lease), (TaskId, u64)>,
    /// Until when what was asked for has to be shown.
    until: BTreeSet<(Millis, TaskId, u64)>,
    /// How often somebody has not shown what it was asked for: it rests longer each time.
    kept_back: BTreeMap<NodeId, u32>,
    /// Tasks of which answers were judged in this batch.
    judged: BTreeSet<TaskId>,
}

/// What is known of one answer.
#[derive(Debug)]
struct Show {
    by: NodeId,
    lease: Lease,
    ways: u64,
    parts: Vec<Part>,
    /// Parts whose outputs were shown.
    seen: BTreeSet<u64>,
    asked: bool,
    step: Step,
}

/// How far an audit has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Waiting,
    Cutting,
    /// These parts are being run.
    Running(BTreeSet<u64>),
    Merging,
}

impl Shows {
    /// Whether somebody still keeps the evidence of an answer that is not judged.
    pub(super) fn awaits(&self, from: NodeId, lease: Lease) -> bool {
        self.by_lease.contains_key(&(from, lease))
    }

    pub(super) fn task_of(&self, from: NodeId, lease: Lease) -> Option<TaskId> {
        self.by_lease.get(&(from, lease)).map(|(task, _)| *task)
    }

    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.until.first().map(|(at, ..)| *at)
    }

    /// Answers of a task were judged, or it is over.
    pub(super) fn judged(&mut self, task: TaskId) {
        if !self.by_item.is_empty() {
            self.judged.insert(task);
        }
    }

    /// A lender was found out: whatever it said is judged.
    pub(super) fn all_judged(&mut self) {
        self.judged = self.by_item.keys().map(|(task, _)| *task).collect();
    }

    fn complete(&self, task: TaskId, first: u64) -> Option<&Show> {
        self.by_item.get(&(task, first)).filter(|show| show.seen.len() == show.parts.len())
    }

    fn of(&self, node: NodeId) -> Vec<(TaskId, u64)> {
        self.by_lease.range((node, Lease(0))..=(node, Lease(u64::MAX))).map(|(_, at)| *at).collect()
    }

    fn remove(&mut self, at: (TaskId, u64)) -> Option<Show> {
        let show = self.by_item.remove(&at)?;
        self.by_lease.remove(&(show.by, show.lease));
        self.until.retain(|(_, task, first)| (*task, *first) != at);
        Some(show)
    }
}

impl Node {
    /// A lender has solved a piece, and says what its answer is made of.
    pub(super) fn solved(&mut self, from: NodeId, lease: Lease, mut answer: Answer, ways: u64, parts: Vec<Part>) {
        if self.shows.awaits(from, lease) {
            return;
        }
        let sum = parts.iter().fold(Fuel(0), |sum, part| sum.plus(part.fuel));
        let bounded = (1..=limits::WAYS_MAX).contains(&(parts.len() as u64)) && (1..=limits::WAYS_MAX).contains(&ways);
        if !bounded || answer.fuel > sum {
            // Such a claim is nothing: somebody else should try.
            answer.outcome = Outcome::Broken;
        }
        let held = self.state.lease(lease).map(|(task, grant)| (task, grant.to, grant.inner));
        let (span, digest) = (answer.span, answer.digest);
        if !self.hear_answers(from, lease, vec![answer]) {
            return;
        }
        let pending = held.filter(|(_, to, inner)| *to == from && *inner).and_then(|(task, ..)| {
            let pending = self.state.task(task)?.parts.pending.get(&span.first)?;
            (pending.by == from && pending.digest == digest && !pending.failed).then_some((task, pending.proof))
        });
        let Some((task, proof)) = pending else {
            return self.send(from, Message::Noted { noted: vec![(lease, span)] });
        };
        let show = Show { by: from, lease, ways, parts, seen: BTreeSet::new(), asked: false, step: Step::Waiting };
        self.shows.remove((task, span.first));
        self.shows.by_item.insert((task, span.first), show);
        self.shows.by_lease.insert((from, lease), (task, span.first));
        if proof == Proof::Audit {
            self.ask_to_show(task, span.first);
        }
    }

    /// Asks for the evidence of an answer that will be audited.
    pub(super) fn ask_to_show(&mut self, task: TaskId, first: u64) {
        let until = self.now.plus(self.config.lease);
        let Some(show) = self.shows.by_item.get_mut(&(task, first)) else { return };
        if !std::mem::replace(&mut show.asked, true) {
            self.shows.until.insert((until, task, first));
        }
        let (by, lease) = (show.by, show.lease);
        self.send(by, Message::Show { lease });
    }

    /// A lender lives: what was lost on the way it is asked for again.
    pub(super) fn ask_again(&mut self, node: NodeId) {
        for (task, first) in self.shows.of(node) {
            let waits = |show: &Show| show.asked && show.seen.len() < show.parts.len();
            if self.shows.by_item.get(&(task, first)).is_some_and(waits) {
                self.ask_to_show(task, first);
            }
        }
    }

    /// A lender shows what its answer is made of. What does not fit what it said before is not looked at.
    pub(super) fn shown(&mut self, from: NodeId, lease: Lease, answers: Vec<Answer>) {
        let Some((task, first)) = self.shows.by_lease.get(&(from, lease)).copied() else { return };
        let Some(show) = self.shows.by_item.get_mut(&(task, first)).filter(|show| show.asked) else { return };
        let mut kept_now = Vec::new();
        for answer in answers.into_iter().take(limits::ANSWERS_MAX) {
            let at = answer.span.first;
            let part = usize::try_from(at).ok().and_then(|at| show.parts.get(at));
            if part.is_some_and(|part| part.digest == answer.digest) && show.seen.insert(at) {
                let span = Span { first: scratch(first).saturating_add(at), len: 1 };
                kept_now.push(kept(from, answer.outcome, Answer { span, ..answer }));
            }
        }
        if show.seen.len() == show.parts.len() {
            self.shows.kept_back.remove(&from);
        }
        if let Some(one) = kept_now.first() {
            let row = Row { task, stage: Stage::SHOWN, first: one.span.first };
            self.actions.push(Action::Keep { row, answers: kept_now });
        }
    }

    /// Whether an answer may be run again now. That of a piece waits until what it is made of was shown.
    pub(super) fn may_repeat(&self, task: TaskId, first: u64) -> bool {
        self.shows.by_item.get(&(task, first)).is_none_or(|show| !show.asked)
    }

    /// The answer of a piece that can be audited part by part.
    pub(super) fn next_shown(&self, id: TaskId, task: &Task) -> Option<(Span, u64)> {
        let audits = task.parts.unproved.iter().filter(|(proof, _)| *proof == Proof::Audit);
        let rests = |first: &u64| self.unproved_until.get(&(id, *first)).is_some_and(|until| *until > self.now);
        let waiting = audits.take(LOOKED_AT).map(|(_, first)| *first).filter(|first| !rests(first));
        let mut shown = waiting.filter_map(|first| Some((first, self.shows.complete(id, first)?)));
        let (first, show) = shown.next()?;
        Some((task.parts.pending.get(&first)?.span, show.ways))
    }

    /// Such an audit has begun: the input is being cut anew.
    pub(super) fn begin_audit(&mut self, task: TaskId, first: u64) {
        if let Some(show) = self.shows.by_item.get_mut(&(task, first)) {
            show.step = Step::Cutting;
        }
    }

    /// A step of an audit is done. Says whether there was such an audit at all.
    pub(super) fn audit_goes_on(&mut self, prover: NodeId, id: TaskId, lease: Lease, answers: &[Answer]) -> bool {
        let Some(task) = self.state.task(id) else { return false };
        let grant = task.parts.out.get(&lease);
        let Some(first) = grant.and_then(|grant| grant.pieces.first()).map(|span| span.first) else { return false };
        let Some(pending) = task.parts.pending.get(&first).copied().filter(|one| one.at == Some(lease)) else {
            return false;
        };
        let Some(show) = self.shows.by_item.get(&(id, first)).filter(|show| show.step != Step::Waiting) else {
            return false;
        };
        let step = show.step.clone();
        if let Some(broken) = answers.iter().find(|answer| answer.outcome.is_the_machines()) {
            self.audit_broke(prover, id, lease, pending, broken.clone());
            return true;
        }
        let next = match step {
            Step::Waiting => Next::Lie,
            Step::Cutting => self.cut_anew(id, &pending, answers),
            Step::Running(left) => self.ran_again(id, &pending, left, answers),
            Step::Merging => {
                let same = answers.first().is_some_and(|answer| answer.digest == pending.digest);
                if same || planted::is(Bug::BlindMerge) { Next::Right } else { Next::Lie }
            }
        };
        match next {
            Next::Wait => {}
            Next::Run(parts) => self.run_parts(id, lease, first, parts),
            Next::Merge => self.merge_shown(id, lease, first),
            Next::Right => {
                self.proved(id, lease, Proof::Audit, vec![pending]);
                self.after_lease(lease);
            }
            Next::Lie => self.refute_piece(id, lease, pending),
        }
        true
    }

    /// The tool was asked to cut the piece as its lender says that it did.
    fn cut_anew(&mut self, id: TaskId, pending: &Pending, answers: &[Answer]) -> Next {
        let first = pending.span.first;
        let Some(show) = self.shows.by_item.get(&(id, first)) else { return Next::Lie };
        let Some(answer) = answers.first() else { return Next::Wait };
        let parts = show.parts.len() as u64;
        if answer.outcome != Outcome::Right || answer.pieces != parts {
            return Next::Lie;
        }
        let row = Row { task: id, stage: Stage::RECUT, first };
        let again = Answer { span: Span { first, len: 1 }, ..answer.clone() };
        self.actions.push(Action::Keep { row, answers: vec![kept(self.config.id, again.outcome, again)] });
        let share = self.state.task(id).map_or(0, |task| u64::from(task.terms.check.per_mille()));
        let picked = pick(self.state.secret(), show.lease, answer.pieces, share);
        Next::Run(picked)
    }

    /// Some of the picked parts were run.
    fn ran_again(&mut self, id: TaskId, pending: &Pending, mut left: BTreeSet<u64>, answers: &[Answer]) -> Next {
        let Some(show) = self.shows.by_item.get_mut(&(id, pending.span.first)) else { return Next::Lie };
        for answer in answers {
            let part = usize::try_from(answer.span.first).ok().and_then(|at| show.parts.get(at));
            let Some(part) = part.filter(|_| left.remove(&answer.span.first)) else { continue };
            if !is_right(part, answer) {
                return Next::Lie;
            }
        }
        let (alone, whole) = (show.parts.len() == 1, show.parts.first().map(|part| part.digest));
        let next = match left.is_empty() {
            false => Next::Wait,
            true if !alone => Next::Merge,
            true if whole == Some(pending.digest) => Next::Right,
            true => Next::Lie,
        };
        show.step = if next == Next::Merge { Step::Merging } else { Step::Running(left) };
        next
    }

    fn run_parts(&mut self, id: TaskId, lease: Lease, first: u64, parts: BTreeSet<u64>) {
        let row = Row { task: id, stage: Stage::RECUT, first };
        let feed = Feed { from: FeedFrom::Pieces { row }, shift: 0, claims: None };
        let pieces = parts.iter().map(|part| Span { first: *part, len: 1 }).collect();
        if let Some(show) = self.shows.by_item.get_mut(&(id, first)) {
            show.step = Step::Running(parts);
        }
        self.give_again(id, lease, Act::Run, pieces, feed);
    }

    fn merge_shown(&mut self, id: TaskId, lease: Lease, first: u64) {
        let parts = self.shows.by_item.get(&(id, first)).map_or(0, |show| show.parts.len() as u64);
        let feed = Feed { from: FeedFrom::Outputs { task: id, stage: Stage::SHOWN }, shift: 0, claims: None };
        self.give_again(id, lease, Act::Merge, vec![Span { first: scratch(first), len: parts }], feed);
    }

    /// The next step of an audit goes the way that its first one went.
    fn give_again(&mut self, id: TaskId, lease: Lease, act: Act, pieces: Vec<Span>, feed: Feed) {
        let Some(task) = self.state.task(id) else { return };
        let chunk = if act == Act::Merge { pieces.first().map_or(1, |piece| piece.len) } else { 1 };
        let gift = Gift {
            lease,
            job: task.job,
            tool: Arc::clone(&task.terms.tool),
            act,
            pieces,
            chunk,
            inputs: Inputs::Carried { data: Vec::new() },
            fuel: task.terms.tool.caps.fuel,
            price: Credits(0),
            check: task.terms.check,
        };
        self.giving.entry(self.config.id).or_default().push((gift, feed));
    }

    /// The machine could not do a step: the audit begins anew after a while.
    fn audit_broke(&mut self, prover: NodeId, id: TaskId, lease: Lease, pending: Pending, answer: Answer) {
        if let Some(show) = self.shows.by_item.get_mut(&(id, pending.span.first)) {
            show.step = Step::Waiting;
        }
        self.unproved_until.insert((id, pending.span.first), self.now.plus(limits::BROKEN_PAUSE));
        self.broke(prover, id, lease, pending.span, (answer.outcome, limits::BROKEN_MAX));
        self.keep_unproved(prover, id, Answer { span: pending.span, ..answer });
        self.after_lease(lease);
    }

    fn refute_piece(&mut self, id: TaskId, lease: Lease, pending: Pending) {
        let Some(task) = self.state.task(id) else { return };
        self.tell(super::News::Refused { job: task.job, task: id, by: pending.by });
        self.record(Fact::Refuted { task: id, lease, first: pending.span.first });
        self.take_back(vec![lease]);
        self.catch(pending.by);
    }

    /// What was to be shown was not: it counts for nothing, but nobody is blamed, since machines die.
    fn withdraw(&mut self, (id, first): (TaskId, u64)) {
        let Some(show) = self.shows.by_item.get(&(id, first)) else { return };
        let by = show.by;
        let pending = self.state.task(id).and_then(|task| task.parts.pending.get(&first));
        if pending.is_some_and(|pending| pending.by == by && pending.at.is_none()) {
            self.record(Fact::Withdrawn { task: id, first });
            let times = self.shows.kept_back.entry(by).or_default();
            *times = times.saturating_add(1);
            let longer = limits::BROKEN_PAUSE.0.saturating_mul(1 << (*times).min(8));
            self.rest(by, Millis(longer).min(limits::LEASE));
        }
        self.shows.judged(id);
    }

    /// A lender has forgotten all that it knew, or is gone: what it has not shown it will not show.
    pub(super) fn shows_no_more(&mut self, node: NodeId) {
        for at in self.shows.of(node) {
            let asked = self.shows.by_item.get(&at).is_some_and(|show| show.asked);
            if self.shows.complete(at.0, at.1).is_some() {
                continue;
            }
            if asked {
                self.withdraw(at);
            } else {
                // Whoever has not been asked can still be believed, or repeated.
                self.shows.remove(at);
            }
        }
    }

    /// Looks at what should have been shown by now, and lets go of the evidence that nobody needs any more.
    pub(super) fn tend_shows(&mut self) {
        while let Some((at, task, first)) = self.shows.until.first().copied().filter(|(at, ..)| *at <= self.now) {
            self.shows.until.remove(&(at, task, first));
            if self.shows.complete(task, first).is_none() {
                self.withdraw((task, first));
            }
        }
        for id in std::mem::take(&mut self.shows.judged) {
            let all = self.shows.by_item.range((id, 0)..=(id, u64::MAX));
            let over = all.filter(|((_, first), show)| !self.is_pending(id, *first, show.by));
            let over: Vec<(TaskId, u64)> = over.map(|(at, _)| *at).collect();
            for at in over {
                if let Some(show) = self.shows.remove(at) {
                    let noted = vec![(show.lease, Span { first: at.1, len: 1 })];
                    self.send(show.by, Message::Noted { noted });
                }
            }
        }
    }

    fn is_pending(&self, id: TaskId, first: u64, by: NodeId) -> bool {
        let pending = self.state.task(id).and_then(|task| task.parts.pending.get(&first));
        pending.is_some_and(|pending| pending.by == by)
    }
}

/// What comes after a step.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait,
    Run(BTreeSet<u64>),
    Merge,
    Right,
    Lie,
}

/// Answers looked at for one that was shown.
const LOOKED_AT: usize = 64;

/// Where what was shown for an item lies: behind that of the items before it.
fn scratch(first: u64) -> u64 {
    first.saturating_mul(limits::WAYS_MAX)
}

/// Whether running a part here says what its lender said. A part that was cut further there costs a little more, and
/// may be more than one run can do.
fn is_right(part: &Part, answer: &Answer) -> bool {
    let too_large = matches!(
        answer.outcome,
        Outcome::Trapped { trap: Trap::OutOfFuel | Trap::OutOfMemory | Trap::OutputTooLarge | Trap::FilesTooLarge }
    );
    if part.inner && too_large {
        return true;
    }
    let most = if part.inner { tree_fuel(answer.fuel) } else { answer.fuel };
    part.digest == answer.digest && part.fuel <= most
}

/// What a piece may cost that was cut, beside what it costs in one run: every part begins anew.
pub(super) fn tree_fuel(one_run: Fuel) -> Fuel {
    one_run.plus(Fuel(one_run.0 / 2))
}

/// The parts that are run again: as many as the job's check says, one at the least, and nobody can guess which.
fn pick(secret: u64, lease: Lease, parts: u64, per_mille: u64) -> BTreeSet<u64> {
    let wanted = (parts.saturating_mul(per_mille) / 1_000).clamp(1, parts.max(1));
    let mut picked = BTreeSet::new();
    for part in 0..parts {
        let (left, needed) = (parts - part, wanted - picked.len() as u64);
        if verify::mix(secret ^ verify::mix(lease.0 ^ verify::mix(part))) % left < needed {
            picked.insert(part);
        }
    }
    picked
}
