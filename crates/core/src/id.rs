//! Names of things. A newtype each, so that the compiler tells a lease from a task.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);
    };
}

number_id! {
    /// A job, named by whoever submits it, so that submitting twice makes one job.
    JobId
}
number_id! {
    /// A node, as its neighbours know it.
    NodeId
}
number_id! {
    /// A task held by this node; means nothing elsewhere.
    TaskId
}
number_id! {
    /// One gift of one giver. Leases only grow, also across restarts: an old one can never be mistaken for a new one.
    Lease
}
number_id! {
    /// Whoever owns credits.
    PersonId
}
number_id! {
    /// One life of a node, from start to stop.
    Incarnation
}
number_id! {
    /// A question that waits for its answer.
    AskId
}

/// The digits of a written job id: no i, l, o or u, so that people can read it aloud.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..13).rev().try_for_each(|place| {
            let digit = (self.0 >> (5 * place)) & 31;
            fmt::Write::write_char(out, char::from(DIGITS[usize::try_from(digit).unwrap_or_default()]))
        })
    }
}

impl std::str::FromStr for JobId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<JobId, NotAnId> {
        let digits = text.bytes().map(|byte| DIGITS.iter().position(|digit| *digit == byte.to_ascii_lowercase()));
        let value = digits.collect::<Option<Vec<usize>>>().ok_or(NotAnId)?;
        if value.len() != 13 {
            return Err(NotAnId);
        }
        let wide = value.iter().fold(0_u128, |sum, digit| (sum << 5) | *digit as u128);
        u64::try_from(wide).map(JobId).map_err(|_| NotAnId)
    }
}

/// The text is not a whole job id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

/// The BLAKE3 hash of some bytes: their name everywhere.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02x}{:02x}{:02x}{:02x}", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_reads_back_as_written() {
        for id in [JobId(0), JobId(42), JobId(u64::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!("zzzzzzzzzzzzz".parse::<JobId>(), Err(NotAnId), "more than 64 bits");
        assert_eq!("0000".parse::<JobId>(), Err(NotAnId));
    }
}
