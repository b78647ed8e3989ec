//! Says why a job that is followed does not move: when it has stood still for a while, and again when the reason has
//! changed.

use crate::cli::hub::Hub;
use crate::cli::{Failure, page, say};
use crate::shape::{JobShape, ReasonShape, StandingShape, Why};
use std::time::{Duration, Instant};

/// Gaps between parts are shorter than this.
const STILL: Duration = Duration::from_secs(2);

/// Nobody ever lent: the first minute of every circle.
const NO_LENDER: &str = "no_lender";

/// Which of the two it is, only the lender knows.
const COMPILES: &str = "no part is done yet: they take long, or a machine is at its first script, before which it compiles \
                        Python (some seconds, once)";

/// Reasons that are none: something is being done.
const MOVING: [&str; 3] = ["at_work", "checking", "running"];

/// A job that may stand still.
pub(super) struct Stall {
    /// How far it was, and since when.
    at: (u64, Instant),
    /// What was said about it last.
    said: Option<String>,
    /// What runs it may have to be compiled first.
    pub(super) is_script: bool,
}

impl Stall {
    pub(super) fn new() -> Stall {
        Stall { at: (0, Instant::now()), said: None, is_script: false }
    }

    /// What there is to say about it now.
    pub(super) fn look(&mut self, hub: &Hub, job: &JobShape) -> Result<Option<String>, Failure> {
        let far = job.done + job.failed;
        if far != self.at.0 {
            *self = Stall { at: (far, Instant::now()), said: None, is_script: false };
        }
        if job.standing != StandingShape::Running || self.at.1.elapsed() < STILL {
            return Ok(None);
        }
        self.ask(hub, job)
    }

    /// The same for a job that has just begun.
    pub(super) fn ask(&mut self, hub: &Hub, job: &JobShape) -> Result<Option<String>, Failure> {
        self.at.1 = Instant::now();
        let why: Why = hub.insist(|| hub.get(&page(&job.id, "/why")))?;
        let text = text(&job.id, &why.reasons);
        if self.is_script && !is_still(&why) && why.job.done == 0 {
            self.is_script = false;
            return Ok(Some(COMPILES.to_owned()));
        }
        if !is_still(&why) || self.said.as_ref() == Some(&text) {
            return Ok(None);
        }
        self.said = Some(text.clone());
        Ok(Some(text))
    }
}

fn is_still(why: &Why) -> bool {
    why.job.standing == StandingShape::Running
        && !why.reasons.iter().any(|reason| MOVING.contains(&reason.code.as_str()))
}

fn text(id: &str, reasons: &[ReasonShape]) -> String {
    if let [only] = reasons
        && only.code == NO_LENDER
    {
        return format!("job {}: no lender yet: waiting\nhint: grove lend", say::short_id(id));
    }
    let hint = reasons.iter().find_map(|reason| reason.hint.as_deref());
    let hint = hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("job {} waits: {}{hint}", say::short_id(id), texts(reasons))
}

/// All reasons in one line.
pub(super) fn texts(reasons: &[ReasonShape]) -> String {
    reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_one_line_and_one_hint() {
        let reason = |text: &str, hint: Option<&str>| ReasonShape {
            code: "x".into(),
            text: text.into(),
            hint: hint.map(str::to_owned),
        };
        let reasons = [reason("1 lender gone", None), reason("2 lenders caught", Some("grove lend"))];
        assert_eq!(
            text("3v5kabcdef", &reasons),
            "job 3v5kabcd waits: 1 lender gone; 2 lenders caught\nhint: grove lend"
        );
    }

    #[test]
    fn a_new_circle_is_told_its_next_command() {
        let reasons = [ReasonShape { code: NO_LENDER.into(), text: "nobody lends".into(), hint: None }];
        assert_eq!(text("3v5kabcdef", &reasons), "job 3v5kabcd: no lender yet: waiting\nhint: grove lend");
    }

    #[test]
    fn a_job_that_moves_is_not_still() {
        let reason = |code: &str| ReasonShape { code: code.into(), text: String::new(), hint: None };
        let why = |codes: &[&str]| Why {
            v: crate::shape::V,
            job: crate::cli::jobs::tests::job(),
            reasons: codes.iter().map(|code| reason(code)).collect(),
            may_start_ms: None,
        };
        assert!(is_still(&why(&["lenders_caught"])), "whatever its counts say: a piece may wait below");
        assert!(!is_still(&why(&["at_work", "lenders_busy", "shared"])));
        assert!(!is_still(&why(&["checking", "lenders_caught"])));
    }
}
