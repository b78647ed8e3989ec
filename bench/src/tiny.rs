//! Tiny parts: no-op WASI commands, a fresh sandboxed instance each, durable, from submit to the last result.

use crate::program::{Program, tool};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::Instant;

const PARTS: u64 = 100_000;
/// GNU parallel starts a process for each; so many are enough.
const PARALLEL: u64 = 2_000;

pub(crate) fn run() -> anyhow::Result<Value> {
    let program = Program::start(2)?;
    let noop = tool("noop.wasm").display().to_string();
    // The tool is compiled, the lenders have shown what they are worth.
    program.grove(&["run", "--range", "0..2000", &noop])?;
    let before = program.used();
    let begun = Instant::now();
    let range = format!("0..{PARTS}");
    program.grove(&["run", "--range", &range, &noop])?;
    let wall = begun.elapsed().as_secs_f64();
    let after = program.used();
    let micros = |seconds: f64| (seconds * 1e6 / PARTS as f64 * 10.0).round() / 10.0;
    let rate = PARTS as f64 / wall;
    let parallel = parallel();
    Ok(json!({
        "name": "tiny",
        "value": rate.round(),
        "unit": "parts/s",
        "parts": PARTS,
        "wall_ms": (wall * 1e3).round(),
        "overhead_us": micros(after.nodes - before.nodes),
        "overhead_is": "processor time of hub and lenders per part, executors not included",
        "executor_us": micros(after.executors - before.executors),
        "gnu_parallel_per_s": parallel,
        "ratio_to_parallel": parallel.map(|peer| (rate / peer).round()),
    }))
}

/// Processes per second with nothing to do, as GNU parallel starts them; `None` where it is not installed.
fn parallel() -> Option<f64> {
    let begun = Instant::now();
    let inputs = format!("seq {PARALLEL} | parallel -j 2 true");
    let ran = Command::new("sh").args(["-c", &inputs]).stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    ran.success().then(|| (PARALLEL as f64 / begun.elapsed().as_secs_f64()).round())
}
