//! A part as the sandbox sees it: what goes in, what comes out, and how it ended. It knows no job and no node.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::Limits;

/// Everything one run of a tool is given. The same part gives the same answer on every machine with this engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Arguments after the tool's name.
    pub args: Vec<String>,
    /// Standard input.
    #[serde(with = "crate::bytes")]
    pub stdin: Arc<[u8]>,
    /// Files below `/in`, by relative path.
    pub files: Vec<(String, Bytes)>,
    /// What the tool's random numbers are made from.
    pub seed: u64,
}

/// Bytes that several parts can share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes(#[serde(with = "crate::bytes")] pub Arc<[u8]>);

/// What holds for all parts of an order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What each part may use.
    pub limits: Limits,
    /// True clocks and true random numbers instead of reproducible ones.
    pub real_time: bool,
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Standard output, whole.
    #[serde(with = "crate::bytes")]
    pub stdout: Vec<u8>,
    /// The last bytes of standard error.
    #[serde(with = "crate::bytes")]
    pub stderr_tail: Vec<u8>,
    /// Files left below `/out`, sorted by path.
    pub files: Vec<Written>,
    /// Work done, comparable between machines of one `ENGINE`.
    pub fuel: u64,
    /// CPU time.
    pub cpu_us: u64,
    /// Time on the wall.
    pub wall_us: u64,
}

/// A file that a tool left below `/out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Relative path, with `/` between names; never `..`, never absolute.
    pub path: String,
    /// What it holds.
    #[serde(with = "crate::bytes")]
    pub bytes: Vec<u8>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The tool ended by itself with this code.
    Exit(u32),
    /// The tool broke one of WebAssembly's rules.
    Trap(String),
    /// The tool used all its fuel.
    OutOfFuel,
    /// The tool wanted more memory than allowed and could not go on without.
    OutOfMemory,
    /// The tool printed more than allowed.
    OutputTooLarge,
    /// The tool wrote more than allowed.
    FilesTooLarge,
    /// The tool had more files and folders than so many.
    TooManyFiles(u32),
    /// The tool ran for longer than allowed.
    TimedOut,
    /// The tool needs something that is not given.
    Unsupported(String),
    /// The process that ran it died; whether by the tool's doing or the machine's is not known.
    Died(String),
    /// The input itself breaks a limit: too many arguments, or a file's path that cannot be.
    BadInput(String),
    /// The tool's calls within calls went deeper than there is room for here; how large each is hangs on the processor.
    StackTooDeep,
}

impl Status {
    /// Whether the tool did what it was asked.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Status::Exit(0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Exit(0) => write!(f, "the tool ended well"),
            Status::Exit(code) => write!(f, "the tool ended with exit code {code}"),
            Status::Trap(what) => write!(f, "the tool crashed: {what}"),
            Status::StackTooDeep => f.write_str("the tool's calls within calls went too deep: its stack is full"),
            Status::OutOfFuel => {
                write!(f, "the tool used all its fuel\nhint: raise the fuel limit or cut smaller parts")
            }
            Status::OutOfMemory => {
                write!(f, "the tool needs more memory than allowed\nhint: allow more, `--memory`, or cut smaller parts")
            }
            Status::OutputTooLarge => {
                write!(f, "the tool printed more than allowed\nhint: print less, or write it to files in /out")
            }
            Status::FilesTooLarge => {
                write!(f, "the tool wrote more to /out than allowed\nhint: write less, or cut smaller parts")
            }
            Status::TooManyFiles(most) => {
                write!(
                    f,
                    "the tool made more than {most} files and folders\n\
                     hint: put them into one archive, or cut smaller parts"
                )
            }
            Status::TimedOut => {
                write!(f, "the tool ran for longer than allowed\nhint: allow more, `--timeout`, or cut smaller parts")
            }
            Status::Unsupported(import) => {
                write!(f, "the tool needs {import}, which is not given\nhint: compile it for wasm32-wasip1")
            }
            Status::Died(how) => write!(f, "the process that ran the tool died: {how}"),
            Status::BadInput(what) => write!(f, "the part cannot be run: {what}"),
        }
    }
}

impl Outcome {
    /// A part that left nothing.
    #[must_use]
    pub fn early(status: Status) -> Outcome {
        Outcome { status, stdout: vec![], stderr_tail: vec![], files: vec![], fuel: 0, cpu_us: 0, wall_us: 0 }
    }
}

impl Part {
    /// About what it takes to send it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let args: usize = self.args.iter().map(|arg| arg.len() + 8).sum();
        let files: usize = self.files.iter().map(|(path, bytes)| path.len() + bytes.0.len() + 8).sum();
        args + files + self.stdin.len() + 32
    }
}
