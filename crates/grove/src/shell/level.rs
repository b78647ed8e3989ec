//! What this node knows of the tree of a job: its own level. Who holds what below, those have to be asked.

use crate::link::{Branch, Growth, Level};
use grove_core::id::{JobId, Lease, NodeId, TaskId};
use grove_core::node::Node;
use grove_core::task::{Grant, Owner, Stage, Task, Why};

/// Tasks and leases of one level that are shown: more than anybody looks at.
const SHOWN_MAX: usize = 256;

/// The level of a job that somebody has submitted here.
pub(super) fn of_job(node: &Node, job: JobId) -> Option<Level> {
    let book = node.state().job(job)?;
    Some(level(node, book.root, node.now().since(book.submitted).0))
}

/// The level of a piece that a neighbour has given.
pub(super) fn of_piece(node: &Node, job: JobId, giver: NodeId, lease: Lease) -> Option<Level> {
    let held = Owner::Peer { node: giver, lease };
    let (root, _) = node.state().tasks().iter().find(|(_, task)| task.owner == held && task.job == job)?;
    Some(level(node, *root, 0))
}

fn level(node: &Node, root: TaskId, millis: u64) -> Level {
    let mut level = Level::default();
    let Some(task) = node.state().task(root) else { return level };
    level.branches.push(Branch { millis, ..own(node, task, 0, 0) });
    grants(node, task, 0, &mut level);
    let inputs = node.state().tasks().values().filter_map(|task| match task.owner {
        Owner::Parent { task: above, item } if above == root => Some((task, item)),
        _ => None,
    });
    for (task, item) in inputs.take(SHOWN_MAX) {
        let at = level.branches.len();
        level.branches.push(own(node, task, 0, item));
        grants(node, task, at, &mut level);
    }
    level
}

/// A task of this node.
fn own(node: &Node, task: &Task, above: usize, first: u64) -> Branch {
    let counts = node.counts(task);
    let state = match task.stage {
        _ if task.over => Growth::Done,
        Stage::Split => Growth::Splitting,
        Stage::Work => Growth::Working,
        Stage::Merge { .. } => Growth::Merging,
    };
    Branch { above, node: node.config().id, state, done: counts.done, items: counts.items, millis: 0, first }
}

/// What is out of a task, with whom.
fn grants(node: &Node, task: &Task, above: usize, level: &mut Level) {
    let me = node.config().id;
    for (lease, grant) in task.parts.out.iter().take(SHOWN_MAX) {
        if grant.inner && grant.to != me {
            level.below.push((level.branches.len(), *lease));
        }
        let items = grant.pieces.iter().map(|piece| piece.len).sum();
        let first = grant.pieces.first().map_or(0, |piece| piece.first);
        let millis = node.out_for(*lease).map_or(0, |millis| millis.0);
        let (state, done) = (state(task, grant, me), u64::saturating_sub(items, grant.left.count()));
        level.branches.push(Branch { above, node: grant.to, state, done, items, millis, first });
    }
}

fn state(task: &Task, grant: &Grant, me: NodeId) -> Growth {
    match (grant.why, task.stage) {
        (Why::Proof(_), _) => Growth::Proving,
        _ if grant.to != me => Growth::Given,
        (_, Stage::Split) => Growth::Splitting,
        (_, Stage::Merge { .. }) => Growth::Merging,
        (_, Stage::Work) => Growth::Working,
    }
}
