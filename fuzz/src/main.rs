//! `cargo xtask fuzz`: tries every decoder for a while, or one of them on one input.

use anyhow::{Context, bail};
use clap::Parser;
use fuzz::{Finding, Fuzzer, Target};
use std::path::PathBuf;
use std::time::Duration;

/// Try every decoder with changed samples
#[derive(Debug, Parser)]
struct Arguments {
    /// For so long each
    #[arg(long, default_value_t = 10, value_name = "N")]
    seconds: u64,
    /// The same seed tries the same inputs
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Only the one of that name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Only this input
    #[arg(long, value_name = "FILE", requires = "only")]
    replay: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "figures are what this program is for")]
fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let targets: Vec<Target> = fuzz::all()?
        .into_iter()
        .filter(|target| arguments.only.as_ref().is_none_or(|name| name == target.name))
        .collect();
    if targets.is_empty() {
        bail!("there is no target of that name");
    }
    if let Some(path) = &arguments.replay {
        let input = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        // As it is: whoever looks into a panic wants to see it.
        for target in targets {
            println!("{}: came to end {}", target.name, (target.run)(&input));
        }
        return Ok(());
    }
    let fuzzer = Fuzzer { seed: arguments.seed, time: Duration::from_secs(arguments.seconds) };
    let mut findings: Vec<Finding> = Vec::new();
    for target in &targets {
        match fuzzer.run(target) {
            Ok((tried, ends)) => println!("{:>12}  {tried} inputs, {ends} ends, nothing found", target.name),
            Err(finding) => {
                println!("{:>12}  {finding}", target.name);
                findings.push(finding);
            }
        }
    }
    for finding in &findings {
        let path = finding.keep()?;
        println!("kept as {0}\nhint: cargo xtask fuzz --only {1} --replay {0}", path.display(), finding.target);
    }
    if findings.is_empty() { Ok(()) } else { bail!("{} broke", findings.len()) }
}
