//! A hub with a million parts on its books, half of them done, is killed and started: how long until it hands out work.

use crate::program::{Program, job};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PARTS: u64 = 1_000_000;
const BOUND: Duration = Duration::from_secs(120);

pub(crate) fn run() -> anyhow::Result<Value> {
    let mut program = Program::start(2)?;
    let module = program.send_tool("noop.wasm")?;
    let (id, body) = job(&module, json!({"numbers": {"from": 0, "count": PARTS}}), false);
    program.post("/v1/jobs", &body)?;
    let path = format!("/v1/jobs/{id}");
    let begun = Instant::now();
    // `None` while nobody answers.
    let done = |program: &Program| program.get(&path).ok().and_then(|job| job["done"].as_u64());
    while done(&program).is_none_or(|done| done < PARTS / 2) {
        anyhow::ensure!(begun.elapsed() < BOUND, "half of the parts took longer than {BOUND:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    program.kill_hub()?;
    let killed_at = Instant::now();
    program.start_hub()?;
    let mut first = None;
    program.until("work", |program| {
        let Some(now) = done(program) else { return Ok(false) };
        let before = *first.get_or_insert(now);
        Ok(now > before)
    })?;
    let ready = killed_at.elapsed().as_secs_f64();
    anyhow::ensure!(first.is_some_and(|done| done < PARTS), "the job ended before it was looked at");
    Ok(json!({
        "name": "restart",
        "value": (ready * 1e3).round() / 1e3,
        "unit": "s",
        "measures": "from kill -9 to the first part done after it, lenders calling again included",
        "parts": PARTS,
        "done_before": first,
    }))
}
