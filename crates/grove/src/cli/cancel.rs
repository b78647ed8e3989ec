//! `grove cancel`: stop a job. What is done is kept and paid; the rest is not begun.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::shape::Done;
use clap::Args;

#[derive(Debug, Args)]
pub struct Cancel {
    /// The job: its id, the beginning of it, or `last`
    job: String,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Cancel {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let done: Done = hub.insist(|| hub.post(&super::page(&self.job, "/cancel"), &serde_json::json!({})))?;
        if self.json {
            say::json(&done)?;
        } else {
            say::talk(&format!("job {} is cancelled; what is done: grove get {0}", say::short_id(&done.job)));
        }
        Ok(Exit::Done)
    }
}
