//! Free peers: whom this node knows, how they are found, and whom it calls. No hub, and nobody who organises them.
//!
//! Peers of a group share a secret, which a ticket carries. On the local network they find one another by themselves;
//! elsewhere a ticket says where one of them is, and whoever speaks with one hears whom that one knows. What they say
//! and do for one another, the loop and the links know.

mod book;
mod ticket;

pub use book::{Book, Entry, Way};
pub use ticket::{NotATicket, Ticket};

use crate::config::{Home, Neighbours};
use crate::link::{Acquaintance, Key, Links, Mesh, NEIGHBOURS_MAX, Neighbour, Secret, TOLD_MAX, Why};
use crate::nearby::{self, Announced, Nearby};
use grove_core::id::{Digest, NodeId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Neighbours are asked again whom they know, in case somebody came where nobody heard of it.
const ASKED_AGAIN: Duration = Duration::from_secs(30);
/// Peers that are remembered for the next life: enough to hear of the others.
const REMEMBERED_MAX: usize = 16;
/// No looking around more often than this, whatever happens.
const PAUSE_LEAST: Duration = Duration::from_millis(20);
/// A conversation that stood for so long was a good one.
const STOOD: Duration = Duration::from_secs(2);

/// What a peer begins with.
#[derive(Clone)]
pub struct Setup {
    pub key: Key,
    /// The private half of it.
    pub seed: [u8; 32],
    pub group: Secret,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Peers that are known from the start.
    pub known: Vec<(Way, Acquaintance)>,
    /// It makes itself known on the local network, and looks for others there.
    pub announce: bool,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Setup(listens on {}, {} known)", self.listen, self.known.len())
    }
}

/// The neighbourhood of one peer; a cheap handle.
#[derive(Clone)]
pub struct Peers(Arc<Inner>);

struct Inner {
    book: Mutex<Book>,
    /// Something has changed: somebody was found, or a link began or ended.
    wake: Notify,
    /// Its own name and addresses, as it tells others.
    own: Mutex<Acquaintance>,
    links: Mutex<Option<Links>>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Peers({} known)", self.book().entries().count())
    }
}

/// One peer, as people see it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub node: NodeId,
    pub entry: Entry,
    /// Where it is spoken with and since when, and whether this node has called.
    pub linked: Option<(SocketAddr, Duration, bool)>,
}

impl Peers {
    pub fn new(key: Key, known: &[(Way, Acquaintance)]) -> Peers {
        let mut book = Book::new(key);
        known.iter().for_each(|(way, peer)| book.note(*way, peer, Instant::now()));
        let own = Acquaintance { key, addresses: Vec::new() };
        Peers(Arc::new(Inner {
            book: Mutex::new(book),
            wake: Notify::new(),
            own: Mutex::new(own),
            links: Mutex::default(),
        }))
    }

    /// Something happened on a link.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// A conversation has ended; why is said until the next one begins.
    pub fn parted(&self, node: NodeId, why: &Why) {
        self.book().parted(node, why.to_string());
    }

    /// A neighbour names others; those that this node speaks with are named in return.
    pub fn told(&self, by: NodeId, said: Vec<Acquaintance>) -> Vec<Acquaintance> {
        let neighbours = self.neighbours();
        if let Some(from) = neighbours.iter().find(|one| one.node == by) {
            self.book().told(from.met.address.ip(), said, Instant::now());
            self.wake();
        }
        self.introductions(&neighbours)
    }

    /// All that are known, those that are spoken with first.
    pub fn seen(&self) -> Vec<Seen> {
        let neighbours: BTreeMap<NodeId, Neighbour> =
            self.neighbours().into_iter().map(|one| (one.node, one)).collect();
        let book = self.book();
        let seen = |(node, entry): (NodeId, &Entry)| {
            let linked = neighbours.get(&node).map(|one| (one.met.address, one.since.elapsed(), one.met.called));
            Seen { node, entry: entry.clone(), linked }
        };
        let mut all: Vec<Seen> = book.entries().map(seen).collect();
        all.sort_by_key(|one| one.linked.is_none());
        all
    }

    /// Where others may reach this node: what it tells them.
    pub fn is_at(&self, addresses: Vec<SocketAddr>) {
        self.own().addresses = addresses;
    }

    /// Keeps links with peers, for ever or until the links close. Whom it met is written down for its next life.
    pub async fn run(self, mesh: Mesh, links: Links, home: Home) {
        *self.0.links.lock().unwrap_or_else(PoisonError::into_inner) = Some(links);
        let mut asked: BTreeMap<u64, Instant> = BTreeMap::new();
        let mut kept: BTreeSet<Key> = BTreeSet::new();
        loop {
            let (now, neighbours) = (Instant::now(), self.neighbours());
            self.note_neighbours(&neighbours, now);
            asked.retain(|serial, _| neighbours.iter().any(|one| one.serial == *serial));
            for one in &neighbours {
                let due = asked.get(&one.serial).is_none_or(|at| *at + ASKED_AGAIN <= now);
                // Whoever has called asks: the answer goes both ways.
                if due && one.met.called {
                    asked.insert(one.serial, now);
                    tokio::spawn(self.clone().ask(mesh.clone(), *one, self.introductions(&neighbours)));
                }
            }
            let met: BTreeSet<Key> = neighbours.iter().map(|one| one.met.key).collect();
            if !met.is_subset(&kept) {
                kept.extend(met);
                self.remember(&home, &neighbours);
            }
            let linked: BTreeSet<NodeId> = neighbours.iter().map(|one| one.node).collect();
            if linked.len() < NEIGHBOURS_MAX {
                for (node, peer) in self.book().due(now, |node| linked.contains(&node)) {
                    tokio::spawn(self.clone().call(mesh.clone(), node, peer));
                }
            }
            let next = self.book().next(|node| linked.contains(&node));
            let again = asked.values().map(|at| *at + ASKED_AGAIN);
            let wake = again.chain(next.filter(|_| linked.len() < NEIGHBOURS_MAX)).min();
            let wake = wake.map(|at| at.max(now + PAUSE_LEAST));
            tokio::select! {
                () = mesh.closed() => return,
                () = self.0.wake.notified() => {}
                () = until(wake) => {}
            }
        }
    }

    /// On the local network, for as long as the answer lives.
    pub fn announce(&self, group: &str, listen: SocketAddr) -> Result<Announced, nearby::NearbyError> {
        let (key, peers) = (Digest(self.own().key), self.clone());
        nearby::meet(key, group, listen, move |Nearby { key, api }| {
            let peer = Acquaintance { key: key.0, addresses: api };
            peers.book().note(Way::Near, &peer, Instant::now());
            peers.wake();
        })
    }

    async fn call(self, mesh: Mesh, node: NodeId, peer: Acquaintance) {
        let begun = Instant::now();
        let why = mesh.call(&peer).await;
        // Two that call one another at the same time need one conversation only.
        let stood = begun.elapsed() > STOOD || matches!(why, Why::Replaced | Why::Closed | Why::Dropped);
        tracing::debug!(node = format_args!("{:016x}", node.0), "a call ended: {why}");
        self.book().ended(node, Instant::now(), why.to_string(), stood);
        self.wake();
    }

    async fn ask(self, mesh: Mesh, neighbour: Neighbour, said: Vec<Acquaintance>) {
        match mesh.meet(neighbour.node, &said).await {
            Ok(told) => {
                self.book().told(neighbour.met.address.ip(), told, Instant::now());
                self.wake();
            }
            Err(error) => tracing::debug!("a peer does not say whom it knows: {error}"),
        }
    }

    fn remember(&self, home: &Home, neighbours: &[Neighbour]) {
        let before = self.book();
        let met = |key: &Key| neighbours.iter().any(|one| one.met.key == *key);
        let others = before.entries().map(|(_, entry)| entry).filter(|entry| !met(&entry.key));
        let others = others.filter(|entry| entry.ways.iter().any(|way| *way != Way::Told));
        let others = others.map(|entry| Acquaintance { key: entry.key, addresses: entry.addresses.clone() });
        let all = self.introductions(neighbours).into_iter().skip(1).chain(others).take(REMEMBERED_MAX);
        let kept = Neighbours::of(all.map(|peer| (peer.key, peer.addresses)));
        if let Err(error) = home.keep_neighbours(&kept) {
            tracing::warn!("peers are not remembered: {error}");
        }
    }

    /// Whoever is spoken with is known, however that came.
    fn note_neighbours(&self, neighbours: &[Neighbour], now: Instant) {
        let mut book = self.book();
        for one in neighbours {
            if !one.met.called {
                let peer = Acquaintance { key: one.met.key, addresses: vec![one.met.address] };
                book.note(Way::Came, &peer, now);
            }
            book.linked(one.node);
        }
    }

    /// Itself, and those with whom it speaks.
    fn introductions(&self, neighbours: &[Neighbour]) -> Vec<Acquaintance> {
        let others = neighbours.iter().map(|one| Acquaintance { key: one.met.key, addresses: vec![one.met.address] });
        std::iter::once(self.own().clone()).chain(others).take(TOLD_MAX).collect()
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        let links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.as_ref().map(Links::neighbours).unwrap_or_default()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self) -> MutexGuard<'_, Acquaintance> {
        self.0.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For ever, if there is nothing to wait for.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
