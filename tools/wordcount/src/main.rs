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
        let text = String::from_utf8_lossy(input);
        let text = if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() };
        let mut counts = Counts::default();
        for word in (Words { text: &text, at: 0 }) {
            *counts.entry(word).or_default() += 1;
        }
        Ok(lines(&counts))
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
        for answer in answers {
            let text = std::str::from_utf8(answer).map_err(|_| Refused("an answer is not text".into()))?;
            for line in text.lines() {
                let (word, count) = parse(line).ok_or_else(|| Refused(format!("{line:?} is not `word count`")))?;
                let sum = counts.entry(word).or_default();
                *sum = sum.checked_add(count).ok_or_else(|| Refused(format!("{word:?}: too many to count")))?;
            }
        }
        Ok(lines(&counts))
    }
}

/// Sorted only once, at the end: comparing words costs more than all else.
type Counts<'a> = HashMap<&'a str, u64, BuildHasherDefault<Mix>>;

/// A multiplication for every eight bytes. Whoever finds words that collide slows down nobody but himself.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(eight));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn finish(&self) -> u64 {
        // The map looks at the lowest bits, and a product mixes upwards.
        self.0 ^ (self.0 >> 32)
    }
}

/// The words of a text: letters, digits and apostrophes inside.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl Words<'_> {
    /// Whether a character belongs to a word, and how long it is.
    fn look(&self, at: usize) -> Option<(bool, usize)> {
        let byte = *self.text.as_bytes().get(at)?;
        if byte.is_ascii() {
            return Some((byte.is_ascii_alphanumeric() || byte == b'\'', 1));
        }
        let letter = self.text.get(at..)?.chars().next()?;
        Some((letter.is_alphanumeric(), letter.len_utf8()))
    }

    fn skip(&mut self, words: bool) {
        while let Some((is_word, len)) = self.look(self.at)
            && is_word == words
        {
            self.at += len;
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while self.at < self.text.len() {
            self.skip(false);
            let from = self.at;
            self.skip(true);
            let word = self.text.get(from..self.at)?.trim_matches('\'');
            if !word.is_empty() {
                return Some(word);
            }
        }
        None
    }
}

/// Cuts behind the first line end at or after `at`; nothing if the second half would be empty.
fn cut(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let end = at + text[at..].iter().position(|&byte| byte == b'\n')? + 1;
    (end < text.len()).then(|| text.split_at(end))
}

fn parse(line: &str) -> Option<(&str, u64)> {
    let (word, count) = line.split_once(' ')?;
    Some((word, count.parse().ok()?))
}

fn lines(counts: &Counts<'_>) -> Vec<u8> {
    let mut sorted: Vec<(&str, u64)> = counts.iter().map(|(word, count)| (*word, *count)).collect();
    sorted.sort_unstable();
    let mut text = String::new();
    for (word, count) in sorted {
        text.push_str(word);
        text.push(' ');
        text.push_str(&count.to_string());
        text.push('\n');
    }
    text.into_bytes()
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
