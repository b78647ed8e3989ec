//! An invitation as one word: where a hub is, which key it has, and a secret that lets somebody in.
//!
//! All that somebody needs to trust the hub from the first byte on is in it, so nobody in between can pretend to be it.
//! It knows nothing of networks and of who may invite.

use crate::address::{Address, HOST_MAX};
use grove_core::id::Digest;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Bytes of chance in a secret: nobody guesses 128 bits while an invitation lasts.
pub const SECRET_BYTES: usize = 16;
/// Ways to one hub that are worth trying.
pub const ADDRESSES_MAX: usize = 8;

const VERSION: u8 = 1;
const SUM_BYTES: usize = 4;
/// No i, l, o or u, so that people can read it aloud.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Names of hosts make it long, and nothing else does.
const TEXT_MAX: usize = 4_096;
/// What an address begins with: which kind it is.
const NAMED: u8 = 0;
const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// What the word says.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// The fingerprint of the hub's key.
    pub key: Digest,
    pub secret: [u8; SECRET_BYTES],
    /// Where the hub's API answers, the best first. Without any it is to be looked for on the local network.
    pub api: Vec<Address>,
}

impl fmt::Debug for Invite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Invite({} at {:?})", self.key, self.api)
    }
}

/// The word is not an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInvite {
    #[error("this is not an invitation\nhint: it is one long word, as `grove invite` prints it")]
    Other,
    #[error("a letter of the invitation is wrong or missing\nhint: copy it once more")]
    Mistyped,
    #[error("the invitation is of another version of Grove\nhint: install the version that the hub has")]
    Version,
}

/// The hash under which a secret is on the books.
pub fn hash_of(secret: &[u8]) -> Digest {
    Digest(*blake3::hash(secret).as_bytes())
}

/// Bytes as a word with a sum in it, by which a mistyped letter is noticed.
pub fn sealed(said: &[u8]) -> String {
    written(&[said, &sum(said)].concat())
}

/// What was said in such a word.
pub fn opened(text: &str) -> Result<Vec<u8>, NotAnInvite> {
    let mut bytes = read(text).ok_or(NotAnInvite::Other)?;
    let given = *bytes.last_chunk::<SUM_BYTES>().ok_or(NotAnInvite::Other)?;
    bytes.truncate(bytes.len() - SUM_BYTES);
    if sum(&bytes) == given { Ok(bytes) } else { Err(NotAnInvite::Mistyped) }
}

impl fmt::Display for Invite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(self.key.0);
        bytes.extend(self.secret);
        bytes.extend(from_addresses(self.api.iter().take(ADDRESSES_MAX).cloned()));
        out.write_str(&sealed(&bytes))
    }
}

impl FromStr for Invite {
    type Err = NotAnInvite;

    fn from_str(text: &str) -> Result<Invite, NotAnInvite> {
        let said = opened(text)?;
        let (version, rest) = said.split_first().ok_or(NotAnInvite::Other)?;
        if *version != VERSION {
            return Err(NotAnInvite::Version);
        }
        let (key, rest) = rest.split_first_chunk().ok_or(NotAnInvite::Other)?;
        let (secret, rest) = rest.split_first_chunk().ok_or(NotAnInvite::Other)?;
        let api = to_addresses(rest).ok_or(NotAnInvite::Other)?;
        Ok(Invite { key: Digest(*key), secret: *secret, api })
    }
}

/// Addresses as bytes.
pub(crate) fn from_addresses(all: impl Iterator<Item = Address>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for address in all {
        match &address {
            Address::Ip(address) => match address.ip() {
                IpAddr::V4(ip) => bytes.extend([&[IPV4], &ip.octets()[..]].concat()),
                IpAddr::V6(ip) => bytes.extend([&[IPV6], &ip.octets()[..]].concat()),
            },
            Address::Named { host, .. } => {
                let length = u8::try_from(host.len()).unwrap_or(u8::MAX);
                bytes.extend([&[NAMED, length], &host.as_bytes()[..usize::from(length)]].concat());
            }
        }
        bytes.extend(address.port().to_be_bytes());
    }
    bytes
}

/// The addresses that bytes stand for; nothing if they stand for something else, or for too many.
pub(crate) fn to_addresses(mut bytes: &[u8]) -> Option<Vec<Address>> {
    let mut all = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let (host, rest) = match *kind {
            IPV4 => rest.split_first_chunk::<4>().map(|(ip, rest)| (Host::Ip(IpAddr::from(*ip)), rest))?,
            IPV6 => rest.split_first_chunk::<16>().map(|(ip, rest)| (Host::Ip(IpAddr::from(*ip)), rest))?,
            NAMED => {
                let (length, rest) = rest.split_first()?;
                let (name, rest) = rest.split_at_checked(usize::from(*length).min(HOST_MAX))?;
                (Host::Name(std::str::from_utf8(name).ok()?), rest)
            }
            _ => return None,
        };
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let port = u16::from_be_bytes(*port);
        all.push(match host {
            Host::Ip(ip) => Address::Ip(SocketAddr::new(ip, port)),
            Host::Name(name) => Address::named(name, port)?,
        });
        bytes = rest;
    }
    (all.len() <= ADDRESSES_MAX).then_some(all)
}

enum Host<'a> {
    Ip(IpAddr),
    Name(&'a str),
}

fn sum(bytes: &[u8]) -> [u8; SUM_BYTES] {
    let hash = *blake3::hash(bytes).as_bytes();
    [hash[0], hash[1], hash[2], hash[3]]
}

fn written(bytes: &[u8]) -> String {
    let (mut held, mut bits, mut text) = (0_u32, 0, String::new());
    for byte in bytes {
        (held, bits) = (held << 8 | u32::from(*byte), bits + 8);
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(DIGITS[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(DIGITS[(held << (5 - bits) & 31) as usize]));
    }
    text
}

fn read(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.len() > TEXT_MAX {
        return None;
    }
    let (mut held, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == letter.to_ascii_lowercase())?;
        (held, bits) = (held << 5 | digit as u32, bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 255) as u8);
            held &= (1 << bits) - 1;
        }
    }
    // What is left over is filled with nothing.
    (bits < 5 && held == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Invite {
        let all = ["192.168.1.20:7420", "[2001:db8::1]:80", "hub.example.org:7420"];
        let api = all.iter().map(|one| one.parse().unwrap()).collect();
        Invite { key: Digest([0xab; 32]), secret: [7; SECRET_BYTES], api }
    }

    #[test]
    fn an_invitation_reads_back_in_either_case() {
        let word = invite().to_string();
        assert!(word.bytes().all(|letter| letter.is_ascii_alphanumeric()) && word.len() < 180, "{word}");
        assert_eq!(word.parse(), Ok(invite()));
        assert_eq!(word.to_uppercase().parse(), Ok(invite()));
        assert!(!format!("{:?}", invite()).contains("0707"));
        let nowhere = Invite { api: Vec::new(), ..invite() };
        assert_eq!(nowhere.to_string().parse(), Ok(nowhere));
    }

    #[test]
    fn every_wrong_letter_is_noticed_and_nothing_else_is_an_invitation() {
        let word = invite().to_string();
        for at in 0..word.len() {
            let mut letters = word.clone().into_bytes();
            letters[at] = if letters[at] == b'0' { b'1' } else { b'0' };
            assert!(String::from_utf8(letters).unwrap().parse::<Invite>().is_err(), "letter {at}");
            assert!(word[..at].parse::<Invite>().is_err(), "cut at {at}");
        }
        let mut bytes = read(&word).unwrap();
        bytes.truncate(bytes.len() - SUM_BYTES);
        bytes[0] = 2;
        bytes.extend(sum(&bytes));
        assert_eq!(written(&bytes).parse::<Invite>(), Err(NotAnInvite::Version));
        for other in ["", "u", "join", &"0".repeat(1_000), "é"] {
            assert!(other.parse::<Invite>().is_err(), "{other}");
        }
    }
}
