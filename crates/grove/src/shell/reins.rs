//! What the watch over the owner holds of a node: its executors, to stop them, and its loop, to say so.

use super::Side;
use crate::executor::{Executors, Tally};
use crate::owner::{Done, Reins, Soon};
use grove_core::id::JobId;
use grove_core::node::Event;
use grove_core::units::Fuel;
use std::time::Duration;

/// The loop gives back what runs within milliseconds; if it cannot, the owner comes first.
const GIVE_BACK_WITHIN: Duration = Duration::from_millis(600);

/// The reins of a lender.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) side: Side,
    pub(super) executors: Executors,
    pub(super) slots: u32,
    /// A hub goes on proving answers and cutting pieces, which nobody else may do; a lender does nothing at all.
    pub(super) whole: bool,
}

impl Held {
    /// To others, and to its owner's own jobs while nothing is lent. A node that has stopped lends nothing.
    fn lends(&self, slots: u32, own: u32) {
        let _ = self.side.happened(Event::Keeps { slots: own });
        let _ = self.side.happened(Event::Lends { slots });
    }

    /// What was finished has been told by then, and what was not has been declined.
    async fn given_back(&self) {
        let _ = tokio::time::timeout(GIVE_BACK_WITHIN, self.side.look(|_| ())).await;
    }
}

impl Reins for Held {
    fn freeze(&self) {
        if self.whole {
            self.executors.freeze();
        }
    }

    fn give_up(&self) -> Soon<'_, ()> {
        self.lends(0, 0);
        Box::pin(async {
            self.given_back().await;
            if self.whole {
                self.executors.kill_all();
            }
        })
    }

    fn lend(&self) {
        self.executors.thaw();
        self.lends(self.slots, 0);
    }

    fn keep(&self) -> Soon<'_, ()> {
        self.executors.thaw();
        self.lends(0, self.slots);
        Box::pin(self.given_back())
    }

    fn is_at_work(&self) -> bool {
        self.executors.is_at_work()
    }

    fn work_begins(&self) -> Soon<'_, ()> {
        Box::pin(self.executors.work_begins())
    }

    fn compiling(&self) -> Option<Duration> {
        self.executors.compiling()
    }

    fn done(&self) -> Vec<Done> {
        let tallies = self.executors.take_tallies();
        let done = |(job, tally): (JobId, Tally)| Done {
            job: job.to_string(),
            parts: tally.parts,
            fuel: Fuel(tally.fuel),
            micros: tally.micros,
        };
        tallies.into_iter().map(done).collect()
    }
}
