//! What a node asks of an executor and what it tells: orders of many parts, made from a template when they run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::frame::bytes;
use crate::limits::ARGS_BYTES_MAX;
use crate::part::{Outcome, Part, Status, Terms};
use crate::tool::CompileOptions;
use crate::walls::{Attempt, Targets, Wall};
use crate::wasi::split_mix;

/// From a node to an executor.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Compile this module into the one passed descriptor.
    Compile {
        options: CompileOptions,
        #[serde(with = "bytes")]
        wasm: Vec<u8>,
    },
    /// Load compiled code from the one passed descriptor.
    Load { options: CompileOptions },
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
    /// The tool cannot be compiled or loaded; the sentence is for a person.
    Refused(String),
    /// Some parts of the orders that came, in their order.
    Ran(Vec<Answer>),
    /// What became of the attempts to get out.
    Escaped(Vec<Attempt>),
}

/// Parts of one lease that share everything but their own words and input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Whose answers these will be.
    pub lease: u64,
    /// What each part may use.
    pub terms: Terms,
    /// The job's seed, from which each part's is made.
    pub seed: u64,
    /// Arguments, with holes for each part's words.
    pub args: Vec<Arg>,
    /// Files below `/in` that all parts get.
    pub files: Vec<(String, Source)>,
    /// The parts themselves.
    pub parts: Parts,
}

/// One argument, put together from pieces.
pub type Arg = Vec<Piece>;

/// A piece of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// The same for every part.
    Text(String),
    /// The part's word with this index, empty if it has none.
    Word(u16),
    /// The part's key.
    Key,
}

/// The parts of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parts {
    /// Each told in full.
    Listed(Vec<Input>),
    /// Keys in a row; the only word of each is its key plus an offset.
    Range { first: u64, count: u64, offset: i64 },
}

/// What one part has of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The part's name within its job: the first item of it.
    pub key: u64,
    /// What fills the holes of the arguments.
    pub words: Vec<String>,
    /// Standard input.
    pub stdin: Source,
    /// Files below `/in`.
    pub files: Vec<(String, Source)>,
}

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// They are here.
    Inline(#[serde(with = "bytes")] Arc<[u8]>),
    /// They are in the passed descriptor with this index.
    Passed(u16),
}

impl Default for Source {
    fn default() -> Self {
        Source::Inline(Arc::default())
    }
}

/// What became of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub lease: u64,
    pub key: u64,
    pub outcome: Outcome,
}

impl Parts {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Parts::Listed(inputs) => inputs.len(),
            Parts::Range { count, .. } => usize::try_from(*count).unwrap_or(usize::MAX),
        }
    }

    /// Takes up to so many from the front.
    #[must_use]
    pub fn take(&mut self, most: usize) -> Parts {
        match self {
            Parts::Listed(inputs) => {
                let rest = inputs.split_off(most.min(inputs.len()));
                Parts::Listed(std::mem::replace(inputs, rest))
            }
            Parts::Range { first, count, offset } => {
                let taken = Parts::Range {
                    first: *first,
                    count: (*count).min(most as u64),
                    offset: *offset,
                };
                let step = (*count).min(most as u64);
                (*first, *count) = (first.saturating_add(step), *count - step);
                taken
            }
        }
    }

    /// The key of the part at a place.
    #[must_use]
    pub fn key(&self, index: usize) -> Option<u64> {
        match self {
            Parts::Listed(inputs) => inputs.get(index).map(|input| input.key),
            Parts::Range { first, count, .. } => (index as u64)
                .lt(count)
                .then(|| first.checked_add(index as u64))
                .flatten(),
        }
    }
}

impl Order {
    /// Makes the part at a place; passed files were read beforehand, in the order they came.
    pub(crate) fn part(&self, index: usize, passed: &[Arc<[u8]>]) -> Result<(u64, Part), (u64, Status)> {
        let key = self.parts.key(index).unwrap_or_default();
        let bad = |what: &str| (key, Status::BadInput(what.to_owned()));
        let take = |source: &Source| match source {
            Source::Inline(bytes) => Ok(bytes.clone()),
            Source::Passed(index) => passed
                .get(usize::from(*index))
                .cloned()
                .ok_or_else(|| bad("its input is missing")),
        };
        let ranged;
        let nothing = Source::default();
        let (words, stdin, own_files): (&[String], &Source, &[(String, Source)]) = match &self.parts {
            Parts::Listed(inputs) => {
                let input = inputs.get(index).ok_or_else(|| bad("it is not there"))?;
                (&input.words, &input.stdin, &input.files)
            }
            Parts::Range { offset, .. } => {
                ranged = [(i128::from(key) + i128::from(*offset)).to_string()];
                (&ranged, &nothing, &[])
            }
        };
        let args: Vec<String> = self.args.iter().map(|arg| fill(arg, words, key)).collect();
        if args.iter().map(|arg| arg.len() + 8).sum::<usize>() > ARGS_BYTES_MAX {
            return Err(bad("its arguments are too long"));
        }
        let files = self.files.iter().chain(own_files);
        let files = files
            .map(|(path, source)| Ok((path.clone(), take(source)?)))
            .collect::<Result<_, _>>()?;
        Ok((
            key,
            Part {
                args,
                stdin: take(stdin)?,
                files,
                seed: part_seed(self.seed, key),
            },
        ))
    }
}

fn fill(arg: &Arg, words: &[String], key: u64) -> String {
    let mut filled = String::new();
    for piece in arg {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Word(index) => filled.push_str(words.get(usize::from(*index)).map_or("", String::as_str)),
            Piece::Key => filled.push_str(&key.to_string()),
        }
    }
    filled
}

/// The seed of a part's random numbers: the same wherever and whenever it runs, different for every part.
#[must_use]
pub fn part_seed(job_seed: u64, key: u64) -> u64 {
    let mut state = job_seed;
    let mut mixed = split_mix(&mut state) ^ key;
    split_mix(&mut mixed)
}
