//! Every job has two names: the one that people give it and ask for, and the one under which this node and its lenders
//! speak of it. Whoever knows one of them cannot tell the other: a lender learns no name that means anything here.
//!
//! The one is made from the other by a keyed permutation (a Feistel network over BLAKE3), so nothing need be kept.

use grove_core::id::JobId;

/// Four rounds of a pseudo-random function make a permutation that nobody tells from chance, asked both ways.
const ROUNDS: [u8; 4] = [0, 1, 2, 3];

/// What the names are made with.
#[derive(Clone, Copy)]
pub(super) struct Aliases([u8; 32]);

impl std::fmt::Debug for Aliases {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Aliases(…)")
    }
}

impl Aliases {
    /// With no secret, for tests.
    #[cfg(test)]
    pub(super) const NONE: Aliases = Aliases([0; 32]);

    /// The same as long as the node's token is.
    pub(super) fn of(token: &str) -> Aliases {
        Aliases(blake3::derive_key("grove names of jobs within a node", token.as_bytes()))
    }

    /// What the node calls a job that people call so.
    pub(super) fn within(self, said: JobId) -> JobId {
        let (mut left, mut right) = halves(said);
        for round in ROUNDS {
            (left, right) = (right, left ^ self.mixed(round, right));
        }
        whole(left, right)
    }

    /// What people call a job that the node calls so.
    pub(super) fn said(self, within: JobId) -> JobId {
        let (mut left, mut right) = halves(within);
        for round in ROUNDS.iter().rev() {
            (left, right) = (right ^ self.mixed(*round, left), left);
        }
        whole(left, right)
    }

    fn mixed(self, round: u8, half: u32) -> u32 {
        let [a, b, c, d] = half.to_le_bytes();
        let hash = blake3::keyed_hash(&self.0, &[round, a, b, c, d]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

fn halves(id: JobId) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = id.0.to_le_bytes();
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

fn whole(left: u32, right: u32) -> JobId {
    JobId(u64::from(right) << 32 | u64::from(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_leads_to_the_other_and_back() {
        let aliases = Aliases::of("token");
        let names: BTreeSet<JobId> = (0..10_000).map(|id| aliases.within(JobId(id))).collect();
        assert_eq!(names.len(), 10_000, "no two jobs have one name");
        for id in [0, 1, 7, u64::MAX, 0x0123_4567_89ab_cdef] {
            let within = aliases.within(JobId(id));
            assert!(within != JobId(id) && aliases.said(within) == JobId(id));
            assert_ne!(Aliases::of("other").within(JobId(id)), within);
        }
    }
}
