//! `grove sim`: one simulated run to look at: gifts going out and coming back, level by level, and what goes wrong.

use super::{Exit, say};
use clap::Args;
use grove_core::id::{Lease, TaskId};
use grove_core::node::News;
use grove_core::sim::{Moment, Plan, Report, run_watched};
use grove_core::units::Millis;
use std::collections::BTreeMap;

/// Simulated time between two lines of the picture.
const STEP: Millis = Millis(200);
/// A bar that stands for more gifts than this is cut.
const BAR_MAX: usize = 40;

#[derive(Debug, Args)]
pub struct Sim {
    /// Nodes, the one that submits among them
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(2..=1000), value_name = "N")]
    nodes: u16,
    /// The same seed gives the same run
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
    /// No hub: peers that split further at every level
    #[arg(long)]
    peers: bool,
    /// Say everything that happens
    #[arg(long)]
    all: bool,
    /// One JSON object at the end, and no picture
    #[arg(long)]
    json: bool,
}

/// What is out, by the level of whoever gave it.
#[derive(Default)]
struct Picture {
    out: BTreeMap<(usize, Lease), TaskId>,
    drawn: Millis,
}

impl Sim {
    pub fn go(&self) -> anyhow::Result<Exit> {
        let plan = Plan::show(self.seed, usize::from(self.nodes), self.peers);
        let levels = levels(&plan);
        let mut picture = Picture::default();
        let quiet = self.json;
        let report = run_watched(plan, |moment| {
            picture.hear(moment);
            if quiet {
                return;
            }
            if self.all || is_rare(moment.news) {
                say::talk(&format!("{:>7} ms  node {:<4} {:?}", moment.at.0, moment.node + 1, moment.news));
            }
            if moment.at.since(picture.drawn) >= STEP {
                picture.drawn = moment.at;
                let _ = say::line(&picture.line(moment.at, &levels));
            }
        });
        self.end(&report)
    }

    fn end(&self, report: &Report) -> anyhow::Result<Exit> {
        let stats = report.stats;
        if self.json {
            say::json(&serde_json::json!({
                "v": 1, "seed": report.seed, "nodes": self.nodes, "peers": self.peers,
                "trace": format!("{:016x}", report.trace), "events": stats.events, "messages": stats.messages,
                "answers": stats.answers, "crashes": stats.crashes, "refused": stats.refused,
                "ended_ms": stats.ended_at.0, "failure": report.failure.as_ref().map(ToString::to_string),
            }))?;
        } else {
            say::line(&format!(
                "{} answers, {} messages, {} crashes; all ended after {:.1} s of simulated time; trace {:016x}",
                stats.answers,
                stats.messages,
                stats.crashes,
                stats.ended_at.0 as f64 / 1_000.0,
                report.trace
            ))?;
        }
        match &report.failure {
            None => Ok(Exit::Done),
            Some(failure) => {
                say::talk(&format!("a promise was broken {failure}"));
                Ok(Exit::Error)
            }
        }
    }
}

impl Picture {
    fn hear(&mut self, moment: &Moment<'_>) {
        match moment.news {
            News::Given { lease, task, .. } => drop(self.out.insert((moment.node, *lease), *task)),
            News::Answered { lease, .. } | News::Returned { lease, .. } => {
                self.out.remove(&(moment.node, *lease));
            }
            _ => {}
        }
    }

    fn line(&self, at: Millis, levels: &[usize]) -> String {
        let deepest = levels.iter().copied().max().unwrap_or(0);
        let of_level = |level: usize| self.out.keys().filter(|(node, _)| levels[*node] == level).count();
        let bars: Vec<String> = (0..=deepest).map(|level| format!("{:<16}", bar(of_level(level)))).collect();
        format!("{:>6.1} s  {:>4} out  {}", at.0 as f64 / 1_000.0, self.out.len(), bars.join("|").trim_end())
    }
}

fn bar(count: usize) -> String {
    "█".repeat(count.min(BAR_MAX))
}

fn is_rare(news: &News) -> bool {
    matches!(news, News::Submitted { .. } | News::Ended { .. } | News::Refused { .. } | News::Returned { .. })
}

/// How far each node is from the one that submits.
fn levels(plan: &Plan) -> Vec<usize> {
    let mut levels = vec![usize::MAX; plan.slots.len()];
    levels[0] = 0;
    for _ in 0..levels.len() {
        for (a, b) in &plan.links {
            let (near, far) = (levels[*a], levels[*b]);
            levels[*b] = far.min(near.saturating_add(1));
            levels[*a] = near.min(far.saturating_add(1));
        }
    }
    levels.into_iter().map(|level| if level == usize::MAX { 0 } else { level }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_to_look_at_keeps_its_promises() {
        for peers in [false, true] {
            let report = run_watched(Plan::show(7, 9, peers), |_| {});
            assert_eq!(report.failure, None);
            assert!(report.stats.answers > 0);
        }
        assert_eq!(levels(&Plan::show(7, 3, false)), [0, 1, 1]);
    }
}
