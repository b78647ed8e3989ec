//! How wide a tool is asked to cut, and how deep a tree may grow.

use crate::job::Tool;
use crate::limits;
use crate::task::{Owner, Stage, Task};

/// The ways into which a tool is asked to cut one input, by the slots that could work on it.
pub fn ways(slots: u64) -> u64 {
    slots.max(1).saturating_mul(limits::WAYS_PER_SLOT).min(limits::WAYS_MAX)
}

/// ... and no fewer than these, among peers. One input of a job is at the first level.
pub fn least_ways(peers: bool, depth: u8) -> u64 {
    match (peers, depth) {
        (false, _) => 1,
        (true, 0..=1) => limits::WAYS_OF_A_JOB_LEAST,
        (true, _) => limits::WAYS_LEAST,
    }
}

/// Whether an input of a task becomes a task of its own, so that its tool can cut it.
pub fn opens(tool: &Tool, owner: Owner, stage: Stage) -> bool {
    joins(tool) && owner == Owner::Person && stage == Stage::Work
}

/// Whether what a tool cuts can be made one answer again.
pub fn joins(tool: &Tool) -> bool {
    tool.abilities.split && (tool.abilities.merge || tool.abilities.first)
}

/// Whether the parts of a task are pieces of a cut, of which the tool may want to cut each one further.
pub fn is_cut(task: &Task) -> bool {
    joins(&task.terms.tool) && !task.satisfied && task.stage == Stage::Work && task.depth < limits::DEPTH_MAX
}

/// How a task that a neighbour gave begins: by asking the tool, while somebody below could take a piece.
pub fn first_stage(tool: &Tool, depth: u8, slots_below: u64) -> Stage {
    if joins(tool) && depth < limits::DEPTH_MAX && slots_below > 1 { Stage::Split } else { Stage::Work }
}

/// How many items one merge of that level covers.
pub fn merge_chunk(level: u8) -> u64 {
    limits::MERGE_FAN.saturating_pow(u32::from(level))
}

/// The stage after this one; `None` when the task is done.
pub fn next_stage(stage: Stage, items: u64, merges: bool) -> Option<Stage> {
    let level = match stage {
        Stage::Split => return Some(Stage::Work),
        Stage::Work => 0,
        Stage::Merge { level } => level,
    };
    let wanted = merges && (merge_chunk(level) < items || level == 0 && items > 1);
    wanted.then_some(Stage::Merge { level: level + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_ends_at_one_output() {
        let levels = |items| {
            let mut stage = Stage::Work;
            let mut levels = 0;
            while let Some(next) = next_stage(stage, items, true) {
                stage = next;
                levels += 1;
            }
            levels
        };
        assert_eq!([1, 2, 256, 257, 65_536, 65_537].map(levels), [0, 1, 1, 2, 2, 3]);
        assert_eq!(next_stage(Stage::Work, 1_000, false), None);
    }
}
