//! `cargo xtask bless`: writes down what a new fact or message looks like, for ever. What is written is never rewritten.

use anyhow::ensure;
use std::process::Command;

/// Append golden samples of new facts and messages; old ones stay as they are
#[derive(Debug, clap::Args)]
pub(crate) struct Bless {}

impl Bless {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--quiet", "--package", "grove-core", "--test", "main", "golden"]).env("GROVE_BLESS", "1");
        ensure!(cargo.status()?.success(), "some samples could not be written");
        Ok(())
    }
}
