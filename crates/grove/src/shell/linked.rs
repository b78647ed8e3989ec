//! Where the links end and the loop begins: what neighbours say is put in, what the node says is sent, blobs are read
//! from the store and written to it.

use super::wires::{Passing, Soon, WireError, Wires};
use super::{Opened, Roll, Side, level};
use crate::link::{self, Acquaintance, Denied, Home, Level, Links, Sink, Source};
use crate::peers::Peers;
use crate::store::{BlobId, BlobReader, Blobs, StoreError, Upload};
use grove_core::id::{Digest, JobId, Lease, NodeId};
use grove_core::message::Message;
use grove_core::node::{Change, Event, Reply, Wish};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The links of a node, with the store into which they bring blobs.
#[derive(Debug)]
pub(super) struct Linked {
    links: Links,
    blobs: Blobs,
}

impl Linked {
    /// The links of a node that is about to start.
    pub(super) fn new(opened: &Opened, peers: Option<Peers>) -> Linked {
        let side = opened.side();
        let blobs = side.blobs().clone();
        let roll = side.roll();
        let hearth = Hearth { side, roll, passing: opened.passing(), blobs: blobs.clone(), peers };
        Linked { links: Links::new(opened.id(), Arc::new(hearth)), blobs }
    }

    /// Cuts the links of machines that are put out, as soon as that is durable.
    pub(super) async fn put_out(links: Links, mut roll: Roll) {
        while let Ok(circle) = roll.changed().await {
            links.put_out(|node| !circle.is_out(node));
        }
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }
}

/// What the links see of this node.
struct Hearth {
    side: Side,
    roll: Roll,
    passing: Passing,
    blobs: Blobs,
    /// Those among whom this node is a peer.
    peers: Option<Peers>,
}

impl Home for Hearth {
    fn hear(&self, event: link::Event) -> Soon<'_, Result<(), link::Gone>> {
        Box::pin(async move {
            if let (link::Event::Unlinked { node, why }, Some(peers)) = (&event, &self.peers) {
                peers.parted(*node, why);
            }
            if let (link::Event::Linked { .. } | link::Event::Unlinked { .. }, Some(peers)) = (&event, &self.peers) {
                peers.wake();
            }
            let heard = match event {
                link::Event::Linked { node } => self.side.happened(Event::Linked { node }),
                link::Event::Unlinked { node, why } => {
                    tracing::info!(node = format_args!("{:016x}", node.0), "a link ended: {why}");
                    self.side.happened(Event::Unlinked { node })
                }
                link::Event::Heard { node, message } => self.side.heard(Event::Heard { from: node, message }).await,
                // This node stops.
                link::Event::Unreached { why: link::Why::Dropped, .. } => Ok(()),
                link::Event::Unreached { address, why, again_in } => {
                    tracing::warn!("{address} cannot be reached, asking again in {}: {why}", span(again_in));
                    Ok(())
                }
            };
            heard.map_err(|_| link::Gone)
        })
    }

    fn admits(&self, key: Digest, node: NodeId) -> Soon<'_, bool> {
        Box::pin(async move {
            let circle = self.roll.now();
            if circle.may_lend(node, key) {
                return true;
            }
            // Strangers do not get as far as the books.
            if !circle.by_machine(key).is_some_and(|entry| entry.roles.lend) {
                return false;
            }
            let claimed = self.side.ask(Wish::Circle { change: Change::Claim { node, key } }, Vec::new()).await;
            matches!(claimed, Ok(Reply::Done)) && self.roll.now().may_lend(node, key)
        })
    }

    fn stands(&self, key: Digest, node: NodeId) -> bool {
        self.roll.now().may_lend(node, key)
    }

    fn meet(&self, from: NodeId, said: Vec<Acquaintance>) -> Vec<Acquaintance> {
        self.peers.as_ref().map(|peers| peers.told(from, said)).unwrap_or_default()
    }

    fn grown(&self, giver: NodeId, job: JobId, lease: Lease) -> Soon<'_, Option<Level>> {
        Box::pin(async move { self.side.look(move |node| level::of_piece(node, job, giver, lease)).await.ok()? })
    }

    fn lend(&self, to: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<Box<dyn Source>, Denied>> {
        Box::pin(async move {
            if !self.passing.may_fetch(to, lease, blob).await {
                return Err(Denied::NotYours);
            }
            self.passing.on_its_way(blob).await;
            open(&self.blobs, blob).await.map_err(denied)
        })
    }

    fn take(&self, from: NodeId, lease: Lease, blob: Digest, len: u64) -> Soon<'_, Result<Box<dyn Sink>, Denied>> {
        Box::pin(async move {
            let most = self.passing.may_bring(from, lease).await.ok_or(Denied::NotYours)?;
            if len > most {
                return Err(Denied::NotYours);
            }
            upload(&self.blobs, blob).await.map_err(denied)
        })
    }
}

/// A pause as people say it.
fn span(pause: Duration) -> String {
    if pause.as_secs() < 2 { format!("{} ms", pause.as_millis()) } else { format!("{} s", pause.as_secs()) }
}

impl Wires for Linked {
    fn send(&self, to: NodeId, message: Message) {
        if let Err(error) = self.links.send(to, message) {
            // It will be told everything again when it is linked again.
            tracing::debug!(node = format_args!("{:016x}", to.0), "not sent: {error}");
        }
    }

    fn fetch(&self, giver: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<(), WireError>> {
        Box::pin(async move {
            let failed = |source: Reason| WireError { giver, lease, blob, source };
            let sink = upload(&self.blobs, blob).await.map_err(|error| failed(error.into()))?;
            self.links.fetch_blob(giver, lease, blob, sink).await.map_err(|error| failed(error.into()))
        })
    }

    fn read(&self, giver: NodeId, lease: Lease, blob: Digest, len: usize) -> Soon<'_, Result<Arc<[u8]>, WireError>> {
        Box::pin(async move {
            let failed = |source: Reason| WireError { giver, lease, blob, source };
            let whole = Arc::new(Mutex::new(None));
            let sink = Gathering::new(blob, len, Arc::clone(&whole));
            let fetched = self.links.fetch_blob(giver, lease, blob, Box::new(sink)).await;
            fetched.map_err(|error| failed(error.into()))?;
            let bytes = whole.lock().unwrap_or_else(PoisonError::into_inner).take();
            bytes.ok_or_else(|| failed("it ended before it was whole".into()))
        })
    }

    fn bring(&self, giver: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<(), WireError>> {
        Box::pin(async move {
            let failed = |source: Reason| WireError { giver, lease, blob, source };
            let source = open(&self.blobs, blob).await.map_err(|error| failed(error.into()))?;
            self.links.send_blob(giver, lease, blob, source).await.map_err(|error| failed(error.into()))
        })
    }

    fn close(&self) -> Soon<'_, ()> {
        Box::pin(self.links.close())
    }
}

type Reason = Box<dyn std::error::Error + Send + Sync>;

async fn open(blobs: &Blobs, blob: Digest) -> Result<Box<dyn Source>, StoreError> {
    let blobs = blobs.clone();
    let opened = tokio::task::spawn_blocking(move || blobs.open_blob(&BlobId(blob.0))).await;
    // It does not panic, and nobody aborts it.
    let reader = opened.unwrap_or(Err(StoreError::Failed))?;
    Ok(Box::new(Lending(reader)))
}

async fn upload(blobs: &Blobs, blob: Digest) -> Result<Box<dyn Sink>, StoreError> {
    let blobs = blobs.clone();
    let begun = tokio::task::spawn_blocking(move || blobs.upload_of_work(BlobId(blob.0))).await;
    // It does not panic, and nobody aborts it.
    let upload = begun.unwrap_or(Err(StoreError::Failed))?;
    Ok(Box::new(Taking(upload)))
}

fn denied(error: StoreError) -> Denied {
    match error {
        StoreError::NoBlob { .. } => Denied::NotYours,
        StoreError::Uploading { .. } => Denied::Busy,
        other => Denied::Disk(io::Error::other(other)),
    }
}

struct Lending(BlobReader);

impl Source for Lending {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, out).map_err(io::Error::other)
    }

    fn piece(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.0.piece(offset, len).map_err(io::Error::other)
    }
}

/// A blob on its way into memory: hashed as it comes, while each piece is at hand, and never copied again.
struct Gathering {
    bytes: Arc<[u8]>,
    /// So many have come.
    filled: usize,
    hash: blake3::Hasher,
    blob: Digest,
    /// Where it is found when it is whole.
    whole: Arc<Mutex<Option<Arc<[u8]>>>>,
}

impl Gathering {
    fn new(blob: Digest, len: usize, whole: Arc<Mutex<Option<Arc<[u8]>>>>) -> Gathering {
        let bytes = std::iter::repeat_n(0, len).collect();
        Gathering { bytes, filled: 0, hash: blake3::Hasher::new(), blob, whole }
    }
}

impl Sink for Gathering {
    fn offset(&self) -> u64 {
        self.filled as u64
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = Arc::get_mut(&mut self.bytes).and_then(|all| all.get_mut(self.filled..)?.get_mut(..bytes.len()));
        room.ok_or(io::ErrorKind::InvalidData)?.copy_from_slice(bytes);
        self.hash.update(bytes);
        self.filled += bytes.len();
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        if self.filled != self.bytes.len() || *self.hash.finalize().as_bytes() != self.blob.0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.bytes);
        Ok(())
    }
}

struct Taking(Upload);

impl Sink for Taking {
    fn offset(&self) -> u64 {
        self.0.offset()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write(bytes).map_err(io::Error::other)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.finish().map(|_| ()).map_err(|error| match error {
            StoreError::WrongBlob { .. } => io::Error::new(io::ErrorKind::InvalidData, error),
            other => io::Error::other(other),
        })
    }
}
