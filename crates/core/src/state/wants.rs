//! Which tasks want something: the index that spares `place` from looking at all of them.

use super::turns::{Line, Loads, Payer};
use crate::id::{Lease, TaskId};
use crate::split;
use crate::task::{Proof, Stage, Task};
use std::collections::BTreeSet;

/// Tasks by what they want.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// Parts that any lender may try.
    pub tries: Line,
    /// Splits, merges, checks and audits: for those whose answers are believed.
    pub trusted: Line,
    /// Answers that another lender should repeat.
    pub seconds: Line,
    /// Inputs to be opened as tasks of their own.
    pub openings: Line,
    /// Tasks whose tool is being asked to cut.
    pub splitting: BTreeSet<TaskId>,
    /// Tasks that may be over, or ready for their next stage.
    pub complete: BTreeSet<TaskId>,
    /// Parts that are out and nothing more to give: somebody may be slow.
    pub slow: BTreeSet<TaskId>,
    /// What everybody has of the lenders.
    pub loads: Loads,
    /// What everybody has of those whose answers are believed.
    pub proving: Loads,
}

impl Wants {
    /// Takes note of what a task wants now; `None` when it is gone, or nobody pays for it any more.
    pub(super) fn note(&mut self, id: TaskId, task: Option<(&Task, Payer)>) {
        let (wishes, payer) = match task.filter(|(task, _)| !task.over) {
            Some((task, payer)) => (Wishes::of(task), Some(payer)),
            None => (Wishes::default(), None),
        };
        let lines = [
            (&mut self.tries, &self.loads, wishes.tries),
            (&mut self.trusted, &self.proving, wishes.trusted),
            (&mut self.seconds, &self.loads, wishes.seconds),
            (&mut self.openings, &self.loads, wishes.openings),
        ];
        for (line, loads, wanted) in lines {
            if wanted == line.contains(id) {
                continue;
            }
            match payer.filter(|_| wanted) {
                Some(payer) => line.insert(id, payer, loads),
                None => line.remove(id, loads),
            }
        }
        let sets = [
            (&mut self.splitting, wishes.splitting),
            (&mut self.complete, wishes.complete),
            (&mut self.slow, wishes.slow),
        ];
        for (set, wanted) in sets {
            if wanted != set.contains(&id) {
                if wanted {
                    set.insert(id)
                } else {
                    set.remove(&id)
                };
            }
        }
    }

    /// A gift is out. What costs nothing is done where answers are believed.
    pub(super) fn given(&mut self, payer: Payer, lease: Lease, free: bool) {
        if free {
            self.proving.give(payer, lease, &mut [&mut self.trusted]);
        } else {
            self.loads.give(payer, lease, &mut [&mut self.tries, &mut self.seconds, &mut self.openings]);
        }
    }

    /// A gift is back.
    pub(super) fn ended(&mut self, payer: Payer, free: bool) {
        if free {
            self.proving.end(payer, &mut [&mut self.trusted]);
        } else {
            self.loads.end(payer, &mut [&mut self.tries, &mut self.seconds, &mut self.openings]);
        }
    }

    /// A job is over: none of its tasks wants anything.
    pub(super) fn over(&mut self, root: TaskId) {
        self.loads.forget(root);
        self.proving.forget(root);
    }
}

#[derive(Default)]
struct Wishes {
    tries: bool,
    trusted: bool,
    seconds: bool,
    openings: bool,
    splitting: bool,
    complete: bool,
    slow: bool,
}

impl Wishes {
    fn of(task: &Task) -> Wishes {
        let parts = &task.parts;
        let todo = parts.todo() > 0;
        let work = task.stage == Stage::Work;
        let opens = split::opens(&task.terms.tool, task.owner, task.stage);
        // Proofs sort by kind, `Second` last.
        Wishes {
            tries: todo && work && !opens,
            trusted: todo && !work || parts.unproved.first().is_some_and(|(proof, _)| *proof != Proof::Second),
            seconds: parts.unproved.last().is_some_and(|(proof, _)| *proof == Proof::Second),
            openings: todo && work && opens,
            splitting: task.stage == Stage::Split,
            complete: parts.complete(),
            slow: work && !todo && !parts.out.is_empty(),
        }
    }
}
