//! Which blobs were named to whom under which lease. In memory only: after a restart a lender asks in vain for an
//! input that it has not fetched yet, and its part is given again.

use grove_core::id::{Digest, Lease, NodeId};
use grove_core::message::{Gift, Inputs};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Leases noted before those that ended are looked for.
const TIDY_AT_LEAST: usize = 4_096;

#[derive(Debug, Clone, Default)]
pub struct Lent(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    by_lease: BTreeMap<(NodeId, Lease), Vec<Digest>>,
    /// So many were out when it was last tidied.
    out: usize,
}

impl Lent {
    pub(super) fn note(&self, to: NodeId, gifts: &[Gift]) {
        let mut noted = self.lock();
        for gift in gifts {
            let mut named = vec![gift.tool.module];
            if let Inputs::Carried { data } = &gift.inputs {
                named.extend(data.iter().filter_map(super::answers::blob_of));
            }
            noted.by_lease.insert((to, gift.lease), named);
        }
    }

    pub(super) fn names(&self, to: NodeId, lease: Lease, blob: Digest) -> bool {
        self.lock().by_lease.get(&(to, lease)).is_some_and(|named| named.contains(&blob))
    }

    /// Whether it has doubled since it was last tidied.
    pub(super) fn wants_tidying(&self) -> bool {
        let noted = self.lock();
        noted.by_lease.len() > TIDY_AT_LEAST.max(noted.out * 2)
    }

    /// Forgets the leases that have ended.
    pub(super) fn tidy(&self, is_out: impl Fn(Lease) -> bool) {
        let mut noted = self.lock();
        noted.by_lease.retain(|(_, lease), _| is_out(*lease));
        noted.out = noted.by_lease.len();
    }

    /// All blobs that somebody may still fetch.
    pub(super) fn blobs(&self) -> Vec<Digest> {
        self.lock().by_lease.values().flatten().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
