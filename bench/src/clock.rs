//! Time as the processor counts it: what a thread has used, whoever else was running.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Processor time of this thread.
pub(crate) fn of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
}
