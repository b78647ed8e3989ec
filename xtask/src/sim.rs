//! `cargo xtask sim`: runs seeds of the simulator on all cores. It does not know what a seed stands for; the core does.

mod crowd;
mod planted;

use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::ensure;
use grove_core::sim::{self, Mode, Plan, Report};

/// Run the simulator: one seed is one run
#[derive(Debug, clap::Args)]
pub(crate) struct Sim {
    /// How many seeds to run
    #[arg(long, default_value_t = 300, value_name = "N")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0, value_name = "F")]
    first: u64,
    /// Run this seed only, and say what it stands for
    #[arg(long, value_name = "K")]
    seed: Option<u64>,
    /// Only peers without a hub
    #[arg(long, conflicts_with = "hub")]
    peers: bool,
    /// Only a hub and its lenders
    #[arg(long)]
    hub: bool,
    /// Plant known bugs instead, one at a time, and say which seed finds each
    #[arg(long, conflicts_with_all = ["seed", "first", "peers", "hub"])]
    planted: bool,
    /// Sixty-four peers and one large job: how near to the ideal they come
    #[arg(long, conflicts_with_all = ["seed", "peers", "hub", "planted"])]
    makespan: bool,
    /// The same while three of ten peers die: is the answer right, and what was done in vain
    #[arg(long, conflicts_with_all = ["seed", "peers", "hub", "planted", "makespan"])]
    mortal: bool,
    /// A thousand peers, three of ten never give: who waits how long
    #[arg(long, conflicts_with_all = ["seed", "peers", "hub", "planted", "makespan", "mortal"])]
    favours: bool,
}

impl Sim {
    /// The first seeds, of any shape.
    pub(crate) fn of(seeds: u64) -> Sim {
        Sim {
            seeds,
            first: 0,
            seed: None,
            peers: false,
            hub: false,
            planted: false,
            makespan: false,
            mortal: false,
            favours: false,
        }
    }

    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if self.planted {
            return planted::run(self.seeds);
        }
        if self.makespan {
            return crowd::makespan(self.first);
        }
        if self.mortal {
            return crowd::mortal(self.first, self.seeds);
        }
        if self.favours {
            return crowd::favours(self.first);
        }
        let (first, seeds) = self.seed.map_or((self.first, self.seeds), |seed| (seed, 1));
        let mode = self.mode();
        if self.seed.is_some() {
            println!("{:#?}", Plan::of(first, mode));
        }
        eprintln!("{seeds} seeds from {first}, {mode:?}, {} threads", threads());
        let failures = run_all(first, seeds, |seed| {
            let result = try_seed(seed, mode);
            if let (Some(_), Ok(report)) = (self.seed, &result) {
                println!("{:?}, trace {:016x}", report.stats, report.trace);
            }
            result.err().map(|what| self.describe(seed, &what))
        });
        println!("{seeds} seeds, {failures} failures");
        ensure!(failures == 0, "a promise was broken\nhint: repeat one seed with the command above");
        Ok(())
    }

    fn mode(&self) -> Mode {
        match (self.hub, self.peers) {
            (true, _) => Mode::Hub,
            (_, true) => Mode::Peers,
            _ => Mode::Any,
        }
    }

    /// What failed, under which options, and how to see it again.
    fn describe(&self, seed: u64, what: &str) -> String {
        let mode = self.mode();
        let plan = Plan::of(seed, mode);
        let flag = match mode {
            Mode::Hub => " --hub",
            Mode::Peers => " --peers",
            Mode::Any => "",
        };
        format!(
            "seed {seed}: {what}\n  peers {}, slots {:?}, {:?}\n  {:?}\n  {} errands, leavers {:?}, faults until {} ms\n  \
             repeat: cargo xtask sim --seed {seed}{flag}",
            plan.peers,
            plan.slots,
            plan.honesty,
            plan.faults,
            plan.errands.len(),
            plan.leavers,
            plan.faults_until.0,
        )
    }
}

/// Runs seeds on all cores, prints each failure as it is found, and counts them.
fn run_all(first: u64, seeds: u64, judge: impl Fn(u64) -> Option<String> + Sync) -> u64 {
    let next = AtomicU64::new(0);
    let (sender, failures) = mpsc::channel();
    silently(|| {
        thread::scope(|scope| {
            for _ in 0..threads() {
                let (sender, next, judge) = (sender.clone(), &next, &judge);
                scope.spawn(move || {
                    while let Some(seed) = draw(next, first, seeds) {
                        judge(seed).and_then(|failure| sender.send(failure).ok());
                    }
                });
            }
            drop(sender);
            failures.iter().map(|failure| println!("{failure}")).fold(0, |sum, ()| sum + 1)
        })
    })
}

fn draw(next: &AtomicU64, first: u64, seeds: u64) -> Option<u64> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    (number < seeds).then(|| first.wrapping_add(number))
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// One run; a failed assertion of the node itself is a broken promise too.
fn try_seed(seed: u64, mode: Mode) -> Result<Report, String> {
    let report = panic::catch_unwind(AssertUnwindSafe(|| sim::run(seed, mode)));
    let report = report.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panicked: {}", text.unwrap_or("without a word"))
    })?;
    match &report.failure {
        Some(failure) => Err(failure.to_string()),
        None => Ok(report),
    }
}

/// Panics of simulated nodes are results here: the default hook would print each of them.
fn silently<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = work();
    panic::set_hook(hook);
    result
}
