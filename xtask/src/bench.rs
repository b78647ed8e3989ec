//! `cargo xtask bench NAME`: builds the benchmarks as the product is built, and runs one. It knows none of them.

use std::process::Command;

use anyhow::ensure;

use crate::test::root;

/// Run a benchmark, optimised
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// Which one, and its options (`--json` prints one object)
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "NAME")]
    words: Vec<String>,
}

impl Bench {
    /// A bench of that name, with these options.
    pub(crate) fn named(words: &[&str]) -> Bench {
        Bench { words: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    pub(crate) fn run(&self) -> anyhow::Result<()> {
        // Most of them start the program itself.
        let mut program = Command::new(env!("CARGO"));
        program.current_dir(root()).args(["build", "--release", "--quiet", "--package", "grove"]);
        ensure!(program.status()?.success(), "the program could not be built");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(["run", "--release", "--quiet", "--package", "bench", "--"]).args(&self.words);
        let status = cargo.status()?;
        ensure!(status.success(), "the benchmark ended with {status}");
        Ok(())
    }
}
