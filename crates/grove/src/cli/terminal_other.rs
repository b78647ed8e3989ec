//! How wide a terminal is, where the system is not asked.

/// Unknown.
pub(super) fn columns<T>(_: T) -> Option<usize> {
    None
}
