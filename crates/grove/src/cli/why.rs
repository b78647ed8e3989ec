//! `grove why`: why a job, or this machine, is not further than it is. Every wait has a reason.

use super::hub::Hub;
use super::{Exit, Place, jobs, own, say};
use crate::amount::{bytes_text, time_text};
use crate::owner;
use crate::shape::{Peers, ReasonShape, Why as Answer};
use clap::Args;
use grove_core::units::Millis;

/// Nobody plans for less.
const SOON_MS: u64 = 2_000;

#[derive(Debug, Args)]
pub struct Why {
    /// The job: its id, the beginning of it, or `last`. Without one: why lenders get no work
    #[arg(value_parser = super::parse_job)]
    job: Option<String>,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Why {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let own = own::notes(&place.settings()?);
        let lines = match &self.job {
            Some(job) => {
                let answer: Answer = hub.get(&super::page(job, "/why"))?;
                if self.json {
                    say::json(&answer)?;
                    return Ok(Exit::Done);
                }
                let mut lines = of_job(&answer);
                // What a hub does not know of this machine's own lenders is known here.
                if answer.reasons.iter().any(|reason| reason.code == "lenders_paused") {
                    lines.extend(own::lines(&own, owner::now()));
                }
                lines
            }
            None => {
                let peers: Peers = hub.get("/v1/peers")?;
                if self.json {
                    say::json(&peers)?;
                    return Ok(Exit::Done);
                }
                let mut lines = own::lines(&own, owner::now());
                lines.extend(of_lenders(&peers));
                lines
            }
        };
        lines.iter().try_for_each(|line| say::line(line))?;
        Ok(Exit::Done)
    }
}

fn of_job(answer: &Answer) -> Vec<String> {
    let job = &answer.job;
    let mut lines = vec![format!(
        "job {} is {}: {} of {} done, {} running, {} next at their lenders, {} being checked, {} waiting, {} failed",
        say::short_id(&job.id),
        jobs::standing(job),
        job.done,
        job.items,
        job.running,
        job.queued,
        job.checking,
        job.waiting,
        job.failed
    )];
    lines.extend(reasons(&answer.reasons));
    if job.waiting > 0 {
        lines.push(match answer.may_start_ms {
            Some(ms) if ms < SOON_MS => "its next part may start at any moment".to_owned(),
            Some(ms) => format!("its next part may start in about {}", time_text(Millis(ms))),
            None => "when its next part starts cannot be told: it waits for a lender".to_owned(),
        });
    }
    lines
}

/// Reasons as a list, each with its hint.
pub(super) fn reasons(reasons: &[ReasonShape]) -> Vec<String> {
    let mut lines = Vec::new();
    for reason in reasons {
        lines.push(format!("- {}", reason.text));
        lines.extend(reason.hint.iter().map(|hint| format!("  hint: {hint}")));
    }
    lines
}

fn of_lenders(peers: &Peers) -> Vec<String> {
    let waiting = peers.waiting_jobs;
    let mut lines: Vec<String> = peers
        .peers
        .iter()
        .filter(|peer| !peer.left || peer.caught)
        .map(|peer| {
            let limit = bytes_text(peer.memory);
            let why = if peer.caught {
                "gets no work: an answer of its was proved wrong".to_owned()
            } else if !peer.linked {
                match peers.known.iter().find(|one| one.node == peer.node).and_then(|one| one.problem.as_ref()) {
                    Some(why) => format!("is not here: {}", why.lines().next().unwrap_or_default()),
                    None => "is not here".to_owned(),
                }
            } else if peer.slots == 0 {
                "does not lend now".to_owned()
            } else if peer.resting {
                "rests: it declined, or its machine broke a try, a moment ago".to_owned()
            } else if peer.gifts > 0 {
                "is at work".to_owned()
            } else if waiting == 0 {
                "has nothing to do: no demand, no part of any job waits".to_owned()
            } else if peer.too_large == waiting {
                format!("has nothing to do: its limit of {limit} for a part excludes {}", the_waiting(waiting))
            } else if peer.too_large > 0 {
                format!(
                    "has nothing to do: its limit of {limit} for a part excludes {} of {}",
                    peer.too_large,
                    the_waiting(waiting)
                )
            } else {
                "has nothing to do, although parts wait: see `grove why last`".to_owned()
            };
            let here = if peer.here { " (this machine)" } else { "" };
            format!("{}{here} {why}", say::short_id(&peer.node))
        })
        .collect();
    if peers.known.iter().any(|one| !one.linked) {
        lines.push("hint: `grove doctor` says of each peer that is not reached why".to_owned());
    }
    if lines.is_empty() {
        lines.push("nobody lends\nhint: grove lend".to_owned());
    }
    lines
}

fn the_waiting(jobs: u64) -> String {
    if jobs == 1 { "the waiting job".to_owned() } else { format!("the {jobs} waiting jobs") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Big, KnownShape, PeerShape, Signed, V};

    #[test]
    fn a_wait_has_its_reason_and_its_hint() {
        let reason = ReasonShape { code: "no_lender".into(), text: "nobody lends".into(), hint: Some("lend".into()) };
        let answer = Answer { v: V, job: jobs::tests::job(), reasons: vec![reason], may_start_ms: Some(12_000) };
        let expect = [
            "job 3v5kabcd is running: 71 of 120 done, 14 running, 0 next at their lenders, 0 being checked, 35 waiting, 0 failed",
            "- nobody lends",
            "  hint: lend",
            "its next part may start in about 12 s",
        ];
        assert_eq!(of_job(&answer), expect);
    }

    #[test]
    fn a_lender_without_work_is_told_why() {
        let peer = |node: &str| PeerShape {
            node: node.into(),
            here: false,
            linked: true,
            left: false,
            slots: 2,
            memory: 2 << 30,
            too_large: 0,
            gifts: 0,
            trusted: false,
            caught: false,
            audits_passed: 3,
            speed: 0,
            balance: Signed(0),
            earned: Big(0),
            silent_ms: 0,
            resting: false,
            favours: None,
        };
        let peers = Peers {
            known: Vec::new(),
            v: V,
            peers: vec![
                PeerShape { here: true, gifts: 1, ..peer("aaaaaaaaaa") },
                PeerShape { caught: true, ..peer("bbbbbbbbbb") },
                PeerShape { slots: 0, ..peer("cccccccccc") },
                peer("dddddddddd"),
            ],
            waiting_jobs: 0,
        };
        let expect = [
            "aaaaaaaa (this machine) is at work",
            "bbbbbbbb gets no work: an answer of its was proved wrong",
            "cccccccc does not lend now",
            "dddddddd has nothing to do: no demand, no part of any job waits",
        ];
        assert_eq!(of_lenders(&peers), expect);
        let waits =
            |too_large| Peers { waiting_jobs: 3, peers: vec![PeerShape { too_large, ..peer("d") }], ..peers.clone() };
        assert_eq!(
            of_lenders(&waits(3)),
            ["d has nothing to do: its limit of 2.0 GiB for a part excludes the 3 waiting jobs"]
        );
        assert!(of_lenders(&waits(1))[0].ends_with("excludes 1 of the 3 waiting jobs"));
        assert!(of_lenders(&waits(0))[0].ends_with("see `grove why last`"));
        let lost = KnownShape {
            node: "dddddddddd".into(),
            key: String::new(),
            linked: false,
            ways: Vec::new(),
            addresses: Vec::new(),
            address: None,
            called: false,
            linked_ms: None,
            problem: Some("lost: nobody answers\nhint: none".into()),
        };
        let gone = PeerShape { linked: false, ..peer("dddddddddd") };
        let lines = of_lenders(&Peers { peers: vec![gone], known: vec![lost], ..peers.clone() });
        assert_eq!(lines[0], "dddddddd is not here: lost: nobody answers");
        assert!(lines[1].starts_with("hint: `grove doctor`"), "{lines:?}");
    }
}
