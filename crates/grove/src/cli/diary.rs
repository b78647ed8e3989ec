//! `grove diary`: what ran on this machine, and what it earned.

use super::{Exit, Place, say};
use crate::amount::{credits_text, time_text};
use crate::owner::{self, Entry};
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
}

impl Diary {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let jobs = owner::diary(place.settings()?.home.path());
        if self.json {
            say::json(&Kept { v: V, jobs })?;
        } else if jobs.is_empty() {
            say::talk("nothing has run here yet\nhint: `grove why` says why a lender gets no work");
        } else {
            lines(&jobs, owner::now()).iter().try_for_each(|line| say::line(line))?;
        }
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
    }
}
