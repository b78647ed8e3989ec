//! What a node asks of Unix: how it is asked to stop (by SIGINT from a terminal, by SIGTERM from anything else), and as
//! many open files as it may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::future::Future;
use std::io;
use tokio::signal::unix::{SignalKind, signal};

/// Listens from now on; what it gives comes back when somebody has said stop.
pub(in crate::cli) fn asked_to_stop() -> io::Result<impl Future<Output = io::Result<()>>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

/// Each connection is an open file, and what is usual is meant for a person's programs. Executors have limits of their
/// own.
pub(in crate::cli) fn open_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where this is not allowed, the node has fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
