//! Computing in the sandbox against the same source compiled natively into this program: CPU time of one thread, every
//! way of running a kernel in turn, medians. The sandbox always meters, so what it costs without fuel is taken from
//! Wasmtime as it is.

mod plain;

use std::sync::Arc;

use anyhow::{anyhow, ensure};
use grove_sandbox::{CompileOptions, Engine, Limits, Part, Terms, Tool};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use plain::Plain;

const ROUNDS: usize = 11;
const FACTOR: &[u8] = include_bytes!("../../tools/prebuilt/factor.wasm");
const KERNELS: &[u8] = include_bytes!("../../tools/prebuilt/kernels.wasm");
/// Curves that find nothing in a number of 128 bits: what nearly all parts of the demo are.
const PIECE: (&str, u64, u64, u64) = ("276028547407528500944244193511643060947", 8_800, 0, 40);

/// One computation, in its two forms.
struct Kernel {
    name: &'static str,
    module: &'static [u8],
    args: Vec<String>,
    input: String,
    native: Box<dyn Fn() -> String>,
}

/// Median CPU seconds.
struct Times {
    native: f64,
    fuel: f64,
    plain: f64,
}

pub(crate) fn run() -> anyhow::Result<Value> {
    let kernels = [factor(), kernel("mandelbrot", 500), kernel("sieve", 10_000_000), kernel("mul128", 10_000_000)];
    let mut rows = serde_json::Map::new();
    let (mut fuel, mut plain, mut wide) = (Vec::new(), Vec::new(), 0.0);
    for kernel in &kernels {
        let times = kernel.measure()?;
        let (with_fuel, without) = (times.fuel / times.native, times.plain / times.native);
        rows.insert(
            kernel.name.into(),
            json!({ "native_ms": times.native * 1e3, "fuel": with_fuel, "plain": without }),
        );
        if kernel.name == "mul128" {
            wide = with_fuel;
        } else {
            fuel.push(with_fuel);
            plain.push(without);
        }
    }
    Ok(json!({
        "name": "compute",
        "value": geometric_mean(&fuel),
        "unit": "x native",
        "plain": geometric_mean(&plain),
        "wide": wide,
        "worst": fuel.iter().copied().fold(0.0, f64::max),
        "worst_plain": plain.iter().copied().fold(0.0, f64::max),
        "kernels": rows,
        "engine": grove_sandbox::ENGINE,
        "rounds": ROUNDS,
    }))
}

fn factor() -> Kernel {
    let (number, bound, first_curve, curves) = PIECE;
    let native = move || {
        let number = number.parse().expect("a number");
        let found = factor::Piece { number, bound, first_curve, curves }.search();
        found.map_or_else(|| "none\n".into(), |primes| format!("{primes:?}\n"))
    };
    Kernel {
        name: "factor",
        module: FACTOR,
        args: vec!["run".into()],
        input: format!("{number} {bound} {first_curve} {curves}\n"),
        native: Box::new(native),
    }
}

fn kernel(name: &'static str, size: u64) -> Kernel {
    let compute = kernels::by_name(name).expect("named as in its list");
    Kernel {
        name,
        module: KERNELS,
        args: vec![name.into(), size.to_string()],
        input: String::new(),
        // Hidden from the compiler, which would otherwise compute it once and for all.
        native: Box::new(move || format!("{}\n", compute(std::hint::black_box(size)))),
    }
}

impl Kernel {
    fn measure(&self) -> anyhow::Result<Times> {
        let tool = Tool::build(&Engine::new(CompileOptions::default(), 1)?, self.module)?;
        let plain = Plain::new(self.module).map_err(unmetered)?;
        let part = Part { args: self.args.clone(), stdin: Arc::from(self.input.as_bytes()), ..Part::default() };
        let terms = Terms { limits: Limits::default(), real_time: false };
        let answer = (self.native)().into_bytes();
        let (mut native, mut fuel, mut without) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            native.push(cpu_seconds(|| (self.native)()).1);
            let (outcome, seconds) = cpu_seconds(|| tool.run(&part, &terms));
            ensure!(outcome.stdout == answer, "{} in the sandbox: {}", self.name, outcome.status);
            fuel.push(seconds);
            let (output, seconds) = cpu_seconds(|| plain.run(&self.args, &self.input));
            ensure!(output.map_err(unmetered)? == answer, "{} without fuel gives something else", self.name);
            without.push(seconds);
        }
        Ok(Times { native: median(native), fuel: median(fuel), plain: median(without) })
    }
}

fn unmetered(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("without a meter: {error:#}")
}

/// What `work` gives, and this thread's CPU time for it.
fn cpu_seconds<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let begun = now();
    (work(), now() - begun)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn geometric_mean(values: &[f64]) -> f64 {
    values.iter().product::<f64>().powf(1.0 / values.len() as f64)
}
