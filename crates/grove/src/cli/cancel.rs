//! `grove cancel`: stop a job. What is done is kept and paid; the rest is not begun.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::shape::{Done, JobShape, StandingShape};
use clap::Args;

#[derive(Debug, Args)]
pub struct Cancel {
    /// The job: its id, the beginning of it, or `last`
    #[arg(value_parser = super::parse_job)]
    job: String,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Cancel {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let before: JobShape = hub.get(&super::page(&self.job, ""))?;
        let done: Done = hub.insist(|| hub.post(&super::page(&self.job, "/cancel"), &serde_json::json!({})))?;
        if self.json {
            say::json(&done)?;
        } else if before.standing != StandingShape::Running {
            say::talk(&format!("job {} had ended before; its results: grove get {0}", say::short_id(&done.job)));
        } else {
            say::talk(&format!("job {} is cancelled; what is done: grove get {0}", say::short_id(&done.job)));
        }
        Ok(Exit::Done)
    }
}
