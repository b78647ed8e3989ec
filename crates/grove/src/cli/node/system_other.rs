//! What a node asks of a system that is not Unix: to be stopped by Ctrl-C.

/// Comes back when somebody says stop.
pub(in crate::cli) async fn asked_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// There is no such limit here.
pub(in crate::cli) fn open_many_files() {}
