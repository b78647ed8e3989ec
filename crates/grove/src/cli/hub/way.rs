//! Where the hub is that is meant, which key answers there, and what is shown to it.

use super::refused;
use crate::cli::exit::{Exit, Failure};
use crate::config::{Home, Settings};
use crate::device::{Device, Speech};
use grove_core::id::Digest;
use rustls::ClientConfig;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// One of several addresses of a hub is tried for so long.
const TRY: Duration = Duration::from_secs(2);

/// The way to a hub.
#[derive(Debug)]
pub(in crate::cli) struct Way {
    /// Host and port of the API.
    pub(in crate::cli) api: String,
    /// Where it hears nodes, as far as is known here.
    pub(in crate::cli) link: Option<SocketAddr>,
    /// The fingerprint of its key, where it speaks TLS.
    pub(in crate::cli) key: Option<Digest>,
    /// What opens a hub on this machine.
    pub(in crate::cli) token: Option<String>,
}

impl Way {
    /// To the hub that settings and folder name: the one that is named, else the one that runs here, else the one that
    /// this machine has joined.
    pub(in crate::cli) fn find(settings: &Settings) -> Result<Way, Failure> {
        let home = &settings.home;
        if let Some(named) = &settings.hub {
            return to_named(named, home);
        }
        match (home.hub(), home.joined()) {
            (Ok(hub), _) => {
                let key = hub.key.as_deref().map(fingerprint).transpose()?;
                let token = home.token().map_err(|error| refused(&error))?;
                Ok(Way { api: hub.api.to_string(), link: Some(reached(hub.link)), key, token: Some(token) })
            }
            (Err(_), Ok(joined)) => {
                let api = answering(&joined.api)?;
                let link = Some(SocketAddr::new(api.ip(), joined.link_port));
                Ok(Way { api: api.to_string(), link, key: Some(fingerprint(&joined.key)?), token: None })
            }
            (Err(error), Err(_)) => Err(refused(&error)),
        }
    }

    /// To a hub that an invitation names.
    pub(in crate::cli) fn invited(key: Digest, addresses: &[SocketAddr]) -> Result<Way, Failure> {
        Ok(Way { api: answering(addresses)?.to_string(), link: None, key: Some(key), token: None })
    }

    /// The TLS to be spoken there, if any.
    pub(in crate::cli) fn tls(&self, home: &Home, speech: Speech) -> Result<Option<Arc<ClientConfig>>, Failure> {
        let Some(key) = self.key else { return Ok(None) };
        let device = Device::of(home).map_err(|error| Failure::caused(Exit::Error, &error))?;
        device.calls(speech, key).map(Some).map_err(|error| Failure::caused(Exit::Error, &error))
    }
}

/// A hub by its address. Its key must be known: in the clear, only this machine is spoken to.
fn to_named(hub: &str, home: &Home) -> Result<Way, Failure> {
    let address = hub.strip_prefix("http://").unwrap_or(hub).trim_end_matches('/');
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let own = home.hub().ok().filter(|own| own.api.to_string() == address);
    let joined = home.joined().ok().filter(|_| own.is_none() && port);
    if let Some(joined) = joined {
        let link = address.parse::<SocketAddr>().ok().map(|api| SocketAddr::new(api.ip(), joined.link_port));
        return Ok(Way { api: address.to_owned(), link, key: Some(fingerprint(&joined.key)?), token: None });
    }
    if !here || !port {
        return Err(Failure::usage(format!("{hub:?} is not the address and port of a hub on this machine"))
            .hint("for instance --hub 127.0.0.1:7420; a hub elsewhere has to be joined first"));
    }
    let token = home.token().map_err(|error| refused(&error))?;
    let key = own.and_then(|own| own.key).as_deref().map(fingerprint).transpose()?;
    Ok(Way { api: address.to_owned(), link: None, key, token: Some(token) })
}

/// Where something that listens everywhere is reached on this machine.
pub(in crate::cli) fn reached(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}

/// The first of several addresses at which somebody answers; whether it is the right one, the key will show.
fn answering(addresses: &[SocketAddr]) -> Result<SocketAddr, Failure> {
    let first = addresses.first().copied();
    let answers = |address: &&SocketAddr| TcpStream::connect_timeout(address, TRY).is_ok();
    let found = if addresses.len() > 1 { addresses.iter().find(answers).copied() } else { None };
    found.or(first).ok_or_else(|| Failure::usage("the hub has no address").hint("ask for another invitation"))
}

fn fingerprint(text: &str) -> Result<Digest, Failure> {
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
        for wrong in ["10.0.0.1:1", "evil.example:80", "127.0.0.1", "https://127.0.0.1:1", "localhost.evil:1", ""] {
            assert_eq!(named(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }
}
