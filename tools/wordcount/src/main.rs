//! Counts the words of a text: `word count` lines, sorted by word. A text is split at line ends, so no word is cut.

use std::collections::BTreeMap;
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
        let text = String::from_utf8_lossy(input).to_lowercase();
        let mut counts = BTreeMap::<&str, u64>::new();
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '\'').map(|word| word.trim_matches('\'')) {
            if !word.is_empty() {
                *counts.entry(word).or_default() += 1;
            }
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
        let mut counts = BTreeMap::<&str, u64>::new();
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

/// Cuts behind the first line end at or after `at`; nothing if the second half would be empty.
fn cut(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let end = at + text[at..].iter().position(|&byte| byte == b'\n')? + 1;
    (end < text.len()).then(|| text.split_at(end))
}

fn parse(line: &str) -> Option<(&str, u64)> {
    let (word, count) = line.split_once(' ')?;
    Some((word, count.parse().ok()?))
}

fn lines(counts: &BTreeMap<&str, u64>) -> Vec<u8> {
    let mut text = String::new();
    for (word, count) in counts {
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
