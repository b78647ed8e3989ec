//! What simulated executors do, honestly or not.

use super::{Next, World};
use crate::id::{Lease, NodeId};
use crate::message::{Answer, Gift, Inputs, Message, Outcome, Output, Trap};
use crate::node::Event;
use crate::sim::plan::Honesty;
use crate::sim::toy::{self, Toy};
use crate::task::{Act, Span};
use crate::units::Fuel;

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
        // Answers come in two batches, so that half a gift can be lost.
        let late = answers.split_off(answers.len() / 2);
        if !answers.is_empty() {
            self.later(wait / 2, Next::Finish { node, life, giver, lease, answers });
        }
        self.later(wait, Next::Finish { node, life, giver, lease, answers: late });
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
        } else if honesty == Honesty::Overclaimer {
            answer.fuel = answer.fuel.times(2);
        }
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
