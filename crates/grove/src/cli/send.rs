//! `grove send`: inputs into an open job, and their results back at once.

use super::hub::Hub;
use super::run::{Follow, Inputs, Kept, Names, Out, Reading, make_folder, words};
use super::{Exit, Failure, Place, interrupt, say};
use crate::shape::{Added, Done, JobShape, More, Status, V};
use crate::tokens;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Send {
    /// The job: its id, the beginning of it, or `last`
    #[arg(value_parser = super::parse_job)]
    job: String,
    /// No inputs follow these
    #[arg(long)]
    close: bool,
    /// Do not wait for results
    #[arg(long)]
    no_wait: bool,
    /// The tool reads its inputs from standard input: an input that names a file stands for what is in it
    #[arg(long)]
    stdin: bool,
    /// Write one file for each input into this folder
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print results as JSON, one a line
    #[arg(long)]
    json: bool,
    /// `::: inputs…` or `:::: file`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "INPUTS")]
    words: Vec<OsString>,
}

impl Send {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let job: JobShape = hub.get(&super::page(&self.job, ""))?;
        let words = words(&self.words)?;
        self.out.as_deref().map_or(Ok(()), make_folder)?;
        if !words.args.is_empty() {
            return Err(Failure::usage("arguments belong to `grove run --open`; here only inputs are sent")
                .hint("grove send JOB ::: a b c")
                .into());
        }
        let reading = match self.stdin {
            true => Reading::Contents,
            false if tokens::wants_file(&job.args) => Reading::Files,
            false => Reading::Words,
        };
        let mut exit = Exit::Done;
        if !(words.sources.is_empty() && self.close) {
            exit = self.send(place, &hub, &job, Inputs::gather_for_sending(&words.sources, reading)?)?;
        }
        if self.close {
            let done: Done = hub.insist(|| hub.post(&super::page(&job.id, "/close"), &serde_json::json!({})))?;
            say::talk(&format!("job {0} takes no more inputs: grove watch {0}", say::short_id(&done.job)));
        }
        Ok(exit)
    }

    fn send(&self, place: &Place, hub: &Hub, job: &JobShape, inputs: Inputs) -> anyhow::Result<Exit> {
        let mut from = job.items;
        let mut exit = Exit::Done;
        let noted = inputs.noted();
        let home = place.settings()?.home;
        let kept = Kept::of(&home, &job.id);
        let script = kept.as_ref().and_then(|kept| kept.script.clone());
        let mut out = Out::new(hub, self.out.as_deref(), self.json, Names::unknown())?.of_script(script);
        let wait = if self.no_wait { "" } else { "?wait=true" };
        if !self.no_wait {
            let id = say::short_id(&job.id);
            interrupt::say_on_leaving(format!("what was sent is not lost: grove why {id}, grove get {id}"));
            let status: Status = hub.get("/v1/status")?;
            status.nobody.iter().for_each(|reason| say::talk(&format!("waits: {}", reason.text)));
        }
        for batch in inputs.batches(hub)? {
            let (batch, names) = batch?;
            out.call(names.shifted(from));
            let more = More { v: V, from: Some(from), inputs: batch };
            let added: Added = hub.insist(|| hub.post(&super::page(&job.id, &format!("/inputs{wait}")), &more))?;
            from = added.from + added.count;
            match added.results {
                Some(results) => {
                    for result in &results {
                        out.put(result)?;
                        exit = if result.is_right() { exit } else { Exit::SomeFailed };
                    }
                    if (results.len() as u64) < added.count {
                        // The job ended before they were run.
                        out.finish()?;
                        let job: JobShape = hub.insist(|| hub.get(&super::page(&job.id, "")))?;
                        return Ok(Follow::of(hub, job).ended());
                    }
                }
                None if self.no_wait => {
                    say::talk(&format!("{} sent into job {}", say::many(added.count, "input"), say::short_id(&job.id)));
                }
                None => {
                    let sent = say::many(added.count, "input");
                    let message = format!("{sent} sent; their results are not there yet, and come later");
                    return Err(Failure::new(Exit::NotPlaced, message)
                        .hint(format!("do not send them again: grove why {0}, grove get {0}", say::short_id(&job.id)))
                        .into());
                }
            }
        }
        if let Some(kept) = kept {
            kept.extend(&home, &job.id, job.items, noted);
        }
        out.finish()?;
        Ok(exit)
    }
}
