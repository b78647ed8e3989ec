//! Which blobs a person has brought or was shown. A blob's name is the hash of what is in it: whoever could ask about
//! any name would learn what others keep here.
//!
//! It is only remembered while the node runs: whoever has a blob can bring it again, and results are shown again.

use crate::door::BlobId;
use grove_core::id::PersonId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Names that are remembered for each person; the oldest go first, and can be earned again.
const REMEMBERED_MAX: usize = 100_000;

#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Mutex<BTreeMap<PersonId, Names>>>);

#[derive(Debug, Default)]
struct Names {
    known: std::collections::BTreeSet<BlobId>,
    order: VecDeque<BlobId>,
}

impl Shown {
    pub(super) fn note(&self, person: PersonId, blob: BlobId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = all.entry(person).or_default();
        if !names.known.insert(blob) {
            return;
        }
        names.order.push_back(blob);
        if names.order.len() > REMEMBERED_MAX
            && let Some(oldest) = names.order.pop_front()
        {
            names.known.remove(&oldest);
        }
    }

    pub(super) fn knows(&self, person: PersonId, blob: &BlobId) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&person).is_some_and(|names| names.known.contains(blob))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_each_persons_own_and_bounded() {
        let shown = Shown::default();
        let name = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(n as u64).to_le_bytes());
            BlobId(bytes)
        };
        (0..=REMEMBERED_MAX).for_each(|n| shown.note(PersonId(2), name(n)));
        assert!(!shown.knows(PersonId(2), &name(0)) && shown.knows(PersonId(2), &name(1)));
        assert!(!shown.knows(PersonId(3), &name(1)));
    }
}
