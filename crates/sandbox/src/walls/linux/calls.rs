//! The system calls an executor may make: what the engine, its threads and one socket need. All others are refused.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter,
};

/// Allowed with any arguments. None of them names a file, another process or an address on a network.
const FREE: &[i64] = &[
    // Memory, which the engine maps, protects and gives back.
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_brk,
    // What is already open: the socket, passed files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_close,
    // Threads of this process, and waiting.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_membarrier,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    // Traps arrive as signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getrandom,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Which of its own pages were written, by which the engine clears them: `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u64 = 0xc060_6610;

const FCNTL: &[i32] = &[libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC];

/// Puts the filter in place, for this thread and all it will start.
pub(super) fn filter() -> io::Result<()> {
    // glibc takes "not implemented" as the sign to make threads by `clone`, whose flags can be looked at. This
    // filter answers before the next one, which lets the call through.
    let modern = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    install(modern, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))?;
    install(allowed()?, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
}

fn allowed() -> io::Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FREE.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_clone3, Vec::new());
    // Threads, not processes; these three flags together exclude every new namespace.
    let thread = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND) as u64;
    rules.insert(libc::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(thread), thread)?]);
    // Aborting is a signal to oneself.
    let own = u64::from(rustix::process::getpid().as_raw_nonzero().get().unsigned_abs());
    rules.insert(libc::SYS_tgkill, vec![when(0, SeccompCmpOp::Eq, own)?]);
    // The size of an open file is asked for by these with an empty path.
    let open = libc::AT_EMPTY_PATH as u64;
    rules.insert(libc::SYS_newfstatat, vec![when(3, SeccompCmpOp::Eq, open)?]);
    rules.insert(libc::SYS_statx, vec![when(2, SeccompCmpOp::MaskedEq(open), open)?]);
    rules.insert(libc::SYS_ioctl, vec![when(1, SeccompCmpOp::Eq, PAGEMAP_SCAN)?]);
    let fcntl = FCNTL.iter().map(|command| when(1, SeccompCmpOp::Eq, u64::from(command.unsigned_abs())));
    rules.insert(libc::SYS_fcntl, fcntl.collect::<io::Result<_>>()?);
    Ok(rules)
}

fn when(argument: u8, is: SeccompCmpOp, value: u64) -> io::Result<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, is, value).map_err(io::Error::other)?;
    SeccompRule::new(vec![condition]).map_err(io::Error::other)
}

fn install(rules: BTreeMap<i64, Vec<SeccompRule>>, else_do: SeccompAction, then_do: SeccompAction) -> io::Result<()> {
    let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, else_do, then_do, arch).map_err(io::Error::other)?;
    let program = filter.try_into().map_err(io::Error::other)?;
    let program: seccompiler::BpfProgram = program;
    apply_filter(&program).map_err(io::Error::other)
}
