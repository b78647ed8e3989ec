//! Whom a peer knows, and how: from a ticket, from its own network, because somebody named them, because they have
//! called, or from its last life. Nobody else is ever called.
//!
//! It decides and does nothing; time is told to it.

use crate::link::{ADDRESSES_MAX, Acquaintance, Key, node_of};
use grove_core::id::NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Peers that are known at one time: several times those that one is linked with.
const ENTRIES_MAX: usize = 256;
/// The first call after one in vain comes about this soon; it doubles.
const AGAIN_FIRST: Duration = Duration::from_millis(250);
/// Calls are no further apart than this: whoever was cut off is back a moment after the cable is.
const AGAIN_MOST: Duration = Duration::from_secs(10);
/// A peer that was only named, and was called in vain so often, is forgotten.
const HEARSAY_TRIES: u32 = 6;
/// Calls under way at one time.
const CALLS_MAX: usize = 16;

/// How a peer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Ticket,
    /// It makes itself known on this network, as one of the group.
    Near,
    /// It has called, and shown that it is of the group.
    Came,
    /// It was spoken with in an earlier life of this node.
    Before,
    /// A peer that was spoken with has named it.
    Told,
}

/// One peer.
#[derive(Debug, Clone)]
pub struct Entry {
    pub key: Key,
    pub ways: BTreeSet<Way>,
    /// Where it may be, the newest first.
    pub addresses: Vec<SocketAddr>,
    /// Why the last call ended, or came to nothing.
    pub failed: Option<String>,
    tries: u32,
    next: Instant,
    calling: bool,
}

/// All peers that are known.
#[derive(Debug)]
pub struct Book {
    me: Key,
    entries: BTreeMap<NodeId, Entry>,
}

impl Book {
    pub fn new(me: Key) -> Book {
        Book { me, entries: BTreeMap::new() }
    }

    /// A peer is known in this way. What was known of it before stays; an address at which it was not called yet makes
    /// it worth another call at once.
    pub fn note(&mut self, way: Way, peer: &Acquaintance, now: Instant) {
        let node = node_of(&peer.key);
        let addresses = peer.addresses.iter().copied().filter(is_somewhere).take(ADDRESSES_MAX);
        let room = self.entries.len() < ENTRIES_MAX || self.entries.contains_key(&node);
        if peer.key == self.me || !room && !self.forget_hearsay() {
            return;
        }
        let new = || Entry {
            key: peer.key,
            ways: BTreeSet::new(),
            addresses: Vec::new(),
            failed: None,
            tries: 0,
            next: now,
            calling: false,
        };
        let entry = self.entries.entry(node).or_insert_with(new);
        // Two keys of one name: the first one counts.
        if entry.key != peer.key {
            return;
        }
        entry.ways.insert(way);
        for address in addresses {
            if !entry.addresses.contains(&address) {
                entry.addresses.insert(0, address);
                entry.addresses.truncate(ADDRESSES_MAX);
                (entry.tries, entry.next) = (0, entry.next.min(now));
            }
        }
    }

    /// A peer that was spoken with names others. It may name those of its own machine only if it is on this one.
    pub fn told(&mut self, by: IpAddr, said: Vec<Acquaintance>, now: Instant) {
        for mut peer in said {
            peer.addresses.retain(|address| by.is_loopback() || !address.ip().is_loopback());
            if !peer.addresses.is_empty() {
                self.note(Way::Told, &peer, now);
            }
        }
    }

    /// Whom to call now. Each is called by one call at a time.
    pub fn due(&mut self, now: Instant, is_linked: impl Fn(NodeId) -> bool) -> Vec<(NodeId, Acquaintance)> {
        let under_way = self.entries.values().filter(|entry| entry.calling).count();
        let due = self.entries.iter_mut().filter(|(node, entry)| {
            !entry.calling && entry.next <= now && !entry.addresses.is_empty() && !is_linked(**node)
        });
        due.take(CALLS_MAX.saturating_sub(under_way))
            .map(|(node, entry)| {
                entry.calling = true;
                (*node, Acquaintance { key: entry.key, addresses: entry.addresses.clone() })
            })
            .collect()
    }

    /// When somebody is to be called next.
    pub fn next(&self, is_linked: impl Fn(NodeId) -> bool) -> Option<Instant> {
        let waiting = self.entries.iter().filter(|(node, entry)| !entry.calling && !is_linked(**node));
        waiting.filter(|(_, entry)| !entry.addresses.is_empty()).map(|(_, entry)| entry.next).min()
    }

    /// A call is over. One that led to a conversation is no failure.
    pub fn ended(&mut self, node: NodeId, now: Instant, why: String, stood: bool) {
        let Some(entry) = self.entries.get_mut(&node) else { return };
        entry.calling = false;
        entry.tries = if stood { 1 } else { entry.tries.saturating_add(1) };
        entry.failed = Some(why);
        entry.next = now + (AGAIN_FIRST * 2_u32.saturating_pow(entry.tries.min(16))).min(AGAIN_MOST);
        let hearsay = entry.ways.iter().all(|way| *way == Way::Told);
        if hearsay && entry.tries >= HEARSAY_TRIES {
            self.entries.remove(&node);
        }
    }

    /// A conversation is over, whoever began it.
    pub fn parted(&mut self, node: NodeId, why: String) {
        if let Some(entry) = self.entries.get_mut(&node) {
            entry.failed = Some(why);
        }
    }

    /// It is spoken with: what went wrong before is of no interest any more.
    pub fn linked(&mut self, node: NodeId) {
        if let Some(entry) = self.entries.get_mut(&node) {
            (entry.failed, entry.tries) = (None, 0);
        }
    }

    pub fn entries(&self) -> impl Iterator<Item = (NodeId, &Entry)> {
        self.entries.iter().map(|(node, entry)| (*node, entry))
    }

    /// Makes room for one, if somebody was only named.
    fn forget_hearsay(&mut self) -> bool {
        let only_told = |entry: &Entry| !entry.calling && entry.ways.iter().all(|way| *way == Way::Told);
        let out = self.entries.iter().filter(|(_, entry)| only_told(entry)).max_by_key(|(_, entry)| entry.tries);
        let out = out.map(|(node, _)| *node);
        out.is_some_and(|node| self.entries.remove(&node).is_some())
    }
}

/// Whether one peer can be there.
fn is_somewhere(address: &SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() > 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(key: u8, address: &str) -> Acquaintance {
        Acquaintance { key: [key; 32], addresses: vec![address.parse().unwrap()] }
    }

    fn called(book: &mut Book, now: Instant) -> Vec<u8> {
        book.due(now, |_| false).into_iter().map(|(_, peer)| peer.key[0]).collect()
    }

    #[test]
    fn only_who_is_known_is_called_and_once_at_a_time() {
        let (mut book, now) = (Book::new([1; 32]), Instant::now());
        assert!(called(&mut book, now).is_empty());
        book.note(Way::Ticket, &peer(2, "10.0.0.2:7422"), now);
        book.note(Way::Ticket, &peer(1, "10.0.0.1:7422"), now);
        assert_eq!(called(&mut book, now), [2], "not itself");
        assert!(called(&mut book, now).is_empty(), "that call is under way");
        book.ended(node_of(&[2; 32]), now, "lost".into(), false);
        assert!(called(&mut book, now).is_empty(), "not at once");
        assert_eq!(called(&mut book, now + AGAIN_MOST), [2]);
        book.ended(node_of(&[2; 32]), now, "lost".into(), false);
        assert!(book.due(now + AGAIN_MOST, |_| true).is_empty(), "whoever is linked is not called");
        book.linked(node_of(&[2; 32]));
        book.parted(node_of(&[2; 32]), "cut off".into());
        let failed = || book.entries().find_map(|(_, entry)| entry.failed.clone());
        assert_eq!(failed().as_deref(), Some("cut off"), "said before it is called again");
    }

    #[test]
    fn a_new_address_is_worth_a_call_and_nowhere_is_not() {
        let (mut book, now) = (Book::new([1; 32]), Instant::now());
        for nowhere in ["0.0.0.0:1", "224.0.0.251:5353", "10.0.0.1:0", "255.255.255.255:9", "[ff02::fb]:1"] {
            book.note(Way::Near, &peer(2, nowhere), now);
        }
        assert!(called(&mut book, now).is_empty());
        book.note(Way::Near, &peer(2, "10.0.0.2:1"), now);
        assert_eq!(called(&mut book, now), [2]);
        (0..9).for_each(|_| book.ended(node_of(&[2; 32]), now, "lost".into(), false));
        book.note(Way::Near, &peer(2, "10.0.0.2:1"), now);
        assert!(called(&mut book, now).is_empty(), "nothing new");
        book.note(Way::Near, &peer(2, "10.0.0.2:2"), now);
        assert_eq!(called(&mut book, now), [2]);
    }

    #[test]
    fn who_is_only_named_is_forgotten_and_drives_out_nobody_else() {
        let (mut book, now) = (Book::new([1; 32]), Instant::now());
        let far = "10.0.0.9".parse().unwrap();
        book.note(Way::Ticket, &peer(2, "10.0.0.2:1"), now);
        book.told(far, vec![peer(3, "127.0.0.1:1"), peer(4, "10.0.0.4:1")], now);
        assert_eq!(book.entries().count(), 2, "the machine of whoever names is none of ours");
        (0..HEARSAY_TRIES).for_each(|_| book.ended(node_of(&[4; 32]), now, "lost".into(), false));
        assert_eq!(book.entries().count(), 1);
        let crowd = (0..2 * ENTRIES_MAX as u32).map(|n| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&(n + 9_999).to_le_bytes());
            Acquaintance { key, addresses: vec!["10.1.1.1:1".parse().unwrap()] }
        });
        book.told(far, crowd.collect(), now);
        assert_eq!(book.entries().count(), ENTRIES_MAX);
        assert!(book.entries().any(|(_, entry)| entry.key == [2; 32]));
        book.note(Way::Near, &peer(7, "10.0.0.7:1"), now);
        assert!(book.entries().any(|(_, entry)| entry.key == [7; 32]), "whoever is near comes before hearsay");
        assert!(book.due(now, |_| false).len() <= CALLS_MAX);
    }
}
