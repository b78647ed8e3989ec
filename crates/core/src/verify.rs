//! Which answers are believed, and what happens to those that are not.

use crate::job::Check;
use crate::message::Outcome;
use crate::peer::Trust;
use crate::planted::{self, Bug};
use crate::task::Proof;

/// What is known about an answer when it comes in.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub check: Check,
    pub failed: bool,
    /// It comes from where answers are believed.
    pub trusted: bool,
    pub trust: Trust,
    /// Running the part again gives the same answer: its clock and its chance are not true ones.
    pub repeats: bool,
    /// A number below 1,000 that nobody outside can guess.
    pub draw: u32,
}

/// How an answer must be proved before it counts; `None` means that it counts now, or until an audit says otherwise.
pub fn proof(claim: Claim) -> Option<Proof> {
    if claim.trusted || claim.check == Check::Trust {
        return None;
    }
    if !claim.repeats {
        return matches!(claim.check, Check::Prove { .. }).then_some(Proof::Prove);
    }
    // That a tool fails on an input is a claim about the tool: another machine has to see it too.
    if claim.failed {
        return Some(if claim.check == Check::Copies { Proof::Second } else { Proof::Audit });
    }
    match claim.check {
        Check::Prove { .. } => Some(Proof::Prove),
        Check::Copies => Some(Proof::Second),
        Check::Spot { .. } => audited(claim).then_some(Proof::Audit),
        Check::Trust => None,
    }
}

/// What is done with an answer that the tool's own check cannot tell.
pub fn unsure(claim: Claim) -> Option<Proof> {
    (claim.repeats && audited(claim)).then_some(Proof::Audit)
}

/// Whether every answer of this lender is audited for now, because nothing is known of it.
pub fn on_probation(claim: Claim) -> bool {
    let audits = matches!(claim.check, Check::Prove { .. } | Check::Spot { .. });
    audits && claim.repeats && !claim.trusted && claim.trust.is_new()
}

fn audited(claim: Claim) -> bool {
    if planted::is(Bug::NoProbation) {
        return false;
    }
    claim.trust.is_new() || claim.draw < claim.check.per_mille()
}

/// What the tool's own check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Right,
    Wrong,
    /// It cannot tell: "nothing found" is no proof that nothing is there.
    Unsure,
}

/// What the outcome of a check says about the answer that it looked at.
pub fn verdict(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Right => Verdict::Right,
        Outcome::Exit { code: 1 } => Verdict::Wrong,
        _ => Verdict::Unsure,
    }
}

/// A number below 1,000 out of a secret and the name of a part.
pub fn draw(secret: u64, task: u64, item: u64) -> u32 {
    let mixed = mix(secret ^ mix(task ^ mix(item)));
    u32::try_from(mixed % 1_000).unwrap_or(0)
}

/// SplitMix64's finaliser: every bit of the answer hangs on every bit of the question.
pub fn mix(value: u64) -> u64 {
    let mut bits = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
