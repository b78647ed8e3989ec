//! How a process is asked to stop on Unix: by SIGINT from a terminal, by SIGTERM from anything else.

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
