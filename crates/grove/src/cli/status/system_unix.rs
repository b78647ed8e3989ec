//! How wide the terminal is, on Unix.

/// Columns, where standard output is a terminal.
pub(super) fn columns() -> Option<usize> {
    rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col))
}
