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

/// A job that may stand still.
pub(super) struct Stall {
    /// When it last moved, or was last looked into.
    since: Instant,
    /// What was said about it last.
    said: Option<String>,
}

impl Stall {
    pub(super) fn new() -> Stall {
        Stall { since: Instant::now(), said: None }
    }

    /// What there is to say about it now.
    pub(super) fn look(&mut self, hub: &Hub, job: &JobShape) -> Result<Option<String>, Failure> {
        if !is_still(job) {
            (self.since, self.said) = (Instant::now(), None);
            return Ok(None);
        }
        if self.since.elapsed() < STILL {
            return Ok(None);
        }
        self.ask(hub, job)
    }

    /// The same for a job that is known to wait.
    pub(super) fn ask(&mut self, hub: &Hub, job: &JobShape) -> Result<Option<String>, Failure> {
        self.since = Instant::now();
        let why: Why = hub.insist(|| hub.get(&page(&job.id, "/why")))?;
        let text = text(&job.id, &why.reasons);
        Ok(if is_still(&why.job) && self.said.as_ref() != Some(&text) {
            Some(self.said.insert(text).clone())
        } else {
            None
        })
    }
}

fn is_still(job: &JobShape) -> bool {
    job.standing == StandingShape::Running && job.waiting > 0 && job.running == 0 && job.checking == 0
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
        let job = JobShape { running: 0, checking: 0, waiting: 5, ..crate::cli::jobs::tests::job() };
        assert!(is_still(&job));
        for moves in [
            JobShape { running: 1, ..job.clone() },
            JobShape { checking: 1, ..job.clone() },
            JobShape { waiting: 0, ..job.clone() },
            JobShape { standing: StandingShape::Done, ..job },
        ] {
            assert!(!is_still(&moves));
        }
    }
}
