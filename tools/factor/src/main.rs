//! Factorises a decimal number of up to 256 bits: `15` -> `15 = 3 * 5`. A hard number is split into pieces
//! `number bound first_curve curves`, each a batch of elliptic curves, whose answer is the same line or `none`.

use std::process::ExitCode;

use contract::{Refused, Tool, Verdict};
use factor::{Number, Piece};

contract::manifest!("abilities: split merge check first\n");

fn main() -> ExitCode {
    contract::obey(&Factor)
}

/// The answer of a piece whose curves found nothing.
const NONE: &str = "none\n";

struct Factor;

impl Tool for Factor {
    fn run(&self, input: &[u8], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let (number, primes) = match Question::read(input)? {
            Question::Whole(number) => (number, Some(factor::factorise(&number))),
            Question::Piece(piece) => (piece.number, piece.search()),
        };
        Ok(primes.map_or_else(|| NONE.into(), |primes| line(&number, &primes)).into_bytes())
    }

    fn split(&self, input: &[u8], ways: usize, _args: &[String]) -> Result<Vec<Vec<u8>>, Refused> {
        let pieces = match Question::read(input)? {
            Question::Whole(number) => factor::pieces(&number, ways as u64),
            Question::Piece(piece) => piece.split(ways as u64),
        };
        let text = |piece: Piece| {
            let Piece { number, bound, first_curve, curves } = piece;
            format!("{number} {bound} {first_curve} {curves}\n").into_bytes()
        };
        Ok(pieces.into_iter().map(text).collect())
    }

    /// The first answer that found the primes, or else `none`.
    fn merge(&self, answers: &[&[u8]], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let found = answers.iter().find(|&&answer| answer != NONE.as_bytes());
        Ok(found.map_or_else(|| NONE.into(), |answer| answer.to_vec()))
    }

    /// That a number is the product of these primes can be proved; that there was nothing to find cannot.
    fn check(&self, input: &[u8], answer: &[u8], _args: &[String]) -> Verdict {
        if answer == NONE.as_bytes() {
            return Verdict::CannotTell;
        }
        match Question::read(input) {
            Ok(question) if proves(&question.number(), answer).is_some() => Verdict::Right,
            _ => Verdict::Wrong,
        }
    }
}

/// What an input asks for.
enum Question {
    Whole(Number),
    Piece(Piece),
}

impl Question {
    fn read(input: &[u8]) -> Result<Self, Refused> {
        let text = std::str::from_utf8(input).map_err(|_| Refused("the input is not text".into()))?;
        let words: Vec<&str> = text.split_ascii_whitespace().take(5).collect();
        match words[..] {
            [] => Err(Refused("expected a number, got nothing".into())),
            [number] => Ok(Self::Whole(read_number(number)?)),
            [number, bound, first_curve, curves] => Ok(Self::Piece(Piece {
                number: read_number(number)?,
                bound: read_within(bound, Piece::BOUND_MIN, Piece::BOUND_MAX)?,
                first_curve: read_within(first_curve, 0, u64::MAX - Piece::CURVES_MAX)?,
                curves: read_within(curves, 1, Piece::CURVES_MAX)?,
            })),
            _ => Err(Refused("expected one number, or a piece: number bound first_curve curves".into())),
        }
    }

    fn number(&self) -> Number {
        match self {
            Self::Whole(number) => *number,
            Self::Piece(piece) => piece.number,
        }
    }
}

fn read_number(word: &str) -> Result<Number, Refused> {
    word.parse().map_err(|error| Refused(format!("{:?}: {error}", shortened(word))))
}

fn read_within(word: &str, low: u64, high: u64) -> Result<u64, Refused> {
    let number = word.parse().ok().filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| Refused(format!("{:?}: not between {low} and {high}", shortened(word))))
}

/// Enough to recognise it by.
fn shortened(word: &str) -> String {
    word.chars().take(100).collect()
}

fn line(number: &Number, primes: &[Number]) -> String {
    let primes: Vec<String> = primes.iter().map(Number::to_string).collect();
    format!("{number} = {}\n", primes.join(" * "))
}

/// Only the very line that `run` would print counts: a right answer has one spelling.
fn proves(number: &Number, answer: &[u8]) -> Option<()> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, right) = text.strip_suffix('\n')?.split_once(" = ")?;
    let primes: Vec<Number> = right.split(" * ").map(str::parse).collect::<Result<_, _>>().ok()?;
    if line(number, &primes) != text {
        return None;
    }
    if *number <= Number::ONE {
        return (primes == [*number]).then_some(());
    }
    let product = primes.iter().try_fold(Number::ONE, |product, &prime| product.checked_mul(prime))?;
    (product == *number && primes.is_sorted() && primes.iter().all(factor::is_prime)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FERMAT: &str = "340282366920938463463374607431768211457";
    const FERMAT_LINE: &str = "340282366920938463463374607431768211457 = 59649589127497217 * 5704689200685129054721\n";

    fn run(input: &str) -> Result<String, Refused> {
        Factor.run(input.as_bytes(), &[]).map(|answer| String::from_utf8(answer).expect("text"))
    }

    fn check(input: &str, answer: &str) -> Verdict {
        Factor.check(input.as_bytes(), answer.as_bytes(), &[])
    }

    #[test]
    fn answers_are_one_line_and_proved_by_check() {
        for (input, answer) in [
            ("0", "0 = 0\n"),
            ("1\n", "1 = 1\n"),
            (" 2 ", "2 = 2\n"),
            ("0012", "12 = 2 * 2 * 3\n"),
            ("1000000014000000049", "1000000014000000049 = 1000000007 * 1000000007\n"),
            (FERMAT, FERMAT_LINE),
        ] {
            assert_eq!(run(input).as_deref(), Ok(answer));
            assert_eq!(check(input, answer), Verdict::Right, "{input}");
        }
    }

    #[test]
    fn garbage_is_refused_with_a_reason() {
        let too_large = "9".repeat(90);
        for input in ["", "x", "-4", "1.5", "3 4", "15 8000 0 0", "15 1 0 9", "15 8000 0 99999999", &too_large] {
            assert!(run(input).is_err(), "{input:?}");
            assert!(Factor.split(input.as_bytes(), 2, &[]).is_err(), "{input:?}");
        }
    }

    #[test]
    fn a_wrong_answer_is_called_wrong() {
        for answer in
            ["", "15\n", "15 = 15\n", "15 = 5 * 3\n", "15 = 3 * 5", "15 = 3  * 5\n", "15 = 1 * 3 * 5\n", "21 = 3 * 7\n"]
        {
            assert_eq!(check("15", answer), Verdict::Wrong, "{answer:?}");
        }
        let with_a_composite = "340282366920938463463374607431768211457 = 340282366920938463463374607431768211457\n";
        assert_eq!(check(FERMAT, with_a_composite), Verdict::Wrong);
        assert_eq!(check("x", "15 = 3 * 5\n"), Verdict::Wrong);
        assert_eq!(check(FERMAT, NONE), Verdict::CannotTell);
    }

    #[test]
    fn pieces_answer_for_the_whole_and_merge_keeps_what_was_found() {
        let pieces = Factor.split(FERMAT.as_bytes(), 2, &[]).expect("split");
        let answers: Vec<Vec<u8>> = pieces.iter().take(8).map(|piece| Factor.run(piece, &[]).expect("run")).collect();
        assert!(answers.iter().all(|answer| answer == NONE.as_bytes() || answer == FERMAT_LINE.as_bytes()));
        let none = NONE.as_bytes();
        let merge = |answers: &[&[u8]]| Factor.merge(answers, &[]).expect("merge");
        assert_eq!(merge(&[none, none]), none);
        assert_eq!(merge(&[none, FERMAT_LINE.as_bytes(), none]), FERMAT_LINE.as_bytes());
        assert_eq!(merge(&[&merge(&[none, FERMAT_LINE.as_bytes()]), none]), FERMAT_LINE.as_bytes());
        let hopeless = format!("{FERMAT} 105 3 1");
        assert_eq!(run(&hopeless).as_deref(), Ok(NONE));
    }
}
