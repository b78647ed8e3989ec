//! A cheap hash over a stream: four lanes of multiplications, so that reading costs more than hashing. It tells whether
//! all bytes came in the right order; it keeps nobody from forging them.

use std::io::{self, Read};

const LANES: usize = 4;
/// Eight bytes for each lane.
const ROUND: usize = 8 * LANES;
/// Read at one time.
const BLOCK: usize = 128 << 10;
const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of all that can be read.
///
/// # Errors
/// When reading fails.
pub fn digest(mut from: impl Read) -> io::Result<u64> {
    let mut lanes = [1, 2, 3, 4];
    let mut block = vec![0; BLOCK];
    let mut len = 0_u64;
    loop {
        let filled = fill(&mut from, &mut block)?;
        len += filled as u64;
        // What is missing in the last round counts as zeroes, and the length says how much that is.
        let padded = filled.next_multiple_of(ROUND);
        block[filled..padded].fill(0);
        for round in block[..padded].chunks_exact(ROUND) {
            for (lane, word) in lanes.iter_mut().zip(round.chunks_exact(8)) {
                *lane = (*lane ^ u64::from_le_bytes(word.try_into().unwrap_or_default())).wrapping_mul(PRIME);
            }
        }
        if filled < BLOCK {
            return Ok(lanes
                .iter()
                .fold(len, |all, lane| (all.rotate_left(29) ^ lane ^ (lane >> 32)).wrapping_mul(PRIME)));
        }
    }
}

fn fill(from: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match from.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_its_place_count() {
        let of = |bytes: &[u8]| digest(bytes).expect("memory can be read");
        let text: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        let whole = of(&text);
        for at in [0, 7, 8, BLOCK - 1, BLOCK, text.len() - 1] {
            let mut other = text.clone();
            other[at] ^= 1;
            assert_ne!(of(&other), whole, "{at}");
        }
        assert_ne!(of(&[&text[..], &[0]].concat()), whole);
        assert_ne!(of(b""), of(b"\0"));
        assert_ne!(of(&[[1; 8], [2; 8]].concat()), of(&[[2; 8], [1; 8]].concat()));
    }
}
