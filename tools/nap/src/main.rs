//! Sleeps: `COUNT MILLIS` is so many naps of so many milliseconds; the answer is their count. It takes no processor, so
//! many computers can be played on one machine. In a job without real time a nap is over at once.

use std::process::ExitCode;
use std::time::Duration;

use contract::{Refused, Tool};

contract::manifest!("abilities: split merge\n");

fn main() -> ExitCode {
    contract::obey(&Nap)
}

struct Nap;

impl Tool for Nap {
    fn run(&self, input: &[u8], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let (count, millis) = read(input)?;
        for _ in 0..count {
            std::thread::sleep(Duration::from_millis(millis));
        }
        Ok(format!("{count}\n").into_bytes())
    }

    fn split(&self, input: &[u8], ways: usize, _args: &[String]) -> Result<Vec<Vec<u8>>, Refused> {
        let (count, millis) = read(input)?;
        let ways = count.min(ways as u64);
        if ways < 2 {
            return Ok(Vec::new());
        }
        let upto = |nth: u64| u128::from(count) * u128::from(nth) / u128::from(ways);
        Ok((0..ways).map(|nth| format!("{} {millis}", upto(nth + 1) - upto(nth)).into_bytes()).collect())
    }

    fn merge(&self, answers: &[&[u8]], _args: &[String]) -> Result<Vec<u8>, Refused> {
        let count = |answer: &&[u8]| std::str::from_utf8(answer).ok()?.trim().parse::<u64>().ok();
        let sum = answers.iter().map(count).try_fold(0_u64, |sum, count| sum.checked_add(count?));
        sum.map(|sum| format!("{sum}\n").into_bytes()).ok_or_else(|| Refused("an answer is not a count".into()))
    }
}

fn read(input: &[u8]) -> Result<(u64, u64), Refused> {
    let two = || {
        let (count, millis) = std::str::from_utf8(input).ok()?.trim().split_once(' ')?;
        Some((count.parse().ok()?, millis.parse().ok()?))
    };
    two().ok_or_else(|| Refused("expected `COUNT MILLIS`, such as `64 250`".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_are_shared_out_and_none_is_lost() {
        for (count, ways) in [(64, 32), (7, 3), (5, 100), (2, 2)] {
            let pieces = Nap.split(format!("{count} 0").as_bytes(), ways, &[]).expect("split");
            let answers: Vec<Vec<u8>> = pieces.iter().map(|piece| Nap.run(piece, &[]).expect("run")).collect();
            let answers: Vec<&[u8]> = answers.iter().map(Vec::as_slice).collect();
            assert_eq!(Nap.merge(&answers, &[]).expect("merge"), format!("{count}\n").as_bytes());
        }
        assert!(Nap.split(b"1 250", 8, &[]).expect("split").is_empty());
        assert!(Nap.run(b"soon", &[]).is_err() && Nap.merge(&[b"many"], &[]).is_err());
    }
}
