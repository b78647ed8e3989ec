//! An invitation as one word: where a hub is, which key it has, and a secret that lets somebody in.
//!
//! All that somebody needs to trust the hub from the first byte on is in it, so nobody in between can pretend to be it.
//! It knows nothing of networks and of who may invite.

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
const TEXT_MAX: usize = 512;

/// What the word says.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// The fingerprint of the hub's key.
    pub key: Digest,
    pub secret: [u8; SECRET_BYTES],
    /// Where the hub's API answers, the best first.
    pub api: Vec<SocketAddr>,
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

impl fmt::Display for Invite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(self.key.0);
        bytes.extend(self.secret);
        for address in self.api.iter().take(ADDRESSES_MAX) {
            match address.ip() {
                IpAddr::V4(ip) => bytes.extend([&[4], &ip.octets()[..]].concat()),
                IpAddr::V6(ip) => bytes.extend([&[6], &ip.octets()[..]].concat()),
            }
            bytes.extend(address.port().to_be_bytes());
        }
        bytes.extend(sum(&bytes));
        out.write_str(&written(&bytes))
    }
}

impl FromStr for Invite {
    type Err = NotAnInvite;

    fn from_str(text: &str) -> Result<Invite, NotAnInvite> {
        let bytes = read(text).ok_or(NotAnInvite::Other)?;
        let (said, given) = bytes.split_last_chunk::<SUM_BYTES>().ok_or(NotAnInvite::Other)?;
        if sum(said) != *given {
            return Err(NotAnInvite::Mistyped);
        }
        let (version, rest) = said.split_first().ok_or(NotAnInvite::Other)?;
        if *version != VERSION {
            return Err(NotAnInvite::Version);
        }
        let (key, rest) = rest.split_first_chunk().ok_or(NotAnInvite::Other)?;
        let (secret, rest) = rest.split_first_chunk().ok_or(NotAnInvite::Other)?;
        let api = addresses(rest).ok_or(NotAnInvite::Other)?;
        Ok(Invite { key: Digest(*key), secret: *secret, api })
    }
}

fn addresses(mut bytes: &[u8]) -> Option<Vec<SocketAddr>> {
    let mut all = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let (ip, rest) = match kind {
            4 => rest.split_first_chunk::<4>().map(|(ip, rest)| (IpAddr::from(*ip), rest))?,
            6 => rest.split_first_chunk::<16>().map(|(ip, rest)| (IpAddr::from(*ip), rest))?,
            _ => return None,
        };
        let (port, rest) = rest.split_first_chunk::<2>()?;
        all.push(SocketAddr::new(ip, u16::from_be_bytes(*port)));
        bytes = rest;
    }
    (1..=ADDRESSES_MAX).contains(&all.len()).then_some(all)
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
        let api = vec!["192.168.1.20:7420".parse().unwrap(), "[2001:db8::1]:80".parse().unwrap()];
        Invite { key: Digest([0xab; 32]), secret: [7; SECRET_BYTES], api }
    }

    #[test]
    fn an_invitation_reads_back_in_either_case() {
        let word = invite().to_string();
        assert!(word.bytes().all(|letter| letter.is_ascii_alphanumeric()) && word.len() < 140, "{word}");
        assert_eq!(word.parse(), Ok(invite()));
        assert_eq!(word.to_uppercase().parse(), Ok(invite()));
        assert!(!format!("{:?}", invite()).contains("0707"));
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
