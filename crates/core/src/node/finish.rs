//! Tasks that have all their answers: they are paid for, go on to their next stage, or end.

use super::{Action, News, Node, Row};
use crate::id::{Digest, Lease, NodeId, TaskId};
use crate::job::Standing;
use crate::message::{Answer, Data, Outcome, Output, Trap};
use crate::planted::{self, Bug};
use crate::split;
use crate::state::{Fact, answer_row};
use crate::task::{Owner, Span, Stage, Task};
use crate::units::Fuel;

impl Node {
    /// Goes on with every task that is complete, up the tree.
    pub(super) fn finish(&mut self) {
        std::mem::take(&mut self.failing).into_iter().for_each(|id| self.check_failures(id));
        while let Some(id) = self.state.wants().complete.first().copied() {
            self.complete(id);
        }
    }

    fn complete(&mut self, id: TaskId) {
        let Some(task) = self.state.task(id) else { return };
        let lenders: Vec<(NodeId, Fuel)> =
            task.parts.unvested.iter().map(|(node, book)| (*node, book.fuel())).collect();
        for (node, fuel) in lenders.into_iter().filter(|_| !planted::is(Bug::ForgetToPay)) {
            self.vest(id, node, true, fuel);
        }
        let Some(task) = self.state.task(id) else { return };
        match verdict(task) {
            Some(standing) => self.end(id, standing),
            None => self.next_stage(id),
        }
    }

    fn next_stage(&mut self, id: TaskId) {
        let Some(task) = self.state.task(id) else { return };
        match split::next_stage(task.stage, task.items, task.terms.merge) {
            Some(stage) => {
                let count = self.cut.remove(&id).unwrap_or(task.items);
                self.record(Fact::Staged { task: id, stage, count });
            }
            None => self.end(id, Standing::Done),
        }
    }

    fn end(&mut self, id: TaskId, standing: Standing) {
        let Some(task) = self.state.task(id) else { return };
        let (job, root, owner) = (task.job, task.root, task.owner);
        let row = answer(id, task, standing);
        let fuel = self.state.purse(root).map(|purse| purse.paid).unwrap_or_default();
        let parts = match owner {
            Owner::Peer { node, lease } => {
                let task = task.clone();
                self.makes((node, lease), id, &task, standing)
            }
            Owner::Person | Owner::Parent { .. } => 0,
        };
        let told = self.state.job(job).is_some_and(|book| book.ended.is_some());
        self.record(Fact::Ended { task: id, standing, fuel, at: self.now });
        self.cut.remove(&id);
        match owner {
            Owner::Person => {
                self.estimates.remove(&id);
                // Of a job that was cancelled it has been told.
                if !told {
                    self.tell(News::Ended { job, standing, at: self.now });
                }
            }
            Owner::Parent { task: parent, item } => {
                self.part_ends(id, parent, item);
                self.estimates.remove(&id);
                let stage = Stage::Work.row();
                self.actions.push(Action::Lift { from: row, to: Row { task: parent, stage, first: item } });
                self.actions.push(Action::Drop { task: id });
                let span = Span { first: item, len: 1 };
                let above = self.state.task(parent).is_some_and(|above| above.owner == Owner::Person);
                if above && standing != Standing::Cancelled {
                    let failed = standing != Standing::Done;
                    self.tell(News::Finished { job, span, failed, by: None });
                }
                self.check_failures(parent);
            }
            Owner::Peer { node, lease } => self.deliver((node, lease), id, row, standing, (fuel, parts)),
        }
    }

    fn deliver(
        &mut self,
        (to, lease): (NodeId, Lease),
        task: TaskId,
        row: Row,
        standing: Standing,
        (fuel, parts): (Fuel, u64),
    ) {
        self.estimates.remove(&task);
        match standing {
            Standing::Done => {
                let outcome = Outcome::Right;
                self.actions.push(Action::Deliver { to, lease, row, outcome, fuel, parts });
            }
            Standing::Failed => {
                let outcome = Outcome::Trapped { trap: Trap::Crashed };
                self.actions.push(Action::Deliver { to, lease, row, outcome, fuel, parts: 0 });
            }
            // Its price did not suffice. Whoever gave it may pay more, or ask for more above.
            Standing::Unpaid => self.lacks_fuel(to, lease),
            // The giver has called it back: nothing to answer.
            Standing::Cancelled | Standing::Running => {
                self.called_back(to, &[lease]);
                self.actions.push(Action::Drop { task });
            }
        }
    }

    fn lacks_fuel(&mut self, to: NodeId, lease: Lease) {
        let Some(span) = self.held_span(to, lease) else { return };
        let answer = Answer {
            span,
            outcome: Outcome::OutOfFuel,
            fuel: Fuel(0),
            micros: 0,
            digest: Digest::default(),
            output: Output::of(Data::empty()),
            pieces: 0,
        };
        self.ran(to, lease, vec![answer]);
    }

    /// A job with too many failures is not worth going on with.
    fn check_failures(&mut self, id: TaskId) {
        let Some(task) = self.state.task(id) else { return };
        if task.parts.ending.is_none() && !task.over && task.parts.failed.count() > task.terms.fails_max {
            self.end_tree(task.root, Standing::Failed);
        }
    }
}

/// How a complete task ends; `None` if it goes on to another stage.
fn verdict(task: &Task) -> Option<Standing> {
    if task.parts.settled.is_some() {
        return Some(Standing::Done);
    }
    if let Some(standing) = task.parts.ending {
        return Some(standing);
    }
    (!task.parts.failed.is_empty()).then_some(Standing::Failed)
}

/// Where a task's answer lies; of a failed one, the first failure.
fn answer(id: TaskId, task: &Task, standing: Standing) -> Row {
    let (stage, mut first) = answer_row(task);
    if standing == Standing::Failed {
        first = task.parts.failed.iter().next().map_or(first, |span| span.first);
    }
    Row { task: id, stage: stage.row(), first }
}
