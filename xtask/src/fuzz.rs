//! `cargo xtask fuzz`: builds the fuzzer optimised and runs it. It knows none of the targets.

use std::process::Command;

use anyhow::ensure;

use crate::test::root;

/// Try every decoder with changed samples, for a while
#[derive(Debug, clap::Args)]
pub(crate) struct Fuzz {
    /// `--seconds N` for each target, `--seed N`, `--only NAME`, `--replay FILE`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    words: Vec<String>,
}

impl Fuzz {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(root()).args(["run", "--release", "--quiet", "--package", "fuzz", "--"]).args(&self.words);
        let status = cargo.status()?;
        ensure!(status.success(), "the fuzzer ended with {status}");
        Ok(())
    }
}
