//! What a node asks of Unix: how it is asked to stop (by SIGINT from a terminal, by SIGTERM from anything else), and as
//! many open files as it may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// Comes back when somebody says stop.
pub(in crate::cli) async fn asked_to_stop() -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Each connection is an open file, and what is usual is meant for a person's programs. Executors have limits of their
/// own.
pub(in crate::cli) fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where this is not allowed, the node has fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
