//! `cargo xtask owner`: the owner of a lending machine comes back under load, again and again.

use crate::bench::Bench;

/// Let the owner of a lending machine come back under load, and measure how fast it is free
#[derive(Debug, clap::Args)]
pub(crate) struct Owner {
    /// How often
    #[arg(long, default_value_t = 100, value_name = "N")]
    returns: u64,
}

impl Owner {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        Bench::named(&["owner", "--returns", &self.returns.to_string()]).run()
    }
}
