//! Links among peers: the same conversation over QUIC, dialled by key (iroh). Either side may call, and either side may
//! fetch and bring blobs, since a connection carries streams both ways.
//!
//! A key is who somebody is; that it belongs to the group, each side proves to the other with the group's secret, in
//! words that only these two can use. No relay, no directory and no gateway is ever asked: whom to call, and where, the
//! caller of this says.

use super::blob::BlobError;
use super::call::{self, Called, Caller};
use super::gate::Token;
use super::line::Line;
use super::pen::Pen;
use super::shape::{ADDRESSES_MAX, TOLD_MAX};
use super::wire::{Known, Peer};
use super::{Links, Why};
use crate::doorstep::{Full, PATIENCE, Place};
use grove_core::id::NodeId;
use iroh::endpoint::{Connection, Incoming, IncomingAddr, QuicTransportConfig, RecvStream, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, SecretKey, TransportAddr};
use prost::bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{Join, join};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// What is spoken on a connection.
const ALPN: &[u8] = b"grove/peers/1";
/// One stream carries a whole conversation, blobs beside it included; a second one takes over where it broke.
const STREAMS_MAX: u32 = 4;
/// A peer's connections, each with its streams: one, and others that are made or broken just then.
const CONNECTIONS_MAX: usize = 16;
/// Streams that wait to be looked at.
const STREAMS_AHEAD: usize = 16;
/// A neighbour that is asked whom it knows answers within this.
const MEETING: Duration = Duration::from_secs(5);

/// How long the system may take to say which addresses this machine has, and how often it is asked.
const OWN_ADDRESSES: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Farewells take so long at the most.
const FAREWELL: Duration = Duration::from_millis(500);

/// The public half of a peer's key: who it is.
pub type Key = [u8; 32];

/// The name under which a peer of that key is on the books.
pub fn node_of(key: &Key) -> NodeId {
    let [a, b, c, d, e, f, g, h, ..] = blake3::derive_key("grove peers: the name of a node", key);
    NodeId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// The public half of that key.
pub fn key_of(seed: &[u8; 32]) -> Key {
    *SecretKey::from_bytes(seed).public().as_bytes()
}

/// What the peers of a group share. Never printed but in a ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret(…)")
    }
}

impl Secret {
    /// What is said of the group where everybody hears it.
    pub fn tag(&self) -> String {
        blake3::derive_key("grove peers: the tag of a group", &self.0)
            .iter()
            .take(8)
            .map(|b| format!("{b:02x}"))
            .collect()
    }

    /// By what one peer knows that another is of the group. Of no use to anybody else, nor the other way round.
    fn proof(&self, from: &Key, to: &Key) -> Token {
        let hash = blake3::keyed_hash(&self.0, &[&from[..], &to[..]].concat());
        hash.to_hex().parse().expect("digits can stand in a header")
    }
}

/// A peer and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquaintance {
    pub key: Key,
    pub addresses: Vec<SocketAddr>,
}

/// How a peer was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Met {
    pub key: Key,
    /// Where it was called, or from where it has called.
    pub address: SocketAddr,
    /// This node has called.
    pub called: bool,
}

/// A peer with whom this node speaks.
#[derive(Debug, Clone, Copy)]
pub struct Neighbour {
    pub node: NodeId,
    pub met: Met,
    /// Tells this conversation from an earlier one.
    pub serial: u64,
    pub since: Instant,
}

/// A peer at the other end of a connection, before anything is said on it.
#[derive(Debug)]
pub(super) struct Introduced {
    pub(super) node: NodeId,
    met: Met,
    /// What it has to show.
    pub(super) proof: Token,
    /// What it is shown.
    pub(super) answer: Token,
    /// The way back to it.
    pub(super) back: Caller,
    /// Its place at the door, where it has called.
    place: Option<Place>,
}

impl Introduced {
    pub(super) fn met(&self) -> Met {
        self.met
    }

    /// It has shown that it is of the group.
    pub(super) fn admit(&self) -> Result<(), Full> {
        self.place.as_ref().map_or(Ok(()), |place| place.admit(self.node.0, CONNECTIONS_MAX))
    }

    /// Comes back when it has not shown so for too long, or when somebody else needs the place more.
    async fn asked_to_go(&self) {
        match &self.place {
            Some(place) => place.asked_to_go().await,
            None => std::future::pending().await,
        }
    }
}

/// Why there are no links among peers.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    #[error(
        "cannot listen for peers on {address}: {why}\nhint: choose another address with --link (port 0 takes any free one)"
    )]
    Listen { address: SocketAddr, why: String },
}

/// Where this node meets peers; a cheap handle.
#[derive(Clone)]
pub struct Mesh(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    me: Key,
    group: Secret,
    links: Links,
    /// Streams that peers have opened.
    lines: mpsc::Sender<Line<Stream>>,
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Mesh({})", self.0.endpoint.id())
    }
}

/// One stream of a connection, both ways.
type Stream = Join<RecvStream, SendStream>;

impl Mesh {
    /// Listens there with this key, until the links close.
    pub async fn open(links: Links, seed: &[u8; 32], group: Secret, listen: SocketAddr) -> Result<Mesh, MeshError> {
        let failed = |why: String| MeshError::Listen { address: listen, why };
        let secret = SecretKey::from_bytes(seed);
        let me = *secret.public().as_bytes();
        // One node has one key.
        links.signs_with(Pen::new(secret.clone()));
        let transport = QuicTransportConfig::builder()
            .max_concurrent_bidi_streams(STREAMS_MAX.into())
            .max_concurrent_uni_streams(0_u32.into())
            .build();
        let builder = Endpoint::builder(presets::Minimal)
            .secret_key(secret)
            .relay_mode(RelayMode::Disabled)
            .transport_config(transport)
            .alpns(vec![ALPN.to_vec()])
            .clear_ip_transports()
            .bind_addr(listen)
            .map_err(|error| failed(error.to_string()))?;
        let endpoint = builder.bind().await.map_err(|error| failed(error.to_string()))?;
        let (lines, streams) = mpsc::channel(STREAMS_AHEAD);
        links.serve_peers(ReceiverStream::new(streams).map(Ok));
        let mesh = Mesh(Arc::new(Inner { endpoint, me, group, links, lines }));
        tokio::spawn(mesh.clone().take_calls());
        Ok(mesh)
    }

    pub fn key(&self) -> Key {
        self.0.me
    }

    /// Where it listens.
    pub fn bound(&self) -> Vec<SocketAddr> {
        self.0.endpoint.bound_sockets()
    }

    /// Where others may reach it: the addresses of this machine, as soon as they are known.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        let own = || -> Vec<SocketAddr> {
            let addresses = self.0.endpoint.addr();
            let mut all: Vec<SocketAddr> = addresses.ip_addrs().copied().filter(is_for_others).collect();
            all.sort_by_key(|address| (address.is_ipv6(), *address));
            all
        };
        let known = async {
            while own().is_empty() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // A machine without a network has none.
        let _ = timeout(OWN_ADDRESSES, known).await;
        own()
    }

    /// Comes back when no links are made any more.
    pub async fn closed(&self) {
        self.0.links.closed().await;
    }

    /// Calls a peer at one of these addresses, and speaks with it to the end.
    pub async fn call(&self, peer: &Acquaintance) -> Why {
        let lost = |why: String| Why::Lost(Status::unavailable(why));
        let Ok(id) = EndpointId::from_bytes(&peer.key) else { return lost("that is not a key".to_owned()) };
        let there =
            peer.addresses.iter().take(ADDRESSES_MAX).fold(EndpointAddr::new(id), |to, ip| to.with_ip_addr(*ip));
        let connecting = self.0.endpoint.connect(there, ALPN);
        let connection = match timeout(PATIENCE, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return lost(error.to_string()),
            Err(_) => return lost("nobody answers".to_owned()),
        };
        let address = address_of(&connection).or_else(|| peer.addresses.first().copied());
        let Some(address) = address else { return lost("it is nowhere".to_owned()) };
        let met = Met { key: peer.key, address, called: true };
        let (caller, cut) = self.caller(&connection, met);
        let hears = tokio::spawn(self.clone().hear_streams(connection.clone(), met, None));
        let why = call::call(&self.0.links, &caller, &cut).await;
        hears.abort();
        connection.close(0_u32.into(), b"");
        // Only another group's proof is not taken.
        if matches!(why, Why::Refused) { Why::Stranger } else { why }
    }

    /// Tells a neighbour whom this node knows, and hears whom that one knows.
    pub async fn meet(&self, node: NodeId, said: &[Acquaintance]) -> Result<Vec<Acquaintance>, BlobError> {
        let caller = self.0.links.caller(node)?;
        let mut client = caller.client();
        let asked = client.meet(caller.request(known(said)));
        let answer = timeout(MEETING, asked).await.map_err(|_| BlobError::NotLinked(node))?;
        let answer = answer.map_err(|_| BlobError::NotLinked(node))?;
        Ok(acquaintances(answer.into_inner()))
    }

    /// Says goodbye on all connections.
    pub async fn close(&self) {
        // Whoever does not answer has gone before.
        let _ = timeout(FAREWELL, self.0.endpoint.close()).await;
    }

    async fn take_calls(self) {
        loop {
            let incoming = tokio::select! {
                () = self.0.links.closed() => return,
                incoming = self.0.endpoint.accept() => incoming,
            };
            let Some(incoming) = incoming else { return };
            tokio::spawn(self.clone().greet(incoming));
        }
    }

    /// Proves a caller's key, no faster than a processor can stand, and hears it.
    async fn greet(self, incoming: Incoming) {
        let IncomingAddr::Ip(from) = incoming.remote_addr() else { return incoming.refuse() };
        let place = self.0.links.door().arrive(from.ip());
        if !self.0.links.door().turn(from.ip()).await {
            return incoming.refuse();
        }
        let Ok(accepting) = incoming.accept() else { return };
        let connection = match timeout(PATIENCE, accepting).await {
            Ok(Ok(connection)) => connection,
            _ => return,
        };
        let key = *connection.remote_id().as_bytes();
        self.hear_streams(connection, Met { key, address: from, called: false }, Some(place)).await;
    }

    /// Every stream that the other side opens is a line to the same service.
    async fn hear_streams(self, connection: Connection, met: Met, place: Option<Place>) {
        let links = &self.0.links;
        let introduced = Arc::new(Introduced {
            node: node_of(&met.key),
            met,
            proof: self.0.group.proof(&met.key, &self.0.me),
            answer: self.0.group.proof(&self.0.me, &met.key),
            back: self.caller(&connection, met).0,
            place,
        });
        loop {
            let stream = tokio::select! {
                () = links.closed() => return,
                () = introduced.asked_to_go() => return connection.close(0_u32.into(), b""),
                stream = connection.accept_bi() => stream,
            };
            let Ok((send, receive)) = stream else { return };
            let place = links.door().arrive(met.address.ip());
            let line = Line::of_peer(join(receive, send), Arc::clone(&introduced), place);
            if self.0.lines.send(line).await.is_err() {
                return;
            }
        }
    }

    /// How to ask something of whoever is at the other end.
    fn caller(&self, connection: &Connection, met: Met) -> (Caller, Arc<std::sync::Mutex<super::line::Cut>>) {
        let (group, me, connection) = (self.0.group, &self.0.me, connection.clone());
        let called = Called { node: node_of(&met.key), proof: group.proof(&met.key, me), met };
        Caller::of_peer(self.0.links.me(), group.proof(me, &met.key), called, move || {
            let connection = connection.clone();
            async move {
                let (send, receive) = connection.open_bi().await.map_err(io::Error::other)?;
                Ok(join(receive, send))
            }
        })
    }
}

/// Where the other end is.
fn address_of(connection: &Connection) -> Option<SocketAddr> {
    connection.paths().iter().find_map(|path| match path.remote_addr() {
        TransportAddr::Ip(address) => Some(*address),
        _ => None,
    })
}

/// Whether an address means the same elsewhere.
fn is_for_others(address: &SocketAddr) -> bool {
    !matches!(address.ip(), std::net::IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// A peer tells whom it knows.
pub(super) fn met(links: &Links, peer: &Introduced, said: Known) -> Known {
    known(&links.home().meet(peer.node, acquaintances(said)))
}

fn known(said: &[Acquaintance]) -> Known {
    let peer = |one: &Acquaintance| Peer {
        key: Bytes::copy_from_slice(&one.key),
        addresses: one.addresses.iter().take(ADDRESSES_MAX).map(SocketAddr::to_string).collect(),
    };
    Known { peers: said.iter().take(TOLD_MAX).map(peer).collect() }
}

/// What is no key or no address is left out.
fn acquaintances(known: Known) -> Vec<Acquaintance> {
    let one = |peer: Peer| {
        let key = Key::try_from(&peer.key[..]).ok()?;
        let addresses = peer.addresses.iter().filter_map(|text| text.parse().ok()).collect();
        Some(Acquaintance { key, addresses })
    };
    known.peers.into_iter().filter_map(one).collect()
}
