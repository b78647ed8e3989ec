//! `grove credits`: what there is to spend.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::amount::credits_text;
use crate::shape::CreditsShape;
use clap::Args;

#[derive(Debug, Args)]
pub struct Credits {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Credits {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let credits: CreditsShape = hub.get("/v1/credits")?;
        if self.json {
            say::json(&credits)?;
        } else {
            lines(&credits).iter().try_for_each(|line| say::line(line))?;
        }
        Ok(Exit::Done)
    }
}

fn lines(credits: &CreditsShape) -> Vec<String> {
    let text = |micro: u64| credits_text(i128::from(micro));
    let mut lines = vec![
        format!("available  {}", text(credits.available.0)),
        format!("held       {}  for jobs that run", text(credits.held.0)),
        format!("earned     {}  by lenders here", text(credits.earned.0)),
    ];
    if credits.ledger_sum.0 != 0 {
        lines.push(format!("THE BOOKS DO NOT BALANCE: {} too much", credits_text(credits.ledger_sum.0)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Big, Signed, V};

    #[test]
    fn the_books_are_shown_and_so_is_a_wrong_sum() {
        let (available, held, earned) = (Big(18_400_000), Big(2_100_000), Big(0));
        let mut credits = CreditsShape { v: V, available, held, earned, ledger_sum: Signed(0) };
        let expect = ["available  18.40", "held       2.10  for jobs that run", "earned     0.00  by lenders here"];
        assert_eq!(lines(&credits), expect);
        credits.ledger_sum = Signed(-1);
        assert!(lines(&credits)[3].starts_with("THE BOOKS DO NOT BALANCE"));
    }
}
