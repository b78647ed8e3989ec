//! A tool as small as can be, with every ability, and what it answers when one computer does all of it.

use crate::id::Digest;
use crate::job::{Abilities, Caps, Tool};
use crate::message::{Data, Outcome, Output};
use crate::units::Fuel;
use crate::verify::mix;
use std::sync::Arc;

/// What a toy computes over ranges of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toy {
    kind: Kind,
    split: bool,
    /// One input is two to the power of so many numbers.
    range_bits: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The sum of a hash of each number.
    Sum,
    /// The same, but some numbers make it fail.
    Failing,
    /// The same, but each number takes a computer longer than a lease lasts.
    Heavy,
    /// The same, but its own check refuses some right answers.
    Contrary,
    /// The number in the range that has a rare property, or nothing.
    Search,
}

/// Numbers in one input of a tool that splits.
const RANGE_BITS: u8 = 6;
/// A range this small satisfies the tool.
const SMALL: u64 = 8;
/// Fuel for one number, on average.
const FUEL_PER_NUMBER: u64 = 20_000_000;

/// How much more a heavy number takes.
const HEAVY: u64 = 700;

impl Toy {
    pub fn plain() -> Toy {
        Toy::new(Kind::Sum)
    }

    pub fn failing() -> Toy {
        Toy::new(Kind::Failing)
    }

    pub fn contrary() -> Toy {
        Toy::new(Kind::Contrary)
    }

    pub fn heavy() -> Toy {
        Toy::new(Kind::Heavy)
    }

    /// Whether one input is a lot of work.
    pub fn is_dear(self) -> bool {
        self.split || self.kind == Kind::Heavy
    }

    pub fn sum(split: bool) -> Toy {
        Toy { split, ..Toy::new(Kind::Sum) }
    }

    /// One input is a lot of work: two to the power of so many numbers. It is cut in as many ways as are asked for.
    pub fn grand(range_bits: u8) -> Toy {
        Toy { range_bits, ..Toy::sum(true) }
    }

    pub fn search() -> Toy {
        Toy { split: true, ..Toy::new(Kind::Search) }
    }

    fn new(kind: Kind) -> Toy {
        Toy { kind, split: false, range_bits: RANGE_BITS }
    }

    pub fn abilities(self) -> Abilities {
        let first = self.kind == Kind::Search;
        let check = first || self.kind == Kind::Contrary;
        let merge = !matches!(self.kind, Kind::Failing | Kind::Contrary);
        Abilities { split: self.split, merge, check, first }
    }

    /// Whether one run may be given several items.
    pub fn chunks(self) -> bool {
        !self.split && self.kind == Kind::Sum
    }

    pub fn tool(self) -> Tool {
        let mark = match self.kind {
            Kind::Sum => 1,
            Kind::Failing => 2,
            Kind::Search => 3,
            Kind::Heavy => 4,
            Kind::Contrary => 5,
        };
        let mut module = [mark; 32];
        module[1] = u8::from(self.split);
        module[2] = self.range_bits;
        let caps = Caps { fuel: Fuel(50_000_000_000), ..Caps::default() };
        Tool {
            module: Digest(module),
            abilities: self.abilities(),
            args: Vec::new(),
            stdin: true,
            real_time: false,
            caps,
        }
    }

    /// The toy that a tool is.
    pub fn of(tool: &Tool) -> Toy {
        let kind = match tool.module.0[0] {
            1 => Kind::Sum,
            2 => Kind::Failing,
            4 => Kind::Heavy,
            5 => Kind::Contrary,
            _ => Kind::Search,
        };
        Toy { kind, split: tool.module.0[1] == 1, range_bits: tool.module.0[2] }
    }

    /// The input of one item.
    pub fn input(self, item: u64) -> (u64, u64) {
        let range = 1 << self.range_bits;
        if self.split { (item * range, item * range + range) } else { (item, item + 1) }
    }

    /// Runs on a range of numbers.
    pub fn run(self, range: (u64, u64)) -> (Outcome, String, Fuel) {
        let fuel = Fuel((range.0..range.1).map(|n| FUEL_PER_NUMBER / 2 + mix(n) % FUEL_PER_NUMBER).sum());
        let fuel = if self.kind == Kind::Heavy { fuel.times(HEAVY) } else { fuel };
        match self.kind {
            Kind::Failing if (range.0..range.1).any(|n| mix(n).is_multiple_of(11)) => {
                (Outcome::Exit { code: 3 }, String::new(), fuel)
            }
            Kind::Sum | Kind::Failing | Kind::Heavy | Kind::Contrary => {
                let sum = (range.0..range.1).fold(0_u64, |sum, n| sum.wrapping_add(mix(n)));
                (Outcome::Right, sum.to_string(), fuel)
            }
            Kind::Search => {
                let found = (range.0..range.1).find(|n| is_rare(*n));
                (Outcome::Right, found.map_or_else(|| "none".to_owned(), |n| n.to_string()), fuel)
            }
        }
    }

    /// Cuts a range; nothing when it is small enough.
    pub fn split(self, range: (u64, u64), ways: u64) -> Vec<(u64, u64)> {
        let len = range.1 - range.0;
        if len <= SMALL {
            return Vec::new();
        }
        let ways = if self.range_bits == RANGE_BITS { ways.clamp(2, 6) } else { ways.clamp(2, (len / SMALL).max(2)) };
        let step = len.div_ceil(ways).max(1);
        (0..len.div_ceil(step)).map(|n| (range.0 + n * step, range.1.min(range.0 + (n + 1) * step))).collect()
    }

    /// Makes one output of several.
    pub fn merge(self, outputs: &[String]) -> String {
        match self.kind {
            Kind::Search => {
                outputs.iter().find(|output| *output != "none").cloned().unwrap_or_else(|| "none".to_owned())
            }
            _ => outputs.iter().fold(0_u64, |sum, one| sum.wrapping_add(one.parse().unwrap_or(0))).to_string(),
        }
    }

    /// Says whether an output is right, as the outcome of a check.
    pub fn check(self, range: (u64, u64), output: &str) -> Outcome {
        if self.kind == Kind::Contrary {
            let right = self.run(range).1 == output && !self.contradicts(range);
            return if right { Outcome::Right } else { Outcome::Exit { code: 1 } };
        }
        match output.parse() {
            Ok(n) if is_rare(n) && (range.0..range.1).contains(&n) => Outcome::Right,
            Ok(_) => Outcome::Exit { code: 1 },
            Err(_) if output == "none" => Outcome::Exit { code: 2 },
            Err(_) => Outcome::Exit { code: 1 },
        }
    }

    /// Whether its check refuses what it answers itself.
    pub fn contradicts(self, range: (u64, u64)) -> bool {
        self.kind == Kind::Contrary && mix(range.0).is_multiple_of(5)
    }

    /// What one computer alone answers for the items of a run of the job.
    pub fn alone(self, first: u64, len: u64) -> (Outcome, String) {
        let (from, to) = (self.input(first).0, self.input(first + len - 1).1);
        let (outcome, output, _) = self.run((from, to));
        (outcome, output)
    }

    /// Whether an answer is as good as the one that a computer alone gives: of several rare numbers, any will do.
    pub fn agrees(self, first: u64, len: u64, answer: &str) -> bool {
        let alone = self.alone(first, len).1;
        if self.kind == Kind::Search && alone != "none" {
            return self.check((self.input(first).0, self.input(first + len - 1).1), answer) == Outcome::Right;
        }
        alone == answer
    }
}

fn is_rare(n: u64) -> bool {
    mix(n ^ 0xabcd).is_multiple_of(61)
}

/// Text as an input or output.
pub(super) fn data(text: &str) -> Data {
    Data::Inline { bytes: Arc::from(text.as_bytes()) }
}

/// An input or output as text.
pub(super) fn text(data: &Data) -> String {
    match data {
        Data::Inline { bytes } => String::from_utf8_lossy(bytes).into_owned(),
        Data::Blob { .. } => String::new(),
    }
}

/// A range as an input.
pub(super) fn range_data(range: (u64, u64)) -> Data {
    data(&format!("{}..{}", range.0, range.1))
}

/// A range read back.
pub(super) fn range_of(input: &str) -> (u64, u64) {
    let mut ends = input.split("..").map(|end| end.parse().unwrap_or(0));
    (ends.next().unwrap_or(0), ends.next().unwrap_or(0))
}

/// The digest over what an answer says.
pub(super) fn digest(outcome: Outcome, output: &Output) -> Digest {
    let mut sum = mix(match outcome {
        Outcome::Right => 1,
        Outcome::Exit { code } => 100 + u64::from(code.unsigned_abs()),
        _ => 2,
    });
    text(&output.stdout).bytes().for_each(|byte| sum = mix(sum ^ u64::from(byte)));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&sum.to_le_bytes());
    Digest(bytes)
}
