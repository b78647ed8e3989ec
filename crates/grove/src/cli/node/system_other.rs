//! What a node asks of a system that is not Unix: to be stopped by Ctrl-C.

use std::future::Future;
use std::io;

/// What it gives comes back when somebody has said stop.
pub(in crate::cli) fn asked_to_stop() -> io::Result<impl Future<Output = io::Result<()>>> {
    Ok(tokio::signal::ctrl_c())
}

/// There is no such limit here.
pub(in crate::cli) fn open_many_files() {}
