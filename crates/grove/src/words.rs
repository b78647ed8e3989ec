//! A key's fingerprint as six words, which people can compare and read to one another.
//!
//! The words are the first 66 bits of a hash over the fingerprint, eleven for each word of a list of 2,048 (that of
//! BIP 39: no two of its words begin with the same four letters). To make another key with the same six words takes
//! about 2^66 tries, more than anybody has for a circle of neighbours; where the whole fingerprint is at hand, as in an
//! invitation, that is what counts.

use grove_core::id::Digest;
use std::fmt;
use std::str::FromStr;

/// So many words are said.
const WORDS: usize = 6;
const BITS: usize = 11;
/// Bytes of the hash that the words need.
const BYTES: usize = (WORDS * BITS).div_ceil(8);
/// Enough letters of a word to know it.
const LETTERS_LEAST: usize = 4;
/// In what the hash differs from every other.
const CONTEXT: &str = "grove words of a key, version 1";
/// Whatever is longer is something else.
const TEXT_MAX: usize = 128;

const LIST: &str = include_str!("words/list.txt");

/// Six places in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words([u16; WORDS]);

/// The text is not six words of the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotWords {
    #[error(
        "a key is said in {WORDS} words, joined by `-`\nhint: `grove status` on a machine of the circle shows them"
    )]
    Count,
    #[error("{word:?} is none of the words that keys are said in\nhint: compare it with what `grove status` shows")]
    Unknown { word: String },
}

impl Words {
    /// The words of that key.
    pub fn of(key: Digest) -> Words {
        let hash = blake3::derive_key(CONTEXT, &key.0);
        let bits = hash.iter().take(BYTES).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let place = |nth: usize| bits >> (8 * BYTES - BITS * (nth + 1)) & ((1 << BITS) - 1);
        Words(std::array::from_fn(|nth| u16::try_from(place(nth)).unwrap_or_default()))
    }
}

impl fmt::Display for Words {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(nth, place)| {
            let word = LIST.split_whitespace().nth(usize::from(*place)).unwrap_or_default();
            write!(out, "{}{word}", if nth == 0 { "" } else { "-" })
        })
    }
}

impl FromStr for Words {
    type Err = NotWords;

    /// In any case, with spaces or dashes between, and each word by its first four letters if need be.
    fn from_str(text: &str) -> Result<Words, NotWords> {
        let said: Vec<&str> = text.split([' ', '-']).filter(|word| !word.is_empty()).collect();
        if said.len() != WORDS || text.len() > TEXT_MAX {
            return Err(NotWords::Count);
        }
        let mut words = [0; WORDS];
        for (place, word) in words.iter_mut().zip(said) {
            *place = listed(word).ok_or_else(|| NotWords::Unknown { word: word.to_owned() })?;
        }
        Ok(Words(words))
    }
}

fn listed(word: &str) -> Option<u16> {
    let word = word.to_ascii_lowercase();
    let begins = |listed: &str| word.len() >= LETTERS_LEAST && listed.starts_with(&word);
    // A short word may begin a longer one, so the whole word counts first.
    let whole = LIST.split_whitespace().position(|listed| listed == word);
    let place = whole.or_else(|| LIST.split_whitespace().position(begins))?;
    u16::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_of_words_that_four_letters_tell_apart() {
        let all: Vec<&str> = LIST.split_whitespace().collect();
        let mut begins: Vec<&str> = all.iter().map(|word| &word[..word.len().min(LETTERS_LEAST)]).collect();
        begins.dedup();
        assert_eq!((all.len(), begins.len()), (1 << BITS, 1 << BITS));
        assert!(all.is_sorted() && all.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }

    #[test]
    fn a_key_is_always_said_in_the_same_words() {
        let words = Words::of(Digest([0xab; 32]));
        assert_eq!(words.to_string(), "visual-tent-lyrics-enhance-barely-blood");
        assert_eq!(words.to_string().parse(), Ok(words));
        let short: Vec<String> = words.to_string().split('-').map(|word| word.chars().take(4).collect()).collect();
        assert_eq!(short.join(" ").to_uppercase().parse(), Ok(words));
        for byte in 0..32 {
            let mut other = [0xab; 32];
            other[byte] ^= 1;
            assert_ne!(Words::of(Digest(other)), words, "byte {byte} counts");
        }
    }

    #[test]
    fn other_words_are_named() {
        assert_eq!("zoo zoo".parse::<Words>(), Err(NotWords::Count));
        assert_eq!("zoo ".repeat(60).parse::<Words>(), Err(NotWords::Count));
        let word = "grovee".to_owned();
        assert_eq!("zoo zoo zoo zoo zoo grovee".parse::<Words>(), Err(NotWords::Unknown { word }));
        assert!("zoo zoo zoo zoo zoo ab".parse::<Words>().is_err(), "too few letters");
    }
}
