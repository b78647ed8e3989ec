//! CPU time of the running thread, read only where it can differ from the clock on the wall.

/// Below this the reading itself (a system call) would be a good share of what it measures.
const WORTH_READING_US: u64 = 1_000;

/// Started before a part, read after it.
#[derive(Debug)]
pub(crate) struct CpuClock {
    begun_us: u64,
}

impl CpuClock {
    pub(crate) fn start() -> CpuClock {
        CpuClock { begun_us: thread_us() }
    }

    pub(crate) fn spent_us(&self, wall_us: u64) -> u64 {
        if wall_us < WORTH_READING_US { wall_us } else { thread_us().saturating_sub(self.begun_us) }
    }
}

#[cfg(unix)]
fn thread_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

#[cfg(not(unix))]
fn thread_us() -> u64 {
    0
}
