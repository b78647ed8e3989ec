//! `grove diary`: what ran on this machine, and what it earned.

use super::{Exit, Place, say};
use crate::amount::{credits_text, time_text};
use crate::owner::{self, Entry, Returns};
use crate::shape::V;
use clap::Args;
use grove_core::units::Millis;
use serde::Serialize;

const MICROS_PER_MILLI: u64 = 1_000;

#[derive(Debug, Args)]
pub struct Diary {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Kept {
    v: u32,
    jobs: Vec<Entry>,
    /// How fast the machine was free when its owner came back, over all lives of its lenders.
    returns: Returns,
}

impl Diary {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        let (jobs, returns) = (owner::diary(home.path()), owner::returns(home.path()));
        if self.json {
            return say::json(&Kept { v: V, jobs, returns }).map(|()| Exit::Done);
        }
        if jobs.is_empty() {
            say::talk("nothing has run here yet\nhint: `grove why` says why a lender gets no work");
        } else {
            lines(&jobs, owner::now()).iter().try_for_each(|line| say::line(line))?;
        }
        returns_line(returns).iter().try_for_each(|line| say::line(line))?;
        Ok(Exit::Done)
    }
}

fn lines(jobs: &[Entry], now: Millis) -> Vec<String> {
    let row = |entry: &Entry| {
        vec![
            entry.job.clone(),
            format!("{} ago", time_text(now.since(entry.last))),
            entry.parts.to_string(),
            time_text(Millis(entry.micros / MICROS_PER_MILLI)),
            credits_text(i128::from(entry.earns)),
        ]
    };
    let rows: Vec<Vec<String>> = jobs.iter().map(row).collect();
    say::table(&["JOB", "LAST", "PARTS", "WORKED", "EARNS"], &rows)
}

fn returns_line(returns: Returns) -> Option<String> {
    let Returns { count, free_p50_ms, free_p99_ms, free_most_ms, .. } = returns;
    (count > 0).then(|| {
        format!(
            "\nyou came back {} while something ran: the machine was free after {free_p50_ms} ms \
             (99 %: {free_p99_ms} ms, at most {free_most_ms} ms)",
            if count == 1 { "once".to_owned() } else { format!("{count} times") }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_ran_how_long_and_for_how_much() {
        let entry = Entry {
            job: "3v5kabcd".into(),
            first: Millis(0),
            last: Millis(60_000),
            parts: 12,
            micros: 90_000_000,
            fuel: 1,
            earns: 2_500_000,
        };
        let lines = lines(&[entry], Millis(120_000));
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(words, ["3v5kabcd", "1m", "00s", "ago", "12", "1m", "30s", "2.50"]);
        let returns = Returns { count: 3, free_p50_ms: 70, free_p99_ms: 90, free_most_ms: 95, ..Returns::default() };
        let line = returns_line(returns).unwrap();
        assert!(line.contains("3 times") && line.contains("after 70 ms (99 %: 90 ms, at most 95 ms)"), "{line}");
        assert_eq!(returns_line(Returns::default()), None);
    }
}
