//! Bytes on their way to where they are used: many parts from the runner's disk, through a hub, to two lenders, every
//! connection with TLS, each part hashed in the sandbox.

use crate::program::{Program, Used, tool};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

const PARTS: usize = 64;
const PART_BYTES: usize = 4 << 20;
const MIB: f64 = (1 << 20) as f64;
/// The best of so many: each has other bytes, so that nothing is there already.
const RUNS: usize = 3;

pub(crate) fn run() -> anyhow::Result<Value> {
    let program = Program::start_with(2, true)?;
    let module = tool("digest.wasm").display().to_string();
    let folder = tempfile::tempdir()?;
    // The tool is compiled, the lenders have shown what they are worth.
    let warm: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let words: Vec<&str> = ["run", "--stdin", &module, ":::"].into_iter().chain(warm.iter().map(|n| &**n)).collect();
    program.grove(&words)?;
    let mut runs =
        (0..RUNS).map(|run| once(&program, &module, folder.path(), run)).collect::<anyhow::Result<Vec<_>>>()?;
    runs.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (wall, spent) = *runs.first().context("there was a run")?;
    let slowest = runs.last().map_or(wall, |last| last.0);
    let bytes = (PARTS * PART_BYTES) as f64;
    let rate = |wall: f64| (bytes / wall / MIB).round();
    let each = |seconds: f64| (seconds * 1e3).round();
    Ok(json!({
        "name": "data",
        "value": rate(wall),
        "unit": "MiB/s",
        "value_is": format!("the best of {RUNS} runs"),
        "slowest": rate(slowest),
        "parts": PARTS,
        "part_bytes": PART_BYTES,
        "wall_ms": each(wall),
        "hub_cpu_ms": each(spent.hub),
        "lenders_cpu_ms": each(spent.lenders),
        "executors_cpu_ms": each(spent.executors),
        "command_cpu_ms": each(spent.commands),
    }))
}

fn once(program: &Program, module: &str, folder: &Path, run: usize) -> anyhow::Result<(f64, Used)> {
    let mut names = Vec::new();
    let mut expected = Vec::new();
    for part in 0..PARTS {
        let mut bytes = vec![0; PART_BYTES];
        let seed = (run * PARTS + part) as u64;
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        let path = folder.join(format!("{run}-{part}"));
        std::fs::write(&path, &bytes)?;
        // The disk is not to be busy with it still when the hub begins to write.
        std::fs::File::open(&path)?.sync_all()?;
        names.push(path.display().to_string());
        expected.push(format!("{:016x}\n", digest::digest(&bytes[..])?));
    }
    let words: Vec<&str> = ["run", "--stdin", module, ":::"].into_iter().chain(names.iter().map(|n| &**n)).collect();
    let before = program.used();
    let begun = Instant::now();
    let said = program.grove(&words)?;
    let wall = begun.elapsed().as_secs_f64();
    ensure!(said == expected.concat().as_bytes(), "the lenders hashed something else");
    Ok((wall, program.used().since(before)))
}
