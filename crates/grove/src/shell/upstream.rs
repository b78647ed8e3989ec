//! Where blobs can be had that a piece of a neighbour's names: from whoever gave it, under the lease that names them.
//! In memory only, like the pieces themselves.

use grove_core::id::{Digest, Lease, NodeId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Clone, Default)]
pub(super) struct Upstream(Arc<Mutex<Givers>>);

/// Who has each blob, under which leases.
type Givers = BTreeMap<Digest, BTreeSet<(NodeId, Lease)>>;

impl Upstream {
    /// A giver names these under a lease.
    pub(super) fn note(&self, giver: NodeId, lease: Lease, blobs: impl IntoIterator<Item = Digest>) {
        let mut all = self.lock();
        for blob in blobs {
            all.entry(blob).or_default().insert((giver, lease));
        }
    }

    /// Forgets the leases that are over.
    pub(super) fn tidy(&self, is_held: impl Fn(NodeId, Lease) -> bool) {
        self.lock().retain(|_, leases| {
            leases.retain(|(giver, lease)| is_held(*giver, *lease));
            !leases.is_empty()
        });
    }

    /// Who has a blob for this node, under which lease.
    pub(super) fn of(&self, blob: Digest) -> Option<(NodeId, Lease)> {
        self.lock().get(&blob)?.first().copied()
    }

    fn lock(&self) -> MutexGuard<'_, Givers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
