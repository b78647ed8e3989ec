//! The only clock of the program: time on the wall when it starts, and steady from then on.
//!
//! Moments in the journal must mean something to people and after a restart, and a lease must not end because
//! somebody set the clock.

use grove_core::units::Millis;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    begun: Instant,
    at: Millis,
}

impl Clock {
    pub(super) fn start() -> Clock {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { begun: Instant::now(), at: millis(at) }
    }

    pub(super) fn now(&self) -> Millis {
        self.at.plus(millis(self.begun.elapsed()))
    }

    /// When that moment comes, for whoever waits.
    pub(super) fn instant(&self, at: Millis) -> Instant {
        // A far moment would overflow; nobody sleeps that long.
        let ahead = at.since(self.at).0.min(u64::from(u32::MAX));
        self.begun + Duration::from_millis(ahead)
    }
}

fn millis(span: Duration) -> Millis {
    Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
