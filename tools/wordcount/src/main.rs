//! Counts the words of a text: `word count` lines, sorted by word. A text is split at line ends, so no word is cut.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
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
    short: HashMap<Key, u64, BuildHasherDefault<Mix>>,
    long: HashMap<Vec<u8>, u64>,
}

/// The first bytes of a word, eight in each number and zeros behind them: such numbers stand in the order of the words.
type Key = (u64, u64);

const HALF: usize = 8;
const SHORT: usize = 2 * HALF;

/// What an ASCII byte is in a word; 0 where a word ends.
const IN_WORD: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || byte == b'\'' {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

impl Counts {
    /// Whether that was not too many.
    fn add(&mut self, word: &[u8], count: u64) -> bool {
        let sum = match word.len() {
            0 => return true,
            ..=SHORT => self.short.entry(key(word)).or_default(),
            _ => self.long.entry(word.to_vec()).or_default(),
        };
        let added = sum.checked_add(count);
        *sum = added.unwrap_or(*sum);
        added.is_some()
    }

    /// Each byte is looked at once: the word is a number by the time that it ends.
    fn add_all_ascii(&mut self, text: &[u8]) {
        let (mut from, mut halves) = (0, (0_u64, 0_u64));
        for (at, byte) in text.iter().chain(b"\n").enumerate() {
            let letter = IN_WORD[usize::from(*byte)];
            if letter != 0 {
                let half = if at - from < HALF { &mut halves.0 } else { &mut halves.1 };
                *half = *half << 8 | u64::from(letter);
                continue;
            }
            let word = &text[from..at];
            if word.len() <= SHORT && !word.starts_with(b"'") && !word.ends_with(b"'") {
                if !word.is_empty() {
                    let first = aligned(halves.0, word.len().min(HALF));
                    let rest = aligned(halves.1, word.len().saturating_sub(HALF));
                    *self.short.entry((first, rest)).or_default() += 1;
                }
            } else {
                let lower = word.to_ascii_lowercase();
                self.add(trimmed(&lower), 1);
            }
            (from, halves) = (at + 1, (0, 0));
        }
    }

    /// Sorted only here, and by numbers: comparing words costs more than all else.
    fn lines(&self) -> Vec<u8> {
        let short = self.short.iter().map(|(key, count)| (*key, &[][..], *count));
        let long = self.long.iter().map(|(word, count)| (key(&word[..SHORT]), &word[SHORT..], *count));
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

fn key(word: &[u8]) -> Key {
    let number = |bytes: &[u8]| aligned(bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), bytes.len());
    let (first, rest) = word.split_at(word.len().min(HALF));
    (number(first), number(rest))
}

/// So many bytes, moved to the front.
fn aligned(bytes: u64, len: usize) -> u64 {
    if len == 0 { 0 } else { bytes << (8 * (HALF - len)) }
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

/// A multiplication for each half. Whoever finds words that collide slows down nobody but himself.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        // Words end in zeros, and a product mixes upwards only.
        self.0 = (self.0.rotate_left(5) ^ word ^ word >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
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
