//! `grove get`: the results of a job, those that are there.

use super::hub::Hub;
use super::run::{Follow, Kept, Names, Out, Which};
use super::{Exit, Place};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Get {
    /// The job: its id, the beginning of it, or `last`
    #[arg(value_parser = super::parse_job, default_value = "last")]
    job: String,
    /// Write one file for each input into this folder
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// What failed parts printed, in place of the results of the others
    #[arg(long)]
    failed: bool,
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
        let which = if self.failed { Which::Failed } else { Which::Right };
        let kept = Kept::of(&place.settings()?.home, &follow.job().id);
        let script = kept.as_ref().and_then(|kept| kept.script.clone());
        let names = kept.and_then(|kept| kept.names()).unwrap_or_else(|| Names::of_job(&hub, follow.job()));
        let mut out = Out::new(&hub, self.out.as_deref(), self.json, names)?.only(which).of_script(script);
        if self.wait { follow.until_the_end(&mut out) } else { follow.what_is_there(&mut out) }
    }
}
