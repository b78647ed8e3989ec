//! `grove retry`: run the failed parts of a job again.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::amount::parse_credits;
use crate::shape::{Again, Big, Done, JobShape};
use clap::Args;
use grove_core::units::Credits;

#[derive(Debug, Args)]
pub struct Retry {
    /// The job: its id, the beginning of it, or `last`
    #[arg(value_parser = super::parse_job)]
    job: String,
    /// The most that this may cost [default: a quarter of what is available]
    #[arg(long, value_name = "CREDITS", value_parser = parse_credits)]
    budget: Option<Credits>,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Retry {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let before: JobShape = hub.get(&super::page(&self.job, ""))?;
        let again = Again { budget: self.budget.map(|budget| Big(budget.0)) };
        let done: Done = hub.insist(|| hub.post(&super::page(&self.job, "/retry"), &again))?;
        if self.json {
            say::json(&done)?;
        } else if before.failed == 0 {
            say::talk(&format!("nothing of job {} has failed", say::short_id(&done.job)));
        } else {
            say::talk(&format!("what failed of job {0} runs again: grove watch {0}", say::short_id(&done.job)));
        }
        Ok(Exit::Done)
    }
}
