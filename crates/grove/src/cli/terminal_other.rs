//! How large a terminal is, where the system is not asked.

/// Unknown.
pub(super) fn columns<T>(_: T) -> Option<usize> {
    None
}

/// Unknown.
pub(super) fn rows<T>(_: T) -> Option<usize> {
    None
}
