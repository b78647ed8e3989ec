//! What `up` and `lend` share: the process around a node, from its log to its last word.

use super::{Exit, Failure};
use crate::config::Settings;
use crate::shell::{HostError, ShellError};
use std::future::Future;
use std::io;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Threads for links and people: the loop and the executors have their own.
const THREADS: usize = 2;
/// What still runs when a node stops gets this long; then the process ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs a node process to its end.
pub(super) fn run<F>(settings: &Settings, node: F) -> anyhow::Result<Exit>
where
    F: Future<Output = anyhow::Result<Exit>>,
{
    let filter = EnvFilter::try_new(&settings.log).map_err(|error| {
        Failure::usage(format!("the setting log = {:?} is wrong: {error}", settings.log))
            .hint("it is one of error, warn, info, debug, trace")
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // A log that is there already, as in a test, does as well.
    let _ = log.try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()?;
    let ended = runtime.block_on(node);
    runtime.shutdown_timeout(LAST_WORDS);
    ended
}

/// Comes back when the process is told to stop.
pub(super) async fn told_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            stopped = tokio::signal::ctrl_c() => stopped,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// A node that does not start, with its exit code.
pub(super) fn host_failure(error: &HostError) -> Failure {
    Failure::caused(Exit::Error, error)
}

/// A node that has ended by itself, with its exit code.
pub(super) fn end_failure(error: &ShellError) -> Failure {
    Failure::caused(Exit::Error, error)
}

/// The token as links show it.
pub(super) fn link_token(token: &str) -> anyhow::Result<crate::link::Token> {
    Ok(token.parse()?)
}
