//! Following a job: its results in the order of the inputs as they come, how far it is, and how it ends.

use super::out::Out;
use super::progress::Progress;
use super::stall::Stall;
use crate::amount::{credits_text, time_text};
use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure, interrupt, page, say};
use crate::shape::{JobShape, Results, StandingShape, Why};
use grove_core::units::Millis;
use std::time::{Duration, Instant};

/// Results in one page.
const PAGE: usize = 2_000;
/// How long the hub may wait for something to say; the bar moves at least so often.
const WAIT_MS: u64 = 1_000;
/// Pages are asked for no more often than this: many tiny ones cost the machine that runs the parts more than they
/// tell. Whoever waits for a part does not notice it.
const PAGE_EVERY: Duration = Duration::from_millis(15);
/// How often an open job is looked at when there is nothing to wait for.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// A job that is followed.
pub(in crate::cli) struct Follow<'h> {
    hub: &'h Hub,
    job: JobShape,
    stall: Stall,
}

impl<'h> Follow<'h> {
    pub(in crate::cli) fn new(hub: &'h Hub, name: &str) -> Result<Follow<'h>, Failure> {
        let job = hub.insist(|| hub.get(&page(name, "")))?;
        Ok(Follow::of(hub, job))
    }

    pub(in crate::cli) fn of(hub: &'h Hub, job: JobShape) -> Follow<'h> {
        Follow { hub, job, stall: Stall::new() }
    }

    /// It waits for lenders to compile Python, where they never did.
    pub(super) fn of_script(mut self, is_script: bool) -> Follow<'h> {
        self.stall.is_script = is_script;
        self
    }

    /// Says why it does not move, if it does not.
    pub(super) fn say_why(mut self) -> Result<Follow<'h>, Failure> {
        if let Some(text) = self.stall.ask(self.hub, &self.job)? {
            say::talk(&text);
        }
        Ok(self)
    }

    /// How far it is, and why no further.
    fn show(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        progress.show(&self.job);
        if let Some(text) = self.stall.look(self.hub, &self.job)? {
            progress.aside(|| say::talk(&text));
        }
        Ok(())
    }

    pub(in crate::cli) fn job(&self) -> &JobShape {
        &self.job
    }

    /// Results as they come, until the job ends.
    pub(in crate::cli) fn until_the_end(mut self, out: &mut Out<'_>) -> anyhow::Result<Exit> {
        interrupt::say_on_leaving(super::farewell(&self.job.id));
        let mut progress = Progress::new();
        let (mut from, mut refused) = (0, None);
        loop {
            let asked = Instant::now();
            self.show(&mut progress)?;
            let got = self.results(from, PAGE, WAIT_MS)?;
            let before = *refused.get_or_insert(got.refused);
            progress.aside(|| got.results.iter().try_for_each(|result| out.put(result)))?;
            from = got.next;
            self.job = got.job;
            if got.last {
                progress.end();
                out.finish()?;
                if got.refused != before {
                    self.correct(out)?;
                }
                break;
            }
            // A full page has another behind it.
            if got.results.len() < PAGE && self.job.standing == StandingShape::Running && from < self.job.items {
                std::thread::sleep(PAGE_EVERY.saturating_sub(asked.elapsed()));
            }
        }
        out.job(&self.job)?;
        Ok(self.ended())
    }

    /// An answer was found wrong meanwhile. What had counted on its lender's word was done again, so all that was put
    /// is looked at once more.
    fn correct(&self, out: &mut Out<'_>) -> Result<(), Failure> {
        out.begin_again(&self.job);
        let (mut from, mut nth, mut changed) = (0, 0, 0_u64);
        loop {
            let got = self.results(from, PAGE, 0)?;
            for result in &got.results {
                changed += u64::from(out.correct(nth, result)?);
                nth += 1;
            }
            from = got.next;
            if got.last || got.results.is_empty() {
                break;
            }
        }
        let id = say::short_id(&self.job.id);
        if changed > 0 && !out.can_correct() {
            let message =
                format!("{} changed after it was printed: its lender was found out", say::many(changed, "result"));
            return Err(Failure::new(Exit::Error, message).hint(format!("read them again: grove get {id}")));
        }
        if changed > 0 {
            say::talk(&format!("{} put right: their lender was found out", say::many(changed, "result")));
        }
        Ok(())
    }

    /// The results that are there now.
    pub(in crate::cli) fn what_is_there(mut self, out: &mut Out<'_>) -> anyhow::Result<Exit> {
        let mut from = 0;
        loop {
            let got = self.results(from, PAGE, 0)?;
            got.results.iter().try_for_each(|result| out.put(result))?;
            from = got.next;
            let more = !got.last && !got.results.is_empty();
            self.job = got.job;
            if !more {
                break;
            }
        }
        out.finish()?;
        out.job(&self.job)?;
        if self.job.standing == StandingShape::Running {
            let id = say::short_id(&self.job.id);
            say::talk(&format!("job {id} still runs: {} of {} done; grove watch {id}", self.job.done, self.job.items));
            return Ok(Exit::Done);
        }
        Ok(self.exit())
    }

    /// How far it is, until it ends.
    pub(in crate::cli) fn only_watch(mut self) -> anyhow::Result<Exit> {
        interrupt::say_on_leaving(super::farewell(&self.job.id));
        let mut progress = Progress::new();
        while self.job.standing == StandingShape::Running {
            self.show(&mut progress)?;
            // Behind the last input there is only the end to wait for.
            let open = self.job.open || self.job.merged;
            self.job = self.results(self.job.items, 1, if open { 0 } else { WAIT_MS })?.job;
            if open && self.job.standing == StandingShape::Running {
                std::thread::sleep(LOOK_EVERY);
            }
        }
        progress.end();
        Ok(self.ended())
    }

    fn results(&self, from: u64, limit: usize, wait_ms: u64) -> Result<Results, Failure> {
        let path = page(&self.job.id, &format!("/results?from={from}&limit={limit}&wait_ms={wait_ms}"));
        self.hub.insist(|| self.hub.get(&path)).map_err(|failure| match failure.exit {
            Exit::Unreachable => {
                let id = say::short_id(&self.job.id);
                Failure { message: format!("{}; job {id} is on its books", failure.message), ..failure }
                    .hint(format!("start it again with `grove up`, then: grove watch {id}"))
            }
            Exit::NotPlaced => {
                let id = say::short_id(&self.job.id);
                failure.hint(format!("free some space there: then job {id} goes on by itself: grove watch {id}"))
            }
            _ => failure,
        })
    }

    /// Says how it ended.
    pub(in crate::cli) fn ended(&self) -> Exit {
        say::talk(&ended_text(&self.job));
        // Whoever did not spend all of the budget is told what was lacking.
        if self.job.standing == StandingShape::Unpaid
            && let Ok(why) = self.hub.get::<Why>(&page(&self.job.id, "/why"))
            && let Some(reason) = why.reasons.iter().find(|reason| reason.code == "account")
        {
            say::talk(&reason.text);
        }
        self.exit()
    }

    fn exit(&self) -> Exit {
        match self.job.standing {
            StandingShape::Failed => Exit::SomeFailed,
            _ if self.job.failed > 0 => Exit::SomeFailed,
            StandingShape::Done => Exit::Done,
            StandingShape::Unpaid => Exit::Credits,
            StandingShape::Cancelled | StandingShape::Running => Exit::Error,
        }
    }
}

fn ended_text(job: &JobShape) -> String {
    let id = say::short_id(&job.id);
    let took = job.ended_ms.map_or(0, |ended| ended.saturating_sub(job.submitted_ms));
    // Of what has failed, only a limit ends a job before all of its parts were run.
    let failed = job.standing == StandingShape::Failed && job.failed > 0;
    let not_run = if failed { job.items.saturating_sub(job.done + job.failed) } else { 0 };
    let (how, next) = match job.standing {
        StandingShape::Done => ("done", String::new()),
        StandingShape::Failed => {
            let hint = format!("\nhint: what they printed: grove get --failed {id}; run them again: grove retry {id}");
            let how = match (job.failed, not_run) {
                (0, _) => "over, its answers could not be merged",
                (_, 0) => "over, some parts failed",
                _ => "over, stopped by --max-fails",
            };
            (how, hint)
        }
        StandingShape::Cancelled => ("cancelled", format!("\nhint: what is done: grove get {id}")),
        StandingShape::Unpaid => {
            ("over, its budget is spent", format!("\nhint: go on with grove retry {id} --budget CREDITS"))
        }
        StandingShape::Running => ("running", String::new()),
    };
    format!(
        "job {id} is {how}: {} of {} done, {} failed,{} in {}, for {} credits{next}",
        job.done,
        job.items,
        job.failed,
        if not_run > 0 { format!(" {not_run} not run,") } else { String::new() },
        time_text(Millis(took)),
        credits_text(i128::from(job.spent.0))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_names_the_next_command() {
        let job = JobShape {
            standing: StandingShape::Failed,
            ended_ms: Some(13_000),
            failed: 2,
            done: 118,
            ..crate::cli::jobs::tests::job()
        };
        let expect = "job 3v5kabcd is over, some parts failed: 118 of 120 done, 2 failed, in 12 s, for 2.10 credits\n\
                      hint: what they printed: grove get --failed 3v5kabcd; run them again: grove retry 3v5kabcd";
        assert_eq!(ended_text(&job), expect);
        let job = JobShape { done: 0, failed: 1, ..job };
        let stopped = "job 3v5kabcd is over, stopped by --max-fails: 0 of 120 done, 1 failed, 119 not run, in 12 s";
        assert!(ended_text(&job).starts_with(stopped), "{}", ended_text(&job));
    }
}
