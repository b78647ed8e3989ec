//! Bugs planted on purpose: the test of the simulator. Without the feature `planted` none of this is compiled in.

/// A mistake that somebody could make. Each is switched on by a test that expects the simulator to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A final answer is paid twice.
    PayTwice,
    /// Answers are taken from whoever sends them.
    AnswersFromAnybody,
    /// What a silent lender holds is never wanted again.
    ForgetTheLost,
    /// What was set aside and not spent stays set aside.
    KeepTheHold,
    /// An audit that disagrees counts as right.
    BlindAudit,
    /// A new lender's answers are believed.
    NoProbation,
    /// Actions are performed before their facts are on the disk.
    ActBeforeSync,
    /// An answer is taken although its items are not out any more.
    AnswersTwice,
    /// Leases are numbered anew after a restart.
    LeasesFromZero,
    /// A lender that started anew is thought to hold what it held.
    ForgetRestarts,
    /// The lender that gave an answer is also asked to repeat it.
    SecondBySame,
    /// Payments say what was added, not the running total.
    PayIncrements,
    /// Heartbeats come more seldom than leases end.
    LazyHeartbeat,
    /// A stage ends before its lenders are paid.
    ForgetToPay,
    /// Parts are promised more than the job has.
    IgnoreBudget,
    /// A caught lender's earlier answers stand.
    KeepTheLies,
    /// Whoever came first is served first, whatever it has already.
    OldestFirst,
    /// What a neighbour says that it has paid counts as a favour.
    WordsAreFavours,
    /// What a neighbour has merged is believed.
    BlindMerge,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 19] = [
        Bug::PayTwice,
        Bug::AnswersFromAnybody,
        Bug::ForgetTheLost,
        Bug::KeepTheHold,
        Bug::BlindAudit,
        Bug::NoProbation,
        Bug::ActBeforeSync,
        Bug::AnswersTwice,
        Bug::LeasesFromZero,
        Bug::ForgetRestarts,
        Bug::SecondBySame,
        Bug::PayIncrements,
        Bug::LazyHeartbeat,
        Bug::ForgetToPay,
        Bug::IgnoreBudget,
        Bug::KeepTheLies,
        Bug::OldestFirst,
        Bug::WordsAreFavours,
        Bug::BlindMerge,
    ];
}

#[cfg(not(feature = "planted"))]
#[inline(always)]
pub(crate) fn is(_bug: Bug) -> bool {
    false
}

#[cfg(feature = "planted")]
pub use switch::{is, plant};

#[cfg(feature = "planted")]
mod switch {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Switches one bug on (and any other off) for this thread.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Whether this bug is switched on.
    pub fn is(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}
