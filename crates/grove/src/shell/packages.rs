//! Which blobs are scripts, and which interpreter each of them needs. It reads their first bytes and remembers.

use crate::store::{BlobId, Blobs};
use grove_core::id::Digest;
use grove_sandbox::package::{HEAD_BYTES, Package};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Tools that are remembered: a node works for a few at one time, and each takes a few bytes here.
const REMEMBERED_MAX: usize = 1_024;

#[derive(Debug, Clone)]
pub(super) struct Packages {
    blobs: Blobs,
    known: Arc<Mutex<BTreeMap<Digest, Option<Digest>>>>,
}

impl Packages {
    pub(super) fn new(blobs: Blobs) -> Packages {
        Packages { blobs, known: Arc::default() }
    }

    /// The image that runs a tool, if the tool is a script; a blob that is not here is none.
    pub(super) fn image_of(&self, tool: Digest) -> Option<Digest> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&tool) {
            return *found;
        }
        let found = self.look(tool)?;
        if known.len() >= REMEMBERED_MAX {
            known.pop_first();
        }
        known.insert(tool, found);
        found
    }

    /// Nothing where the blob cannot be read: it may come yet.
    fn look(&self, tool: Digest) -> Option<Option<Digest>> {
        let mut blob = self.blobs.open_blob(&BlobId(tool.0)).ok()?;
        let mut head = [0; HEAD_BYTES];
        let read = blob.read_at(0, &mut head).ok()?;
        Some(Package::image_of(&head[..read]).map(Digest))
    }
}
