//! What can be wrong with a frame. Whoever sends one is not spoken to any more.

/// Why a frame is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("a frame that cannot be read")]
    Garbled,
    #[error("more than {most} {what} in a frame")]
    TooMany { what: &'static str, most: usize },
    #[error("{what} of more than {most} bytes")]
    TooLong { what: &'static str, most: usize },
    #[error("{what} missing, or of a kind that this version does not know")]
    Unknown { what: &'static str },
    #[error("a signature that is not whose it should be")]
    Forged,
    #[error("{what} out of bounds")]
    OutOfBounds { what: &'static str },
}
