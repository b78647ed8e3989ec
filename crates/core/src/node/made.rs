//! What the answer of a solved piece is made of: kept until its giver has judged it, and shown when it asks.

use super::desk::Held;
use super::judge::Sorted;
use super::{Action, Node};
use crate::id::{Lease, NodeId, TaskId};
use crate::job::Standing;
use crate::limits;
use crate::message::{Answer, Message, Part};
use crate::task::{Stage, Task};
use crate::units::Fuel;
use std::collections::BTreeMap;

/// What an answer is made of.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) task: TaskId,
    ways: u64,
    parts: Vec<Part>,
    /// How often it was shown.
    shown: u32,
}

/// Parts that were cut further, here or by a neighbour, and what they cost where that is not the fuel of their answer.
#[derive(Debug, Default)]
pub(super) struct Trees {
    cut_further: BTreeMap<(TaskId, u64), Option<Fuel>>,
    /// What all answers of a task cost so far.
    spent: BTreeMap<TaskId, Fuel>,
    /// Pieces that are about to be answered: into how many ways their tool was asked to cut, and which parts were cut
    /// further.
    ready: BTreeMap<(NodeId, Lease), Ready>,
}

#[derive(Debug)]
struct Ready {
    task: TaskId,
    ways: u64,
    further: BTreeMap<u64, Option<Fuel>>,
}

impl Held {
    /// The answer of a solved piece, as its giver hears it.
    pub(super) fn solved(&self, lease: Lease) -> Option<Message> {
        let (made, answer) = (self.made.as_ref()?, self.answer()?);
        Some(Message::Solved { lease, answer: answer.clone(), ways: made.ways, parts: made.parts.clone() })
    }
}

impl Node {
    /// Takes note of parts that neighbours have cut further.
    pub(super) fn note_trees(&mut self, id: TaskId, lease: Lease, sorted: &Sorted) {
        if self.state.customer(id).is_none() {
            return;
        }
        let inner = self.state.lease(lease).is_some_and(|(_, grant)| grant.inner);
        for kept in sorted.kept.iter().filter(|_| inner) {
            self.trees.cut_further.insert((id, kept.span.first), None);
        }
    }

    /// Answers of a task are final: they cost so much.
    pub(super) fn note_spent(&mut self, id: TaskId, fuel: Fuel) {
        if self.state.customer(id).is_some() {
            let spent = self.trees.spent.entry(id).or_default();
            *spent = spent.plus(fuel);
        }
    }

    /// A part that was cut further here has its answer.
    pub(super) fn part_ends(&mut self, id: TaskId, parent: TaskId, item: u64) {
        self.forget_tree(id);
        let Some(fuel) = self.trees.spent.remove(&id) else { return };
        self.trees.cut_further.insert((parent, item), Some(fuel));
        let above = self.trees.spent.entry(parent).or_default();
        *above = above.plus(fuel);
    }

    fn forget_tree(&mut self, id: TaskId) -> BTreeMap<u64, Option<Fuel>> {
        let all: Vec<(TaskId, u64)> =
            self.trees.cut_further.range((id, 0)..=(id, u64::MAX)).map(|(key, _)| *key).collect();
        all.into_iter().filter_map(|key| Some((key.1, self.trees.cut_further.remove(&key)?))).collect()
    }

    /// A piece is about to be answered. Says of how many parts its answer is made; of none if it is one run, or the
    /// first right answer of many.
    pub(super) fn makes(&mut self, key: (NodeId, Lease), id: TaskId, task: &Task, standing: Standing) -> u64 {
        let further = self.forget_tree(id);
        self.trees.spent.remove(&id);
        let ways = self.state.ways(id);
        let merged = standing == Standing::Done && (matches!(task.stage, Stage::Merge { .. }) || task.items == 1);
        let Some(ways) = ways.filter(|_| merged && !task.satisfied && task.parts.settled.is_none()) else { return 0 };
        self.trees.ready.insert(key, Ready { task: id, ways, further });
        task.items
    }

    /// The answer of a solved piece, and its parts, as they lie in the store.
    pub(super) fn has_solved(&mut self, giver: NodeId, lease: Lease, answer: Answer, parts: Vec<Part>) {
        if let Some(Ready { task, ways, mut further }) = self.trees.ready.remove(&(giver, lease))
            && let Some(held) = self.desk.gifts.get_mut(&(giver, lease))
        {
            let mut sum = Fuel(0);
            let with_cost = |(at, part): (usize, Part)| {
                let tree = further.remove(&(at as u64));
                let fuel = tree.flatten().unwrap_or(part.fuel);
                sum = sum.plus(fuel);
                Part { fuel, inner: tree.is_some(), ..part }
            };
            let parts: Vec<Part> = parts.into_iter().enumerate().map(with_cost).collect();
            held.made = Some(Made { task, ways, parts, shown: 0 });
            let answer = Answer { fuel: answer.fuel.min(sum), ..answer };
            return self.ran(giver, lease, vec![answer]);
        }
        self.ran(giver, lease, vec![answer]);
    }

    /// A giver wants to see what an answer is made of.
    pub(super) fn show(&mut self, from: NodeId, lease: Lease) {
        let made = self.desk.gifts.get_mut(&(from, lease)).and_then(|held| held.made.as_mut());
        let Some(made) = made.filter(|made| made.shown < limits::SHOWS_MAX) else { return };
        made.shown += 1;
        let (task, parts) = (made.task, made.parts.len() as u64);
        self.actions.push(Action::Show { to: from, lease, task, parts });
    }

    /// A gift that will not be answered any more.
    pub(super) fn not_ready(&mut self, giver: NodeId, lease: Lease) {
        self.trees.ready.remove(&(giver, lease));
    }
}
