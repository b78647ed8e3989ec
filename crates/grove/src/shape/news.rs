//! What there is to see, as a stream.

use super::{Big, StandingShape};
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub v: u32,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    #[serde(flatten)]
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    Submitted {
        job: String,
    },
    /// A lender was given runs: `kind` is `work`, `split`, `merge`, `check` or `audit`.
    Given {
        job: String,
        task: Big,
        lease: Big,
        to: String,
        runs: u64,
        kind: String,
    },
    /// Runs of a lease were answered.
    Answered {
        job: String,
        task: Big,
        lease: Big,
        by: String,
        runs: u64,
        fuel: Big,
        micros: u64,
    },
    /// A lease ended without all of its answers.
    Returned {
        job: String,
        task: Big,
        lease: Big,
        by: String,
    },
    /// Items of a job have their answer.
    Finished {
        job: String,
        item: u64,
        count: u64,
        failed: bool,
        by: Option<String>,
    },
    /// An answer settled a whole task.
    Settled {
        job: String,
        task: Big,
        by: String,
    },
    /// An answer was proved wrong.
    Refused {
        job: String,
        task: Big,
        by: String,
    },
    Paid {
        job: String,
        to: String,
        amount: Big,
    },
    Ended {
        job: String,
        standing: StandingShape,
    },
    /// Whoever watches was too slow, and did not see so many batches of news.
    Missed {
        batches: u64,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

impl EventKind {
    /// The job that it is about.
    pub fn job(&self) -> Option<&str> {
        match self {
            EventKind::Submitted { job }
            | EventKind::Given { job, .. }
            | EventKind::Answered { job, .. }
            | EventKind::Returned { job, .. }
            | EventKind::Finished { job, .. }
            | EventKind::Settled { job, .. }
            | EventKind::Refused { job, .. }
            | EventKind::Paid { job, .. }
            | EventKind::Ended { job, .. } => Some(job),
            EventKind::Missed { .. } | EventKind::Unknown => None,
        }
    }
}
