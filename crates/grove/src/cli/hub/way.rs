//! Where the hub is that is meant, which key answers there, and what is shown to it.

use super::refused;
use crate::address::{Address, reached};
use crate::cli::exit::{Exit, Failure};
use crate::config::{Home, HomeError, Joined, Known, Settings};
use crate::device::{Device, Pin, Speech};
use crate::nearby::{self, Nearby};
use grove_core::id::Digest;
use rustls::ClientConfig;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What `--hub` calls the peer of this machine, where there is a circle too.
const PEERS: &str = "peers";
/// One of several addresses of a hub is tried for so long.
pub(in crate::cli) const TRY: Duration = Duration::from_secs(2);
/// A hub on the same network answers within this.
pub(in crate::cli) const LISTEN: Duration = Duration::from_secs(3);

/// Places of a hub that are kept in mind: those of its invitation, and where it has been since.
const PLACES_MAX: usize = 8;

/// The way to a hub.
#[derive(Debug)]
pub(in crate::cli) struct Way {
    /// Host and port of the API.
    pub(in crate::cli) api: String,
    /// Where it hears nodes, as far as is known here.
    pub(in crate::cli) link: Option<String>,
    /// The fingerprint of its key, where it speaks TLS.
    pub(in crate::cli) key: Option<Digest>,
    /// What opens a hub on this machine.
    pub(in crate::cli) token: Option<String>,
}

impl Way {
    /// To the hub that settings and folder name: the one that is named, else the one that runs here, else the one that
    /// this machine has joined, else the one where somebody has logged in.
    pub(in crate::cli) fn find(settings: &Settings) -> Result<Way, Failure> {
        let home = &settings.home;
        if let Some(named) = &settings.hub {
            return if named == PEERS { to_peer(home) } else { to_named(named, home) };
        }
        let here = match home.hub() {
            Err(error @ HomeError::Damaged { .. }) => return Err(refused(&error)),
            other => other,
        };
        if let Ok(hub) = here {
            let key = hub.key.as_deref().map(fingerprint).transpose()?;
            let token = home.token().map_err(|error| refused(&error))?;
            let link = Some(reached(hub.link).to_string());
            return Ok(Way { api: hub.api.to_string(), link, key, token: Some(token) });
        }
        if let Ok(joined) = home.joined() {
            let key = fingerprint(&joined.key)?;
            let (address, api) = still_there(home, joined.clone(), key)?;
            let link = Some(address.at_port(joined.link_port).to_string());
            return Ok(Way { api: api.to_string(), link, key: Some(key), token: None });
        }
        let session = home.session().map_err(|error| refused(&error))?;
        match session.and_then(|session| session.hub) {
            Some(known) => Way::known(&known),
            // A circle comes before free peers: its books are other ones.
            None if home.of_peers().hub().is_ok() => to_peer(home),
            None => Err(refused(&HomeError::NoHub { path: home.hub_path() })),
        }
    }

    /// To a hub at which somebody logs in.
    pub(in crate::cli) fn known(hub: &Known) -> Result<Way, Failure> {
        let (_, api) = answering(std::slice::from_ref(&hub.api))?;
        Ok(Way { api: api.to_string(), link: None, key: Some(fingerprint(&hub.key)?), token: None })
    }

    /// To the hub that an invitation names; where no address of it answers, the local network is asked.
    /// Also says which address is to be kept in mind.
    pub(in crate::cli) fn invited(key: Digest, addresses: &[Address]) -> Result<(Way, Address), Failure> {
        let near = || nearby_with(Pin::Key(key)).map(|api| (Address::Ip(api), api));
        let found = first_answering(addresses).map_or_else(near, Ok);
        let (address, api) = found.map_err(|failure| match addresses {
            [] => failure,
            some => {
                let all: Vec<String> = some.iter().map(Address::to_string).collect();
                Failure::new(failure.exit, format!("nobody answers at {}, and {}", all.join(", "), failure.message))
                    .hint("is the hub on, and is its port open? `grove up` there prints where it is")
            }
        })?;
        Ok((Way { api: api.to_string(), link: None, key: Some(key), token: None }, address))
    }

    /// The TLS to be spoken there, if any.
    pub(in crate::cli) fn tls(&self, home: &Home, speech: Speech) -> Result<Option<Arc<ClientConfig>>, Failure> {
        let Some(key) = self.key else { return Ok(None) };
        tls(home, speech, key).map(Some)
    }
}

/// To the peer of this machine, apart from any circle.
fn to_peer(home: &Home) -> Result<Way, Failure> {
    let home = home.of_peers();
    let peer = home.hub().map_err(|_| {
        Failure::new(Exit::Unreachable, "no peer has been started here").hint("start one with `grove peer`")
    })?;
    let token = home.token().map_err(|error| refused(&error))?;
    Ok(Way { api: peer.api.to_string(), link: None, key: None, token: Some(token) })
}

/// The TLS to be spoken with a hub of that key.
pub(in crate::cli) fn tls(home: &Home, speech: Speech, key: impl Into<Pin>) -> Result<Arc<ClientConfig>, Failure> {
    let device = Device::of(home).map_err(|error| Failure::caused(Exit::Error, &error))?;
    device.calls(speech, key).map_err(|error| Failure::caused(Exit::Error, &error))
}

/// Where the hub is that this machine has joined. One that has moved within the local network is found by its key, and
/// its new place is kept in mind.
fn still_there(home: &Home, joined: Joined, key: Digest) -> Result<(Address, SocketAddr), Failure> {
    if let Some(found) = first_answering(&joined.api) {
        return Ok(found);
    }
    // One that only its own machine can reach makes itself known to nobody.
    if joined.api.iter().all(Address::is_here) {
        return answering(&joined.api);
    }
    let Ok(api) = nearby_with(Pin::Key(key)) else { return answering(&joined.api) };
    let moved = Address::Ip(api);
    let api_now = std::iter::once(moved.clone()).chain(joined.api.iter().filter(|one| **one != moved).cloned());
    // Where it cannot be written down it is looked for again the next time.
    let _ = home.keep_joined(&Joined { api: api_now.take(PLACES_MAX).collect(), ..joined });
    Ok((moved, api))
}

/// A hub by its address. Its key must be known: in the clear, only this machine is spoken to.
fn to_named(hub: &str, home: &Home) -> Result<Way, Failure> {
    let address: Address = hub.parse().map_err(|error| Failure::caused(Exit::Usage, &error))?;
    let is_own = |api: SocketAddr| address.is_here() && address.resolve().is_ok_and(|all| all.contains(&api));
    if let Some(here) = home.hub().ok().filter(|own| is_own(own.link) && !is_own(own.api)) {
        return Err(Failure::usage(format!("{address} is where this hub hears other nodes"))
            .hint(format!("people and programs ask it at --hub {}", here.api)));
    }
    let own = home.hub().ok().filter(|own| is_own(own.api));
    if own.is_none()
        && let Some((key, link_port)) = known(home)?
    {
        let (_, api) = answering(std::slice::from_ref(&address))?;
        let link = link_port.map(|port| address.at_port(port).to_string());
        return Ok(Way { api: api.to_string(), link, key: Some(key), token: None });
    }
    if !address.is_here() {
        return Err(Failure::usage(format!("the key of the hub at {address} is not known here")).hint(
            "join it with an invitation: `grove join`, or log in with its words: `grove login NAME --key WORDS`",
        ));
    }
    let token = home.token().map_err(|error| refused(&error))?;
    let key = own.and_then(|own| own.key).as_deref().map(fingerprint).transpose()?;
    Ok(Way { api: address.to_string(), link: None, key, token: Some(token) })
}

/// The key of the hub that this folder knows, and the port on which it hears this machine, if it does.
fn known(home: &Home) -> Result<Option<(Digest, Option<u16>)>, Failure> {
    if let Ok(joined) = home.joined() {
        return Ok(Some((fingerprint(&joined.key)?, Some(joined.link_port))));
    }
    let session = home.session().map_err(|error| refused(&error))?;
    let hub = session.and_then(|session| session.hub);
    hub.map(|hub| Ok((fingerprint(&hub.key)?, None))).transpose()
}

/// Where a hub with that key is on the local network, if one says so. Whether it has the key, the handshake will show.
pub(in crate::cli) fn nearby_with(pin: Pin) -> Result<SocketAddr, Failure> {
    let fits = |hub: &&Nearby| pin.fits(hub.key);
    let all = nearby::find(LISTEN, |all| all.iter().any(|hub| fits(&hub)));
    let all = all.map_err(|error| Failure::caused(Exit::Unreachable, &error))?;
    let api = all.iter().find(fits).map(|hub| hub.api.iter().copied().map(Address::Ip).collect::<Vec<_>>());
    let absent = || {
        Failure::new(Exit::Unreachable, "the hub is not found on the local network").hint(
            "`grove join` lists those that are; elsewhere an invitation has to say where it is: `grove up --address`",
        )
    };
    let api = api.ok_or_else(absent)?;
    answering(&api).map(|(_, api)| api)
}

/// The first of several addresses at which somebody answers; whether it is the right one, the key will show. One that
/// is the only one need not be tried beforehand.
pub(in crate::cli) fn answering(addresses: &[Address]) -> Result<(Address, SocketAddr), Failure> {
    if let [Address::Ip(only)] = addresses {
        return Ok((Address::Ip(*only), *only));
    }
    let silent = || {
        let why = addresses.iter().find_map(|one| Some((one, one.resolve().err()?)));
        let message = match why {
            Some((address, error)) => format!("what {address} stands for cannot be found: {error}"),
            None => {
                format!("the hub does not answer at {}", addresses.first().map(Address::to_string).unwrap_or_default())
            }
        };
        Failure::new(Exit::Unreachable, message).hint("`grove doctor` says what stands in between")
    };
    first_answering(addresses).ok_or_else(silent)
}

fn first_answering(addresses: &[Address]) -> Option<(Address, SocketAddr)> {
    let answers = |one: &SocketAddr| TcpStream::connect_timeout(one, TRY).is_ok();
    addresses.iter().find_map(|address| {
        let found = address.resolve().ok()?.into_iter().find(answers)?;
        Some((address.clone(), found))
    })
}

pub(in crate::cli) fn fingerprint(text: &str) -> Result<Digest, Failure> {
    let hash = blake3::Hash::from_hex(text).map_err(|_| {
        Failure::new(Exit::Error, "the hub's key is not written down as it should be")
            .hint("leave and join again: `grove leave`, then `grove join <invitation>`")
    })?;
    Ok(Digest(*hash.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(hub: &str) -> Result<String, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        home.token_or_new().unwrap();
        to_named(hub, &home).map(|way| way.api)
    }

    #[test]
    fn only_this_machine_is_a_hub_that_the_token_is_sent_to() {
        assert_eq!(named("http://127.0.0.1:1/").unwrap(), "127.0.0.1:1");
        assert_eq!(named("[::1]:80").unwrap(), "[::1]:80");
        assert_eq!(named("localhost:7420").unwrap(), "localhost:7420");
        for wrong in ["10.0.0.1:1", "evil.example:80", "127.0.0.1", "ftp://127.0.0.1:1", "localhost.evil:1", ""] {
            assert_eq!(named(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }
}
