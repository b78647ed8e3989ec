//! 64 parts of about 0.1 s on one lender and on two, from `grove run` to its end; and what a part costs the node with
//! ten lenders to a hundred thousand, where only the lenders are made up.
//!
//! Both runs do the same in the same way: a job before them warms the lenders, and each is the quickest of three, taken
//! in turn, since whatever else the machine does can only make one slower. `busy` is the share of the lenders' time that
//! was spent in the tool: what it lacks is handing out, the end of the job when there is nothing left for one of them,
//! and the command itself. It says what the product loses even where something else takes a core for a while.
//!
//! `baseline` is the same work on one bare thread and on two, in the same minutes: two cores of a machine that is shared
//! with strangers are not always twice one.

use crate::core::measure_again;
use crate::program::{Program, tool};
use anyhow::Context;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const PARTS: usize = 64;
const LENDERS: [u64; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Rounds of `spin`: about a tenth of a second; how long it really is, the run on one lender says.
const ROUNDS: u64 = 55_000_000;
const TURNS: usize = 3;
/// Parts for each lender that is made up, as many whether they are ten or a hundred thousand: it is the parts in one gift
/// that make a part cheap, and with more lenders to the same parts there would be fewer in each.
const PARTS_EACH: u64 = 100;

pub(crate) fn run(parts: u64) -> anyhow::Result<Value> {
    let turns = (0..TURNS).map(|_| Ok([run_on(1)?, run_on(2)?, bare(1), bare(2)]));
    let turns = turns.collect::<anyhow::Result<Vec<[Ran; 4]>>>()?;
    let quickest = |way: usize| {
        let all = turns.iter().map(|turn| turn[way]);
        all.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).context("nothing was run")
    };
    let (one, two) = (quickest(0)?, quickest(1)?);
    let efficiency = one.seconds / (2.0 * two.seconds);
    let machine = quickest(2)?.seconds / (2.0 * quickest(3)?.seconds);
    let costs = LENDERS.map(|lenders| {
        let each = 1e6 / measure_again(lenders, lenders * PARTS_EACH, parts).max(1) as f64;
        json!({"lenders": lenders, "us": (each * 100.0).round() / 100.0})
    });
    let of = |choose: fn(f64, f64) -> f64| costs.iter().filter_map(|cost| cost["us"].as_f64()).reduce(choose);
    let (dearest, cheapest) = (of(f64::max).unwrap_or(0.0), of(f64::min).unwrap_or(1.0));
    Ok(json!({
        "name": "scale",
        "value": (efficiency * 1e3).round() / 1e3,
        "unit": "efficiency of two lenders",
        "baseline": (machine * 1e3).round() / 1e3,
        "ratio": (efficiency / machine * 1e3).round() / 1e3,
        "one_s": one.seconds,
        "two_s": two.seconds,
        "busy": [one.busy, two.busy],
        "part_ms": one.seconds * 1e3 / PARTS as f64,
        "parts": PARTS,
        "part_costs_node_us": costs,
        "dearest_to_cheapest": (dearest / cheapest * 100.0).round() / 100.0,
    }))
}

#[derive(Clone, Copy)]
struct Ran {
    seconds: f64,
    /// The share of the lenders' time that was spent in the tool.
    busy: f64,
}

fn run_on(lenders: usize) -> anyhow::Result<Ran> {
    let program = Program::start(lenders)?;
    let spin = tool("spin.wasm").display().to_string();
    let rounds = ROUNDS.to_string();
    let inputs = vec![rounds.as_str(); PARTS];
    let warm = vec![rounds.as_str(); 2 * lenders];
    program.grove(&[&["run", "--check", "trust", &spin, ":::"], &warm[..]].concat())?;
    let begun = Instant::now();
    program.grove(&[&["run", "--check", "trust", &spin, ":::"], &inputs[..]].concat())?;
    let seconds = begun.elapsed().as_secs_f64();
    let page = program.get("/v1/jobs/last/results?from=0")?;
    let micros: f64 = page["results"].as_array().into_iter().flatten().filter_map(|one| one["micros"].as_f64()).sum();
    let busy = micros / 1e6 / (seconds * lenders as f64);
    Ok(Ran { seconds, busy: (busy * 1e3).round() / 1e3 })
}

/// The same parts on bare threads.
fn bare(threads: usize) -> Ran {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < PARTS {
                    std::hint::black_box(spin(std::hint::black_box(ROUNDS)));
                }
            });
        }
    });
    Ran { seconds: begun.elapsed().as_secs_f64(), busy: 1.0 }
}

/// What the tool of the same name does.
fn spin(rounds: u64) -> u64 {
    (0..rounds).fold(rounds, |state, round| (state ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}
