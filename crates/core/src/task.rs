//! A task and its parts: what is wanted, what is out, what has been answered.
//!
//! A part is a span of items. Nothing is kept for items that nobody has touched or that are finished: a job of ten
//! million inputs is a few ranges and what is in flight.

pub mod parts;
pub mod spans;

pub use parts::{Grant, Parts, Pending, Proof, Unvested, Why};
pub use spans::{Span, Spans};

use crate::id::{JobId, Lease, NodeId, TaskId};
use crate::job::{Check, Chunk, Source, Tool};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that this node has to see through: a job, an input of one that its tool splits, or a piece that a
/// neighbour gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub job: JobId,
    /// The task at the top of this node's tree; what is spent here is spent from its purse.
    pub root: TaskId,
    pub owner: Owner,
    pub terms: Arc<Terms>,
    pub stage: Stage,
    /// Items of the work: the same through all merges.
    pub items: u64,
    pub parts: Parts,
    /// The tool was asked to split and is satisfied with the input as it is.
    pub satisfied: bool,
    /// Levels of split above this task.
    pub depth: u8,
    /// It has ended; a job's root stays on the books until the job expires.
    pub over: bool,
}

/// What holds for all parts of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub tool: Arc<Tool>,
    pub check: Check,
    pub chunk: Chunk,
    pub merge: bool,
    /// Where the items come from; `None` for a task whose items its tool cuts.
    pub source: Option<Source>,
    pub fails_max: u64,
}

/// For whom a task is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Owner {
    /// The person who submitted the job: this task is its root.
    Person,
    /// An item of another task of this node.
    Parent { task: TaskId, item: u64 },
    /// A neighbour, under a lease: custody stays there.
    Peer { node: NodeId, lease: Lease },
}

/// What the parts of a task are, at the moment. Splitting and merging are parts like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// One part: the tool cuts the task's input.
    Split,
    /// The parts proper.
    Work,
    /// Runs of outputs become one each; `level` 1 merges the outputs of the work.
    Merge { level: u8 },
}

impl Stage {
    /// The number under which this stage's outputs are kept.
    pub fn row(self) -> u8 {
        match self {
            Stage::Split => 1,
            Stage::Work => 2,
            Stage::Merge { level } => 2_u8.saturating_add(level),
        }
    }

    /// The number under which the inputs that came with a job are kept.
    pub const INPUTS: u8 = 0;
    /// The number under which the parts of a neighbour's answer are kept while they are looked at.
    pub const SHOWN: u8 = 200;
    /// The number under which its piece is kept, cut anew.
    pub const RECUT: u8 = 201;
}

/// What a lender is asked to do with a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Act {
    /// Run the tool.
    Run,
    /// Cut the input into about so many pieces.
    Split { ways: u64 },
    /// Merge outputs, given in order.
    Merge,
    /// Say whether an output is right for an input: the outcome is `Right`, `Exit` 1 for wrong, anything else for
    /// "cannot tell".
    Check,
    /// Take the whole piece as a task: split it, give parts on, merge, answer.
    Solve { depth: u8 },
}
