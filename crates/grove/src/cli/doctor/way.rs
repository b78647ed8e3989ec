//! What stands between this machine and its hub: the name, the network, the port, the key, whoever answers, the door.

use super::{Finding, fine, ill, is_peer};
use crate::address::Address;
use crate::cli::hub::{Hub, Way, knock, tls};
use crate::cli::{Exit, Failure, Place, say};
use crate::config::Settings;
use crate::device::Speech;
use crate::nearby;
use crate::shape::{Me, Status, Version};
use grove_core::id::Digest;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Certificates, invitations and logins end by the clock; this much does no harm.
const SKEW_MOST: Duration = Duration::from_secs(30);
/// A hub of another address is looked for this long.
const LOOK: Duration = Duration::from_secs(2);

/// The hub, from the outside inwards; the first thing that is wrong ends it.
pub(super) fn look(place: &Place, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (key, addresses) = match known(settings) {
        Ok(Some(known)) => known,
        Ok(None) => return asked(place, settings, findings),
        Err(failure) => return vec![ill("hub", failure)],
    };
    let mut wrong = None;
    for address in &addresses {
        match reached(address, key, settings) {
            Ok(finding) => {
                findings.push(finding);
                return asked(place, settings, findings);
            }
            Err(failure) => wrong = wrong.or(Some(failure)),
        }
    }
    if let Some(failure) = wrong {
        findings.push(ill("way", elsewhere(key, failure)));
    }
    findings
}

/// The key of the hub that this folder knows over TLS, and where that may be.
fn known(settings: &Settings) -> Result<Option<(Digest, Vec<Address>)>, Failure> {
    let home = &settings.home;
    let (key, mut addresses) = match (home.hub(), home.joined(), home.session()) {
        (Ok(own), _, _) => match own.key {
            Some(key) => (key, vec![own.api.into()]),
            None => return Ok(None),
        },
        (_, Ok(joined), _) => (joined.key, joined.api),
        (_, _, Ok(Some(session))) => match session.hub {
            Some(hub) => (hub.key, vec![hub.api]),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    if let Some(named) = &settings.hub {
        addresses = vec![named.parse().map_err(|error| Failure::caused(Exit::Usage, &error))?];
    }
    let key =
        blake3::Hash::from_hex(key).map_err(|_| Failure::usage("the hub's key is not written down as it should be"))?;
    Ok(Some((Digest(*key.as_bytes()), addresses)))
}

/// One address: name, network, key.
fn reached(address: &Address, key: Digest, settings: &Settings) -> Result<Finding, Failure> {
    let all = address.resolve().map_err(|error| {
        Failure::new(Exit::Unreachable, format!("the name of {address} is not known here: {error}"))
            .hint("is this machine's network on, and does its DNS know the name? An address does without")
    })?;
    let mut wrong = None;
    for at in all {
        let config = tls(&settings.home, Speech::People, key)?;
        match knock(at, config) {
            Ok(_) if address.to_string() == at.to_string() => {
                return Ok(fine("way", format!("{at} has the hub's key")));
            }
            Ok(_) => return Ok(fine("way", format!("{address} is {at}, which has the hub's key"))),
            Err(error) => wrong = wrong.or_else(|| Some(Failure::caused(Exit::Unreachable, &error))),
        }
    }
    Err(wrong.unwrap_or_else(|| Failure::new(Exit::Unreachable, format!("{address} stands for nothing"))))
}

/// The hub may have another address by now.
fn elsewhere(key: Digest, failure: Failure) -> Failure {
    let near = nearby::find(LOOK, |all| all.iter().any(|hub| hub.key == key)).unwrap_or_default();
    match near.iter().find(|hub| hub.key == key).and_then(|hub| hub.api.first()) {
        Some(at) => failure.hint(format!("the hub makes itself known at {at}: `grove config set hub {at}`")),
        None => failure,
    }
}

/// The hub itself, as any command asks it; and what its clock says.
fn asked(place: &Place, settings: &Settings, mut findings: Vec<Finding>) -> Vec<Finding> {
    let asked = Hub::find(place).and_then(|hub| {
        let version: Version = hub.get("/v1/version")?;
        Ok((hub.get::<Status>("/v1/status")?, version.now_ms.map(skew), hub))
    });
    let (status, skew, hub) = match asked {
        Ok(answers) => answers,
        Err(failure) => {
            findings.push(ill("hub", failure));
            return findings;
        }
    };
    if is_peer(settings) {
        findings.push(fine("here", format!("the peer of this machine answers at {}", hub.address())));
        return findings;
    }
    findings.extend(skew.map(clock));
    let lenders = say::many(status.lenders, "lender");
    findings.push(fine("hub", format!("{} answers, grove {}, {lenders}", hub.address(), status.version)));
    findings.push(match hub.get::<Me>("/v1/me") {
        Ok(me) => fine("account", format!("{}, by {}; may {}", me.person, me.by, crate::cli::invite::words(me.roles))),
        Err(failure) => ill("account", failure),
    });
    if let Some(link) = link(settings, &status) {
        findings.push(link);
    }
    findings
}

fn skew(there_ms: u64) -> (bool, Duration) {
    let (here, there) =
        (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), Duration::from_millis(there_ms));
    (here > there, here.abs_diff(there))
}

fn clock((ahead, by): (bool, Duration)) -> Finding {
    if by <= SKEW_MOST {
        return fine("clock", "as the hub's".to_owned());
    }
    let which = if ahead { "ahead of" } else { "behind" };
    let message = format!("{} s {which} the hub's", by.as_secs());
    ill("clock", Failure::new(Exit::Error, message).hint("let the system set its clock by the network (NTP), on both"))
}

/// Where the hub hears machines: another port, which another wall may stand before.
fn link(settings: &Settings, status: &Status) -> Option<Finding> {
    let way = Way::find(settings).ok()?;
    let link = way.link.unwrap_or_else(|| status.link.clone());
    let all: Vec<SocketAddr> = link.parse::<Address>().ok()?.resolve().ok()?;
    let open = all.iter().any(|at| TcpStream::connect_timeout(&crate::address::reached(*at), LOOK).is_ok());
    Some(if open {
        fine("link", format!("{link} hears machines"))
    } else {
        let failure =
            Failure::new(Exit::Unreachable, format!("nobody answers at {link}, where the hub hears machines"));
        ill("link", failure.hint("open that port on the hub too: without it nobody can lend from here"))
    })
}
