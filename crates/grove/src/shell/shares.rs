//! Whose it is what is kept here: nobody fills the disk of all. What jobs name is counted by each sweep, what was brought
//! since by whoever takes it in.

use grove_core::id::{Digest, PersonId};
use grove_core::message::Data;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of all that may be kept, one person may fill one part in so many; the founder, whose disk it is, all of it.
pub const SHARE_OF_ONE: u64 = 2;

/// How much each person keeps.
#[derive(Debug, Clone, Default)]
pub struct Shares(Arc<Mutex<BTreeMap<PersonId, Theirs>>>);

#[derive(Debug, Default)]
struct Theirs {
    /// What their jobs name, as the last sweep has counted it.
    named: u64,
    /// What they have brought since, or what no job has named yet.
    brought: BTreeMap<Digest, u64>,
}

/// What somebody's jobs name: each blob once, however often it is named.
#[derive(Debug, Default)]
pub(super) struct Counted {
    bytes: u64,
    blobs: BTreeSet<Digest>,
}

impl Counted {
    pub(super) fn add(&mut self, data: &Data) {
        match data {
            Data::Blob { id, .. } if !self.blobs.insert(*id) => {}
            data => self.bytes = self.bytes.saturating_add(data.len()),
        }
    }
}

impl Shares {
    /// Bytes that are somebody's.
    pub fn of(&self, person: PersonId) -> u64 {
        let all = self.lock();
        all.get(&person).map_or(0, |theirs| theirs.named.saturating_add(theirs.brought.values().sum()))
    }

    /// Somebody has brought so much of a blob.
    pub fn brought(&self, person: PersonId, blob: Digest, bytes: u64) {
        self.lock().entry(person).or_default().brought.insert(blob, bytes);
    }

    /// What a sweep has found; `is_there` says which of the others are still kept.
    pub(super) fn count(&self, mut found: BTreeMap<PersonId, Counted>, is_there: impl Fn(&Digest) -> bool) {
        let mut all = self.lock();
        for (person, theirs) in all.iter_mut() {
            let Counted { bytes, blobs } = found.remove(person).unwrap_or_default();
            theirs.named = bytes;
            theirs.brought.retain(|blob, _| !blobs.contains(blob) && is_there(blob));
        }
        all.extend(
            found
                .into_iter()
                .map(|(person, Counted { bytes, .. })| (person, Theirs { named: bytes, brought: BTreeMap::new() })),
        );
        all.retain(|_, theirs| theirs.named > 0 || !theirs.brought.is_empty());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PersonId, Theirs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_brings_is_theirs_until_it_is_gone_and_counts_once() {
        let (ann, bob) = (PersonId(2), PersonId(3));
        let [one, two] = [1, 2].map(|n| Digest([n; 32]));
        let kept = Shares::default();
        kept.brought(ann, one, 10);
        kept.brought(ann, one, 100);
        kept.brought(ann, two, 1_000);
        assert_eq!((kept.of(ann), kept.of(bob)), (1_100, 0), "an upload that goes on counts as what there is of it");
        let mut named = Counted::default();
        let inline = Data::Inline { bytes: vec![0; 7].into() };
        for data in [Data::Blob { id: one, len: 100 }, Data::Blob { id: one, len: 100 }, inline] {
            named.add(&data);
        }
        kept.count([(ann, named)].into(), |blob| *blob == two);
        assert_eq!(kept.of(ann), 1_107, "one is named by a job, the other is not named yet");
        kept.count(BTreeMap::new(), |_| false);
        assert_eq!(kept.of(ann), 0);
        assert!(kept.lock().is_empty());
    }
}
