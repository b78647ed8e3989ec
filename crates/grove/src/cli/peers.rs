//! `grove peers`: who is near, how they are reached and since when, and what each has done for the other.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::amount::{credits_text, time_text};
use crate::shape::{KnownShape, PeerShape, Peers as Answer};
use clap::Args;
use grove_core::units::Millis;

#[derive(Debug, Args)]
pub struct Peers {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Peers {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let answer: Answer = hub.get("/v1/peers")?;
        if self.json {
            say::json(&answer)?;
        } else {
            lines(&answer).iter().try_for_each(|line| say::line(line))?;
        }
        Ok(Exit::Done)
    }
}

fn lines(answer: &Answer) -> Vec<String> {
    if answer.known.is_empty() {
        return vec![
            "nobody is near".to_owned(),
            "hint: on another machine, `grove peer --join` with the ticket that `grove peer` prints here".to_owned(),
        ];
    }
    let row = |known: &KnownShape| {
        let peer = answer.peers.iter().find(|peer| peer.node == known.node);
        vec![
            say::short_id(&known.node).to_owned(),
            known.address.clone().or_else(|| known.addresses.first().cloned()).unwrap_or_default(),
            known.ways.join(", "),
            since(known),
            peer.map(|peer| peer.slots.to_string()).unwrap_or_default(),
            favours(peer),
            trust(peer).to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = answer.known.iter().map(row).collect();
    let mut lines = say::table(&["PEER", "ADDRESS", "KNOWN", "SINCE", "SLOTS", "FAVOURS", "TRUST"], &rows);
    for known in answer.known.iter().filter(|known| !known.linked) {
        lines.extend(known.problem.as_ref().map(|why| format!("{}: {why}", say::short_id(&known.node))));
    }
    lines
}

fn since(known: &KnownShape) -> String {
    match known.linked_ms {
        Some(millis) => time_text(Millis(millis)),
        None => "not here".to_owned(),
    }
}

/// Who has done more for the other. Whoever is owed something is served first where not everybody can be.
fn favours(peer: Option<&PeerShape>) -> String {
    let Some(favours) = peer.and_then(|peer| peer.favours) else { return String::new() };
    match (favours.theirs.0, favours.ours.0) {
        (0, 0) => "even".to_owned(),
        (theirs, 0) => format!("you owe {}", credits_text(theirs.into())),
        (_, ours) => format!("owes you {}", credits_text(ours.into())),
    }
}

fn trust(peer: Option<&PeerShape>) -> &'static str {
    match peer {
        Some(peer) if peer.caught => "found lying",
        Some(peer) if peer.audits_passed > 0 => "proved",
        _ => "new",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Big, FavoursShape, Signed, V};

    #[test]
    fn who_is_near_and_who_is_not_with_the_reason() {
        let known = |node: &str, linked: bool| KnownShape {
            node: node.to_owned(),
            key: "00".repeat(32),
            linked,
            ways: vec!["ticket".to_owned(), "near".to_owned()],
            addresses: vec!["10.0.0.9:7422".to_owned()],
            address: linked.then(|| "10.0.0.1:7422".to_owned()),
            called: linked,
            linked_ms: linked.then_some(61_000),
            problem: (!linked).then(|| "lost: nobody answers".to_owned()),
        };
        let peer = |node: &str, theirs: u64, ours: u64| PeerShape {
            node: node.to_owned(),
            here: false,
            linked: true,
            slots: 2,
            memory: 0,
            too_large: 0,
            gifts: 0,
            trusted: false,
            caught: false,
            audits_passed: 1,
            speed: 0,
            balance: Signed(0),
            earned: Big(0),
            silent_ms: 0,
            resting: false,
            left: false,
            favours: Some(FavoursShape { theirs: Big(theirs), ours: Big(ours), served: Big(ours) }),
        };
        let all = Answer {
            v: V,
            peers: vec![peer("a1b2c3d4e5", 250_000, 0), peer("b1b2c3d4e5", 0, 1_000_000)],
            waiting_jobs: 0,
            known: vec![known("a1b2c3d4e5", true), known("b1b2c3d4e5", false)],
        };
        let lines = lines(&all);
        assert!(lines[1].starts_with("a1b2c3d4  10.0.0.1:7422  ticket, near"), "{lines:?}");
        assert!(lines[1].contains("you owe 0.25") && lines[1].ends_with("proved"), "{lines:?}");
        assert!(lines[2].contains("not here") && lines[2].contains("owes you 1.00"), "{lines:?}");
        assert_eq!(lines[3], "b1b2c3d4: lost: nobody answers");
    }
}
