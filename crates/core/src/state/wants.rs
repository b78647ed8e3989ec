//! Which tasks want something: the index that spares `place` from looking at all of them.

use crate::id::TaskId;
use crate::split;
use crate::task::{Proof, Stage, Task};
use std::collections::BTreeSet;

/// Tasks by what they want, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// Parts that any lender may try.
    pub tries: BTreeSet<TaskId>,
    /// Splits, merges, checks and audits: for those whose answers are believed.
    pub trusted: BTreeSet<TaskId>,
    /// Answers that another lender should repeat.
    pub seconds: BTreeSet<TaskId>,
    /// Inputs to be opened as tasks of their own.
    pub openings: BTreeSet<TaskId>,
    /// Tasks whose tool is being asked to cut.
    pub splitting: BTreeSet<TaskId>,
    /// Tasks that may be over, or ready for their next stage.
    pub complete: BTreeSet<TaskId>,
    /// Parts that are out and nothing more to give: somebody may be slow.
    pub slow: BTreeSet<TaskId>,
}

impl Wants {
    /// Takes note of what a task wants now; `None` when it is gone.
    pub(super) fn note(&mut self, id: TaskId, task: Option<&Task>) {
        let wishes = task.filter(|task| !task.over).map(Wishes::of).unwrap_or_default();
        let sets = [
            (&mut self.tries, wishes.tries),
            (&mut self.trusted, wishes.trusted),
            (&mut self.seconds, wishes.seconds),
            (&mut self.openings, wishes.openings),
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
