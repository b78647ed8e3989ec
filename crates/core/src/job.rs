//! A job: what somebody wants done, and under which conditions.

use crate::id::{Digest, JobId, PersonId};
use crate::limits;
use crate::units::{Credits, Fuel, Millis};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything that is said about a job when it is submitted. It never changes afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub owner: PersonId,
    pub name: Arc<str>,
    pub tool: Arc<Tool>,
    pub source: Source,
    pub chunk: Chunk,
    pub check: Check,
    pub merge: bool,
    /// More inputs may follow until the job is closed.
    pub open: bool,
    /// The most that this job may cost; held when it is submitted.
    pub budget: Credits,
    /// The job is stopped when more parts than this have failed.
    pub fails_max: u64,
}

/// The program of a job and how it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub module: Digest,
    pub abilities: Abilities,
    /// Arguments with the holes that GNU parallel knows (`{}`, `{1}`, `{#}` …).
    pub args: Vec<Box<str>>,
    /// Inputs are given on standard input rather than as arguments.
    pub stdin: bool,
    /// True clocks and true randomness: answers of such a job cannot be compared.
    pub real_time: bool,
    pub caps: Caps,
}

/// What one part may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    pub fuel: Fuel,
    pub wall: Millis,
    pub memory_bytes: u64,
    pub output_bytes: u64,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps { fuel: limits::FUEL_DEFAULT, wall: Millis(3_600_000), memory_bytes: 1 << 30, output_bytes: 64 << 20 }
    }
}

/// What a tool can do beside running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// Cuts an input into pieces, or says that it is satisfied.
    pub split: bool,
    /// Makes one output of several.
    pub merge: bool,
    /// Says whether an output is right for an input, cheaply.
    pub check: bool,
    /// One right answer settles the whole task.
    pub first: bool,
}

/// Where the inputs of a job come from. Inputs are described here and made when a part is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The integers from `from` on.
    Numbers { from: u64, count: u64 },
    /// Inputs that came with the job, kept in the store one by one.
    Listed { count: u64 },
    /// The lines of a blob.
    Lines { blob: Digest, count: u64 },
}

impl Source {
    /// How many inputs there are.
    pub fn count(self) -> u64 {
        match self {
            Source::Numbers { count, .. } | Source::Listed { count } | Source::Lines { count, .. } => count,
        }
    }
}

/// How many items one run of the tool gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chunk {
    /// So many; one is the rule.
    Items(u64),
    /// As many as a machine does in [`limits::CHUNK_WORK`], by measure.
    Timed,
}

/// How answers are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// By the tool's own `check`; what it cannot tell is audited as by `Spot`.
    Prove { spot_per_mille: u32 },
    /// A secret share of the answers is run again where it can be trusted.
    Spot { per_mille: u32 },
    /// Every answer is run again by another lender, which is asked only after the first answer is on the books.
    Copies,
    /// Not at all.
    Trust,
}

impl Check {
    /// The share of answers that are audited.
    pub fn per_mille(self) -> u32 {
        match self {
            Check::Prove { spot_per_mille } => spot_per_mille,
            Check::Spot { per_mille } => per_mille,
            Check::Copies | Check::Trust => 0,
        }
    }
}

/// Why a job was not accepted. Each ends in a hint where people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The same id with other contents.
    OtherJobOfThatId,
    NoInputs,
    TooManyInputs,
    NameTooLong,
    ArgumentsTooLong,
    ChunkTooLarge,
    /// `Prove` needs a tool with `check`.
    ToolCannotCheck,
    /// Merging needs a tool with `merge`.
    ToolCannotMerge,
    /// The budget buys not even one part.
    BudgetTooSmall {
        least: Credits,
    },
    NotEnoughCredits {
        available: Credits,
    },
    TooManyJobs,
    /// So many jobs of one person run at one time.
    TooManyOfYours {
        most: u64,
    },
    /// So many inputs of one person's running jobs are kept.
    TooManyInputsOfYours {
        most: u64,
    },
    /// So many jobs are taken from one person in a minute.
    TooFast {
        most: u32,
    },
    NoSuchJob,
    /// The job takes no more inputs.
    NotOpen,
}

impl Job {
    /// Whether this can be a job at all, whoever pays for it.
    pub fn examine(&self) -> Result<(), Refusal> {
        let abilities = self.tool.abilities;
        let args: usize = self.tool.args.iter().map(|arg| arg.len()).sum();
        let least = Credits::reserved(limits::FUEL_LEAST.min(self.tool.caps.fuel));
        let refused = [
            (self.source.count() == 0 && !self.open, Refusal::NoInputs),
            (self.source.count() > limits::ITEMS_MAX, Refusal::TooManyInputs),
            (self.name.len() > limits::NAME_MAX, Refusal::NameTooLong),
            (args > limits::ARGS_BYTES_MAX, Refusal::ArgumentsTooLong),
            (matches!(self.chunk, Chunk::Items(n) if n == 0 || n > limits::CHUNK_MAX), Refusal::ChunkTooLarge),
            (matches!(self.check, Check::Prove { .. }) && !abilities.check, Refusal::ToolCannotCheck),
            (self.merge && !abilities.merge, Refusal::ToolCannotMerge),
            (self.budget < least, Refusal::BudgetTooSmall { least }),
        ];
        refused.into_iter().find(|(is, _)| *is).map_or(Ok(()), |(_, why)| Err(why))
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    Running,
    Done,
    /// Some parts failed; the others have their answers.
    Failed,
    Cancelled,
    /// The budget was spent before the work was done.
    Unpaid,
}
