//! Python: the first result of a small script on a warm lender, small scripts in one executor, and two kernels against
//! the native Python of this machine.

use crate::program::{Program, percentile};
use grove_sandbox::package::Package;
use grove_sandbox::{Bytes, CompileOptions, Engine, Limits, Part, Terms, Tool};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// New jobs, one after another: each has an executor of its own.
const JOBS: usize = 100;
const SCRIPTS: usize = 1_000;
const ROUNDS: usize = 5;
/// Compiling the image, which the first job waits for.
const WARM_JOBS: usize = 3;
const SMALL: &str = "print(1)\n";
const HEAD: &str = r#"{"script": "x.py"}"#;

/// Pollard's rho on numbers of 56 bits: integers and nothing else.
const RHO: &str = r#"
import time
from math import gcd
def rho(n):
    c = 1
    while True:
        x = y = 2
        d = 1
        while d == 1:
            x = (x * x + c) % n
            y = (y * y + c) % n
            y = (y * y + c) % n
            d = gcd(abs(x - y), n)
        if d != n:
            return d
        c += 1
numbers = [(134217757 + 2 * k) * (268435459 + 4 * k) for k in range(0, 40, 2)]
print(sum(rho(n) for n in numbers))
"#;

/// Texts, hashes and sorting, as scripts do them.
const MIX: &str = r#"
import hashlib, json, re
data = [{"id": n, "name": "name-%d" % (n * 7919 % 1000), "tags": ["a", "b", str(n)]} for n in range(3000)]
text = json.dumps(data)
back = json.loads(text)
words = re.findall(r"name-(\d+)", text)
digest = hashlib.sha256()
for word in words * 10:
    digest.update(word.encode())
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
print(len(back), sum(map(int, words)), digest.hexdigest()[:8], sorted(words, key=lambda w: (len(w), w))[-1], fib(21))
"#;

pub(crate) fn run() -> anyhow::Result<Value> {
    let image = std::fs::read(image()?)?;
    let (mut jobs, first) = jobs(&image)?;
    let (per_second, rho, mix) = kernels(&image)?;
    Ok(json!({
        "name": "python",
        "value": percentile(&mut jobs, 50),
        "unit": "ms",
        "p50_ms": percentile(&mut jobs, 50),
        "p99_ms": percentile(&mut jobs, 99),
        "first_job_s": first,
        "scripts_per_second_per_core": per_second,
        "integers_x_native": rho,
        "mix_x_native": mix,
        "native": said("python3", &["--version"]),
        "engine": grove_sandbox::ENGINE,
        "jobs": JOBS,
    }))
}

/// Where `cargo xtask python` puts it.
fn image() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("GROVE_PYTHON").map(PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let found = named.or_else(|| caches.map(|caches| caches.join("grove/python.wasm"))).filter(|path| path.exists());
    found.ok_or_else(|| anyhow::anyhow!("there is no Python image\nhint: cargo xtask python"))
}

/// Milliseconds of each new job of one small script, on a lender that has compiled the image before; and seconds of
/// the very first, which compiles it.
fn jobs(image: &[u8]) -> anyhow::Result<(Vec<f64>, f64)> {
    let program = Program::start(1)?;
    program.send(image)?;
    let module = program.send(&package(image, SMALL)?)?;
    let one = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        let (id, body) = crate::program::job(&module, json!({"inputs": ["x"]}), false);
        program.post("/v1/jobs", &body)?;
        loop {
            let page = program.get(&format!("/v1/jobs/{id}/results?from=0&limit=1&wait_ms=10000"))?;
            let outcome = &page["results"][0]["outcome"];
            if outcome == "right" {
                return Ok(begun.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::ensure!(outcome.is_null() && begun.elapsed().as_secs() < 120, "no result: {page}");
        }
    };
    let first = one()? / 1e3;
    for _ in 1..WARM_JOBS {
        one()?;
    }
    Ok(((0..JOBS).map(|_| one()).collect::<anyhow::Result<_>>()?, first))
}

fn package(image: &[u8], script: &str) -> anyhow::Result<Vec<u8>> {
    Ok(of(image, script).write()?)
}

fn of(image: &[u8], script: &str) -> Package {
    let files = vec![("x.py".to_owned(), Bytes(script.as_bytes().into()))];
    Package { image: *blake3::hash(image).as_bytes(), head: HEAD.into(), abilities: Vec::new(), files }
}

/// Small scripts in a second of one core, and what the two kernels take against native Python.
fn kernels(image: &[u8]) -> anyhow::Result<(f64, f64, f64)> {
    let engine = Engine::new(CompileOptions::default(), 1)?;
    let mut tool = Tool::build(&engine, image)?.with(of(image, SMALL));
    let mut seconds = |script: &str, times: usize| -> anyhow::Result<f64> {
        tool.package(of(image, script));
        let terms = Terms { limits: Limits::default(), real_time: false };
        let begun = cpu_seconds();
        for seed in 0..times as u64 {
            let outcome = tool.run(&Part { seed, ..Part::default() }, &terms);
            anyhow::ensure!(outcome.status.is_success(), "{}", String::from_utf8_lossy(&outcome.stderr_tail));
        }
        Ok((cpu_seconds() - begun) / times as f64)
    };
    seconds(SMALL, 10)?;
    let small = seconds(SMALL, SCRIPTS)?;
    let mut against = |script: &str| -> anyhow::Result<f64> {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            ratios.push((seconds(script, 1)? - small) / native(script)?);
        }
        Ok(percentile(&mut ratios, 50))
    };
    Ok((1.0 / small, against(RHO)?, against(MIX)?))
}

/// CPU seconds of native Python, without its start.
fn native(script: &str) -> anyhow::Result<f64> {
    let timed = format!("import time\n_begun = time.process_time()\n{script}\nprint(time.process_time() - _begun)");
    let output = Command::new("python3").args(["-c", &timed]).output()?;
    let said = String::from_utf8(output.stdout)?;
    Ok(said.lines().last().unwrap_or_default().parse()?)
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
