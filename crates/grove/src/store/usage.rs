//! How many bytes are kept, against how many may be. Shared by the rows and the blobs, which are written by
//! different threads; it counts and refuses, it never deletes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::StoreError;

#[derive(Clone, Debug)]
pub(super) struct Usage(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    quota: AtomicU64,
    /// Work that was accepted is let in beyond the quota.
    keeps_promises: bool,
    rows: AtomicU64,
    blobs: AtomicU64,
}

impl Usage {
    pub(super) fn new(quota: u64, keeps_promises: bool) -> Self {
        let quota = quota.into();
        Self(Arc::new(Counts { quota, keeps_promises, rows: AtomicU64::new(0), blobs: AtomicU64::new(0) }))
    }

    pub(super) fn used(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed).saturating_add(self.blobs())
    }

    pub(super) fn quota(&self) -> u64 {
        self.0.quota.load(Ordering::Relaxed)
    }

    pub(super) fn set_quota(&self, bytes: u64) {
        self.0.quota.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn blobs(&self) -> u64 {
        self.0.blobs.load(Ordering::Relaxed)
    }

    /// Whether `wanted` more bytes would fit.
    pub(super) fn admit(&self, wanted: u64) -> Result<(), StoreError> {
        let (used, quota) = (self.used(), self.quota());
        if used.saturating_add(wanted) <= quota { Ok(()) } else { Err(StoreError::OverQuota { used, wanted, quota }) }
    }

    /// The same for what accepted work leaves.
    pub(super) fn admit_work(&self, wanted: u64) -> Result<(), StoreError> {
        if self.0.keeps_promises { Ok(()) } else { self.admit(wanted) }
    }

    pub(super) fn set_rows(&self, bytes: u64) {
        self.0.rows.store(bytes, Ordering::Relaxed);
    }

    /// Takes room for bytes of a blob that are about to be written.
    pub(super) fn take_blob(&self, bytes: u64, of_work: bool) -> Result<(), StoreError> {
        if of_work { self.admit_work(bytes) } else { self.admit(bytes) }?;
        self.0.blobs.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Counts what is already there.
    pub(super) fn found_blob(&self, bytes: u64) {
        self.0.blobs.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn free_blob(&self, bytes: u64) {
        let less = |blobs: u64| Some(blobs.saturating_sub(bytes));
        // The closure always answers, so there is no refusal to look at.
        let _ = self.0.blobs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}
