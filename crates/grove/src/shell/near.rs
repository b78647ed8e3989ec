//! What a node can tell beyond its own books: whom it knows, and what grew out of the pieces that it gave.

use super::{Side, level};
use crate::door::{Growing, Near};
use crate::link::Links;
use crate::peers::{Peers, Seen};
use grove_core::id::JobId;
use grove_core::limits::DEPTH_MAX;

/// The view beyond one node.
#[derive(Debug, Clone)]
pub(super) struct Lookout {
    pub(super) side: Side,
    pub(super) links: Links,
    pub(super) peers: Option<Peers>,
}

impl Near for Lookout {
    fn is_peer(&self) -> bool {
        self.peers.is_some()
    }

    fn seen(&self) -> Vec<Seen> {
        self.peers.as_ref().map(Peers::seen).unwrap_or_default()
    }

    fn tree(&self, job: JobId) -> Growing<'_> {
        Box::pin(async move {
            let own = self.side.look(move |node| level::of_job(node, job)).await?;
            let Some(own) = own else { return Ok(None) };
            Ok(Some(self.links.tree(job, own, u32::from(DEPTH_MAX)).await))
        })
    }
}
