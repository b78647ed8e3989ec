//! 64 parts of about 0.1 s on one lender and on two.

use crate::program::{Program, tool};
use serde_json::{Value, json};
use std::time::Instant;

const PARTS: usize = 64;
/// Rounds of `spin`: about a tenth of a second; how long it really is, the run on one lender says.
const ROUNDS: &str = "40000000";

pub(crate) fn run() -> anyhow::Result<Value> {
    let one = seconds(1)?;
    let two = seconds(2)?;
    let efficiency = one / (2.0 * two);
    Ok(json!({
        "name": "scale",
        "value": (efficiency * 1e3).round() / 1e3,
        "unit": "efficiency of two lenders",
        "one_s": one,
        "two_s": two,
        "part_ms": one * 1e3 / PARTS as f64,
        "parts": PARTS,
    }))
}

fn seconds(lenders: usize) -> anyhow::Result<f64> {
    let program = Program::start(lenders)?;
    let spin = tool("spin.wasm").display().to_string();
    let inputs: Vec<&str> = std::iter::repeat_n(ROUNDS, PARTS).collect();
    program.grove(&["run", "--check", "trust", &spin, ":::", ROUNDS, ROUNDS])?;
    let begun = Instant::now();
    program.grove(&[&["run", "--check", "trust", &spin, ":::"], &inputs[..]].concat())?;
    Ok(begun.elapsed().as_secs_f64())
}
