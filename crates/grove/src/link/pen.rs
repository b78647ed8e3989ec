//! Signatures of peers under what they have done for one another.
//!
//! A signature names both, so that nobody else can use it, and both numbers only grow, so that an old one says nothing new.

use super::mesh::Key;
use grove_core::message::{Signed, Totals};

use iroh::{PublicKey, SecretKey, Signature};
use std::sync::Arc;

/// What is signed begins with this, and nothing else that a peer signs does.
const PURPOSE: &[u8] = b"grove peers: what we have done for one another\n";

/// With what a peer signs.
#[derive(Debug)]
pub(super) struct Pen {
    secret: SecretKey,
    me: Key,
}

impl Pen {
    pub(super) fn new(secret: SecretKey) -> Pen {
        let me = *secret.public().as_bytes();
        Pen { secret, me }
    }

    /// For that neighbour.
    pub(super) fn sign(&self, to: &Key, totals: Totals) -> Signed {
        let seal = self.secret.sign(&words(&self.me, to, totals)).to_bytes();
        Signed { totals, seal: Arc::from(seal) }
    }

    /// Whether that neighbour has signed it, for this node.
    pub(super) fn is_of(&self, from: &Key, signed: &Signed) -> bool {
        is_signed(from, &self.me, signed)
    }

    /// Whether this node has signed it, for that neighbour.
    pub(super) fn is_own(&self, to: &Key, signed: &Signed) -> bool {
        is_signed(&self.me, to, signed)
    }
}

fn is_signed(by: &Key, to: &Key, Signed { totals, seal }: &Signed) -> bool {
    let Ok(seal) = <[u8; Signature::LENGTH]>::try_from(&seal[..]) else { return false };
    let Ok(by_key) = PublicKey::from_bytes(by) else { return false };
    by_key.verify(&words(by, to, *totals), &Signature::from_bytes(&seal)).is_ok()
}

fn words(by: &Key, to: &Key, totals: Totals) -> Vec<u8> {
    [PURPOSE, by, to, &totals.yours.0.to_be_bytes(), &totals.mine.0.to_be_bytes()].concat()
}
