//! Where an executor stands in the system's queues, asked for before the walls are raised: nobody needs rights to come
//! last. What a system refuses is left as it is; none of it protects anything.

/// The last rank for processors.
const LAST: i32 = 19;
/// Behind its own node: whoever asks a busy node for something waits for the node alone, not for parts to give way.
const BEHIND: i32 = 10;
/// When memory runs out, this process goes first.
#[cfg(target_os = "linux")]
const FIRST_TO_GO: &str = "1000";

/// Last in the queue for memory, and if wanted for processors too. Whoever runs parts stands behind its node in any
/// case; whoever compiles does not, since all parts of a job wait for that.
pub(super) fn come_last(gentle: bool, compiles: bool) {
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
    if gentle {
        // Linux may share processors out among sessions first: in one of its own, the rank counts against all others.
        let _ = rustix::process::setsid();
        #[cfg(target_os = "linux")]
        let _ = std::fs::write("/proc/self/autogroup", LAST.to_string());
    }
    if gentle || !compiles {
        let _ = rustix::process::setpriority_process(None, if gentle { LAST } else { BEHIND });
    }
}
