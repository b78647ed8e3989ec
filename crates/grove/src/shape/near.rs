//! What the API says of free peers: who is known, and who holds which piece of a job.

use super::{Big, StandingShape};
use serde::{Deserialize, Serialize};

/// Somebody whom a peer knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownShape {
    pub node: String,
    pub key: String,
    pub linked: bool,
    /// `ticket`, `near`, `came`, `before` or `told`.
    pub ways: Vec<String>,
    pub addresses: Vec<String>,
    /// Where it is spoken with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The node that answers has called it, not the other way round.
    pub called: bool,
    /// For how long it has been spoken with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_ms: Option<u64>,
    /// Why it is not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What two peers have done for one another, in micro-credits of work. Where both have, only what is left over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FavoursShape {
    /// The peer has done it for the node that answers, and has not had it back.
    pub theirs: Big,
    /// The node that answers has done it for the peer, and has not had it back.
    pub ours: Big,
    /// All that was ever done for the peer.
    pub served: Big,
}

/// The tree of a job as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeShape {
    pub v: u32,
    pub job: String,
    pub standing: StandingShape,
    /// The first one is the node that answers; each hangs below one that stands before it.
    pub branches: Vec<BranchShape>,
}

/// One place of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchShape {
    /// The branch above, by its place in the list.
    pub above: u64,
    pub node: String,
    /// `given`, `splitting`, `working`, `merging`, `proving` or `done`.
    pub state: String,
    pub done: u64,
    pub items: u64,
    pub millis: u64,
    /// Its place among the pieces of the branch above.
    pub first: u64,
}
