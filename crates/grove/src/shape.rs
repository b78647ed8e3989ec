//! The JSON of the people's API, version 1: what is sent and what comes back. Both ends of the API use these.
//!
//! A serialisable type is a promise, so core's own types never leave the node: they are turned into these. Fields are
//! only added. Amounts that can exceed 2^53 are strings, since JSON numbers in most languages are not exact beyond.

mod circle;
mod near;
mod news;
mod node;
mod number;

pub use circle::{
    InvitationShape, Invitations, Invite, InvitedShape, Join, JoinedShape, LogIn, LoggedIn, MachineShape, Machines, Me,
    PasswordShape, PayShape, People, PersonShape, RevokeShape, RolesShape, Told,
};
pub use near::{BranchShape, FavoursShape, KnownShape, TreeShape};
pub use news::{Event, EventKind};
pub use node::{DiskShape, PeerShape, Peers, PythonShape, Status, Version};
pub use number::{Big, Signed};

use serde::{Deserialize, Serialize};

/// The version that every object carries.
pub const V: u32 = 1;

/// A job as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    pub v: u32,
    /// Chosen by whoever submits, so that saying it twice makes one job.
    pub id: String,
    pub name: String,
    pub tool: ToolShape,
    pub source: SourceShape,
    #[serde(default = "ChunkShape::one")]
    pub chunk: ChunkShape,
    /// How answers are verified; the node chooses where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckShape>,
    #[serde(default)]
    pub merge: bool,
    #[serde(default)]
    pub open: bool,
    /// Micro-credits; the node chooses where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Big>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_max: Option<Big>,
}

/// The program and how it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolShape {
    /// The blob that holds the WebAssembly module.
    pub module: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub stdin: bool,
    /// The inputs are portions of one whole already: a tool that merges portions is not asked to cut them further.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncut: bool,
    #[serde(default)]
    pub real_time: bool,
    #[serde(default)]
    pub caps: CapsShape,
}

/// What one part may use; what is left out is the node's choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapsShape {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<Big>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// Where the inputs come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceShape {
    /// These.
    Inputs(Vec<InputShape>),
    /// The integers from `from` on.
    Numbers { from: Big, count: u64 },
    /// The lines of a blob.
    Lines { blob: String },
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InputShape {
    Text(String),
    Bytes { base64: String },
    Blob { blob: String },
}

/// Items in one run of the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkShape {
    Items(u64),
    /// As many as a machine does in about two seconds.
    Auto,
}

impl ChunkShape {
    fn one() -> ChunkShape {
        ChunkShape::Items(1)
    }
}

/// How answers are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckShape {
    Prove { spot_per_mille: u32 },
    Spot { per_mille: u32 },
    Copies,
    Trust,
}

/// A job, accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub v: u32,
    pub job: String,
    /// Micro-credits held for it.
    pub budget: Big,
    /// Lenders that are there to work on it.
    pub lenders: u64,
}

/// A job as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobShape {
    pub v: u32,
    pub id: String,
    pub name: String,
    pub standing: StandingShape,
    /// `split`, `work` or `merge`.
    pub stage: String,
    /// Unix time in milliseconds.
    pub submitted_ms: u64,
    pub ended_ms: Option<u64>,
    pub items: u64,
    pub done: u64,
    pub failed: u64,
    pub running: u64,
    /// With a lender, behind others.
    #[serde(default)]
    pub queued: u64,
    pub checking: u64,
    pub waiting: u64,
    pub spent: Big,
    pub budget: Big,
    pub fuel: Big,
    pub merged: bool,
    pub open: bool,
    pub source: SourceView,
    pub check: CheckShape,
    pub tool: String,
    pub args: Vec<String>,
}

/// Where the inputs of a job came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceView {
    Inputs,
    Numbers { from: Big },
    Lines { blob: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingShape {
    Running,
    Done,
    Failed,
    Cancelled,
    Unpaid,
}

/// Some jobs, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    pub v: u32,
    pub jobs: Vec<JobShape>,
    /// How many there are in all.
    pub total: u64,
}

/// A page of results, in the order of the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    pub v: u32,
    pub results: Vec<ResultShape>,
    /// From where to go on.
    pub next: u64,
    /// Nothing will ever follow.
    pub last: bool,
    /// Answers that this node has ever found wrong. Where it grows, results that were read before may be others now.
    #[serde(default)]
    pub refused: u64,
    pub job: JobShape,
}

/// The result of one run: of `count` items from `item` on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResultShape {
    pub item: u64,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u64,
    /// `right`, `exit`, `trap`, `out_of_fuel` or `broken`.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trap: Option<String>,
    #[serde(default, skip_serializing_if = "Content::is_empty")]
    pub stdout: Content,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileShape>,
    /// The last lines of standard error, or what went wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    pub fuel: Big,
    pub micros: u64,
    pub by: String,
    /// It is no part that failed, but putting answers together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub merging: bool,
}

impl ResultShape {
    pub fn is_right(&self) -> bool {
        self.outcome == "right"
    }
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_one(count: &u64) -> bool {
    *count == 1
}

/// Bytes: as text where they are text, otherwise as base64; many bytes as the name of a blob and where to get it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Bytes { base64: String },
    Blob { blob: String, len: u64, url: String },
}

impl Content {
    pub fn is_empty(&self) -> bool {
        matches!(self, Content::Text(text) if text.is_empty())
    }
}

impl Default for Content {
    fn default() -> Content {
        Content::Text(String::new())
    }
}

/// A file that a tool wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileShape {
    pub name: String,
    pub content: Content,
}

/// More inputs for an open job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct More {
    pub v: u32,
    /// How many inputs the job has, so that saying it twice adds once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    pub inputs: Vec<InputShape>,
}

/// Inputs that were added; with their results when these were waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    pub v: u32,
    pub from: u64,
    pub count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<ResultShape>>,
}

/// Failed parts are to be run again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Again {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Big>,
}

/// Why a job is not further than it is; the most important reason first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    pub v: u32,
    pub job: JobShape,
    pub reasons: Vec<ReasonShape>,
    /// Milliseconds after which its next part may start, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_start_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonShape {
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsShape {
    pub v: u32,
    /// Micro-credits that may be spent.
    pub available: Big,
    /// Set aside for jobs.
    pub held: Big,
    /// Earned here by lenders.
    pub earned: Big,
    /// The sum of all accounts: 0, or the books are wrong.
    pub ledger_sum: Signed,
    /// The jobs for which it is set aside, those with most first.
    #[serde(default)]
    pub held_by: Vec<HeldShape>,
}

/// What is set aside for one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShape {
    pub job: String,
    pub name: String,
    /// Whose job it is.
    pub person: String,
    pub held: Big,
    /// The most that it may cost.
    pub budget: Big,
    /// It has been cancelled; what was done for it is still being judged and paid.
    pub settling: bool,
}

/// Lines of an account, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountShape {
    pub v: u32,
    pub lines: Vec<EntryShape>,
    /// Where to go on, if there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Big>,
}

/// One change of a balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryShape {
    pub number: Big,
    pub at_ms: u64,
    /// `granted`, `held`, `returned`, `earned`, `adopted`, `sent` or `received`.
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// To or from whom it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    pub amount: Signed,
    pub balance: Signed,
}

/// Done, and nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub v: u32,
    pub job: String,
}

/// What every answer that is not 2xx holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorShape {
    pub error: ErrorBody,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Ids that an ambiguous prefix could mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// For a broken-off upload: how many bytes have arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

#[cfg(test)]
mod tests;
