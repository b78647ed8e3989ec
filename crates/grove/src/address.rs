//! Where a hub is reached: an address or a host's name, and a port.
//!
//! It does not know which key must answer there: a name proves nothing.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// As long as a name in DNS can be.
pub const HOST_MAX: usize = 253;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Ip(SocketAddr),
    /// A name that is looked up anew each time, since what it stands for may change.
    Named {
        host: Box<str>,
        port: u16,
    },
}

/// The text is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address and a port\nhint: for instance 192.168.1.20:7420 or hub.example.org:7420")]
pub struct NotAnAddress {
    text: String,
}

impl Address {
    /// That name and port, if a host can be called so.
    pub fn named(host: &str, port: u16) -> Option<Address> {
        let is_label = |label: &str| {
            let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            plain && (1..=63).contains(&label.len()) && !label.starts_with('-')
        };
        // What looks like a number would be taken for an address by some and not by others.
        let is_number = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let sound = host.len() <= HOST_MAX && port > 0 && !is_number;
        let host = host.strip_suffix('.').unwrap_or(host);
        (sound && host.split('.').all(is_label))
            .then(|| Address::Named { host: host.to_ascii_lowercase().into(), port })
    }

    pub fn port(&self) -> u16 {
        match self {
            Address::Ip(address) => address.port(),
            Address::Named { port, .. } => *port,
        }
    }

    /// The same host, another port.
    #[must_use]
    pub fn at_port(&self, port: u16) -> Address {
        match self {
            Address::Ip(address) => Address::Ip(SocketAddr::new(address.ip(), port)),
            Address::Named { host, .. } => Address::Named { host: host.clone(), port },
        }
    }

    /// Whether it can only be this machine.
    pub fn is_here(&self) -> bool {
        match self {
            Address::Ip(address) => address.ip().is_loopback(),
            Address::Named { host, .. } => &**host == "localhost",
        }
    }

    /// What it stands for now. Addresses of the older kind come first: more networks carry them.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Address::Ip(address) => Ok(vec![*address]),
            Address::Named { host, port } => {
                let mut all: Vec<SocketAddr> = (&**host, *port).to_socket_addrs()?.collect();
                all.sort_by_key(SocketAddr::is_ipv6);
                if all.is_empty() { Err(io::Error::other("the name stands for no address")) } else { Ok(all) }
            }
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => write!(out, "{address}"),
            Address::Named { host, port } => write!(out, "{host}:{port}"),
        }
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    /// As people write it, also as `grove up` prints it.
    fn from_str(text: &str) -> Result<Address, NotAnAddress> {
        let bare = text.trim();
        let bare = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://")).unwrap_or(bare);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        let named = || {
            let (host, port) = bare.rsplit_once(':')?;
            Address::named(host, port.parse().ok()?)
        };
        let address = bare.parse().ok().map(Address::Ip).or_else(named);
        address.ok_or_else(|| NotAnAddress { text: text.chars().take(HOST_MAX).collect() })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where something that listens everywhere is reached on this machine.
pub fn reached(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_and_a_name_is_a_name() {
        for text in ["127.0.0.1:7420", "[2001:db8::1]:80", "hub.example.org:7420", "kitchen:1", "my_hub.local:9"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(serde_json::from_str::<Address>(&serde_json::to_string(&address).unwrap()).unwrap(), address);
        }
        assert_eq!("https://Hub.Example:7420/".parse::<Address>().unwrap().to_string(), "hub.example:7420");
        assert_eq!("hub.example.:7420".parse::<Address>().unwrap().to_string(), "hub.example:7420");
        let long = format!("{}:1", "a".repeat(300));
        for wrong in ["", "hub", "hub:0", "hub:70000", "a b:1", "-x:1", "a..b:1", "1.2.3:4", "h\u{fc}b:1", &long] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_looked_up() {
        let here: Address = "localhost:7".parse().unwrap();
        assert!(here.is_here() && here.resolve().unwrap().iter().all(|one| one.ip().is_loopback() && one.port() == 7));
        assert!("nowhere.invalid:7".parse::<Address>().unwrap().resolve().is_err());
    }
}
