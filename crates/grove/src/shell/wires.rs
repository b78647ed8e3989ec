//! What the loop needs of the links, and what the links may ask of the loop. Neither side knows the other's insides.

use super::lent::Lent;
use super::packages::Packages;
use super::side::Side;
use super::upstream::Upstream;
use crate::store::BlobId;
use grove_core::id::{Digest, Lease, NodeId};
use grove_core::message::Message;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Something that takes a while.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A blob that others wait for is looked for so often, and they are told to ask again after so long.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const ON_ITS_WAY: Duration = Duration::from_secs(20);

/// The links to all neighbours.
pub trait Wires: Send + Sync + std::fmt::Debug + 'static {
    /// Sends, or loses it: a neighbour that is not there will be told everything again when it comes.
    fn send(&self, to: NodeId, message: Message);
    /// Brings a blob here that a giver has named under this lease.
    fn fetch(&self, giver: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<(), WireError>>;
    /// The same into memory, for one that is used once. It has so many bytes.
    fn read(&self, giver: NodeId, lease: Lease, blob: Digest, len: usize) -> Soon<'_, Result<Arc<[u8]>, WireError>>;
    /// Brings a blob to a giver, before the answer that names it.
    fn bring(&self, giver: NodeId, lease: Lease, blob: Digest) -> Soon<'_, Result<(), WireError>>;
    /// Sends what is still on its way, and closes.
    fn close(&self) -> Soon<'_, ()>;
}

/// Why a blob did not travel.
#[derive(Debug, thiserror::Error)]
#[error("blob {blob} did not travel under lease {} of node {:016x}: {source}", .lease.0, .giver.0)]
pub struct WireError {
    pub giver: NodeId,
    pub lease: Lease,
    pub blob: Digest,
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Which blobs a neighbour may have from here or bring here: only those of a lease that it holds.
#[derive(Debug, Clone)]
pub struct Passing {
    side: Side,
    lent: Lent,
    packages: Packages,
    upstream: Upstream,
}

impl Passing {
    pub(super) fn new(side: Side, lent: Lent, upstream: Upstream) -> Passing {
        let packages = Packages::new(side.blobs().clone());
        Passing { side, lent, packages, upstream }
    }

    /// Whether a lender may have this blob.
    pub async fn may_fetch(&self, peer: NodeId, lease: Lease, blob: Digest) -> bool {
        let named = self.lent.names(peer, lease, blob);
        let on_the_books = self.side.look(move |node| {
            let (task, _) = node.state().lease(lease).filter(|(_, grant)| grant.to == peer)?;
            Some(node.state().task(task).map(|task| task.terms.tool.module))
        });
        // What was named before a restart is forgotten, but every lease names its tool, and a script what runs it.
        match on_the_books.await {
            Ok(Some(tool)) => {
                named || tool.is_some_and(|tool| tool == blob || self.packages.image_of(tool) == Some(blob))
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Waits for a blob that is on its way here from further up the tree.
    pub async fn on_its_way(&self, blob: Digest) {
        let is_here = || self.side.blobs().has(&BlobId(blob.0)).unwrap_or(false);
        let coming = async {
            while !is_here() && self.upstream.of(blob).is_some() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // Whoever wants it asks again.
        let _ = tokio::time::timeout(ON_ITS_WAY, coming).await;
    }

    /// How large a blob a lender may bring under this lease; `None` if none at all.
    pub async fn may_bring(&self, peer: NodeId, lease: Lease) -> Option<u64> {
        let most = self
            .side
            .look(move |node| Some(node.state().task(node.awaited(peer, lease)?)?.terms.tool.caps.output_bytes));
        most.await.ok().flatten()
    }
}
