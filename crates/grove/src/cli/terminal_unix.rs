//! How large a terminal is, on Unix.

use std::os::fd::AsFd;

/// Columns, where that is a terminal.
pub(super) fn columns(of: impl AsFd) -> Option<usize> {
    rustix::termios::tcgetwinsize(of).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Lines, where that is a terminal.
pub(super) fn rows(of: impl AsFd) -> Option<usize> {
    rustix::termios::tcgetwinsize(of).ok().map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 0)
}
