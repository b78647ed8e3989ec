//! A terminal that does not show what is typed, on Unix.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io;

/// As long as this lives.
pub(super) struct Hidden(Termios);

impl Hidden {
    pub(super) fn begin() -> io::Result<Hidden> {
        let shown = tcgetattr(io::stdin())?;
        let mut quiet = shown.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Hidden(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // The terminal may have gone meanwhile.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
