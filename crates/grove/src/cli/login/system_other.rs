//! Where no way is known to keep a terminal from showing what is typed, it is shown.

use std::io;

/// Hides nothing.
pub(super) struct Hidden;

impl Hidden {
    pub(super) fn begin() -> io::Result<Hidden> {
        Ok(Hidden)
    }
}
