//! `cargo xtask chaos`: a real hub under load, killed with -9 again and again.

use crate::bench::Bench;

/// Kill a real hub under load, again and again, and look for what is lost
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// How often
    #[arg(long, default_value_t = 50, value_name = "N")]
    kills: u64,
}

impl Chaos {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        Bench::named(&["chaos", "--kills", &self.kills.to_string()]).run()
    }
}
