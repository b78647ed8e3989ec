//! How a run of a gift becomes a call of its tool, and how the call's end becomes an outcome.

use super::inputs::{Fetched, fetched};
use crate::shell::answers::{FILES_MAX, NOTE_BYTES_MAX};
use crate::shell::rows::{RowError, read_data};
use crate::store::Blobs;
use crate::tokens::{self, Input};
use grove_core::job::{Abilities, Tool};
use grove_core::message::{Data, Gift, Inputs, Outcome, Trap};
use grove_core::task::{Act, Span};
use grove_core::verify::mix;
use grove_sandbox::{Bytes, Limits, Part, Status, Terms};
use std::sync::Arc;

/// What holds for all runs of a gift.
pub(super) fn terms(gift: &Gift) -> Terms {
    let caps = gift.tool.caps;
    let limits = Limits {
        fuel: gift.fuel.min(caps.fuel).0,
        memory_bytes: caps.memory_bytes,
        stdout_bytes: caps.output_bytes,
        files_bytes: caps.output_bytes,
        files_count: u32::try_from(FILES_MAX).unwrap_or(u32::MAX),
        wall_ms: caps.wall.0,
    };
    Terms { limits, real_time: gift.tool.real_time }
}

/// The calls, in the order of the runs.
pub(super) fn parts(gift: &Gift, blobs: &Blobs, here: &Fetched) -> Result<Vec<Part>, RowError> {
    let mut data = match &gift.inputs {
        Inputs::Numbers { .. } => [].iter(),
        Inputs::Carried { data } => data.iter(),
    };
    let seed = chance(&gift.tool);
    gift.runs()
        .map(|run| {
            let Call { args, stdin, files } = match &gift.inputs {
                Inputs::Numbers { from } => numbered(gift, from.saturating_add(run.first), run),
                Inputs::Carried { .. } => carried(gift, data.next().unwrap_or(&NOTHING), run, blobs, here)?,
            };
            Ok(Part { args, stdin, files, seed: seed(run.first) })
        })
        .collect()
}

/// Where a tool finds an input that is a file.
const INPUT_FOLDER: &str = "/in";
/// How a token for the end of a range begins.
const SECOND_COLUMN: &str = "{2";

/// Every run has an input: the node declines gifts where one is missing.
static NOTHING: std::sync::LazyLock<Data> = std::sync::LazyLock::new(Data::empty);

/// How a tool is called: its arguments, what it reads, and files below `/in`.
#[derive(Default)]
struct Call {
    args: Vec<String>,
    stdin: Arc<[u8]>,
    files: Vec<(String, Bytes)>,
}

fn numbered(gift: &Gift, first: u64, run: Span) -> Call {
    let tool = &gift.tool;
    let read = |args| Call { args, stdin: number_text(first, run.len).into_bytes().into(), ..Call::default() };
    if let Some(args) = verb(gift) {
        return read(args);
    }
    if tool.stdin {
        return read(plain(tool));
    }
    // A job that gives out ranges has a range of one at its end.
    let ranged = run.len > 1 || tool.args.iter().any(|arg| arg.contains(SECOND_COLUMN));
    let input = if !ranged { Input::Number(first) } else { Input::Range { first, end: first.saturating_add(run.len) } };
    Call { args: tokens::expand(&tool.args, input, run.first.saturating_add(1)), ..Call::default() }
}

fn carried(gift: &Gift, data: &Data, run: Span, blobs: &Blobs, here: &Fetched) -> Result<Call, RowError> {
    let tool = &gift.tool;
    let bytes = match data {
        Data::Inline { bytes } => Arc::clone(bytes),
        Data::Blob { .. } => match fetched(here, data) {
            Some(bytes) => bytes,
            None => read_data(blobs, data)?.into(),
        },
    };
    if let Some(args) = verb(gift) {
        return Ok(Call { args, stdin: bytes, ..Call::default() });
    }
    if tool.stdin || run.len > 1 {
        return Ok(Call { args: plain(tool), stdin: bytes, ..Call::default() });
    }
    if tokens::wants_file(&tool.args) {
        let (name, contents) = tokens::unnamed(&bytes);
        let args = tokens::expand_file(&tool.args, &format!("{INPUT_FOLDER}/{name}"));
        return Ok(Call { args, files: vec![(name.to_owned(), Bytes(contents.into()))], ..Call::default() });
    }
    let text = String::from_utf8_lossy(&bytes);
    let args = tokens::expand(&tool.args, Input::Text(&text), run.first.saturating_add(1));
    Ok(Call { args, ..Call::default() })
}

/// The arguments of a tool that declares what it can do: what is asked of it comes first. `None` for a plain command.
fn verb(gift: &Gift) -> Option<Vec<String>> {
    let tool = &gift.tool;
    let mut args = match gift.act {
        Act::Run if tool.abilities == Abilities::default() => return None,
        Act::Run | Act::Solve { .. } => vec!["run".to_owned()],
        Act::Split { ways } => vec!["split".to_owned(), ways.to_string()],
        Act::Merge => vec!["merge".to_owned()],
        Act::Check => vec!["check".to_owned()],
    };
    args.extend(plain(tool));
    Some(args)
}

fn plain(tool: &Tool) -> Vec<String> {
    tool.args.iter().map(|arg| arg.to_string()).collect()
}

/// A number, or several of them as `first..end`.
pub(in crate::shell) fn number_text(first: u64, count: u64) -> String {
    if count == 1 { first.to_string() } else { format!("{first}..{}", first.saturating_add(count)) }
}

/// What the random numbers of a gift's runs are made from: the tool, how it is called, and their places in the job. Never
/// the machine nor the job's name, so that the same command gives the same answers again.
fn chance(tool: &Tool) -> impl Fn(u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&tool.module.0);
    for arg in &tool.args {
        hasher.update(&(arg.len() as u64).to_le_bytes()).update(arg.as_bytes());
    }
    let [a, b, c, d, e, f, g, h, ..] = *hasher.finalize().as_bytes();
    let command = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    move |item| mix(command ^ mix(item))
}

/// How a run ended, and what there is to say about it.
pub(super) fn outcome(status: &Status, stderr_tail: &[u8]) -> (Outcome, Arc<str>) {
    let trapped = |trap| Outcome::Trapped { trap };
    let outcome = match status {
        Status::Exit(0) => Outcome::Right,
        Status::Died(_) => Outcome::Broken,
        Status::Exit(code) => Outcome::Exit { code: code.cast_signed() },
        Status::Trap(_) | Status::BadInput(_) => trapped(Trap::Crashed),
        Status::OutOfFuel => Outcome::OutOfFuel,
        Status::OutOfMemory => trapped(Trap::OutOfMemory),
        Status::OutputTooLarge => trapped(Trap::OutputTooLarge),
        Status::FilesTooLarge | Status::TooManyFiles(_) => trapped(Trap::FilesTooLarge),
        Status::TimedOut => trapped(Trap::TooSlow),
        Status::StackTooDeep => trapped(Trap::StackTooDeep),
        Status::Unsupported(_) => trapped(Trap::NotATool),
    };
    let said = String::from_utf8_lossy(stderr_tail);
    let note = match status {
        Status::Exit(_) => said.into_owned(),
        other if said.is_empty() => other.to_string(),
        other => format!("{said}\n{other}"),
    };
    (outcome, Arc::from(tail(&note)))
}

/// The end of a text, as long as a note may be.
fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(NOTE_BYTES_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}
