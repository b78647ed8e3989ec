//! One warm part into an open job, from the request to its result; and whole jobs of one part.

use crate::program::{Program, job, percentile};
use serde_json::{Value, json};
use std::time::Instant;

const PARTS: usize = 1_000;
const JOBS: usize = 200;
const WARM: usize = 50;

pub(crate) fn run() -> anyhow::Result<Value> {
    let program = Program::start(2)?;
    let module = program.send_tool("noop.wasm")?;
    let (id, open) = job(&module, json!({"inputs": []}), true);
    program.post("/v1/jobs", &open)?;
    let path = format!("/v1/jobs/{id}/inputs?wait=true");
    let mut line = program.line()?;
    let mut one = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        let added = line.post(&path, &json!({"v": 1, "inputs": ["x"]}))?;
        anyhow::ensure!(added["results"][0]["outcome"] == "right", "no result: {added}");
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    for _ in 0..WARM {
        one()?;
    }
    let mut parts = (0..PARTS).map(|_| one()).collect::<anyhow::Result<Vec<f64>>>()?;
    let mut jobs = (0..JOBS).map(|_| whole_job(&program, &module)).collect::<anyhow::Result<Vec<f64>>>()?;
    let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
    Ok(json!({
        "name": "latency",
        "value": round(percentile(&mut parts, 50)),
        "unit": "ms",
        "p50_ms": round(percentile(&mut parts, 50)),
        "p99_ms": round(percentile(&mut parts, 99)),
        "job_p50_ms": round(percentile(&mut jobs, 50)),
        "job_p99_ms": round(percentile(&mut jobs, 99)),
        "parts": PARTS,
        "jobs": JOBS,
    }))
}

fn whole_job(program: &Program, module: &str) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let (id, body) = job(module, json!({"inputs": ["x"]}), false);
    program.post("/v1/jobs", &body)?;
    let page = program.get(&format!("/v1/jobs/{id}/results?from=0&limit=1&wait_ms=10000"))?;
    anyhow::ensure!(page["results"][0]["outcome"] == "right", "no result: {page}");
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}
