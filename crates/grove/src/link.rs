//! Links: what this node says to its neighbours and hears from them, and the blobs that go with it.
//!
//! Nodes speak gRPC (`proto/grove/v1/node.proto`). The transport is any two-way stream of bytes; TCP is the one here.
//! A link decides nothing and keeps nothing: what is in a message, and whether a blob may be had, it does not know.
//! Everything that comes in is bounded before it is read, everything that goes out waits in a bounded queue.

mod blob;
mod call;
pub mod codec;
mod converse;
mod flaw;
mod gate;
mod host;
mod line;
mod mesh;
mod outbox;
mod pen;
pub mod read;
mod shape;
mod tree;
// Made by `cargo proto`.
#[rustfmt::skip]
#[expect(unused_qualifications, reason = "made by a generator")]
pub mod wire;
pub mod write;

pub use blob::{BlobError, Denied, Sink, Source};
pub use call::Calling;
pub use flaw::Flaw;
pub use gate::{NotAToken, Token};
pub use mesh::{Acquaintance, Key, Mesh, MeshError, Neighbour, Secret, key_of, node_of};
pub use outbox::NotSent;
pub use shape::{ADDRESSES_MAX, NEIGHBOURS_MAX, TOLD_MAX};
pub use tree::{Branch, Growth, Level};

use crate::doorstep::Doorstep;
use converse::Standing;
use grove_core::id::{Digest, JobId, Lease, NodeId};
use grove_core::message::Message;
use mesh::Met;
use pen::Pen;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;

/// How long all links together may take to close.
const CLOSING: Duration = Duration::from_secs(3);

/// Something that takes a while.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What happens on the links.
#[derive(Debug, Clone)]
pub enum Event {
    /// A neighbour can be spoken to.
    Linked { node: NodeId },
    /// It cannot any more.
    Unlinked { node: NodeId, why: Why },
    /// It says something. The digests of answers are empty: they are for the hearer to work out.
    Heard { node: NodeId, message: Message },
    /// A call did not get through; the next one follows after a while.
    Unreached { address: Arc<str>, why: Why, again_in: Duration },
}

/// Why a link is no more.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Why {
    #[error("the other side closed it")]
    Closed,
    #[error("this side closed it")]
    Dropped,
    #[error("a newer link to the same node took over")]
    Replaced,
    #[error("the other side does not listen")]
    TooSlow,
    #[error(
        "the hub does not let this machine in\n\
         hint: it may have been put out, or have joined to run only: ask for an invitation, then `grove leave` and `grove join`"
    )]
    Refused,
    #[error(
        "that peer is of another group\nhint: ask somebody there for a ticket, and come in with `grove peer --join TICKET`"
    )]
    Stranger,
    #[error(
        "it speaks with {most} peers already, which is as many as one may\n\
         hint: nothing is wrong: work gets there through others, and it is called again from time to time",
        most = NEIGHBOURS_MAX
    )]
    Full,
    #[error("the other side sent {0}")]
    Flaw(#[source] Flaw),
    #[error("lost: {}", root(.0))]
    Lost(#[source] Status),
    #[error("this node has stopped listening")]
    Deaf,
}

/// What lies at the bottom of a failed call, as "connection refused": all above it is only about HTTP.
fn root(status: &Status) -> String {
    let mut source = std::error::Error::source(status);
    let mut said = status.message().to_owned();
    while let Some(deeper) = source {
        said = deeper.to_string();
        source = deeper.source();
    }
    said
}

/// The listener has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody listens here any more")]
pub struct Gone;

/// What links need of the node to which they belong.
pub trait Home: Send + Sync + 'static {
    /// Hears what has happened. While it waits, that neighbour is not read from, and its windows fill.
    fn hear(&self, event: Event) -> Soon<'_, Result<(), Gone>>;
    /// Whether the machine with this key may lend under that name. What the answer rests on is durable by then. Where
    /// nobody is known by a key, nobody comes in by one.
    fn admits(&self, key: Digest, node: NodeId) -> Soon<'_, bool> {
        let _ = (key, node);
        Box::pin(async { false })
    }
    /// Whether a machine that was admitted before under that name still may.
    fn stands(&self, key: Digest, node: NodeId) -> bool {
        let _ = (key, node);
        false
    }
    /// A peer tells whom it knows; whom this node knows comes back.
    fn meet(&self, from: NodeId, said: Vec<Acquaintance>) -> Vec<Acquaintance> {
        let _ = (from, said);
        Vec::new()
    }
    /// What has become here of a piece of a neighbour's.
    fn grown(&self, giver: NodeId, job: JobId, lease: Lease) -> Soon<'_, Option<Level>> {
        let _ = (giver, job, lease);
        Box::pin(async { None })
    }
    /// A blob for a neighbour, if this lease of its names it.
    fn lend(&self, to: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<Box<dyn Source>, Denied>>;
    /// Room for a blob of so many bytes from a neighbour, if it may bring one under this lease.
    fn take(&self, from: NodeId, lease: Lease, blob: Digest, len: u64) -> Soon<'_, Result<Box<dyn Sink>, Denied>>;
}

/// All links of one node; a cheap handle.
#[derive(Clone)]
pub struct Links(Arc<Inner>);

struct Inner {
    me: NodeId,
    home: Arc<dyn Home>,
    neighbours: Mutex<HashMap<NodeId, Standing>>,
    /// Where those stand who call.
    door: Doorstep,
    serial: AtomicU64,
    closing: watch::Sender<bool>,
    /// With what this node signs, where it is a peer.
    pen: OnceLock<Pen>,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let neighbours = self.lock().len();
        write!(out, "Links({:016x}, {neighbours} neighbours)", self.0.me.0)
    }
}

impl Links {
    /// No links yet.
    pub fn new(me: NodeId, home: Arc<dyn Home>) -> Links {
        Links(Arc::new(Inner {
            me,
            home,
            neighbours: Mutex::default(),
            door: Doorstep::default(),
            serial: AtomicU64::new(0),
            closing: watch::Sender::new(false),
            pen: OnceLock::new(),
        }))
    }

    /// Sends, without waiting. What a neighbour does not take in time is lost together with its link.
    pub fn send(&self, to: NodeId, message: Message) -> Result<(), NotSent> {
        let mut neighbours = self.lock();
        let standing = neighbours.get(&to).ok_or(NotSent::NotLinked)?;
        let sent = standing.outbox.put(self.signed(standing.met.as_ref(), message));
        if sent == Err(NotSent::TooSlow)
            && let Some(slow) = neighbours.remove(&to)
        {
            slow.cut(Why::TooSlow);
        }
        sent
    }

    /// Ends a link, after what waits has been sent. A call is made again; see [`Calling`].
    pub fn drop(&self, node: NodeId) {
        if let Some(standing) = self.lock().remove(&node) {
            standing.outbox.ending.end(Why::Dropped);
        }
    }

    /// Cuts the links to all neighbours that may not stay, and what else they have open.
    pub fn put_out(&self, may_stay: impl Fn(NodeId) -> bool) {
        self.0.door.put_out(|guest| may_stay(NodeId(guest)));
        let mut neighbours = self.lock();
        let out: Vec<NodeId> = neighbours.keys().copied().filter(|node| !may_stay(*node)).collect();
        let out: Vec<Standing> = out.iter().filter_map(|node| neighbours.remove(node)).collect();
        drop(neighbours);
        out.iter().for_each(|standing| standing.cut(Why::Refused));
    }

    /// Sends what waits, ends all links, takes and makes no more.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let all: Vec<Standing> = self.lock().drain().map(|(_, standing)| standing).collect();
        let gone: Vec<_> = all
            .into_iter()
            .filter_map(|standing| {
                standing.outbox.ending.end(Why::Dropped);
                standing.gone
            })
            .collect();
        let all_gone = async {
            for one in gone {
                // Its other end is dropped when that conversation is over.
                let _ = one.await;
            }
        };
        if timeout(CLOSING, all_gone).await.is_err() {
            tracing::debug!("some neighbours did not say good-bye");
        }
    }

    /// The peers with whom this node speaks.
    pub fn neighbours(&self) -> Vec<Neighbour> {
        let neighbours = self.lock();
        let met = |(node, standing): (&NodeId, &Standing)| {
            let met = standing.met?;
            Some(Neighbour { node: *node, met, serial: standing.serial, since: standing.since })
        };
        neighbours.iter().filter_map(met).collect()
    }

    /// Whether a peer that calls is to be spoken with.
    fn has_room_for(&self, node: NodeId) -> Result<(), Status> {
        let neighbours = self.lock();
        match neighbours.get(&node) {
            // Of two conversations that begin at the same time, the one counts that the lesser of the two has begun.
            Some(standing) if self.0.me < node && standing.is_fresh_call() => {
                Err(Status::already_exists("this node has just called"))
            }
            None if neighbours.len() >= NEIGHBOURS_MAX => Err(Status::failed_precondition("enough neighbours")),
            _ => Ok(()),
        }
    }

    fn signs_with(&self, pen: Pen) {
        let _ = self.0.pen.set(pen);
    }

    /// What this node owns to, it signs.
    fn signed(&self, to: Option<&Met>, message: Message) -> Message {
        match (message, self.0.pen.get(), to) {
            (Message::Owns { signed }, Some(pen), Some(to)) => {
                Message::Owns { signed: pen.sign(&to.key, signed.totals) }
            }
            (message, ..) => message,
        }
    }

    /// Whether whatever had to be signed is, by whom it should be.
    fn is_well_signed(&self, from: Option<&Met>, message: &Message) -> bool {
        let (Message::Owns { signed } | Message::Recalls { signed }) = message else { return true };
        let (Some(pen), Some(from)) = (self.0.pen.get(), from) else { return false };
        match message {
            Message::Owns { .. } => pen.is_of(&from.key, signed),
            _ => pen.is_own(&from.key, signed),
        }
    }

    pub(crate) fn me(&self) -> NodeId {
        self.0.me
    }

    fn door(&self) -> &Doorstep {
        &self.0.door
    }

    async fn closed(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.closing.subscribe().wait_for(|closing| *closing).await;
    }

    async fn hear(&self, event: Event) -> Result<(), Why> {
        self.0.home.hear(event).await.map_err(|Gone| Why::Deaf)
    }

    fn next_serial(&self) -> u64 {
        self.0.serial.fetch_add(1, Ordering::Relaxed)
    }

    /// A conversation begins; the one that it replaces, if any, comes back.
    fn stand(&self, node: NodeId, standing: Standing) -> Option<Standing> {
        let mut neighbours = self.lock();
        if *self.0.closing.borrow() {
            standing.outbox.ending.end(Why::Dropped);
            return None;
        }
        neighbours.insert(node, standing)
    }

    /// A conversation is over.
    fn fall(&self, node: NodeId, serial: u64) {
        let mut neighbours = self.lock();
        if neighbours.get(&node).is_some_and(|now| now.serial == serial) {
            neighbours.remove(&node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Standing>> {
        self.0.neighbours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
