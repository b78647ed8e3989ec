//! Where the inputs of a task's parts come from: said here, made when a part is sent.

use super::{Feed, FeedFrom, Node, Row};
use crate::id::TaskId;
use crate::job::Source;
use crate::task::{Act, Owner, Stage, Task};

impl Node {
    /// Where the inputs of a task's parts come from.
    pub(super) fn feed(&self, id: TaskId, task: &Task, act: Act) -> Feed {
        let below = match task.stage {
            Stage::Merge { level: 1 } => Stage::Work.row(),
            stage => stage.row().saturating_sub(1),
        };
        match act {
            // Of a task at work, a part is cut: somebody else's answer to it is looked at.
            Act::Split { .. } if task.stage == Stage::Work => self.work_feed(id, task),
            Act::Split { .. } => self.input_feed(id, task),
            Act::Merge => Feed { from: FeedFrom::Outputs { task: id, stage: below }, shift: 0, claims: None },
            Act::Check => Feed { claims: Some((id, Stage::Work.row())), ..self.work_feed(id, task) },
            Act::Run | Act::Solve { .. } => self.work_feed(id, task),
        }
    }

    fn work_feed(&self, id: TaskId, task: &Task) -> Feed {
        let pieces = Row { task: id, stage: Stage::Split.row(), first: 0 };
        let from = match task.terms.source {
            Some(Source::Numbers { from, .. }) => FeedFrom::Numbers { from },
            Some(Source::Listed { .. }) => FeedFrom::Listed { task: id },
            Some(Source::Lines { blob, .. }) => FeedFrom::Lines { blob },
            None if task.satisfied => return self.input_feed(id, task),
            None => FeedFrom::Pieces { row: pieces },
        };
        Feed { from, shift: 0, claims: None }
    }

    /// Where the one input of a task lies that its tool cuts.
    fn input_feed(&self, id: TaskId, task: &Task) -> Feed {
        if let Owner::Parent { task: parent, item } = task.owner
            && let Some(above) = self.state.task(parent)
        {
            let feed = self.work_feed(parent, above);
            return Feed { shift: feed.shift.saturating_add(item), ..feed };
        }
        Feed { from: FeedFrom::Listed { task: id }, shift: 0, claims: None }
    }
}
