//! What the folder of a peer says about others: the secret of its group, and whom it has met.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Addresses of one peer that are remembered.
const ADDRESSES_MAX: usize = 2;

/// The group of peers to which this folder's node belongs, and those that it has met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub v: u32,
    /// What its peers share, in hexadecimal digits.
    pub secret: String,
}

/// Peers that were met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbours {
    pub v: u32,
    pub peers: Vec<Met>,
}

/// A peer, by its key, and where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    pub key: String,
    pub addresses: Vec<SocketAddr>,
}

impl Neighbours {
    pub fn of(all: impl Iterator<Item = ([u8; 32], Vec<SocketAddr>)>) -> Neighbours {
        let one = |(key, mut addresses): ([u8; 32], Vec<SocketAddr>)| {
            addresses.truncate(ADDRESSES_MAX);
            Met { key: hex(&key), addresses }
        };
        Neighbours { v: 1, peers: all.map(one).collect() }
    }

    /// What is no key is left out.
    pub fn all(&self) -> impl Iterator<Item = ([u8; 32], Vec<SocketAddr>)> + '_ {
        self.peers.iter().filter_map(|met| Some((unhex(&met.key)?, met.addresses.clone())))
    }
}

impl Group {
    pub fn of(secret: &[u8; 32]) -> Group {
        Group { v: 1, secret: hex(secret) }
    }

    pub fn secret(&self) -> Option<[u8; 32]> {
        unhex(&self.secret)
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes().as_chunks::<2>().0;
    let bytes: Option<Vec<u8>> =
        digits.iter().map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect();
    bytes?.try_into().ok().filter(|_| text.len() == 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_what_is_none_is_left_out() {
        let addresses: Vec<SocketAddr> = vec!["10.0.0.1:7422".parse().unwrap()];
        let mut all = Neighbours::of([([7; 32], addresses.clone())].into_iter());
        all.peers.push(Met { key: "é".repeat(32), addresses: Vec::new() });
        assert_eq!(all.all().collect::<Vec<_>>(), [([7; 32], addresses)]);
        assert_eq!(Group::of(&[9; 32]).secret(), Some([9; 32]));
        assert_eq!(Group { v: 1, secret: "9".into() }.secret(), None);
    }
}
