//! How a process is asked to stop where there are no Unix signals: by Ctrl-C.

/// Comes back when somebody says stop.
pub(in crate::cli) async fn asked_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
