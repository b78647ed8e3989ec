//! `grove jobs`: the newest jobs.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::amount::{credits_text, time_text};
use crate::shape::{JobShape, Jobs as Page, StandingShape};
use clap::Args;
use grove_core::units::Millis;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the hub gives in one answer.
const LIMIT_MAX: u32 = 1_000;

#[derive(Debug, Args)]
pub struct Jobs {
    /// How many, the newest first: 1 to 1000
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = parse_limit)]
    limit: u32,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Jobs {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let page: Page = hub.get(&format!("/v1/jobs?limit={}", self.limit))?;
        if self.json {
            say::json(&page)?;
        } else if page.jobs.is_empty() {
            say::talk("no jobs yet\nhint: grove run tool.wasm {} ::: a b c");
        } else {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            lines(&page.jobs, Millis(u64::try_from(now)?)).iter().try_for_each(|line| say::line(line))?;
            if page.total > page.jobs.len() as u64 {
                say::talk(&format!("{} of {} jobs; more with -n", page.jobs.len(), page.total));
            }
        }
        Ok(Exit::Done)
    }
}

fn parse_limit(text: &str) -> Result<u32, String> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("a number of jobs from 1 to {LIMIT_MAX}"))
}

fn lines(jobs: &[JobShape], now: Millis) -> Vec<String> {
    let row = |job: &JobShape| {
        vec![
            say::short_id(&job.id).to_owned(),
            say::safe(&say::short(&job.name, 24)).replace(['\n', '\t'], " "),
            standing(job).to_owned(),
            format!("{}/{}", job.done, job.items),
            job.failed.to_string(),
            credits_text(i128::from(job.spent.0)),
            format!("{} ago", time_text(now.since(Millis(job.submitted_ms)))),
        ]
    };
    let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
    say::table(&["ID", "NAME", "IS", "DONE", "FAILED", "CREDITS", "SUBMITTED"], &rows)
}

/// Where a job stands, in a word.
pub(super) fn standing(job: &JobShape) -> &'static str {
    match job.standing {
        StandingShape::Running if job.open => "open",
        StandingShape::Running if job.stage == "merge" => "merging",
        StandingShape::Running => "running",
        StandingShape::Done => "done",
        StandingShape::Failed => "failed",
        StandingShape::Cancelled => "cancelled",
        StandingShape::Unpaid => "unpaid",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::shape::{Big, CheckShape, SourceView, V};

    pub(in crate::cli) fn job() -> JobShape {
        JobShape {
            v: V,
            id: "3v5kabcdefghj".into(),
            name: "score".into(),
            standing: StandingShape::Running,
            stage: "work".into(),
            submitted_ms: 1_000,
            ended_ms: None,
            items: 120,
            done: 71,
            failed: 0,
            running: 14,
            queued: 0,
            checking: 0,
            waiting: 35,
            spent: Big(2_100_000),
            budget: Big(5_000_000),
            fuel: Big(7),
            merged: false,
            open: false,
            source: SourceView::Inputs,
            check: CheckShape::Spot { per_mille: 30 },
            tool: "ab".into(),
            args: Vec::new(),
        }
    }

    #[test]
    fn jobs_are_a_table_that_hides_no_escape() {
        let odd = JobShape { name: "\u{1b}[31m\nx".into(), standing: StandingShape::Unpaid, failed: 3, ..job() };
        let expect = [
            "ID        NAME            IS         DONE  FAILED  CREDITS  SUBMITTED",
            "3v5kabcd  score           running  71/120       0     2.10     9 s ago",
            "3v5kabcd  \\u{1b}[31m      unpaid   71/120       3     2.10     9 s ago",
        ];
        let lines = lines(&[job(), odd], Millis(10_000));
        let squeezed = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (line, expect) in lines.iter().zip(expect) {
            assert_eq!(squeezed(line), squeezed(expect));
        }
        assert_eq!(lines.len(), 3);
    }
}
