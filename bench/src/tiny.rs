//! Tiny parts: no-op WASI commands, a fresh sandboxed instance each, durable, from submit to the last result.

use crate::others;
use crate::program::{Program, Used, percentile, tool};
use serde_json::{Value, json};
use std::time::Instant;

const PARTS: u64 = 100_000;
/// Results whose time in the sandbox is looked at: they are all alike.
const LOOKED_AT: u64 = 1_000;

pub(crate) fn run(tls: bool) -> anyhow::Result<Value> {
    let program = Program::start_with(2, tls)?;
    let noop = tool("noop.wasm").display().to_string();
    // The tool is compiled, the lenders have shown what they are worth.
    program.grove(&["run", "--range", "0..2000", &noop])?;
    let before = program.used();
    let begun = Instant::now();
    let range = format!("0..{PARTS}");
    program.grove(&["run", "--range", &range, &noop])?;
    let wall = begun.elapsed().as_secs_f64();
    let spent = program.used().since(before);
    let in_sandbox = sandbox_micros(&program)?;
    let each = |seconds: f64| tenths(seconds * 1e6 / PARTS as f64);
    let rate = PARTS as f64 / wall;
    drop(program);
    let others = if tls { json!({}) } else { others::measured() };
    let ratio = |name: &str| others[name].as_f64().map(|peer| tenths(rate / peer));
    Ok(json!({
        "name": "tiny",
        "value": rate.round(),
        "unit": "parts/s",
        "tls": tls,
        "parts": PARTS,
        "wall_ms": (wall * 1e3).round(),
        "overhead_us": tenths(each(spent.all()) - in_sandbox),
        "overhead_is": "processor time of all processes per part, less the time in the sandbox",
        "hub_us": each(spent.hub),
        "lenders_us": each(spent.lenders),
        "executors_us": each(spent.executors),
        "command_us": each(spent.commands),
        "sandbox_us": in_sandbox,
        "baseline": others,
        "ratio": {"gnu_parallel": ratio("gnu_parallel"), "ray": ratio("ray")},
    }))
}

/// How long one part is in the sandbox: the median, so that a part whose processor was taken away does not count.
fn sandbox_micros(program: &Program) -> anyhow::Result<f64> {
    let page = program.get(&format!("/v1/jobs/last/results?from=0&limit={LOOKED_AT}"))?;
    let results = page["results"].as_array().cloned().unwrap_or_default();
    let mut micros: Vec<f64> = results.iter().filter_map(|one| one["micros"].as_f64()).collect();
    anyhow::ensure!(!micros.is_empty(), "the job has no results");
    Ok(percentile(&mut micros, 50))
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

impl Used {
    fn all(self) -> f64 {
        self.hub + self.lenders + self.executors + self.commands
    }
}
