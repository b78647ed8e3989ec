//! A node and its neighbours, as the API shows them.

use super::{Big, CreditsShape, FavoursShape, KnownShape, ReasonShape, Signed};
use serde::{Deserialize, Serialize};

/// How the node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub v: u32,
    pub version: String,
    pub node: String,
    pub incarnation: u64,
    /// Parts that this machine runs at one time; 0 when it does not lend.
    pub slots: u32,
    /// Those that may be given work.
    pub lenders: u64,
    /// Why no lender may be given work; empty when one may.
    #[serde(default)]
    pub nobody: Vec<ReasonShape>,
    pub lender_slots: u64,
    pub jobs_running: u64,
    pub jobs_ended: u64,
    pub parts_running: u64,
    /// With a lender, behind others.
    #[serde(default)]
    pub parts_queued: u64,
    pub parts_waiting: u64,
    pub credits: CreditsShape,
    /// Answers that were proved wrong.
    pub refused: u64,
    /// Facts that did not fit; anything but 0 is a bug.
    pub misfits: u64,
    /// Which walls stand between tools and this machine.
    pub walls: Vec<String>,
    /// Where other nodes are heard.
    pub link: String,
    /// The fingerprint of its key, where it speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What jobs, results and blobs take.
    pub stored_bytes: u64,
    #[serde(default)]
    pub disk: DiskShape,
    /// It is one of several free peers, and no hub.
    #[serde(default)]
    pub peer: bool,
}

/// The disk of the node's folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskShape {
    /// What may be stored.
    pub quota_bytes: u64,
    pub free_bytes: u64,
    /// With less than this free nothing more is accepted.
    pub reserve_bytes: u64,
}

/// The node's neighbours, itself among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    pub v: u32,
    pub peers: Vec<PeerShape>,
    /// Running jobs with parts that wait for a lender, whosever they are.
    #[serde(default)]
    pub waiting_jobs: u64,
    /// Among free peers: all that are known, those that are spoken with first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownShape>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerShape {
    pub node: String,
    /// It is the node that answers.
    pub here: bool,
    pub linked: bool,
    /// It said goodbye, or has not been here since the node started.
    #[serde(default)]
    pub left: bool,
    pub slots: u32,
    /// Bytes that one part may have there; 0 where nothing is said.
    #[serde(default)]
    pub memory: u64,
    /// Waiting jobs whose parts may want more than that.
    #[serde(default)]
    pub too_large: u64,
    pub gifts: u64,
    pub trusted: bool,
    pub caught: bool,
    pub audits_passed: u32,
    /// Fuel per millisecond of one slot; 0 when unknown.
    pub speed: u64,
    /// Micro-credits in its own account; below zero what it owes. What machines of a circle earn is on their owners'.
    pub balance: Signed,
    /// Micro-credits that its work here was worth.
    #[serde(default)]
    pub earned: Big,
    pub silent_ms: u64,
    pub resting: bool,
    /// Among free peers: what both have done for one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub favours: Option<FavoursShape>,
}

/// Which Grove answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub v: u32,
    pub version: String,
    /// Unix time there, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now_ms: Option<u64>,
}

/// What runs scripts there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonShape {
    pub v: u32,
    /// The blob with the image; none where that machine has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}
