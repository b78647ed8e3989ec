//! The tree that grew out of a piece, looked at from above: each node tells its own level, and asks those below it.
//!
//! Nothing is kept of it: whoever wants to see the tree asks down its edges, and hears what is so at that moment.

use super::Links;
use super::shape::BRANCHES_MAX;
use super::wire::{self, BranchState, Grown, Piece};
use grove_core::id::{JobId, Lease, NodeId};
use grove_core::limits::DEPTH_MAX;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Whoever is asked has so long for each level below: a look takes a millisecond, and a dead node must not hide others.
const EACH_LEVEL: Duration = Duration::from_millis(400);

/// What goes on at one place of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Somebody holds it; what goes on there is not known here.
    Given,
    Splitting,
    Working,
    Merging,
    /// Answers are looked at.
    Proving,
    Done,
}

/// One place of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// The branch above, by its place in the list; the first one is above all.
    pub above: usize,
    pub node: NodeId,
    pub state: Growth,
    pub done: u64,
    pub items: u64,
    /// How long it has been there.
    pub millis: u64,
    /// Its place among the pieces of the branch above.
    pub first: u64,
}

/// What one node knows of a tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    pub branches: Vec<Branch>,
    /// Branches that have become tasks of others, each with the lease under which it was given.
    pub below: Vec<(usize, Lease)>,
}

impl Links {
    /// The whole tree below a level, as far as those who hold it can be asked.
    pub async fn tree(&self, job: JobId, level: Level, levels: u32) -> Vec<Branch> {
        let Level { mut branches, below } = level;
        branches.truncate(BRANCHES_MAX);
        if levels == 0 {
            return branches;
        }
        let mut asked = JoinSet::new();
        for (at, lease) in below {
            let Some(holder) = branches.get(at).map(|branch| branch.node) else { continue };
            let links = self.clone();
            asked.spawn(async move { (at, links.look(holder, job, lease, levels - 1).await) });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok((at, Some(grown))) = answer {
                graft(&mut branches, at, &grown);
            }
        }
        branches
    }

    /// What a neighbour has made of a piece.
    async fn look(&self, holder: NodeId, job: JobId, lease: Lease, levels: u32) -> Option<Grown> {
        let caller = self.caller(holder).ok()?;
        let mut client = caller.client();
        let piece = caller.request(Piece { job: job.0, lease: lease.0, levels });
        let answer = timeout(EACH_LEVEL * (levels + 1), client.look(piece)).await.ok()?.ok()?;
        Some(answer.into_inner())
    }
}

/// What this node shows to whoever has given it a piece.
pub(super) async fn shown(links: &Links, giver: NodeId, piece: &Piece) -> Grown {
    let (job, lease) = (JobId(piece.job), Lease(piece.lease));
    let Some(level) = links.home().grown(giver, job, lease).await else { return Grown::default() };
    let branches = links.tree(job, level, piece.levels.min(u32::from(DEPTH_MAX))).await;
    Grown { branches: branches.iter().map(to_wire).collect() }
}

/// Puts what somebody tells of a branch in its place. Whoever tells of branches that hang nowhere is not heard further.
fn graft(branches: &mut Vec<Branch>, at: usize, grown: &Grown) {
    let base = branches.len();
    for (place, told) in grown.branches.iter().enumerate() {
        let Some(state) = growth(told.state()) else { return };
        let told_above = usize::try_from(told.above).unwrap_or(usize::MAX);
        let (node, done, items, millis) = (NodeId(told.node), told.done, told.items, told.millis);
        if place == 0 {
            let Some(branch) = branches.get_mut(at) else { return };
            // Who holds it, and since when, the giver knows better.
            (branch.state, branch.done, branch.items) = (state, done, items);
            continue;
        }
        if told_above >= place || branches.len() >= BRANCHES_MAX {
            return;
        }
        let above = if told_above == 0 { at } else { base + told_above - 1 };
        branches.push(Branch { above, node, state, done, items, millis, first: told.first });
    }
}

fn to_wire(branch: &Branch) -> wire::Branch {
    let state = match branch.state {
        Growth::Given => BranchState::Given,
        Growth::Splitting => BranchState::Splitting,
        Growth::Working => BranchState::Working,
        Growth::Merging => BranchState::Merging,
        Growth::Proving => BranchState::Proving,
        Growth::Done => BranchState::Done,
    };
    wire::Branch {
        above: u32::try_from(branch.above).unwrap_or(u32::MAX),
        node: branch.node.0,
        state: state.into(),
        done: branch.done,
        items: branch.items,
        millis: branch.millis,
        first: branch.first,
    }
}

fn growth(state: BranchState) -> Option<Growth> {
    Some(match state {
        BranchState::Unspecified => return None,
        BranchState::Given => Growth::Given,
        BranchState::Splitting => Growth::Splitting,
        BranchState::Working => Growth::Working,
        BranchState::Merging => Growth::Merging,
        BranchState::Proving => Growth::Proving,
        BranchState::Done => Growth::Done,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(above: usize, node: u64, state: Growth) -> Branch {
        Branch { above, node: NodeId(node), state, done: 0, items: 1, millis: 5, first: 0 }
    }

    fn told(above: u32, node: u64) -> wire::Branch {
        wire::Branch { above, ..to_wire(&branch(0, node, Growth::Working)) }
    }

    #[test]
    fn what_is_told_hangs_below_the_branch_that_was_asked_about() {
        let mut branches =
            vec![branch(0, 1, Growth::Working), branch(0, 2, Growth::Given), branch(0, 3, Growth::Given)];
        graft(&mut branches, 1, &Grown { branches: vec![told(0, 9), told(0, 4), told(1, 5)] });
        assert_eq!(branches[1], branch(0, 2, Growth::Working), "who holds it is known here");
        let hangs: Vec<(usize, u64)> = branches.iter().map(|branch| (branch.above, branch.node.0)).collect();
        assert_eq!(hangs, [(0, 1), (0, 2), (0, 3), (1, 4), (3, 5)]);
    }

    #[test]
    fn branches_that_hang_nowhere_or_without_end_are_not_heard() {
        let mut branches = vec![branch(0, 1, Growth::Working), branch(0, 2, Growth::Given)];
        graft(&mut branches, 1, &Grown { branches: vec![told(0, 2), told(1, 4), told(7, 5)] });
        assert_eq!(branches.len(), 2);
        graft(&mut branches, 9, &Grown { branches: vec![told(0, 2), told(0, 4)] });
        assert_eq!(branches.len(), 2);
        graft(&mut branches, 1, &Grown { branches: vec![told(0, 2); 2 * BRANCHES_MAX] });
        assert_eq!(branches.len(), BRANCHES_MAX);
    }
}
