//! Changes to samples, at random. It knows no format.

/// Draws numbers; splitmix64.
#[derive(Debug, Clone)]
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Lengths and numbers at which decoders break.
const NUMBERS: [&[u8]; 12] = [
    &[0],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0, 0, 0, 0x80],
    &[0xff, 0xff, 0xff, 0xff],
    b"18446744073709551615",
    b"-1",
    b"1e999",
];
/// Pieces that mean something to one reader or another.
const WORDS: [&[u8]; 16] = [
    b"\"",
    b"{\"a\":",
    b"[[[[[[[[[[[[[[[[",
    b"}",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"../",
    b"..\\",
    b"/",
    b"\0",
    b"\x1b[2J",
    "\u{202e}\u{200b}".as_bytes(),
    b"%2e%2e%2f",
    b"\r\n\r\n",
    b"con.txt",
];
/// Inputs do not grow beyond this: what breaks on more bytes breaks on many small ones too, and faster.
pub(crate) const BYTES_MAX: usize = 64 << 10;

/// A sample with a few changes; parts of another one may be among them.
pub(crate) fn mutate(draw: &mut Draw, sample: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=draw.below(6) {
        change(draw, &mut bytes, other);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(draw: &mut Draw, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = draw.below(bytes.len() + 1);
    let len = draw.below(bytes.len() - at + 1).min(1 << draw.below(12));
    match draw.below(10) {
        0 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
        1 if at < bytes.len() => bytes[at] = draw.byte(),
        2 => drop(bytes.drain(at..at + len)),
        3 => {
            let again = bytes[at..at + len].to_vec();
            bytes.splice(at..at, again);
        }
        4 => {
            let number = NUMBERS[draw.below(NUMBERS.len())];
            let end = (at + number.len()).min(bytes.len());
            bytes.splice(at..end, number.iter().copied());
        }
        5 => {
            let word = WORDS[draw.below(WORDS.len())];
            bytes.splice(at..at, word.iter().copied());
        }
        6 => {
            let from = draw.below(other.len() + 1);
            let end = from + draw.below(other.len() - from + 1).min(1 << draw.below(12));
            bytes.splice(at..at + len, other[from..end].iter().copied());
        }
        7 => bytes.truncate(at),
        8 => {
            let random: Vec<u8> = (0..draw.below(16)).map(|_| draw.byte()).collect();
            bytes.splice(at..at, random);
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = byte.wrapping_add(if draw.below(2) == 0 { 1 } else { 255 });
            }
        }
    }
}
