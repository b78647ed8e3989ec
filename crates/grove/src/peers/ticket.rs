//! A ticket as one word: the secret of a group of peers, and one of them with its addresses. Whoever has it belongs to
//! the group. It knows nothing of networks.

use crate::address::Address;
use crate::invite::{NotAnInvite, from_addresses, opened, sealed, to_addresses};
use crate::link::{ADDRESSES_MAX, Acquaintance, Secret};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Another first byte than that of an invitation.
const VERSION: u8 = 0x51;

/// What the word says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub group: Secret,
    pub peer: Acquaintance,
}

/// The word is not a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotATicket {
    #[error("this is not the ticket of a peer\nhint: it is one long word, as `grove peer` prints it")]
    Other,
    #[error("a letter of the ticket is wrong or missing\nhint: copy it once more")]
    Mistyped,
    #[error("this is an invitation to a hub\nhint: `grove join` takes it")]
    Invitation,
}

impl fmt::Display for Ticket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(self.group.0);
        bytes.extend(self.peer.key);
        let addresses = self.peer.addresses.iter().take(ADDRESSES_MAX).copied().map(Address::Ip);
        bytes.extend(from_addresses(addresses));
        out.write_str(&sealed(&bytes))
    }
}

impl FromStr for Ticket {
    type Err = NotATicket;

    fn from_str(text: &str) -> Result<Ticket, NotATicket> {
        let said = opened(text).map_err(|error| match error {
            NotAnInvite::Mistyped => NotATicket::Mistyped,
            NotAnInvite::Other | NotAnInvite::Version => NotATicket::Other,
        })?;
        let (version, rest) = said.split_first().ok_or(NotATicket::Other)?;
        if *version != VERSION {
            return Err(NotATicket::Invitation);
        }
        let (group, rest) = rest.split_first_chunk().ok_or(NotATicket::Other)?;
        let (key, rest) = rest.split_first_chunk().ok_or(NotATicket::Other)?;
        let ip = |address: &Address| match address {
            Address::Ip(address) => Some(*address),
            Address::Named { .. } => None,
        };
        let addresses: Option<Vec<SocketAddr>> = to_addresses(rest).ok_or(NotATicket::Other)?.iter().map(ip).collect();
        let peer = Acquaintance { key: *key, addresses: addresses.ok_or(NotATicket::Other)? };
        Ok(Ticket { group: Secret(*group), peer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_and_nothing_else_is_one() {
        let addresses = vec!["192.168.1.20:7422".parse().unwrap(), "[2001:db8::1]:9".parse().unwrap()];
        let ticket = Ticket { group: Secret([7; 32]), peer: Acquaintance { key: [9; 32], addresses } };
        let word = ticket.to_string();
        assert_eq!(word.parse(), Ok(ticket.clone()));
        assert_eq!(word.to_uppercase().parse(), Ok(ticket.clone()));
        assert!(!format!("{ticket:?}").contains("7, 7"), "the secret is not printed");
        for at in 0..word.len() {
            assert!(word[..at].parse::<Ticket>().is_err(), "cut at {at}");
        }
        assert_eq!(sealed(&[1, 2, 3]).parse::<Ticket>(), Err(NotATicket::Invitation));
        for other in ["", "join", "é", &"0".repeat(1_000)] {
            assert!(other.parse::<Ticket>().is_err(), "{other}");
        }
    }
}
