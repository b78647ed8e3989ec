//! What nodes say to one another. Arrays from day one: a message carries a window, never a part.
//!
//! Every message may be lost, late or repeated; each is harmless then, by its lease or by saying a running total.

use crate::id::{Digest, Incarnation, JobId, Lease};
use crate::job::{Check, Tool};
use crate::limits;
use crate::task::{Act, Span};
use crate::units::{Credits, Fuel};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All that one node may say to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Both: who speaks, what it can take, and what it still holds of the hearer's.
    Hello { incarnation: Incarnation, slots: u32, solves: bool, holding: Vec<Lease> },
    /// Giver: do these.
    Give { gifts: Vec<Gift> },
    /// Giver: stop these; nobody waits for them any more.
    Cancel { leases: Vec<Lease> },
    /// Giver: these answers are on the books; forget them.
    Noted { noted: Vec<(Lease, Span)> },
    /// Giver: all that I have ever paid you.
    Pay { total: Credits },
    /// Lender: not these, not now.
    Decline { leases: Vec<Lease>, why: Decline },
    /// Lender: I live, I can take so much, and this is what I hold of yours. Said again and again, so that any other
    /// message may be lost.
    Alive { slots: u32, holding: Vec<Lease> },
    /// Lender: answers.
    Done { lease: Lease, answers: Vec<Answer> },
    /// Lender: I go; give what I hold to somebody else.
    Bye,
    /// Lender: one part may have so many bytes of memory here. Where nothing is said it may have what it wants.
    Memory { bytes: u64 },
    /// Lender: the answer of a piece that I have solved, into how many ways I asked its tool to cut it, and what it is
    /// made of.
    Solved { lease: Lease, answer: Answer, ways: u64, parts: Vec<Part> },
    /// Giver: show me what that answer is made of.
    Show { lease: Lease },
    /// Lender: the answers of its parts, by their numbers.
    Shown { lease: Lease, answers: Vec<Answer> },
    /// Among peers: all that you and I have ever done for one another, and I have signed it.
    Owns { signed: Signed },
    /// Among peers: that is what you have signed, in case that you do not know any more.
    Recalls { signed: Signed },
}

/// All that whoever signs and its neighbour have ever done for one another. Both numbers only grow, so whatever was
/// signed later says more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// What the neighbour has done for whoever signs.
    pub yours: Credits,
    /// What whoever signs has done for the neighbour.
    pub mine: Credits,
}

/// Totals, and the signature under them. Those who carry messages make it and look at it; here it is only kept, and
/// given back to a neighbour that has lost its books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    pub totals: Totals,
    pub seal: Arc<[u8]>,
}

/// Pieces of one task, lent under one lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gift {
    pub lease: Lease,
    /// The job by its name in the tree: a node refuses a job that it already holds a part of.
    pub job: JobId,
    pub tool: Arc<Tool>,
    pub act: Act,
    /// Items, each span cut into runs of `chunk`.
    pub pieces: Vec<Span>,
    pub chunk: u64,
    pub inputs: Inputs,
    /// The most that one run may cost.
    pub fuel: Fuel,
    /// The most that is paid for one run.
    pub price: Credits,
    /// How the giver wants answers of a task given on to be verified.
    pub check: Check,
}

/// What the runs of a gift get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Inputs {
    /// Item `i` is the number `from + i`.
    Numbers { from: u64 },
    /// One for each run, in order.
    Carried { data: Vec<Data> },
}

/// Bytes, or the name of bytes that are too many to carry along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    Inline { bytes: Arc<[u8]> },
    Blob { id: Digest, len: u64 },
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub span: Span,
    pub outcome: Outcome,
    pub fuel: Fuel,
    /// How long it took there, in microseconds. Believed for planning only.
    pub micros: u64,
    /// The hash over outcome and output, computed by whoever hears the answer.
    pub digest: Digest,
    pub output: Output,
    /// What a split cut the input into; 0 means that the tool is satisfied.
    pub pieces: u64,
}

/// One of the parts of which an answer is made, as whoever merged them says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The hash over its outcome and output.
    pub digest: Digest,
    pub fuel: Fuel,
    /// It was cut further: its fuel is that of several runs.
    pub inner: bool,
}

/// What a run leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    pub stdout: Data,
    /// Files written to `/out`: a name and its bytes.
    pub files: Vec<(Arc<str>, Data)>,
    /// The last lines of standard error, or what went wrong.
    pub note: Arc<str>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// With exit code 0.
    Right,
    /// The tool's doing: another exit code.
    Exit { code: i32 },
    /// The tool's doing: a trap or a limit, which would happen anywhere (but for `TooSlow` and `StackTooDeep`).
    Trapped { trap: Trap },
    /// More fuel would be needed; the limit was the giver's estimate.
    OutOfFuel,
    /// The machine's doing: nothing is known about the part.
    Broken,
}

/// The ways in which a tool can break its own run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trap {
    Crashed,
    OutOfMemory,
    OutputTooLarge,
    FilesTooLarge,
    TooSlow,
    OutOfFuel,
    NotATool,
    /// The tool's own check refuses what the tool answers.
    Contradicts,
    /// Calls within calls: how deep they may go hangs on the machine's processor.
    StackTooDeep,
}

/// Why a gift is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Decline {
    Full,
    /// The owner is back.
    Paused,
    /// A part of this job is already held here, further up the tree.
    Ancestor,
    TooDeep,
    /// The gift breaks a limit.
    Absurd,
}

impl Data {
    /// No bytes.
    pub fn empty() -> Data {
        Data::Inline { bytes: Arc::from([]) }
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        match self {
            Data::Inline { bytes } => bytes.len() as u64,
            Data::Blob { len, .. } => *len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Output {
    /// Just these bytes.
    pub fn of(stdout: Data) -> Output {
        Output { stdout, files: Vec::new(), note: Arc::from("") }
    }
}

impl Outcome {
    /// Whether the tool failed on its input, wherever it runs.
    pub fn is_failure(self) -> bool {
        matches!(self, Outcome::Exit { .. } | Outcome::Trapped { .. }) && !self.is_the_machines()
    }

    /// Whether it tells of the machine only: how long a run takes hangs on what else goes on there, and how large the
    /// frames of calls are on its processor.
    pub fn is_the_machines(self) -> bool {
        matches!(self, Outcome::Broken | Outcome::Trapped { trap: Trap::TooSlow | Trap::StackTooDeep })
    }
}

impl Gift {
    /// The runs, in the order of their inputs.
    pub fn runs(&self) -> impl Iterator<Item = Span> + '_ {
        self.pieces.iter().flat_map(|piece| piece.cut(self.chunk))
    }

    /// How many runs there are.
    pub fn run_count(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.pieces(self.chunk)).sum()
    }

    /// Whether it is such as one node may give another. What a node gives itself may have longer runs: a merge of a
    /// whole level.
    pub fn is_bounded(&self) -> bool {
        (1..=limits::CHUNK_MAX).contains(&self.chunk) && (1..=limits::GIFT_PIECES_MAX).contains(&self.run_count())
    }
}
