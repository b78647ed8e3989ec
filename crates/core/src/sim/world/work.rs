//! What simulated executors do, honestly or not.

use super::{Next, World};
use crate::id::{Lease, NodeId, TaskId};
use crate::message::{Answer, Gift, Inputs, Message, Outcome, Output, Part, Trap};
use crate::node::{Event, Kept, Row};
use crate::sim::plan::Honesty;
use crate::sim::toy::{self, Toy};
use crate::task::{Act, Span, Stage};
use crate::units::{Fuel, Millis};

impl World {
    pub(super) fn execute(&mut self, node: usize, giver: NodeId, gift: &Gift) {
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
        let (now, shared) = (self.now, self.plan.shared);
        let slot = self.computers[node].free_at.iter_mut().min().filter(|_| shared);
        let begins = slot.map_or(now, |free| {
            let begins = now.max(*free);
            *free = begins.plus(Millis(wait));
            begins
        });
        if shared {
            self.computers[node].at_work.insert((giver, lease), (begins, begins.plus(Millis(wait))));
        }
        let before = begins.since(now).0;
        // Answers come in two batches, so that half a gift can be lost.
        let late = answers.split_off(answers.len() / 2);
        if !answers.is_empty() {
            self.later(before + wait / 2, Next::Finish { node, life, giver, lease, answers });
        }
        self.later(before + wait, Next::Finish { node, life, giver, lease, answers: late });
    }

    pub(super) fn misbehave(&mut self, node: usize, act: Act, answer: &mut Answer) {
        let honesty = self.computers[node].honesty;
        if !self.peace && self.trouble.per_mille(self.plan.faults.break_run) {
            answer.outcome = Outcome::Broken;
        } else if honesty == Honesty::Liar && act == Act::Run && self.lies.per_mille(700) {
            // All liars tell the same lie.
            answer.outcome = Outcome::Right;
            answer.output = Output::of(toy::data(&format!("{}", 7 + answer.span.first)));
            answer.digest = toy::digest(answer.outcome, &answer.output);
        } else if honesty == Honesty::Botcher && act == Act::Merge {
            answer.output = Output::of(toy::data("0"));
            answer.digest = toy::digest(answer.outcome, &answer.output);
        } else if honesty == Honesty::Overclaimer {
            answer.fuel = answer.fuel.times(2);
        }
    }

    /// What runs is killed: what it would still have burned it does not, and its slot is free again.
    pub(super) fn stop(&mut self, node: usize, key: (NodeId, Lease)) {
        let (now, computer) = (self.now, &mut self.computers[node]);
        computer.running.remove(&key);
        let Some((begins, ends)) = computer.at_work.remove(&key) else { return };
        let until = now.max(begins);
        if let Some(free) = computer.free_at.iter_mut().find(|free| **free == ends && until < ends) {
            *free = until;
            self.stats.burned = self.stats.burned.saturating_sub(ends.since(until).0 * computer.speed);
        }
    }

    /// The answer to a piece, as it lies on the disk, and what it is made of.
    pub(super) fn deliver(
        &self,
        node: usize,
        (giver, lease): (NodeId, Lease),
        row: Row,
        (outcome, fuel, parts): (Outcome, Fuel, u64),
    ) -> Event {
        let kept = self.computers[node].disk.answer(row).cloned();
        // Which failure it was lies with the part that failed.
        let failed =
            kept.as_ref().map(|kept| kept.outcome).filter(|kept| outcome.is_failure() && *kept != Outcome::Right);
        let outcome = failed.unwrap_or(outcome);
        let output = kept.map_or_else(|| Output::of(toy::data("")), |kept| kept.output);
        let answer = Answer {
            span: self.span_of(node, giver, lease),
            outcome,
            fuel,
            micros: 1_000,
            digest: toy::digest(outcome, &output),
            output,
            pieces: 0,
        };
        let parts = self.parts(node, row.task, parts);
        if parts.is_empty() {
            return Event::Ran { giver, lease, answers: vec![answer] };
        }
        // Some say that there was more to do.
        let times = if self.computers[node].honesty == Honesty::Oversplitter { 2 } else { 1 };
        Event::Solved { giver, lease, answer: Answer { fuel: fuel.times(times), ..answer }, parts }
    }

    /// The answers of a task's parts, as they lie on the disk.
    pub(super) fn shown(&self, node: usize, task: TaskId, parts: u64) -> Vec<Answer> {
        let rows = self.computers[node].disk.answers(task, Stage::Work.row(), Span { first: 0, len: parts });
        let answer = |kept: &Kept| Answer {
            span: kept.span,
            outcome: kept.outcome,
            fuel: kept.fuel,
            micros: kept.micros,
            digest: toy::digest(kept.outcome, &kept.output),
            output: kept.output.clone(),
            pieces: 0,
        };
        let mut answers: Vec<Answer> = rows.map(answer).collect();
        if self.computers[node].honesty == Honesty::Oversplitter {
            let there = answers.len() as u64;
            let more = answers.clone().into_iter();
            let shift = |one: Answer| Answer { span: Span { first: one.span.first + there, ..one.span }, ..one };
            answers.extend(more.map(shift));
        }
        answers
    }

    /// What an answer is made of.
    pub(super) fn parts(&self, node: usize, task: TaskId, parts: u64) -> Vec<Part> {
        let answers = self.shown(node, task, parts);
        answers.iter().map(|one| Part { digest: one.digest, fuel: one.fuel, inner: false }).collect()
    }

    pub(super) fn finish(
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
        let again = Next::Finish { node, life, giver, lease, answers: answers.clone() };
        if self.computers[node].honesty == Honesty::Forger && !self.peace {
            self.forge(node, giver, &answers);
        }
        self.tell(node, Event::Ran { giver, lease, answers }, again)
    }

    /// Says that it has answers to leases of others.
    pub(super) fn forge(&mut self, node: usize, giver: NodeId, answers: &[Answer]) {
        let guess = Lease(self.lies.below(200));
        let lease = self.computers[node].seen.last().map_or(guess, |seen| Lease(seen.0 ^ self.lies.below(4)));
        let mut forged = answers.to_vec();
        for answer in &mut forged {
            answer.output = Output::of(toy::data("666"));
            answer.digest = toy::digest(answer.outcome, &answer.output);
            answer.span.first = self.lies.below(90);
        }
        for guess in 0..4 {
            let lease = Lease(lease.0.wrapping_sub(guess));
            self.convey(node, giver, Message::Done { lease, answers: forged.clone() }, &mut Vec::new());
        }
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
