//! What a hub and two lenders take while nothing happens.

use crate::program::Program;
use serde_json::{Value, json};
use std::time::Duration;

const SETTLE: Duration = Duration::from_secs(3);
const WATCH: Duration = Duration::from_secs(20);

pub(crate) fn run() -> anyhow::Result<Value> {
    let program = Program::start(2)?;
    std::thread::sleep(SETTLE);
    let before = program.used();
    std::thread::sleep(WATCH);
    let used = program.used().since(before);
    let seconds = used.hub + used.lenders + used.executors;
    let mb = program.memory() as f64 / 1e6;
    Ok(json!({
        "name": "idle",
        "value": mb.round(),
        "unit": "MB",
        "total_mb": mb.round(),
        "cpu_percent_of_a_core_each": seconds / WATCH.as_secs_f64() / 3.0 * 100.0,
        "watched_s": WATCH.as_secs(),
    }))
}
