//! What other systems reach on this machine with tasks that do nothing: the measure to hold Grove's figures against.
//! Neither is part of Grove; whichever cannot be had here is reported as skipped, with the reason.

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// GNU parallel starts a process for each; so many are enough.
const PARALLEL_TASKS: u64 = 2_000;
const PARALLEL_TIME: Duration = Duration::from_secs(60);
/// Downloading and unpacking Ray takes longer than using it.
const INSTALL_TIME: Duration = Duration::from_secs(180);
const RAY_TIME: Duration = Duration::from_secs(90);
const RAY_VERSION: &str = "ray==2.60.*";
const RAY_TASKS: &str = include_str!("ray.py");

/// Tasks per second of each.
pub(crate) fn measured() -> Value {
    let told =
        |found: anyhow::Result<f64>| found.map_or_else(|why| json!(format!("skipped: {why:#}")), |rate| json!(rate));
    json!({"gnu_parallel": told(parallel()), "ray": told(ray())})
}

fn parallel() -> anyhow::Result<f64> {
    let line = format!("seq {PARALLEL_TASKS} | parallel --will-cite -j 2 true");
    let begun = Instant::now();
    bounded(Command::new("sh").args(["-c", &line]), PARALLEL_TIME).context("GNU parallel")?;
    Ok((PARALLEL_TASKS as f64 / begun.elapsed().as_secs_f64()).round())
}

/// Ray lives in a virtual environment in the caller's cache, made once.
fn ray() -> anyhow::Result<f64> {
    let home = std::env::var_os("HOME").map(PathBuf::from).context("no HOME")?;
    let folder = home.join(".cache/grove/bench-ray");
    let python = folder.join("bin/python");
    if !folder.join("ready").exists() {
        install(&folder, &python)?;
    }
    let output = folder.join("rate");
    bounded(Command::new(&python).args(["-c", RAY_TASKS]).arg(&output), RAY_TIME).context("Ray")?;
    Ok(std::fs::read_to_string(&output)?.trim().parse()?)
}

fn install(folder: &Path, python: &Path) -> anyhow::Result<()> {
    bounded(Command::new("python3").args(["-m", "venv"]).arg(folder), INSTALL_TIME).context("python3 -m venv")?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", RAY_VERSION];
    bounded(Command::new(python).args(pip), INSTALL_TIME).context("pip install ray")?;
    Ok(std::fs::write(folder.join("ready"), "")?)
}

/// Runs a command to its end, or ends it.
fn bounded(command: &mut Command, most: Duration) -> anyhow::Result<()> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().context("it is not installed")?;
    let begun = Instant::now();
    while begun.elapsed() < most {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "it ended with {status}");
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    end(&mut child);
    bail!("it took longer than {most:?}")
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
