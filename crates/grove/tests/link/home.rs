//! A home for links: what they say comes out of a channel, blobs lie in a folder.

use grove::link::{Denied, Event, Gone, Home, Links, Sink, Soon, Source, Token, Why};
use grove_core::id::{Digest, Lease, NodeId};
use grove_core::message::Message;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(super) const HUB: NodeId = NodeId(1);
/// The lease under which test blobs may travel.
pub(super) const LEASE: Lease = Lease(7);

pub(super) fn token() -> Token {
    "a-token-for-tests".parse().unwrap()
}

/// One node: its links, and what they tell.
pub(super) struct Place {
    pub(super) links: Links,
    events: mpsc::Receiver<Event>,
    pub(super) folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new(node: NodeId) -> Place {
        let (sender, events) = mpsc::channel(64);
        let folder = tempfile::tempdir().unwrap();
        let house = House { events: sender, folder: folder.path().to_owned() };
        Place { links: Links::new(node, Arc::new(house)), events, folder }
    }

    /// A node that takes calls, and where.
    pub(super) async fn hub() -> (Place, SocketAddr) {
        let hub = Place::new(HUB);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        hub.links.serve(listener, token());
        (hub, address)
    }

    pub(super) async fn event(&mut self) -> Event {
        let event = timeout(Duration::from_secs(20), self.events.recv()).await;
        event.expect("nothing happened").expect("links are gone")
    }

    /// The next event but failed calls has to be this.
    pub(super) async fn linked(&mut self, to: NodeId) {
        loop {
            match self.event().await {
                Event::Linked { node } if node == to => return,
                Event::Unreached { .. } => {}
                other => panic!("not linked but {other:?}"),
            }
        }
    }

    pub(super) async fn unlinked(&mut self, from: NodeId) -> Why {
        match self.event().await {
            Event::Unlinked { node, why } if node == from => why,
            other => panic!("not unlinked but {other:?}"),
        }
    }

    pub(super) async fn heard(&mut self) -> (NodeId, Message) {
        match self.event().await {
            Event::Heard { node, message } => (node, message),
            other => panic!("not heard but {other:?}"),
        }
    }

    /// Whether nothing happens for a moment.
    pub(super) async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(200), self.events.recv()).await.is_err()
    }

    pub(super) fn blob(&self, digest: Digest) -> PathBuf {
        self.folder.path().join(digest.to_string())
    }

    pub(super) fn sink(&self, digest: Digest) -> Box<dyn Sink> {
        Box::new(Draft::open(self.folder.path(), digest).unwrap())
    }
}

struct House {
    events: mpsc::Sender<Event>,
    folder: PathBuf,
}

impl Home for House {
    fn hear(&self, event: Event) -> Soon<'_, Result<(), Gone>> {
        Box::pin(async { self.events.send(event).await.map_err(|_| Gone) })
    }

    fn lend(&self, _: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<Box<dyn Source>, Denied>> {
        Box::pin(async move {
            if lease != LEASE {
                return Err(Denied::NotYours);
            }
            let file = File::open(self.folder.join(blob.to_string()))?;
            let len = file.metadata()?.len();
            Ok(Box::new(Whole { file, len }) as Box<dyn Source>)
        })
    }

    fn take(&self, _: NodeId, lease: Lease, blob: Digest, _: u64) -> Soon<'_, Result<Box<dyn Sink>, Denied>> {
        Box::pin(async move {
            if lease != LEASE {
                return Err(Denied::NotYours);
            }
            Ok(Box::new(Draft::open(&self.folder, blob)?) as Box<dyn Sink>)
        })
    }
}

/// Puts a blob of pseudo-random bytes into a folder.
pub(super) fn put(folder: &Path, len: usize) -> Digest {
    let mut bytes = Vec::new();
    blake3::Hasher::new().finalize_xof().take(len as u64).read_to_end(&mut bytes).unwrap();
    let digest = Digest(*blake3::hash(&bytes).as_bytes());
    std::fs::write(folder.join(digest.to_string()), bytes).unwrap();
    digest
}

pub(super) struct Whole {
    pub(super) file: File,
    pub(super) len: u64,
}

impl Source for Whole {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read(out)
    }
}

/// A blob on its way; what came of it stays when it is dropped.
struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
    digest: Digest,
    len: u64,
}

impl Draft {
    fn open(folder: &Path, digest: Digest) -> io::Result<Draft> {
        let (path, target) = (folder.join(format!("{digest}.part")), folder.join(digest.to_string()));
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let len = file.metadata()?.len();
        Ok(Draft { file, path, target, digest, len })
    }
}

impl Sink for Draft {
    fn offset(&self) -> u64 {
        self.len
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let bytes = std::fs::read(&self.path)?;
        if blake3::hash(&bytes).as_bytes() != &self.digest.0 {
            std::fs::remove_file(&self.path)?;
            return Err(io::ErrorKind::InvalidData.into());
        }
        std::fs::rename(&self.path, &self.target)
    }
}
