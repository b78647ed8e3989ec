//! `--resume`: which results in a folder still hold, and which job that an earlier run left behind still works for it.
//! It knows of earlier runs what this machine remembers of them; where that is nothing, a result holds by its name.

use super::follow::Follow;
use super::inputs::Inputs;
use super::kept::{Kept, Noted};
use super::out::Out;
use super::{Names, files};
use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure, say};
use crate::config::Home;
use crate::shape::{JobShape, Jobs, StandingShape};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

/// Jobs that are looked at, the newest: what the hub gives in one answer.
const JOBS_MAX: u32 = 1_000;

/// A folder of results that a run goes on with.
pub(super) struct Resume<'a> {
    folder: &'a Path,
    /// The mark of the program that runs now.
    made_by: &'a str,
    /// Runs before this one whose results went there, the newest first.
    runs: Vec<(SystemTime, String, Kept)>,
}

impl<'a> Resume<'a> {
    pub(super) fn of(home: &Home, folder: &'a Path, made_by: &'a str) -> Resume<'a> {
        Resume { folder, made_by, runs: Kept::into_folder(home, folder) }
    }

    /// Leaves out the inputs whose results are there, and were made of what the inputs are now. Whether any are left.
    pub(super) fn leave_out_done(&self, inputs: &mut Inputs) -> Result<bool, Failure> {
        let runs: Vec<(SystemTime, &Kept, BTreeMap<&str, &Noted>)> =
            self.runs.iter().map(|(at, _, kept)| (*at, kept, kept.by_place())).collect();
        let (mut done, mut changed) = (0, 0);
        inputs.leave_out(|now| {
            if !files::is_kept(self.folder, now.place()) {
                return false;
            }
            // Of the runs before it was written, the last that had this input made it.
            let written = files::written(self.folder, now.place());
            let mut before = runs.iter().filter(|(at, ..)| written.is_some_and(|written| *at <= written));
            let made = before.find_map(|(_, kept, inputs)| Some((kept, inputs.get(now.place())?)));
            let holds = made.is_none_or(|(kept, then)| kept.is_made_by(self.made_by) && then.is_same(now));
            *(if holds { &mut done } else { &mut changed }) += 1;
            holds
        })?;
        let again = match changed {
            0 => String::new(),
            _ => format!("; {changed} more were made by another script, or of other inputs, and run again"),
        };
        say::talk(&format!("{} in {} already{again}", say::many(done, "result"), self.folder.display()));
        Ok(!inputs.is_empty())
    }

    /// A run that was broken off leaves a job behind: its parts are paid for, so its results come first. How it ended,
    /// if there was one and nothing but that is to be done.
    pub(super) fn catch_up(&self, hub: &Hub, json: bool, detach: bool) -> anyhow::Result<Caught> {
        let mut caught = Caught::Nothing;
        if self.runs.is_empty() {
            return Ok(caught);
        }
        let page: Jobs = hub.insist(|| hub.get(&format!("/v1/jobs?limit={JOBS_MAX}")))?;
        let mut jobs: BTreeMap<String, JobShape> = page.jobs.into_iter().map(|job| (job.id.clone(), job)).collect();
        let mut fetched = false;
        for (_, id, kept) in &self.runs {
            let Some(job) = jobs.remove(id).filter(|job| !job.open) else { continue };
            let id = say::short_id(&job.id);
            let folder = self.folder.display();
            if job.standing != StandingShape::Running {
                // It may have ended when nobody was there to fetch its results.
                let fetches =
                    kept.is_made_by(self.made_by) && !kept.submit.merge && !std::mem::replace(&mut fetched, true);
                if fetches {
                    self.fetch(hub, job, kept, json)?;
                    caught = Caught::Some;
                }
                continue;
            }
            if !kept.is_made_by(self.made_by) {
                let message = format!("job {id} still works for {folder}, with another script or other arguments");
                return Err(Failure::usage(message)
                    .hint(format!("stop it with `grove cancel {id}`, or wait for it: grove watch {id}"))
                    .into());
            }
            say::talk(&format!("job {id}, of a run before, still works for {folder}: nothing is paid twice"));
            if detach {
                say::line(&job.id)?;
                return Ok(Caught::All(Exit::Done));
            }
            caught = Caught::Some;
            let exit = self.follow(hub, job, kept, json)?;
            if exit != Exit::Done || kept.submit.merge {
                return Ok(Caught::All(exit));
            }
        }
        Ok(caught)
    }

    fn fetch(&self, hub: &Hub, job: JobShape, kept: &Kept, json: bool) -> anyhow::Result<Exit> {
        let names = kept.names().unwrap_or_else(|| Names::of_job(hub, &job));
        let mut out = Out::new(hub, Some(self.folder), json, names)?.of_script(kept.script.clone());
        Follow::of(hub, job).what_is_there(&mut out)
    }

    fn follow(&self, hub: &Hub, job: JobShape, kept: &Kept, json: bool) -> anyhow::Result<Exit> {
        let names = kept.names().unwrap_or_else(|| Names::of_job(hub, &job));
        let mut out = Out::new(hub, Some(self.folder), json, names)?.of_script(kept.script.clone());
        Follow::of(hub, job).of_script(kept.script.is_some()).until_the_end(&mut out)
    }
}

/// What there was to catch up with.
pub(super) enum Caught {
    Nothing,
    /// A job that is done now; others of the inputs may be left.
    Some,
    /// All that can be done now.
    All(Exit),
}
