//! `grove retry`: run the failed parts of a job again, with their files as they are now.

use super::hub::Hub;
use super::run::{Changed, Follow, Inputs, Kept, Out, make_folder};
use super::{Exit, Failure, Place, say};
use crate::amount::parse_credits;
use crate::config::Home;
use crate::shape::{Accepted, Again, Big, Done, JobShape, Results, Submit};
use clap::Args;
use grove_core::id::JobId;
use grove_core::units::Credits;
use std::path::{Path, PathBuf};

/// Results in one page.
const PAGE: usize = 2_000;

#[derive(Debug, Args)]
pub struct Retry {
    /// The job: its id, the beginning of it, or `last`
    #[arg(value_parser = super::parse_job, default_value = "last")]
    job: String,
    /// What failed; it always is
    #[arg(long, hide = true)]
    failed: bool,
    /// Where the results of mended files go [default: where those of the job went]
    #[arg(short, long, value_name = "FOLDER")]
    out: Option<PathBuf>,
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
        self.out.as_deref().map_or(Ok(()), make_folder)?;
        let home = place.settings()?.home;
        let before: JobShape = hub.get(&super::page(&self.job, ""))?;
        if let Some(kept) = Kept::of(&home, &before.id).filter(|_| before.failed > 0) {
            let mended = mended(&hub, &before.id, &kept)?;
            if !mended.is_empty() {
                return self.mended(&hub, &home, &before, kept, mended);
            }
        }
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

    /// What is in the files now becomes a job of its own, and its results go where those of the first job went.
    fn mended(
        &self,
        hub: &Hub,
        home: &Home,
        before: &JobShape,
        kept: Kept,
        mended: Vec<Changed>,
    ) -> anyhow::Result<Exit> {
        let count = mended.len() as u64;
        let inputs = Inputs::again(mended)?;
        let out = self.out.clone().or(kept.out);
        out.as_deref().map_or(Ok(()), make_folder)?;
        let (script, made_by) = (kept.script, kept.made_by);
        let submit = Submit {
            id: JobId(getrandom::u64()?).to_string(),
            source: inputs.source(hub)?,
            open: false,
            budget: self.budget.map_or(kept.submit.budget, |budget| Some(Big(budget.0))),
            ..kept.submit
        };
        let accepted: Accepted = hub.insist(|| hub.post("/v1/jobs", &submit)).map_err(|failure: Failure| {
            // The tool may have gone from the hub since.
            let hint = failure.hint.clone().unwrap_or_else(|| "run it anew: grove run --resume -o FOLDER …".to_owned());
            failure.hint(hint)
        })?;
        Kept::new(&submit, out.as_deref(), script.as_deref(), &made_by, inputs.noted()).keep(home, &accepted.job);
        let left = before.failed.saturating_sub(count);
        say::talk(&format!(
            "{} of job {} changed, and run again as job {}{}",
            say::many(count, "failed input"),
            say::short_id(&before.id),
            say::short_id(&accepted.job),
            if left > 0 { format!("; {left} did not change, and would fail again") } else { String::new() }
        ));
        self.follow(hub, &accepted.job, inputs, script, out.as_deref())
    }

    fn follow(
        &self,
        hub: &Hub,
        job: &str,
        inputs: Inputs,
        script: Option<String>,
        out: Option<&Path>,
    ) -> anyhow::Result<Exit> {
        let mut out = Out::new(hub, out, self.json, inputs.names())?.of_script(script);
        Follow::new(hub, job)?.until_the_end(&mut out)
    }
}

/// The failed inputs whose files are others now.
fn mended(hub: &Hub, job: &str, kept: &Kept) -> Result<Vec<Changed>, Failure> {
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let got: Results = hub.insist(|| hub.get(&super::page(job, &format!("/results?from={from}&limit={PAGE}"))))?;
        let failed = got.results.iter().filter(|result| !result.is_right() && result.count == 1);
        found.extend(failed.filter_map(|result| kept.changed(result.item)));
        from = got.next;
        if got.last || got.results.is_empty() {
            return Ok(found);
        }
    }
}
