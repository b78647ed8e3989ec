//! Counts the words of a text: `word count` lines, sorted by word. A text is split at line ends, so no word is cut.

use std::collections::HashMap;
use std::process::ExitCode;

use contract::{Refused, Tool};

contract::manifest!("abilities: split merge\n");

fn main() -> ExitCode {
    contract::obey(&WordCount)
}

/// Starting a piece costs more than counting this many bytes.
const PIECE_BYTES_MIN: usize = 64 * 1024;

struct WordCount;

impl Tool for WordCount {
    fn run(&self, input: &[u8], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let mut counts = Counts::default();
        if input.is_ascii() {
            counts.add_all_ascii(input);
        } else {
            let text = String::from_utf8_lossy(input).to_lowercase();
            let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
            for word in words {
                counts.add(word.trim_matches('\'').as_bytes(), 1);
            }
        }
        Ok(counts.lines())
    }

    fn split(&self, input: &[u8], ways: usize, _args: &[String]) -> Result<Vec<Vec<u8>>, Refused> {
        let ways = ways.min(input.len() / PIECE_BYTES_MIN);
        let mut pieces = Vec::new();
        let mut rest = input;
        for left in (2..=ways).rev() {
            let Some((piece, behind)) = cut(rest, rest.len() / left) else {
                break;
            };
            pieces.push(piece.to_vec());
            rest = behind;
        }
        if !pieces.is_empty() {
            pieces.push(rest.to_vec());
        }
        Ok(pieces)
    }

    fn merge(&self, answers: &[&[u8]], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let mut counts = Counts::default();
        for line in answers.iter().flat_map(|answer| answer.split_inclusive(|byte| *byte == b'\n')) {
            let said = || String::from_utf8_lossy(line);
            let (word, count) = parse(line).ok_or_else(|| Refused(format!("{:?} is not `word count`", said())))?;
            if !counts.add(word, count) {
                return Err(Refused(format!("{:?}: too many to count", said())));
            }
        }
        Ok(counts.lines())
    }
}

/// How often each word was seen.
#[derive(Default)]
struct Counts {
    /// Almost all words are short enough to be two numbers.
    short: Table,
    long: HashMap<Vec<u8>, u64>,
}

/// The first bytes of a word, eight in each number from the lowest on, and zeros behind them.
type Key = (u64, u64);

const HALF: usize = 8;
const SHORT: usize = 2 * HALF;
/// Bytes that are looked at together: one bit of a number for each.
const BLOCK: usize = 64;
/// A number of eight equal bytes, times that byte.
const EACH: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte, which no ASCII byte has.
const HIGHS: u64 = 0x80 * EACH;
/// The bit that makes a capital letter small. Everything else in a word has it already.
const SMALL: u64 = 0x20 * EACH;

/// What belongs to a word of so many bytes.
const MASKS: [Key; SHORT + 1] = {
    let mut masks = [(0, 0); SHORT + 1];
    let mut len = 1;
    while len <= SHORT {
        let first = if len < HALF { len } else { HALF };
        let rest = len - first;
        masks[len] = (!0 >> (64 - 8 * first), if rest == 0 { 0 } else { !0 >> (64 - 8 * rest) });
        len += 1;
    }
    masks
};

impl Counts {
    /// Whether that was not too many.
    fn add(&mut self, word: &[u8], count: u64) -> bool {
        let sum = match word.len() {
            0 => return true,
            ..=SHORT => self.short.count_of(key(word)),
            _ => self.long.entry(word.to_vec()).or_default(),
        };
        let added = sum.checked_add(count);
        *sum = added.unwrap_or(*sum);
        added.is_some()
    }

    /// No byte is looked at alone: where words end is known for a whole block at a time.
    fn add_all_ascii(&mut self, text: &[u8]) {
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let mut from = 0;
        for (nth, block) in blocks.iter().chain([&last]).enumerate() {
            let mut ends = ends(block);
            while ends != 0 {
                // Behind the text there are zeros, which end words too.
                let at = (nth * BLOCK + ends.trailing_zeros() as usize).min(text.len());
                if at > from {
                    self.add_ascii(text, from, at);
                }
                from = at + 1;
                ends &= ends - 1;
            }
        }
    }

    /// What stands between two ends of words.
    fn add_ascii(&mut self, text: &[u8], from: usize, to: usize) {
        let len = to - from;
        if len <= SHORT && text[from] != b'\'' && text[to - 1] != b'\'' {
            let (first, rest) = match text.get(from..from + SHORT).and_then(|bytes| bytes.as_chunks().0.as_array()) {
                Some([first, rest]) => (u64::from_le_bytes(*first), u64::from_le_bytes(*rest)),
                None => key(&text[from..to]),
            };
            let mask = MASKS[len];
            *self.short.count_of(((first | SMALL) & mask.0, (rest | SMALL) & mask.1)) += 1;
        } else {
            let lower = text[from..to].to_ascii_lowercase();
            self.add(trimmed(&lower), 1);
        }
    }

    /// Sorted only here, and by numbers: comparing words costs more than all else.
    fn lines(&self) -> Vec<u8> {
        let ordered = |key: Key| (key.0.swap_bytes(), key.1.swap_bytes());
        let short = self.short.words().map(|(key, count)| (ordered(key), &[][..], count));
        let long = self.long.iter().map(|(word, count)| (ordered(key(&word[..SHORT])), &word[SHORT..], *count));
        let mut sorted: Vec<(Key, &[u8], u64)> = short.chain(long).collect();
        sorted.sort_unstable();
        let mut text = Vec::new();
        for ((first, rest), tail, count) in sorted {
            for half in [first, rest] {
                let zeros = half.trailing_zeros() as usize / 8;
                text.extend_from_slice(&half.to_be_bytes()[..HALF - zeros.min(HALF)]);
            }
            text.extend_from_slice(tail);
            text.push(b' ');
            push_number(&mut text, count);
            text.push(b'\n');
        }
        text
    }
}

/// Which bytes of a block are in no word, the first in the lowest bit.
fn ends(block: &[u8; BLOCK]) -> u64 {
    let (eights, _) = block.as_chunks::<HALF>();
    eights.iter().enumerate().fold(0, |all, (nth, eight)| {
        let in_word = in_word(u64::from_le_bytes(*eight)) >> 7;
        // The product moves the lowest bit of each byte into the highest byte, in order.
        all | (in_word.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (HALF * nth)
    }) ^ !0
}

/// The highest bit of each byte that is a letter, a digit or an apostrophe. No sum of ASCII bytes here reaches the
/// next byte.
fn in_word(eight: u64) -> u64 {
    let from = |bytes: u64, first: u8| bytes + (0x80 - u64::from(first)) * EACH;
    let small = eight | SMALL;
    let letter = from(small, b'a') & !from(small, b'z' + 1);
    let digit = from(eight, b'0') & !from(eight, b'9' + 1);
    let other = (eight ^ u64::from(b'\'') * EACH) + 0x7f * EACH;
    (letter | digit | !other) & HIGHS
}

fn key(word: &[u8]) -> Key {
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let (first, rest) = word.split_at(word.len().min(HALF));
    (number(first), number(rest))
}

/// Words and their counts, each at the first free place from its own on.
#[derive(Default)]
struct Table {
    places: Vec<(Key, u64)>,
    used: usize,
}

/// No word: every word has a byte that is not zero.
const FREE: (Key, u64) = ((0, 0), 0);
const PLACES_MIN: usize = 1 << 10;

impl Table {
    /// The count of a word, which is there from now on.
    fn count_of(&mut self, key: Key) -> &mut u64 {
        let mut at = self.place_of(key);
        if self.places.get(at).is_none_or(|place| place.0 != key) {
            // Half of the places stay free, so that few words are far from their own.
            if 2 * self.used >= self.places.len() {
                self.grow();
                at = self.place_of(key);
            }
            self.used += 1;
            self.places[at].0 = key;
        }
        &mut self.places[at].1
    }

    /// Where a word is, or would be.
    fn place_of(&self, key: Key) -> usize {
        let last = self.places.len().wrapping_sub(1);
        let mut at = mixed(key) & last;
        while let Some((found, _)) = self.places.get(at)
            && *found != key
            && *found != FREE.0
        {
            at = (at + 1) & last;
        }
        at
    }

    fn grow(&mut self) {
        let wider = vec![FREE; (2 * self.places.len()).max(PLACES_MIN)];
        for (key, count) in std::mem::replace(&mut self.places, wider) {
            if key != FREE.0 {
                let at = self.place_of(key);
                self.places[at] = (key, count);
            }
        }
    }

    fn words(&self) -> impl Iterator<Item = (Key, u64)> + '_ {
        self.places.iter().copied().filter(|(key, _)| *key != FREE.0)
    }
}

/// Products mix upwards only, so the highest bits are brought down. Whoever finds words that collide slows down nobody
/// but himself.
fn mixed((first, rest): Key) -> usize {
    let product = first.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(rest.wrapping_mul(0xc2b2_ae3d_27d4_eb4f));
    (product >> 48 ^ product >> 32) as usize
}

fn push_number(text: &mut Vec<u8>, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(b'0' + (number % 10) as u8);
}

fn trimmed(mut word: &[u8]) -> &[u8] {
    while let [b'\'', rest @ ..] | [rest @ .., b'\''] = word {
        word = rest;
    }
    word
}

/// Cuts behind the first line end at or after `at`; nothing if the second half would be empty.
fn cut(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let end = at + text[at..].iter().position(|&byte| byte == b'\n')? + 1;
    (end < text.len()).then(|| text.split_at(end))
}

fn parse(line: &[u8]) -> Option<(&[u8], u64)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let space = line.iter().rposition(|byte| *byte == b' ')?;
    let (word, digits) = (&line[..space], &line[space + 1..]);
    let digit = |sum: u64, byte: &u8| {
        sum.checked_mul(10)?.checked_add(u64::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?))
    };
    let count = digits.iter().try_fold(0, digit).filter(|_| !digits.is_empty())?;
    (!word.is_empty() && !word.contains(&0)).then_some((word, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> String {
        String::from_utf8(WordCount.run(text.as_bytes(), &[]).expect("run")).expect("text")
    }

    #[test]
    fn words_are_counted_in_lower_case_and_sorted() {
        assert_eq!(
            run("The tree, the Tree;\nthe 'root' isn't – Äpfel äpfel"),
            "isn't 1\nroot 1\nthe 3\ntree 2\näpfel 2\n"
        );
        assert_eq!(run(""), "");
    }

    #[test]
    fn words_of_ascii_are_counted_as_those_of_any_text() {
        let text = "'Quoted' isn't '' ' o'clock 'a b' x\0y 12345678 123456789 1234567890123456 12345678901234567 \
                    'Twelve-thousand' A_WORD_OF_MANY_LETTERSTHATISLONG' \u{7f}end";
        let any = run(&format!("{text} \u{e9}"));
        assert_eq!(run(text), any.replace("\u{e9} 1\n", ""));
        assert!(any.contains("12345678901234567 1\n") && any.contains("o'clock 1\n") && any.contains("\na 2\n"));
    }

    #[test]
    fn words_lie_across_blocks_and_many_find_their_places() {
        let words = (0..3_000).map(|i| format!("{}{}{}", "Ab'9".repeat(i % 6), i, [" ", "\n", "@[`{/:\u{7f}"][i % 3]));
        let words = words.collect::<String>();
        for shift in 0..=BLOCK {
            let text = format!("{}{}", "-".repeat(shift), &words[..words.len() - shift]);
            let any = run(&format!("{text} \u{e9}"));
            assert_eq!(run(&text), any.replace("\u{e9} 1\n", ""));
        }
    }

    #[test]
    fn pieces_merge_to_the_answer_of_the_whole_in_any_grouping() {
        let text = (0..30_000).map(|i| format!("oak elm{} ash\n", i % 7)).collect::<String>();
        let pieces = WordCount.split(text.as_bytes(), 5, &[]).expect("split");
        assert_eq!(pieces.len(), 5);
        assert_eq!(pieces.concat(), text.as_bytes());
        assert!(pieces.iter().all(|piece| piece.ends_with(b"\n") && piece.len() < text.len() / 4));
        let answers: Vec<Vec<u8>> = pieces.iter().map(|piece| WordCount.run(piece, &[]).expect("run")).collect();
        let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
        let merge = |answers: &[&[u8]]| WordCount.merge(answers, &[]).expect("merge");
        let in_a_tree = merge(&[&merge(&answers[..2]), &merge(&answers[2..4]), answers[4]]);
        assert_eq!(merge(&answers), in_a_tree);
        assert_eq!(String::from_utf8(in_a_tree).expect("text"), run(&text));
    }

    #[test]
    fn a_small_text_or_one_without_line_ends_stays_whole() {
        assert!(WordCount.split(b"a\nb\nc\n", 4, &[]).expect("split").is_empty());
        assert!(WordCount.split(&[b'a'; 1 << 20], 4, &[]).expect("split").is_empty());
    }

    #[test]
    fn a_merge_of_something_else_is_refused() {
        for answer in ["word", "word x", "a 18446744073709551615\na 1"] {
            assert!(WordCount.merge(&[answer.as_bytes()], &[]).is_err(), "{answer:?}");
        }
    }
}
