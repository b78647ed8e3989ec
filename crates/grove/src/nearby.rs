//! Hubs and peers of the local network: how one makes itself known there, and how they are found (DNS-SD over multicast
//! DNS).
//!
//! What is announced is a key and a port, no names of people or machines. What is found is hearsay: whether a hub has
//! the key that it says, the handshake with it shows.

use grove_core::id::Digest;
use mdns_sd::{IfKind, ServiceDaemon, ServiceEvent, ServiceInfo};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// What hubs are called in DNS-SD.
const KIND: &str = "_grove._tcp.local.";
/// What peers are called.
const PEER_KIND: &str = "_grove-peer._udp.local.";
/// Where a hub or a peer says which key it has.
const KEY: &str = "key";
/// Where a peer says of which group it is: a hash that tells nothing else.
const GROUP: &str = "group";
/// Digits of the key that make a name.
const NAME_DIGITS: usize = 12;
/// More hubs on one network are somebody's joke.
const FOUND_MAX: usize = 64;
/// Addresses of one hub that are worth trying.
const ADDRESSES_MAX: usize = 8;
/// A farewell is sent within this, or not at all.
const FAREWELL: Duration = Duration::from_millis(500);

/// The local network cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the local network cannot be asked: {source}\nhint: say where the hub is: `grove join <invitation>`")]
pub struct NearbyError {
    #[from]
    source: mdns_sd::Error,
}

/// A hub that somebody has announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearby {
    /// The fingerprint that it is said to have.
    pub key: Digest,
    pub api: Vec<SocketAddr>,
}

/// A hub or a peer is announced for as long as this lives.
pub struct Announced {
    daemon: ServiceDaemon,
    name: String,
}

impl std::fmt::Debug for Announced {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Announced({})", self.name)
    }
}

/// Makes a hub known on the local network: at that address, or wherever this machine is when it listens everywhere.
pub fn announce(key: Digest, api: SocketAddr) -> Result<Announced, NearbyError> {
    let daemon = ServiceDaemon::new()?;
    daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    announced(daemon, KIND, &[(KEY, key.to_string())], api)
}

/// Makes a peer known, and finds those of its group, until the answer is dropped.
pub fn meet(
    key: Digest,
    group: &str,
    listen: SocketAddr,
    found: impl Fn(Nearby) + Send + 'static,
) -> Result<Announced, NearbyError> {
    let daemon = ServiceDaemon::new()?;
    daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    met(daemon, key, group, listen, found)
}

fn met(
    daemon: ServiceDaemon,
    key: Digest,
    group: &str,
    listen: SocketAddr,
    found: impl Fn(Nearby) + Send + 'static,
) -> Result<Announced, NearbyError> {
    let (heard, group) = (daemon.browse(PEER_KIND)?, group.to_owned());
    let said = [(KEY, key.to_string()), (GROUP, group.clone())];
    let announced = announced(daemon, PEER_KIND, &said, listen)?;
    let listen = move || {
        // It ends with the daemon.
        while let Ok(event) = heard.recv() {
            let ServiceEvent::ServiceResolved(one) = event else { continue };
            let ips = one.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr);
            let peer = Nearby::said(one.get_property_val_str(KEY), ips, one.port);
            if let Some(peer) = peer.filter(|_| one.get_property_val_str(GROUP) == Some(&group)) {
                found(peer);
            }
        }
    };
    // Without the thread nobody is found, and one can be called by ticket all the same.
    if let Err(error) = std::thread::Builder::new().name("grove-nearby".into()).spawn(listen) {
        tracing::warn!("nobody can be found on the local network: {error}");
    }
    Ok(announced)
}

fn announced(
    daemon: ServiceDaemon,
    kind: &str,
    said: &[(&str, String)],
    api: SocketAddr,
) -> Result<Announced, NearbyError> {
    let name: String = said.iter().flat_map(|(_, key)| key.chars()).take(NAME_DIGITS).collect();
    // The system's own name for this machine stays its owner's business.
    let host = format!("grove-{name}.local.");
    let info = match api.ip() {
        ip if ip.is_unspecified() => ServiceInfo::new(kind, &name, &host, "", api.port(), said)?.enable_addr_auto(),
        ip => ServiceInfo::new(kind, &name, &host, ip, api.port(), said)?,
    };
    let name = info.get_fullname().to_owned();
    daemon.register(info)?;
    Ok(Announced { daemon, name })
}

impl Drop for Announced {
    fn drop(&mut self) {
        // What is not taken back runs out by itself after some minutes.
        if let Ok(told) = self.daemon.unregister(&self.name) {
            let _ = told.recv_timeout(FAREWELL);
        }
        let _ = self.daemon.shutdown();
    }
}

/// The hubs that make themselves known within that time. It ends sooner when `enough` says so.
pub fn find(within: Duration, enough: impl Fn(&[Nearby]) -> bool) -> Result<Vec<Nearby>, NearbyError> {
    found(&ServiceDaemon::new()?, within, enough)
}

fn found(
    daemon: &ServiceDaemon,
    within: Duration,
    enough: impl Fn(&[Nearby]) -> bool,
) -> Result<Vec<Nearby>, NearbyError> {
    let heard = daemon.browse(KIND)?;
    let until = Instant::now() + within;
    let mut all: Vec<Nearby> = Vec::new();
    while !enough(&all) && all.len() < FOUND_MAX {
        match heard.recv_deadline(until) {
            Ok(ServiceEvent::ServiceResolved(one)) => {
                let said = one.get_property_val_str(KEY);
                let ips = one.get_addresses().iter().map(mdns_sd::ScopedIp::to_ip_addr);
                if let Some(hub) = Nearby::said(said, ips, one.port) {
                    all.retain(|other| other.key != hub.key);
                    all.push(hub);
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    // The process ends soon; this only ends the daemon's thread earlier.
    let _ = daemon.shutdown();
    all.sort_by_key(|hub| hub.key);
    Ok(all)
}

impl Nearby {
    /// What somebody has announced, if it is a hub.
    pub fn said(key: Option<&str>, ips: impl Iterator<Item = IpAddr>, port: u16) -> Option<Nearby> {
        let key = Digest(*blake3::Hash::from_hex(key?).ok()?.as_bytes());
        // Addresses of one cable alone mean nothing without the cable.
        let usable = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local(),
        };
        let mut api: Vec<SocketAddr> = ips.filter(usable).map(|ip| SocketAddr::new(ip, port)).collect();
        api.sort();
        api.truncate(ADDRESSES_MAX);
        (!api.is_empty() && port > 0).then_some(Nearby { key, api })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port of the test's own, and loopback alone.
    fn daemon(port: u16) -> ServiceDaemon {
        let daemon = ServiceDaemon::new_with_port(port).unwrap();
        daemon.disable_interface(IfKind::All).unwrap();
        daemon.enable_interface(IfKind::LoopbackV4).unwrap();
        daemon
    }

    fn free_port() -> u16 {
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn a_hub_that_is_announced_is_found_and_one_that_went_is_not() {
        let (port, key) = (free_port(), Digest([0xab; 32]));
        let api: SocketAddr = "127.0.0.1:7420".parse().unwrap();
        let announced = announced(daemon(port), KIND, &[(KEY, key.to_string())], api).unwrap();
        let hubs = found(&daemon(port), Duration::from_secs(10), |all| !all.is_empty()).unwrap();
        assert_eq!(hubs, [Nearby { key, api: vec![api] }]);
        drop(announced);
        assert_eq!(found(&daemon(port), Duration::from_millis(300), |_| false).unwrap(), []);
    }

    #[test]
    fn peers_of_one_group_find_one_another_and_those_of_another_do_not() {
        let port = free_port();
        let (sender, found) = std::sync::mpsc::channel();
        let meet = |key: u8, group: &str| {
            let (address, sender) = (SocketAddr::from(([127, 0, 0, 1], 7_000 + u16::from(key))), sender.clone());
            met(daemon(port), Digest([key; 32]), group, address, move |peer| {
                // The test may be over.
                let _ = sender.send((key, peer.key.0[0]));
            })
        };
        let _all = [meet(1, "oak"), meet(2, "elm"), meet(3, "oak")].map(Result::unwrap);
        let (mut seen, until) = (std::collections::BTreeSet::new(), Instant::now() + Duration::from_secs(10));
        while !(seen.contains(&(1, 3)) && seen.contains(&(3, 1))) {
            let left = until.saturating_duration_since(Instant::now());
            seen.insert(found.recv_timeout(left).expect("they find one another"));
        }
        assert!(seen.iter().all(|(one, other)| *one != 2 && *other != 2 || one == other), "{seen:?}");
    }

    #[test]
    fn what_is_announced_is_looked_at() {
        let key = Digest([7; 32]).to_string();
        let ips = |all: &[&str]| all.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>().into_iter();
        let hub = Nearby::said(Some(&key), ips(&["fe80::1", "2001:db8::1", "10.0.0.1"]), 7420).unwrap();
        let expect: Vec<SocketAddr> = vec!["10.0.0.1:7420".parse().unwrap(), "[2001:db8::1]:7420".parse().unwrap()];
        assert_eq!(hub.api, expect);
        assert_eq!(Nearby::said(None, ips(&["10.0.0.1"]), 1), None);
        assert_eq!(Nearby::said(Some("\u{1b}[2J"), ips(&["10.0.0.1"]), 1), None);
        assert_eq!(Nearby::said(Some(&key), ips(&["0.0.0.0", "224.0.0.251", "fe80::1"]), 1), None);
        assert_eq!(Nearby::said(Some(&key), ips(&["10.0.0.1"]), 0), None);
        assert_eq!(Nearby::said(Some(&key), (0..99).map(|n| IpAddr::from([10, 0, 0, n + 1])), 1).unwrap().api.len(), 8);
    }
}
