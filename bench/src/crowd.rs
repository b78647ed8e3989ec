//! One person among many: whole jobs of one part, in an idle circle and in a busy one, where somebody else runs a million
//! parts and strangers hold thousands of slow connections. All over TLS.

use crate::program::{Guest, Line, Program, job, percentile, tool};
use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const JOBS: usize = 300;
const WARM: usize = 20;
const SLOW: usize = 10_000;
/// Strangers who were shown out come again: so many of them in a second.
const AGAIN_PER_SECOND: usize = 500;
const PARTS: u64 = 1_000_000;
/// Such jobs of one person, so that the last one still runs when the small ones have been measured.
const LARGE_JOBS: usize = 4;

pub(crate) fn run() -> anyhow::Result<Value> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let program = Program::start_with(2, true)?;
    let ann = program.guest("Ann")?;
    let module = ann.send_tool("noop.wasm")?;
    let mut line = ann.line()?;
    jobs(&mut line, &module, WARM)?;
    let mut idle = jobs(&mut line, &module, JOBS)?;
    let crowd = Crowd::default();
    let (mut beside, mut busy, left) = std::thread::scope(|scope| {
        let _over = Over(&crowd);
        let doors = [program.address()?.to_owned(), program.link().to_owned()];
        let held = &crowd;
        scope.spawn(move || held.stand(&doors));
        program.until("the crowd", |_| Ok(crowd.tried.load(Ordering::Relaxed) >= SLOW))?;
        let beside = jobs(&mut ann.line()?, &module, JOBS)?;
        let noop = tool("noop.wasm").display().to_string();
        for nth in 0..LARGE_JOBS {
            let (name, range) = (format!("large-{nth}"), format!("0..{PARTS}"));
            program.grove(&["run", "--detach", "--name", &name, "--range", &range, &noop])?;
        }
        jobs(&mut ann.line()?, &module, WARM)?;
        let busy = jobs(&mut ann.line()?, &module, JOBS)?;
        anyhow::Ok((beside, busy, unfinished(&program)?))
    })?;
    ensure!(
        left > 0,
        "the large job ended before the small ones were measured: {:?} {:?} {:?}",
        percentile(&mut idle, 50),
        percentile(&mut beside, 50),
        percentile(&mut busy, 50)
    );
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let of = |samples: &mut [f64]| json!({"p50_ms": round(percentile(samples, 50)), "p99_ms": round(percentile(samples, 99))});
    let ratio = percentile(&mut busy, 99) / percentile(&mut idle, 99);
    Ok(json!({
        "name": "crowd",
        "value": round(ratio),
        "unit": "x",
        "value_is": "p99 of a one-part job beside the crowd and a large job, by its p99 in an idle circle",
        "idle": of(&mut idle),
        "beside_slow_connections": of(&mut beside),
        "beside_both": of(&mut busy),
        "jobs": JOBS,
        "slow_connections": SLOW,
        "connections_made": crowd.tried.load(Ordering::Relaxed),
        "large_jobs": LARGE_JOBS,
        "large_job_parts": PARTS,
        "large_job_left": left,
    }))
}

/// So many jobs of one part, one after another; how long each took.
fn jobs(line: &mut Line, module: &str, count: usize) -> anyhow::Result<Vec<f64>> {
    let mut one = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        let (id, body) = job(module, json!({"inputs": ["x"]}), false);
        line.post("/v1/jobs", &body)?;
        let page = line.get(&format!("/v1/jobs/{id}/results?from=0&limit=1&wait_ms=10000"))?;
        ensure!(page["results"][0]["outcome"] == "right", "no result: {page}");
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    (0..count).map(|_| one()).collect()
}

/// Parts of the large job that have no answer yet.
fn unfinished(program: &Program) -> anyhow::Result<u64> {
    let jobs = program.get("/v1/jobs?limit=1000")?;
    let large = jobs["jobs"].as_array().into_iter().flatten();
    let large = large.filter(|job| job["name"].as_str().is_some_and(|name| name.starts_with("large-")));
    let left = |job: &Value| PARTS.saturating_sub(job["done"].as_u64().unwrap_or(0));
    large.map(left).max().context("the large jobs are not listed")
}

/// Strangers who connect, say half a word, and then a byte now and then.
#[derive(Debug, Default)]
struct Crowd {
    over: AtomicBool,
    tried: AtomicUsize,
}

/// Sends the crowd home, also when something failed.
struct Over<'a>(&'a Crowd);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

impl Crowd {
    fn stand(&self, doors: &[String]) {
        let mut all: Vec<TcpStream> = Vec::new();
        let mut next = 0;
        while !self.over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            // A twentieth of them says something, and hears whether they still stand there.
            let turn = all.len() / 20 + 1;
            for _ in 0..turn.min(all.len()) {
                next = (next + 1) % all.len();
                if !stands(&mut all[next]) {
                    all.swap_remove(next);
                    if all.is_empty() {
                        break;
                    }
                    next %= all.len();
                }
            }
            let first = self.tried.load(Ordering::Relaxed) < SLOW;
            let most = if first { SLOW } else { AGAIN_PER_SECOND / 20 };
            for nth in 0..most.min(SLOW - all.len()) {
                self.tried.fetch_add(1, Ordering::Relaxed);
                let Ok(mut stream) = TcpStream::connect(&doors[nth % doors.len()]) else { continue };
                // The first words of a greeting that does not go on.
                let _ = stream.write_all(&[0x16, 3, 1, 2, 0, 1]);
                if stream.set_nonblocking(true).is_ok() {
                    all.push(stream);
                }
            }
            std::thread::sleep(Duration::from_millis(50).saturating_sub(begun.elapsed()));
        }
    }
}

fn stands(stream: &mut TcpStream) -> bool {
    let _ = stream.write(&[0]);
    match stream.read(&mut [0; 64]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

impl Guest {
    fn send_tool(&self, name: &str) -> anyhow::Result<String> {
        let bytes = std::fs::read(tool(name))?;
        let blob = blake3::hash(&bytes).to_hex().to_string();
        self.line()?.put(&format!("/v1/blobs/{blob}?offset=0"), &bytes)?;
        Ok(blob)
    }
}
