//! What a node asks of an executor, and what it is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::part::{Outcome, Part, Terms};
use crate::tool::CompileOptions;
use crate::walls::{Attempt, Targets, Wall};

/// From a node to an executor.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Compile this module into the one passed descriptor.
    Compile {
        options: CompileOptions,
        #[serde(with = "crate::bytes")]
        wasm: Arc<[u8]>,
    },
    /// Load compiled code from the one passed descriptor; an interpreter with the package that it runs, others with
    /// nothing.
    Load {
        options: CompileOptions,
        #[serde(with = "crate::bytes")]
        package: Arc<[u8]>,
    },
    /// Run these parts.
    Run(Order),
    /// Try, natively, to get out.
    Escape(Targets),
}

/// From an executor to its node.
#[derive(Debug, Serialize, Deserialize)]
pub enum Tell {
    /// The walls stand and work can come.
    Ready(Vec<Wall>),
    /// The floor could not be raised, so nothing will be run.
    Unwalled(Wall),
    /// The tool is compiled; the descriptor holds so many bytes.
    Compiled { bytes: u64 },
    /// The tool is loaded.
    Loaded,
    /// The tool cannot be compiled on any machine; the sentence is for a person.
    Refused(String),
    /// This machine cannot compile or load it; the sentence is for a person.
    Unable(String),
    /// Some parts of the orders that came, in their order.
    Ran(Vec<Answer>),
    /// What became of the attempts to get out.
    Escaped(Vec<Attempt>),
}

/// Parts that run under the same terms.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// The node's number for it; answers bear it.
    pub number: u64,
    /// The place of the first of these parts in whatever they were cut from.
    pub first: u64,
    /// What each part may use.
    pub terms: Terms,
    /// The parts.
    pub parts: Arc<[Part]>,
}

/// What became of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The order's number.
    pub order: u64,
    /// The part's place.
    pub place: u64,
    /// How it ended and what it left.
    pub outcome: Outcome,
}
