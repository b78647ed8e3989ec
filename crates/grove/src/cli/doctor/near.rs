//! What keeps a peer from others: each that it knows and does not reach, and why.

use super::{Finding, fine, ill};
use crate::cli::hub::{Hub, Way};
use crate::cli::{Exit, Failure, say};
use crate::config::Settings;
use crate::shape::{KnownShape, Peers};

/// What stands between them and this one, where nothing more is known.
const HINT: &str =
    "is it on, and is its UDP port (7422) open there and here? Behind a router it can call, but not be called";

/// Nothing where no peer runs.
pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let home = settings.home.of_peers();
    if home.hub().is_err() {
        return Vec::new();
    }
    let settings = Settings { hub: Some("peers".to_owned()), ..settings.clone() };
    let asked = Way::find(&settings).and_then(|way| Hub::at(&way, &home, None)?.get::<Peers>("/v1/peers"));
    match asked {
        Ok(peers) => findings(&peers.known),
        Err(failure) => vec![ill("peers", failure)],
    }
}

fn findings(known: &[KnownShape]) -> Vec<Finding> {
    let linked = known.iter().filter(|one| one.linked).count() as u64;
    let first = if known.is_empty() {
        let failure = Failure::new(Exit::Error, "no other peer is known");
        ill(
            "peers",
            failure.hint("`grove peer --join` on another machine, with the ticket that `grove peer` prints here"),
        )
    } else {
        fine("peers", format!("{} of {} known are spoken with", linked, known.len()))
    };
    let lost = known.iter().filter(|one| !one.linked && one.problem.is_some());
    std::iter::once(first).chain(lost.map(unreached)).collect()
}

fn unreached(one: &KnownShape) -> Finding {
    let problem = one.problem.as_deref().unwrap_or_default();
    let (why, hint) = problem.split_once("\nhint: ").unwrap_or((problem, HINT));
    let text = format!("{} at {}: {why}", say::short_id(&one.node), one.addresses.join(", "));
    ill("peer", Failure::new(Exit::Error, text).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_reached_says_why() {
        let one = |linked: bool, problem: Option<&str>| KnownShape {
            node: "a1b2c3d4e5".to_owned(),
            key: String::new(),
            linked,
            ways: Vec::new(),
            addresses: vec!["10.0.0.9:7422".to_owned()],
            address: None,
            called: false,
            linked_ms: None,
            problem: problem.map(str::to_owned),
        };
        let found =
            findings(&[one(true, None), one(false, Some("another group\nhint: a ticket")), one(false, Some("late"))]);
        assert!(found[0].ok && found[0].text == "1 of 3 known are spoken with");
        assert_eq!(found[1].text, "a1b2c3d4 at 10.0.0.9:7422: another group");
        assert_eq!((found[1].hint.as_deref(), found[2].hint.as_deref()), (Some("a ticket"), Some(HINT)));
        assert!(!findings(&[])[0].ok);
    }
}
