//! How much a neighbour is given at a time: a window sized by expected work.

use crate::estimate::Estimate;
use crate::job::Chunk;
use crate::limits;
use crate::peer::Presence;
use crate::units::Millis;

/// What a neighbour could use. Whoever has nothing to do comes before whoever wants more for later: two parts for two
/// idle machines go to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    Work,
    Ahead,
}

/// Whether a neighbour should be given more.
pub fn want(peer: &Presence, gifts: usize, now: Millis) -> Option<Want> {
    if !peer.is_able(now) || gifts >= limits::GIFTS_PER_PEER_MAX {
        return None;
    }
    if gifts < usize::try_from(peer.slots).unwrap_or(usize::MAX) {
        return Some(Want::Work);
    }
    takes(peer, gifts, peer.solves).then_some(Want::Ahead)
}

/// Whether a neighbour holds so little that it may be given a run more, or a piece of what its tool cuts further.
pub fn takes(peer: &Presence, gifts: usize, piece: bool) -> bool {
    // A gift is worked on by one slot: each should have one, and all of them enough ahead to hide a round trip.
    let slots = usize::try_from(peer.slots).unwrap_or(usize::MAX);
    let window = if piece { limits::PIECES_AHEAD } else { limits::WINDOW };
    gifts < slots || gifts < slots.saturating_mul(2) && peer.busy_for() < window
}

/// How many items one run gets.
pub fn chunk(wish: Chunk, estimate: &Estimate, speed: u64) -> u64 {
    match wish {
        Chunk::Items(items) => items.max(1),
        Chunk::Timed => estimate.items_in(limits::CHUNK_WORK, speed).unwrap_or(1).min(limits::CHUNK_MAX),
    }
}

/// How many runs one gift holds: what fills the window of one slot, less when the end is near, so that everybody
/// finishes together.
pub fn runs(estimate: &Estimate, peer: &Presence, chunk: u64, todo_runs: u64, slots_all: u64, carried: bool) -> u64 {
    let by_time = estimate.items_in(limits::WINDOW, peer.speed).unwrap_or(1) / chunk.max(1);
    let fair = todo_runs.div_ceil(slots_all.max(1).saturating_mul(2));
    let least = estimate.items_in(limits::GIFT_LEAST, peer.speed).unwrap_or(1) / chunk.max(1);
    by_time.min(fair.max(least)).clamp(1, most_runs(carried))
}

/// How many answers one gift asks to be proved by running them again.
pub fn audits(estimate: &Estimate, prover: &Presence, carried: bool) -> u64 {
    let items = estimate.items_in(limits::PROOF_WINDOW, prover.speed);
    items.unwrap_or(AUDITS_UNKNOWN).clamp(1, most_runs(carried))
}

/// Audits in one gift while the cost of a part is unknown.
const AUDITS_UNKNOWN: u64 = 16;

fn most_runs(carried: bool) -> u64 {
    if carried { limits::GIFT_INPUTS_MAX } else { limits::GIFT_PIECES_MAX }
}

/// How long a gift may be out before it counts as slow.
pub fn patience(expected: Option<Millis>, inner: bool) -> Millis {
    let expected = expected.unwrap_or(limits::LEASE);
    let least = if inner { limits::STRAGGLER_PIECE_MIN } else { limits::STRAGGLER_MIN };
    Millis(expected.0.saturating_mul(limits::STRAGGLER_FACTOR)).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Fuel;

    #[test]
    fn whoever_shares_its_pieces_holds_them_longer_ahead_and_no_more_runs() {
        let busy = |solves, load| Presence {
            linked: true,
            slots: 1,
            solves,
            speed: 1,
            load: Fuel(load),
            ..Presence::default()
        };
        let ahead = |peer: &Presence, gifts| want(peer, gifts, Millis(0)) == Some(Want::Ahead);
        let (peer, lender) = (busy(true, 500), busy(false, 500));
        assert!(ahead(&peer, 1) && !ahead(&peer, 2) && !ahead(&lender, 1));
        assert!(
            takes(&peer, 1, true) && !takes(&peer, 1, false),
            "of what is not cut further there is a shorter window"
        );
        assert!(!ahead(&busy(true, 1_000), 1) && ahead(&busy(false, 100), 1));
    }

    #[test]
    fn a_piece_that_others_cut_further_is_long_not_slow() {
        let soon = Some(Millis(10));
        assert_eq!((patience(soon, false), patience(soon, true)), (limits::STRAGGLER_MIN, limits::STRAGGLER_PIECE_MIN));
        assert!(patience(Some(limits::LEASE), true) > limits::STRAGGLER_PIECE_MIN);
    }
}
