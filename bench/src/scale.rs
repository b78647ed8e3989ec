//! 64 parts of about 0.1 s on one lender and on two; and what a part costs the node with ten lenders to a hundred
//! thousand, where only the lenders are made up.

use crate::core::measure;
use crate::program::{Program, tool};
use serde_json::{Value, json};
use std::time::Instant;

const PARTS: usize = 64;
const LENDERS: [u64; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Rounds of `spin`: about a tenth of a second; how long it really is, the run on one lender says.
const ROUNDS: &str = "40000000";

pub(crate) fn run(parts: u64) -> anyhow::Result<Value> {
    let one = seconds(1)?;
    let two = seconds(2)?;
    let efficiency = one / (2.0 * two);
    let costs = LENDERS.map(|lenders| {
        let each = 1e6 / measure(lenders, parts).rate().max(1) as f64;
        json!({"lenders": lenders, "us": (each * 100.0).round() / 100.0})
    });
    let of = |choose: fn(f64, f64) -> f64| costs.iter().filter_map(|cost| cost["us"].as_f64()).reduce(choose);
    let (dearest, cheapest) = (of(f64::max).unwrap_or(0.0), of(f64::min).unwrap_or(1.0));
    Ok(json!({
        "name": "scale",
        "value": (efficiency * 1e3).round() / 1e3,
        "unit": "efficiency of two lenders",
        "one_s": one,
        "two_s": two,
        "part_ms": one * 1e3 / PARTS as f64,
        "parts": PARTS,
        "part_costs_node_us": costs,
        "dearest_to_cheapest": (dearest / cheapest * 100.0).round() / 100.0,
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
