//! A real hub under load, killed with -9 again and again: nothing that it acknowledged may be lost.

use crate::program::{Program, job};
use anyhow::ensure;
use serde_json::{Value, json};
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// Parts of one job: enough that kills fall into the middle of some.
const PARTS: u64 = 2_000;
/// At the end everything must be done within this.
const BOUND: Duration = Duration::from_secs(180);

pub(crate) fn run(kills: u64) -> anyhow::Result<Value> {
    let mut program = Program::start(2)?;
    let module = program.send_tool("spin.wasm")?;
    let mut acknowledged: Vec<String> = Vec::new();
    let mut seen: Vec<u64> = Vec::new();
    let (mut lost_jobs, mut lost_results) = (0, 0);
    for kill in 0..kills {
        let (id, body) = job(&module, json!({"numbers": {"from": 0, "count": PARTS}}), false);
        if program.post("/v1/jobs", &body).is_ok() {
            acknowledged.push(id);
            seen.push(0);
        }
        std::thread::sleep(Duration::from_millis(chance() % 400));
        for (id, seen) in acknowledged.iter().zip(&mut seen).rev().take(3) {
            if let Ok(job) = program.get(&format!("/v1/jobs/{id}")) {
                *seen = (*seen).max(job["done"].as_u64().unwrap_or(0));
            }
        }
        program.kill_hub()?;
        program.start_hub()?;
        program.until("the hub after a kill", |program| Ok(program.get("/v1/status").is_ok()))?;
        for (id, seen) in acknowledged.iter().zip(&seen) {
            match program.get(&format!("/v1/jobs/{id}")) {
                // Answers may turn out to be lies, but nobody lies here: what was done stays done.
                Ok(job) if job["done"].as_u64().unwrap_or(0) < *seen => lost_results += 1,
                Ok(_) => {}
                Err(_) => lost_jobs += 1,
            }
        }
        if (kill + 1) % 10 == 0 {
            progress(&format!("{} kills, {} jobs acknowledged", kill + 1, acknowledged.len()));
        }
    }
    let outputs = outcome(&program, &acknowledged)?;
    let credits = program.get("/v1/credits")?;
    let status = program.get("/v1/status")?;
    Ok(json!({
        "name": "chaos",
        "value": lost_jobs + lost_results,
        "unit": "acknowledged jobs and results lost",
        "kills": kills,
        "jobs": acknowledged.len(),
        "lost_jobs": lost_jobs,
        "lost_results": lost_results,
        "different_outputs": outputs,
        "ledger_sum": credits["ledger_sum"],
        "refused": status["refused"],
        "misfits": status["misfits"],
    }))
}

/// Waits for all jobs; how many did not end with the same answers as the first.
fn outcome(program: &Program, jobs: &[String]) -> anyhow::Result<u64> {
    let begun = Instant::now();
    let mut first = None;
    let mut different = 0;
    for id in jobs {
        loop {
            let job = program.get(&format!("/v1/jobs/{id}"))?;
            if job["standing"] == "done" {
                break;
            }
            ensure!(begun.elapsed() < BOUND, "job {id} does not end: {job}");
            std::thread::sleep(Duration::from_millis(50));
        }
        let page = program.get(&format!("/v1/jobs/{id}/results?from=0&limit={PARTS}"))?;
        let outputs: Vec<Value> =
            page["results"].as_array().into_iter().flatten().map(|result| result["stdout"].clone()).collect();
        different += u64::from(outputs.is_empty() || *first.get_or_insert_with(|| outputs.clone()) != outputs);
    }
    Ok(different)
}

fn chance() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[expect(clippy::print_stderr, reason = "progress of a long run")]
fn progress(line: &str) {
    eprintln!("{line}");
}
