//! The owner of a lending machine comes back in the middle of work, again and again: how long until everything stands
//! still, how long until nothing is left, and whether the job comes out right all the same.

use crate::program::{Program, descendants, job, percentile};
use anyhow::ensure;
use serde_json::{Value, json};
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// The lender whose owner comes and goes; another one works on, so that both cores are busy all the time.
const LENDER: [&str; 10] =
    ["lend", "--slots", "2", "--idle-after", "1s", "--load", "100", "--temperature", "120", "--fake-owner"];
/// Parts of one job, each some hundredths of a second: rounds of `spin`.
const PARTS: u64 = 400;
const ROUNDS: u64 = 20_000_000;
/// The promise, and how long a return is waited for at all.
const PROMISED: f64 = 1_000.0;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(1);

pub(crate) fn run(returns: u64) -> anyhow::Result<Value> {
    let mut program = Program::start(1)?;
    let folder = tempfile::tempdir()?;
    let owner = folder.path().join("owner");
    touch(&owner, SystemTime::now() - Duration::from_secs(3_600))?;
    let mut words: Vec<&str> = LENDER.to_vec();
    let file = owner.display().to_string();
    words.push(&file);
    let lender = program.lend_with(&words)?;
    let module = program.send_tool("spin.wasm")?;
    let (mut frozen, mut free, mut left, mut jobs) = (Vec::new(), Vec::new(), 0, Vec::new());
    for _ in 0..returns {
        work(&program, &module, &mut jobs)?;
        wait("the lender works", || Ok(descendants(lender).into_iter().any(is_running)))?;
        // Anywhere in its work.
        std::thread::sleep(Duration::from_micros(chance() % 150_000));
        touch(&owner, SystemTime::now())?;
        let begun = Instant::now();
        wait("everything stands still", || Ok(!descendants(lender).into_iter().any(may_run)))?;
        frozen.push(begun.elapsed().as_secs_f64() * 1e3);
        wait("nothing is left", || Ok(descendants(lender).is_empty()))?;
        free.push(begun.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(100));
        left += descendants(lender).len();
    }
    let (parts, wrong) = answers(&program, &jobs)?;
    let of = |samples: &mut Vec<f64>, percent| percentile(samples, percent).round();
    let found = json!({
        "name": "owner",
        "value": of(&mut frozen, 99),
        "unit": "ms from the input until everything stands still, 99 of 100 times",
        "returns": returns,
        "frozen_p50_ms": of(&mut frozen, 50),
        "frozen_p99_ms": of(&mut frozen, 99),
        "frozen_most_ms": of(&mut frozen, 100),
        "free_p50_ms": of(&mut free, 50),
        "free_p99_ms": of(&mut free, 99),
        "free_most_ms": of(&mut free, 100),
        "processes_left": left,
        "parts": parts,
        "wrong_answers": wrong,
    });
    ensure!(left == 0 && wrong == 0, "something was left, or came out wrong: {found:#}");
    ensure!(percentile(&mut frozen, 99) <= PROMISED && percentile(&mut free, 99) <= PROMISED, "too slow: {found:#}");
    Ok(found)
}

/// Sees to it that there is more to do than two machines have done by the next return.
fn work(program: &Program, module: &str, jobs: &mut Vec<String>) -> anyhow::Result<()> {
    if program.get("/v1/status")?["parts_waiting"].as_u64().unwrap_or(0) > PARTS / 2 {
        return Ok(());
    }
    let (id, body) = job(module, json!({"numbers": {"from": ROUNDS.to_string(), "count": PARTS}}), false);
    program.post("/v1/jobs", &body)?;
    jobs.push(id);
    Ok(())
}

/// How many answers there are, and how many of them are not what the same rounds come to here.
fn answers(program: &Program, jobs: &[String]) -> anyhow::Result<(u64, u64)> {
    let right: Vec<String> = (ROUNDS..ROUNDS + PARTS).map(|rounds| format!("{:016x}\n", spin(rounds))).collect();
    let (mut parts, mut wrong) = (0, 0);
    for id in jobs {
        let begun = Instant::now();
        while program.get(&format!("/v1/jobs/{id}"))?["standing"] != "done" {
            ensure!(begun.elapsed() < PATIENCE * 4, "job {id} does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
        let page = program.get(&format!("/v1/jobs/{id}/results?from=0&limit={PARTS}"))?;
        let results = page["results"].as_array().cloned().unwrap_or_default();
        let is_right = |(nth, result): (usize, &Value)| right.get(nth).is_some_and(|right| result["stdout"] == **right);
        let fine = results.iter().enumerate().filter(|one| is_right((one.0, one.1))).count() as u64;
        parts += PARTS;
        wrong += PARTS - fine;
    }
    Ok((parts, wrong))
}

/// What the tool does.
fn spin(rounds: u64) -> u64 {
    (0..rounds).fold(rounds, |state, round| (state ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}

fn touch(file: &Path, at: SystemTime) -> anyhow::Result<()> {
    Ok(std::fs::File::options().create(true).append(true).open(file)?.set_modified(at)?)
}

fn wait(what: &str, mut is: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is()? {
        ensure!(begun.elapsed() < PATIENCE, "it did not come to this: {what}");
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// The state of a process, as the kernel's letter.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn is_running(pid: u32) -> bool {
    state(pid) == Some('R')
}

/// Neither stopped nor gone: it works, or would if it were asked.
fn may_run(pid: u32) -> bool {
    state(pid).is_some_and(|state| !['T', 't', 'Z', 'X'].contains(&state))
}

fn chance() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
