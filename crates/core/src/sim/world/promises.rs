//! What must hold when a simulated run is over.

use super::World;
use super::people::job_id;
use crate::id::{NodeId, TaskId};
use crate::job::Standing;
use crate::ledger::Account;
use crate::message::{Gift, Outcome, Trap};
use crate::node::{Action, Kind, News};
use crate::peer::Record;
use crate::planted::{self, Bug};
use crate::sim::plan::{Errand, Honesty};
use crate::sim::toy::{self, Toy};
use crate::split;
use crate::state::{Fact, JobBook, State};
use crate::task::{Span, Stage};
use crate::units::Credits;
use std::collections::{BTreeMap, BTreeSet};

impl World {
    pub(super) fn all_ended(&self) -> bool {
        let ended = |errand: usize| {
            let Some(brain) = &self.computers[self.plan.errands[errand].node].node else { return false };
            let over = |book: &JobBook| brain.state().task(book.root).is_none_or(|root| root.over);
            brain.state().job(job_id(errand)).is_none_or(over)
        };
        (0..self.plan.errands.len()).all(|errand| self.accepted.contains(&errand) && ended(errand))
    }

    pub(super) fn what_hangs(&self) -> String {
        let Some(brain) = &self.computers[0].node else {
            return "the first node is down".to_owned();
        };
        let hanging = brain.state().tasks().iter().filter(|(_, task)| !task.over);
        let told: Vec<String> = hanging
            .map(|(id, task)| {
                let p = &task.parts;
                format!(
                    "{id:?} {:?} {:?} count {} next {} again {} out {:?} pending {} opened {} ending {:?} limit {:?}",
                    task.owner,
                    task.stage,
                    p.count,
                    p.next,
                    p.again.count(),
                    p.out,
                    p.pending.len(),
                    p.opened.len(),
                    p.ending,
                    p.raised
                )
            })
            .collect();
        let purses: Vec<String> =
            brain.state().tasks().keys().filter_map(|id| brain.state().purse(*id)).map(|p| format!("{p:?}")).collect();
        format!("{} | {} | {:?}", told.join("; "), purses.join("; "), brain.view_peers())
    }

    /// At any time: no node is given what it would not take.
    pub(super) fn examine_gifts(&self, from: usize, to: NodeId, gifts: &[Gift]) -> Result<(), String> {
        let here = self.computers[from].id;
        match gifts.iter().find(|gift| to != here && !gift.is_bounded()) {
            None => Ok(()),
            Some(Gift { lease, act, pieces, chunk, .. }) => {
                Err(format!("{here:?} gives {to:?} {lease:?}, out of bounds: {act:?} {pieces:?} by {chunk}"))
            }
        }
    }

    /// At the end: every answer is what one computer alone would have given, and every book balances.
    pub(super) fn examine(&mut self) -> Result<(), String> {
        for node in 0..self.computers.len() {
            if let Some(brain) = &self.computers[node].node {
                brain.state().check()?;
                self.same_after_replay(node)?;
            }
        }
        let mut books = self.computers[0].node.iter().flat_map(|brain| brain.state().ledger().accounts());
        if let Some((account, held)) = books.find(|(account, _)| matches!(account, Account::Hold(_))) {
            return Err(format!("{held} are still set aside on {account:?}"));
        }
        self.examine_accounts()?;
        for (errand, what) in self.plan.errands.iter().enumerate() {
            self.examine_answers(errand, what)?;
        }
        self.examine_payments()
    }

    /// Every line of an account follows from the one before, and the last one says what is there.
    fn examine_accounts(&self) -> Result<(), String> {
        let Some(brain) = &self.computers[0].node else { return Ok(()) };
        for (person, entries) in &self.computers[0].disk.entries {
            let mut sum = 0;
            for entry in entries {
                sum += entry.amount;
                if entry.balance != sum {
                    return Err(format!("{person:?}: {entry:?} after {}", sum - entry.amount));
                }
            }
            let there = brain.state().ledger().signed(Account::Person(*person));
            if there != sum {
                return Err(format!("{person:?} has {there}, but the lines come to {sum}"));
            }
        }
        Ok(())
    }

    pub(super) fn examine_answers(&self, errand: usize, what: &Errand) -> Result<(), String> {
        let Some(brain) = &self.computers[what.node].node else {
            return Ok(());
        };
        let Some(view) = brain.view_job(job_id(errand)) else {
            return Ok(());
        };
        if view.standing == Standing::Running {
            return Err(format!("job {errand} has not ended"));
        }
        if view.spent > view.job.budget {
            return Err(format!("job {errand} cost more than its budget"));
        }
        if what.cancel_at.is_some() || view.standing == Standing::Unpaid {
            return Ok(());
        }
        let disk = &self.computers[what.node].disk;
        let root = view.root;
        if view.merged && view.standing == Standing::Done {
            let (stage, first) = view.answer;
            let row = crate::node::Row { task: root, stage, first };
            let told = disk.answer(row).map(|kept| toy::text(&kept.output.stdout)).unwrap_or_default();
            if !merged_agrees(what.toy, view.counts.items, &told) {
                return Err(format!("job {errand}: merged answer {told:?} is wrong"));
            }
            return Ok(());
        }
        self.examine_items(errand, what, root, view.counts.items)
    }

    pub(super) fn examine_items(&self, errand: usize, what: &Errand, root: TaskId, items: u64) -> Result<(), String> {
        let mut at = 0;
        let toy = what.toy;
        for kept in self.computers[what.node].disk.answers(root, Stage::Work.row(), Span { first: 0, len: items }) {
            if kept.span.first != at {
                return Err(format!("job {errand}: item {at} has no answer"));
            }
            at = kept.span.end();
            let (outcome, _) = toy.alone(kept.span.first, kept.span.len);
            let told = toy::text(&kept.output.stdout);
            let right = match outcome {
                Outcome::Right => kept.outcome == Outcome::Right && toy.agrees(kept.span.first, kept.span.len, &told),
                failure => kept.outcome == failure,
            };
            // A tool that no machine could run has failed for another reason than its own.
            let failed = kept.outcome.is_failure() || kept.outcome == Outcome::Broken;
            let gave_up = failed && self.plan.faults.break_run > 0;
            let contradicts = kept.outcome == Outcome::Trapped { trap: Trap::Contradicts }
                && toy.contradicts(toy.input(kept.span.first));
            if !right && !gave_up && !contradicts {
                return Err(format!(
                    "job {errand}: item {} is {:?} {told:?}, by {:?}",
                    kept.span.first, kept.outcome, kept.by
                ));
            }
        }
        if at != items && self.plan.faults.break_run == 0 {
            return Err(format!("job {errand}: answers end at item {at} of {items}"));
        }
        Ok(())
    }

    /// Nobody believes to have been paid more than was paid.
    pub(super) fn examine_payments(&self) -> Result<(), String> {
        for giver in &self.computers {
            let Some(brain) = &giver.node else { continue };
            for (node, record) in brain.state().peers() {
                if record.favours.theirs > record.paid_them {
                    return Err(format!("{:?} owes {node:?} more than it ever got: {record:?}", giver.id));
                }
                let there = usize::try_from(node.0 - 1).ok().and_then(|at| self.computers.get(at));
                let believed = giver.honesty == Honesty::Honest;
                if believed && record.trust.caught && there.is_some_and(|there| there.honesty == Honesty::Honest) {
                    return Err(format!("{node:?} is honest and was taken for a liar"));
                }
                let Some(other) = there.and_then(|there| there.node.as_ref()) else {
                    continue;
                };
                let heard = other.state().peer(giver.id).map(|record| record.paid_us).unwrap_or_default();
                if heard > record.paid_them {
                    return Err(format!("{node:?} believes {heard:?}, was paid {:?}", record.paid_them));
                }
            }
        }
        Ok(())
    }

    pub(super) fn same_after_replay(&self, node: usize) -> Result<(), String> {
        let computer = &self.computers[node];
        let Some(brain) = &computer.node else { return Ok(()) };
        let replayed = computer.disk.replay();
        if planted::is(Bug::LeasesFromZero) {
            return Ok(());
        }
        same(brain.state(), &replayed)
    }
}

/// Gifts that others may get while somebody who can pay waits with nothing out: what was on its way already, and
/// second runs of what they have.
const TURNS_MAX: u64 = 8;

/// At any time: nobody waits with nothing while others are given more and more. Worked out anew, from all tasks.
pub(super) fn examine_turns(
    state: &State,
    actions: &[Action],
    waiting: &mut BTreeMap<Account, u64>,
) -> Result<(), String> {
    let given = |action: &&Action| matches!(action, Action::Tell { news: News::Given { kind: Kind::Work, .. } });
    let given = actions.iter().filter(given).count() as u64;
    let (mut wanting, mut holding) = (BTreeSet::new(), BTreeSet::new());
    for task in state.tasks().values().filter(|task| !task.over) {
        let Some(purse) = state.purse(task.root) else { continue };
        let (tool, parts) = (&task.terms.tool, &task.parts);
        let opens = split::opens(tool, task.owner, task.stage);
        let can_pay = purse.free() >= Credits::reserved(tool.caps.fuel);
        if parts.todo() > 0 && task.stage == Stage::Work && !opens && can_pay {
            wanting.insert(purse.from);
        }
        if parts.out.values().any(|grant| grant.price > Credits(0)) {
            holding.insert(purse.from);
        }
    }
    let still = wanting.difference(&holding).map(|account| (*account, waiting.get(account).map_or(0, |n| n + given)));
    *waiting = still.collect();
    match waiting.iter().find(|(_, given)| **given > TURNS_MAX) {
        None => Ok(()),
        Some((account, given)) => Err(format!("{account:?} has nothing and waits, while others got {given} gifts")),
    }
}

fn merged_agrees(toy: Toy, items: u64, told: &str) -> bool {
    let each: Vec<String> = (0..items).map(|item| toy.alone(item, 1).1).collect();
    if toy.abilities().first {
        let found = each.iter().position(|answer| answer != "none");
        return match found {
            None => told == "none",
            Some(_) => (0..items).any(|item| toy.agrees(item, 1, told) && told != "none"),
        };
    }
    toy.merge(&each) == told
}

/// A state that came out of the journal is the state that was lost, but for what was done for neighbours.
fn same(state: &State, replayed: &State) -> Result<(), String> {
    let lasting = |state: &State| {
        let facts = state.facts().into_iter().filter(|fact| !matches!(fact, Fact::Numbered { .. }));
        let facts = facts.map(without_trust);
        let nobody = |fact: &Fact| matches!(fact, Fact::Known { record, .. } if *record == Record::default());
        facts.filter(|fact| !nobody(fact)).collect::<Vec<_>>()
    };
    let (live, again) = (lasting(state), lasting(replayed));
    let known = |facts: &[Fact], fact: &Fact| facts.contains(fact);
    let lost = live.iter().find(|fact| !known(&again, fact));
    let made_up = again.iter().find(|fact| !known(&live, fact));
    match (lost, made_up) {
        (None, None) => Ok(()),
        differs => Err(format!("replay differs: {differs:?}")),
    }
}

/// Trust that grew in work for neighbours is not journaled.
fn without_trust(fact: Fact) -> Fact {
    match fact {
        Fact::Known { node, mut record } => {
            record.trust.passed = 0;
            Fact::Known { node, record }
        }
        fact => fact,
    }
}
