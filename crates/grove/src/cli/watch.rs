//! `grove watch`: follow a job to its end, without its results.

use super::hub::Hub;
use super::run::Follow;
use super::{Exit, Place};
use clap::Args;

#[derive(Debug, Args)]
pub struct Watch {
    /// The job: its id, the beginning of it, or `last`
    #[arg(value_parser = super::parse_job, default_value = "last")]
    job: String,
    /// Print what happens as JSON, one event a line
    #[arg(long)]
    json: bool,
}

impl Watch {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        if self.json {
            return super::run::print_events(&hub, &self.job);
        }
        Follow::new(&hub, &self.job)?.only_watch()
    }
}
