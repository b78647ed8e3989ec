//! `grove get`: the results of a job, those that are there.

use super::hub::Hub;
use super::run::{Follow, Names, Out};
use super::{Exit, Place};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Get {
    /// The job: its id, the beginning of it, or `last`
    #[arg(default_value = "last")]
    job: String,
    /// Write one file for each input into this folder
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Wait for the results that are not there yet
    #[arg(long)]
    wait: bool,
    /// Print results as JSON, one a line
    #[arg(long)]
    json: bool,
}

impl Get {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let follow = Follow::new(&hub, &self.job)?;
        let mut out = Out::new(&hub, self.out.as_deref(), self.json, Names::of_job(&hub, follow.job()))?;
        if self.wait { follow.until_the_end(&mut out) } else { follow.what_is_there(&mut out) }
    }
}
