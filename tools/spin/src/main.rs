//! Keeps a core busy: `spin ROUNDS`, or the number of rounds as input; prints what they came to. Every round needs the
//! one before, so the work can be neither skipped nor overlapped: 100,000,000 rounds are some tenths of a second.

use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    let text = std::env::args().nth(1).map_or_else(input, Ok);
    match text.map(|text| text.trim().parse()) {
        Ok(Ok(rounds)) => {
            println!("{:016x}", spin(rounds));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("expected a number of rounds, as an argument or as input");
            ExitCode::FAILURE
        }
    }
}

fn input() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map(|_| text)
}

fn spin(rounds: u64) -> u64 {
    (0..rounds).fold(rounds, |state, round| (state ^ round).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}

#[cfg(test)]
mod tests {
    use super::spin;

    #[test]
    fn every_round_counts() {
        let ends: std::collections::BTreeSet<u64> = (0..1_000).map(spin).collect();
        assert_eq!(ends.len(), 1_000);
    }
}
