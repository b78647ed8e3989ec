//! A real hub and its lenders under load, killed with -9 again and again: nothing that the hub acknowledged may be
//! lost, no answer may differ, nobody honest may be called a liar, and the books have to add up.

use crate::program::{Program, job};
use anyhow::ensure;
use serde_json::{Value, json};
use std::fmt::Write;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

const LENDERS: usize = 2;
/// Of so many kills one hits a lender: people's machines vanish more often than hubs, but take less with them.
const LENDER_IN: u64 = 3;
/// A process lives for less than this: longer than lenders take to come back, so that kills fall into work.
const LIFE: Duration = Duration::from_millis(1_500);
/// Numbers of one job, so large that two lenders have a second of work and more.
const NUMBERS: (u64, u64) = (5_000_000, 300);
/// Texts of one job, so large that the tool cuts them, and that inputs and answers travel as blobs.
const TEXTS: (u64, usize) = (3, 30_000);
/// Micro-credits of one job: all jobs together have to fit into what the owner of a circle begins with.
const BUDGET: u64 = 10_000_000;
/// After the last kill everything must be done within this, and so much more for every job.
const BOUND: Duration = Duration::from_secs(60);
const BOUND_OF_JOB: Duration = Duration::from_secs(3);

/// A job that the hub has acknowledged.
struct Acknowledged {
    id: String,
    /// Jobs of one kind have the same answers.
    kind: usize,
    /// So many parts were seen done.
    seen: u64,
}

pub(crate) fn run(kills: u64) -> anyhow::Result<Value> {
    let mut program = Program::start(LENDERS)?;
    let found = kill_and_look(&mut program, kills);
    found.map_err(|error| error.context(format!("what is left lies in {}", program.keep().display())))
}

fn kill_and_look(program: &mut Program, kills: u64) -> anyhow::Result<Value> {
    let kinds = [
        (program.send_tool("spin.wasm")?, json!({"numbers": {"from": NUMBERS.0.to_string(), "count": NUMBERS.1}})),
        (program.send_tool("wordcount.wasm")?, json!({"inputs": texts()})),
    ];
    let mut jobs: Vec<Acknowledged> = Vec::new();
    let (mut lost_jobs, mut lost_results) = (0, 0);
    for kill in 0..kills {
        let kind = usize::from(kill % 2 == 1);
        let (module, source) = &kinds[kind];
        let (id, mut body) = job(module, source.clone(), false);
        body["budget"] = json!(BUDGET.to_string());
        program.post("/v1/jobs", &body)?;
        jobs.push(Acknowledged { id, kind, seen: 0 });
        std::thread::sleep(LIFE.mul_f64(f64::from(chance()) / f64::from(u32::MAX)));
        for job in &mut jobs {
            job.seen = job.seen.max(done(program, &job.id)?);
        }
        if kill % LENDER_IN == LENDER_IN - 1 {
            let lender = usize::try_from(kill / LENDER_IN)? % LENDERS;
            program.kill_lender(lender)?;
            program.start_lender(lender)?;
        } else {
            program.kill_hub()?;
            program.start_hub()?;
            program.until("the hub after a kill", |program| Ok(program.get("/v1/status").is_ok()))?;
        }
        for job in &jobs {
            match done(program, &job.id) {
                // Answers may turn out to be lies, but nobody lies here: what was done stays done.
                Ok(done) => lost_results += job.seen.saturating_sub(done),
                Err(_) => lost_jobs += 1,
            }
        }
        if (kill + 1) % 10 == 0 {
            progress(&format!("{} kills, {} jobs acknowledged", kill + 1, jobs.len()));
        }
    }
    let begun = Instant::now();
    let different = outcome(program, &jobs)?;
    let (credits, status) = (program.get("/v1/credits")?, program.get("/v1/status")?);
    let found = json!({
        "name": "chaos",
        "value": lost_jobs + lost_results,
        "unit": "acknowledged jobs and results lost",
        "kills": kills,
        "lenders_killed": kills / LENDER_IN,
        "jobs": jobs.len(),
        "seconds_to_the_end": begun.elapsed().as_secs(),
        "lost_jobs": lost_jobs,
        "lost_results": lost_results,
        "different_outputs": different,
        "ledger_sum": credits["ledger_sum"],
        "held": credits["held"],
        "refused": status["refused"],
        "misfits": status["misfits"],
    });
    let nothing = |name: &str| found[name] == 0 || found[name] == "0";
    let wrong: Vec<&str> = ["value", "different_outputs", "ledger_sum", "held", "refused", "misfits"]
        .into_iter()
        .filter(|name| !nothing(name))
        .collect();
    ensure!(wrong.is_empty(), "not zero: {}\n{found:#}", wrong.join(", "));
    Ok(found)
}

fn done(program: &Program, id: &str) -> anyhow::Result<u64> {
    Ok(program.get(&format!("/v1/jobs/{id}"))?["done"].as_u64().unwrap_or(0))
}

/// Waits for all jobs; how many did not end with the same answers as the first of their kind.
fn outcome(program: &Program, jobs: &[Acknowledged]) -> anyhow::Result<u64> {
    let (begun, bound) = (Instant::now(), BOUND + BOUND_OF_JOB * u32::try_from(jobs.len())?);
    let mut first = [None, None];
    let mut different = 0;
    for Acknowledged { id, kind, .. } in jobs {
        loop {
            let job = program.get(&format!("/v1/jobs/{id}"))?;
            if job["standing"] == "done" {
                break;
            }
            let hope = job["standing"] == "running" && begun.elapsed() < bound;
            ensure!(hope, "job {id} does not end well: {job}\nwhy: {}", program.get(&format!("/v1/jobs/{id}/why"))?);
            std::thread::sleep(Duration::from_millis(50));
        }
        let page = program.get(&format!("/v1/jobs/{id}/results?from=0&limit={}", NUMBERS.1))?;
        let outputs: Vec<Value> =
            page["results"].as_array().into_iter().flatten().map(|result| result["stdout"].clone()).collect();
        different += u64::from(outputs.is_empty() || *first[*kind].get_or_insert_with(|| outputs.clone()) != outputs);
    }
    Ok(different)
}

/// Words enough that a tool has something to cut and to merge.
fn texts() -> Vec<String> {
    let words = |text: u64| {
        (0..TEXTS.1).fold(String::new(), |mut words, nth| {
            let _ = write!(words, "word{} ", grove_core::verify::mix(text << 32 | nth as u64) % 4_000);
            if nth % 16 == 15 {
                words.push('\n');
            }
            words
        })
    };
    (0..TEXTS.0).map(words).collect()
}

fn chance() -> u32 {
    let drawn = std::collections::hash_map::RandomState::new().build_hasher().finish();
    u32::try_from(drawn >> 32).unwrap_or(u32::MAX)
}

#[expect(clippy::print_stderr, reason = "progress of a long run")]
fn progress(line: &str) {
    eprintln!("{line}");
}
