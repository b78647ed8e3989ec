//! `grove credits`: what there is to spend, what is set aside for which job, and every line of the account.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::amount::{credits_text, time_text};
use crate::shape::{AccountShape, CreditsShape, EntryShape, HeldShape, V};
use clap::Args;
use grove_core::units::Millis;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Args)]
pub struct Credits {
    /// Every change of your balance, the oldest first
    #[arg(long)]
    log: bool,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Credits {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        if self.log {
            return log(&hub, self.json);
        }
        let credits: CreditsShape = hub.get("/v1/credits")?;
        if self.json {
            say::json(&credits)?;
        } else {
            lines(&credits).iter().try_for_each(|line| say::line(line))?;
        }
        Ok(Exit::Done)
    }
}

/// All pages, one after another.
fn log(hub: &Hub, json: bool) -> anyhow::Result<Exit> {
    let (mut all, mut next) = (Vec::new(), Some(0));
    while let Some(from) = next {
        let page: AccountShape = hub.get(&format!("/v1/credits/log?from={from}"))?;
        // A page that goes nowhere would be asked for again and again.
        next = page.next.map(|next| next.0).filter(|next| *next > from);
        all.extend(page.lines);
    }
    if json {
        say::json(&AccountShape { v: V, lines: all, next: None })?;
    } else if all.is_empty() {
        say::talk("nothing has come or gone yet");
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        table(&all, Millis(u64::try_from(now)?)).iter().try_for_each(|line| say::line(line))?;
    }
    Ok(Exit::Done)
}

fn table(all: &[EntryShape], now: Millis) -> Vec<String> {
    let row = |line: &EntryShape| {
        let with = line.with.as_deref().map(say::safe).unwrap_or_default();
        vec![
            format!("{} ago", time_text(now.since(Millis(line.at_ms)))),
            line.why.clone(),
            line.job.as_deref().map_or_else(|| with.to_string(), |job| say::short_id(job).to_owned()),
            credits_text(line.amount.0),
            credits_text(line.balance.0),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    say::table(&["WHEN", "WHY", "JOB", "CREDITS", "BALANCE"], &rows)
}

fn lines(credits: &CreditsShape) -> Vec<String> {
    let text = |micro: u64| credits_text(i128::from(micro));
    let mut lines = vec![
        format!("available  {}", text(credits.available.0)),
        format!("held       {}  for jobs that run", text(credits.held.0)),
        format!("earned     {}  by machines of yours", text(credits.earned.0)),
    ];
    lines.extend(credits.held_by.iter().map(held));
    if credits.ledger_sum.0 != 0 {
        lines.push(format!("THE BOOKS DO NOT BALANCE: {} too much", credits_text(credits.ledger_sum.0)));
    }
    lines
}

fn held(held: &HeldShape) -> String {
    let text = |micro: u64| credits_text(i128::from(micro));
    let (name, id) = (say::safe(&say::short(&held.name, 24)).replace(['\n', '\t'], " "), say::short_id(&held.job));
    let state =
        if held.settling { "cancelled, being settled".to_owned() } else { format!("of {}", text(held.budget.0)) };
    format!("  {id} {name}  {} {state}", text(held.held.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Big, Signed};

    #[test]
    fn the_books_are_shown_and_so_is_a_wrong_sum() {
        let (available, held, earned) = (Big(18_400_000), Big(2_100_000), Big(0));
        let by = HeldShape {
            job: "3v5kabcd00000".into(),
            name: "factor".into(),
            person: "Ann".into(),
            held,
            budget: Big(5_000_000),
            settling: false,
        };
        let held_by = vec![by];
        let mut credits = CreditsShape { v: V, available, held, earned, ledger_sum: Signed(0), held_by };
        let expect = [
            "available  18.40",
            "held       2.10  for jobs that run",
            "earned     0.00  by machines of yours",
            "  3v5kabcd factor  2.10 of 5.00",
        ];
        assert_eq!(lines(&credits), expect);
        credits.ledger_sum = Signed(-1);
        assert!(lines(&credits)[4].starts_with("THE BOOKS DO NOT BALANCE"));
    }

    #[test]
    fn a_line_says_when_why_for_what_and_how_much() {
        let line = |why: &str, job: Option<&str>, amount| EntryShape {
            number: Big(1),
            at_ms: 1_000,
            why: why.into(),
            job: job.map(str::to_owned),
            with: job.is_none().then(|| "Bob".to_owned()),
            amount: Signed(amount),
            balance: Signed(18_300_000),
        };
        let told = table(&[line("held", Some("3v5kabcd00000"), -100_000), line("received", None, 5)], Millis(3_000));
        assert!(told[1].contains("held") && told[1].contains("3v5kabcd") && told[1].contains("-0.10"), "{told:?}");
        assert!(told[2].contains("Bob") && told[2].contains("18.30"), "{told:?}");
    }
}
