//! Nothing runs: from the first process to the first result.

use crate::program::{command, percentile, tool};
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::Instant;

const TIMES: usize = 7;

pub(crate) fn run() -> anyhow::Result<Value> {
    let mut samples = (0..TIMES).map(|_| once()).collect::<anyhow::Result<Vec<f64>>>()?;
    let value = (percentile(&mut samples, 50) * 1e3).round() / 1e3;
    Ok(json!({"name": "cold", "value": value, "unit": "s", "times": TIMES, "slowest": samples.last()}))
}

/// A hub that lends, as `grove up` starts it, and one part; the tool is compiled on the way.
fn once() -> anyhow::Result<f64> {
    let home = tempfile::tempdir()?;
    let noop = tool("noop.wasm").display().to_string();
    let begun = Instant::now();
    let up = ["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
    let mut hub = Started(command(home.path(), &up).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    while !home.path().join("hub.json").exists() {
        anyhow::ensure!(hub.0.try_wait()?.is_none(), "the hub did not start");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let run = command(home.path(), &["run", &noop, ":::", "x"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    anyhow::ensure!(run.success(), "the run ended with {run}");
    Ok(begun.elapsed().as_secs_f64())
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
