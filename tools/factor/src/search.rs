//! From a number to its primes: trial division, Pollard's rho for what is small, elliptic curves for the rest. The
//! curves are cut in pieces that can be tried anywhere; a piece that finds nothing says so.

use crate::curve::{self, Stages};
use crate::number::{BITS_MAX, Number};
use crate::prime::{self, SMALL_MAX};
use crate::residue::Modulus;

/// What finding a prime costs: at most so many bits, the best bound for it, and how many curves it takes on average.
struct Rung {
    bits: u32,
    bound: u64,
    curves: u64,
}

const fn rung(bits: u32, bound: u64, curves: u64) -> Rung {
    Rung { bits, bound, curves }
}

/// From the probability that a number of this size over 23 (Suyama's curves) has no large primes; confirmed by trial.
const LADDER: [Rung; 13] = [
    rung(32, 350, 4),
    rung(40, 950, 8),
    rung(48, 1_900, 19),
    rung(56, 4_400, 36),
    rung(64, 8_800, 73),
    rung(72, 20_000, 123),
    rung(80, 41_000, 220),
    rung(88, 95_000, 327),
    rung(96, 190_000, 532),
    rung(104, 385_000, 830),
    rung(112, 700_000, 1_370),
    rung(120, 1_350_000, 2_000),
    rung(128, 2_400_000, 3_200),
];
/// A smaller prime is looked for this many bits below the largest possible one, and again as many below that …
const RUNG_STEP: usize = 2;
/// … with a part of its curves, because usually there is none.
const SMALLER_SHARE: u64 = 4;
/// All pieces together try so many times the average, so that less than one prime in a billion is missed: e^-21.
const CERTAINTY: u64 = 21;
/// Products of two words that a piece should cost: about 0.05 to 0.1 seconds.
const PIECE_WORK: u64 = 60_000_000;
/// A split gives at most so many pieces; larger ones are split again.
const PIECES_MAX: u64 = 1_024;
/// A smaller number is done before it could be handed out.
const SPLIT_BITS_MIN: u32 = 88;
/// Rho steps spent on a large number: finds primes up to about 20 bits, which curves would all find at once.
const RHO_STEPS: u64 = 1 << 12;
/// Rho steps between two divisors: a divisor costs as much as some hundred products.
const RHO_BATCH: u64 = 128;

/// So many curves with one bound, to be tried on one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub number: Number,
    pub bound: u64,
    pub first_curve: u64,
    pub curves: u64,
}

/// The number's primes in order, each as often as it divides; 0 and 1 stand for themselves.
pub fn factorise(n: &Number) -> Vec<Number> {
    primes(n, |n| Some(find(n))).expect("it searches until it finds")
}

impl Piece {
    /// Bounds and counts beyond these are nobody's plan.
    pub const BOUND_MIN: u64 = 105;
    pub const BOUND_MAX: u64 = 10_000_000;
    pub const CURVES_MAX: u64 = 1_000_000;

    /// The number's primes, if this piece's curves find them.
    pub fn search(&self) -> Option<Vec<Number>> {
        let mut first = true;
        primes(&self.number, |n| {
            let divisor = if std::mem::take(&mut first) { self.divisor(n) } else { Some(find(n)) };
            divisor.filter(|divisor| divisor != n)
        })
    }

    fn divisor(&self, n: &Number) -> Option<Number> {
        let stages = Stages::new(self.bound);
        (self.first_curve..self.first_curve + self.curves).find_map(|curve| try_curve(n, &stages, curve))
    }

    /// Smaller pieces of this one; none if it is small enough.
    pub fn split(&self, ways: u64) -> Vec<Self> {
        let work = self.curves * work(&self.number, self.bound);
        if work < 2 * PIECE_WORK || self.curves < 2 { Vec::new() } else { cut(&[*self], ways) }
    }
}

/// Pieces that together find the number's primes almost certainly, in the order in which they should be tried. None if
/// the number is done at once.
pub fn pieces(n: &Number, ways: u64) -> Vec<Piece> {
    let mut rest = None;
    primes(n, |n| {
        rest = Some(*n);
        None
    });
    match rest {
        Some(rest) if rest.bits() >= SPLIT_BITS_MIN => cut(&plan(n, &rest), ways),
        _ => Vec::new(),
    }
}

/// What is tried for a number whose part without small primes is `rest`: all curves, one entry for each bound.
fn plan(n: &Number, rest: &Number) -> Vec<Piece> {
    let last = LADDER.iter().position(|rung| rung.bits >= rest.bits().div_ceil(2)).unwrap_or(LADDER.len() - 1);
    let mut first_curve = 0;
    let mut piece = |bound, curves| {
        first_curve += curves;
        Piece { number: *n, bound, first_curve: first_curve - curves, curves }
    };
    let smaller = LADDER[..last].iter().skip(last % RUNG_STEP).step_by(RUNG_STEP);
    let mut plan: Vec<Piece> = smaller.map(|rung| piece(rung.bound, rung.curves.div_ceil(SMALLER_SHARE))).collect();
    plan.push(piece(LADDER[last].bound, LADDER[last].curves * CERTAINTY));
    plan
}

fn cut(plan: &[Piece], ways: u64) -> Vec<Piece> {
    let whole: u64 = plan.iter().map(|piece| piece.curves * work(&piece.number, piece.bound)).sum();
    let largest = PIECE_WORK.min(whole / ways.max(1)).max(PIECE_WORK / 8).max(whole / PIECES_MAX);
    let mut pieces = Vec::new();
    for piece in plan {
        let curves = largest.div_ceil(work(&piece.number, piece.bound));
        let end = piece.first_curve + piece.curves;
        pieces.extend((piece.first_curve..end).step_by(curves as usize).map(|first_curve| Piece {
            first_curve,
            curves: curves.min(end - first_curve),
            ..*piece
        }));
    }
    pieces
}

/// Products of two words that one curve costs: both stages together take some 21 products modulo n per unit of bound.
fn work(n: &Number, bound: u64) -> u64 {
    let words = u64::from(n.bits().div_ceil(64));
    21 * bound * words * (2 * words + 1)
}

/// Divides until all is prime; `divide` is asked for a proper divisor of what only a search can divide.
fn primes(n: &Number, mut divide: impl FnMut(&Number) -> Option<Number>) -> Option<Vec<Number>> {
    if *n <= Number::ONE {
        return Some(vec![*n]);
    }
    let (mut primes, rest) = small_factors(n);
    let mut open = vec![rest];
    while let Some(n) = open.pop() {
        if n == Number::ONE {
            continue;
        }
        if prime::passes(&n) {
            primes.push(n);
            continue;
        }
        let divisor = perfect_root(&n).or_else(|| rho(&n)).or_else(|| divide(&n))?;
        open.extend([divisor, n.div_rem(divisor).0]);
    }
    primes.sort_unstable();
    Some(primes)
}

fn small_factors(n: &Number) -> (Vec<Number>, Number) {
    let (mut primes, mut rest) = (Vec::new(), *n);
    for prime in prime::up_to(SMALL_MAX) {
        while let (quotient, 0) = rest.div_rem_word(prime) {
            primes.push(Number::from(prime));
            rest = quotient;
        }
    }
    (primes, rest)
}

/// Curves and rho cannot tell equal primes apart. Small primes are gone, so only small powers are possible.
fn perfect_root(n: &Number) -> Option<Number> {
    let degrees = prime::up_to(u64::from(BITS_MAX / SMALL_MAX.ilog2()));
    degrees
        .into_iter()
        .map(|degree| (degree as u32, n.root(degree as u32)))
        .find_map(|(degree, root)| (root.checked_pow(degree) == Some(*n)).then_some(root))
}

/// A divisor of a composite number, however long it takes.
fn find(n: &Number) -> Number {
    let plan = plan(n, n);
    let divisor = plan.iter().find_map(|piece| piece.divisor(n));
    divisor.unwrap_or_else(|| {
        let last = plan[plan.len() - 1];
        let stages = Stages::new(last.bound);
        let beyond = last.first_curve + last.curves..;
        beyond.into_iter().find_map(|curve| try_curve(n, &stages, curve)).expect("it searches until it finds")
    })
}

fn try_curve(n: &Number, stages: &Stages, curve: u64) -> Option<Number> {
    match n.bits().div_ceil(64) {
        0..=2 => curve::divisor(&Modulus::<2>::new(n), stages, curve),
        3 => curve::divisor(&Modulus::<3>::new(n), stages, curve),
        _ => curve::divisor(&Modulus::<4>::new(n), stages, curve),
    }
}

/// Pollard's rho: certain for a word, a short try for more.
fn rho(n: &Number) -> Option<Number> {
    match n.bits().div_ceil(64) {
        0 | 1 => (1..).find_map(|addend| rho_from(&Modulus::<1>::new(n), addend, u64::MAX)),
        2 => rho_from(&Modulus::<2>::new(n), 1, RHO_STEPS),
        3 => rho_from(&Modulus::<3>::new(n), 1, RHO_STEPS),
        _ => rho_from(&Modulus::<4>::new(n), 1, RHO_STEPS),
    }
}

/// Walks `x² + addend` at two speeds until both are at the same place modulo one of the primes.
fn rho_from<const N: usize>(modulus: &Modulus<N>, addend: u64, steps: u64) -> Option<Number> {
    let n = modulus.number();
    let addend = modulus.residue(addend);
    let next = |x: &_| modulus.add(&modulus.sqr(x), &addend);
    let (mut slow, mut fast) = (modulus.residue(2), modulus.residue(2));
    for _ in 0..steps / RHO_BATCH {
        let (slow_before, fast_before) = (slow, fast);
        let mut product = modulus.one;
        for _ in 0..RHO_BATCH {
            (slow, fast) = (next(&slow), next(&next(&fast)));
            product = modulus.mul(&product, &modulus.sub(&slow, &fast));
        }
        let mut divisor = modulus.gcd(&product);
        if divisor == n {
            // All primes in one batch: once more, looking after each step.
            (slow, fast, divisor) = (slow_before, fast_before, Number::ONE);
            while divisor == Number::ONE {
                (slow, fast) = (next(&slow), next(&next(&fast)));
                divisor = modulus.gcd(&modulus.sub(&slow, &fast));
            }
        }
        if divisor != Number::ONE {
            return (divisor != n).then_some(divisor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().expect("a number")
    }

    fn product(primes: &[Number]) -> Number {
        primes.iter().fold(Number::ONE, |product, &prime| product.checked_mul(prime).expect("fits"))
    }

    #[test]
    fn every_small_number_is_the_product_of_primes() {
        for n in (2..3_000).chain(1 << 20..(1 << 20) + 500).chain((1 << 44)..(1 << 44) + 50) {
            let primes = factorise(&Number::from(n));
            assert_eq!(product(&primes), Number::from(n));
            assert!(primes.iter().all(prime::is_prime) && primes.is_sorted(), "{n}: {primes:?}");
        }
        assert_eq!(factorise(&Number::ZERO), [Number::ZERO]);
        assert_eq!(factorise(&Number::ONE), [Number::ONE]);
    }

    #[test]
    fn numbers_of_every_make_fall_apart() {
        for text in [
            "340282366920938463463374607431768211457",
            "18446744073709551615",
            // a prime, its square and its fourth power
            "18446744073709551557",
            "340282366920938460843936948965011886249",
            "1000000000156000000009126000000237276000002313441",
            // eight primes of eleven bits, six of twenty, and both
            "369500961290086430186687249",
            "1329227995784915872903807060280344576",
            "1152922190533214241048577000001",
            // 2^256 - 1, and 77 nines
            "115792089237316195423570985008687907853269984665640564039457584007913129639935",
        ] {
            let n = number(text);
            let primes = factorise(&n);
            assert_eq!(product(&primes), n, "{text}: {primes:?}");
            assert!(primes.iter().all(prime::is_prime), "{text}: {primes:?}");
        }
    }

    #[test]
    fn many_primes_of_the_same_small_size_are_told_apart() {
        let near = |start: u64| (start..).map(Number::from).filter(prime::is_prime);
        for (start, count) in [(1_100, 20), (4_000, 16), (60_000, 12), (1 << 20, 9), (1 << 24, 7)] {
            let wanted: Vec<Number> = near(start).take(count).collect();
            assert_eq!(factorise(&product(&wanted)), wanted, "{count} primes from {start}");
        }
    }

    #[test]
    fn pieces_cover_the_plan_and_one_of_them_finds_the_primes() {
        let n = number("340282366920938463463374607431768211457");
        let pieces = pieces(&n, 4);
        assert!((100..=1_024).contains(&pieces.len()), "{}", pieces.len());
        let mut next = 0;
        for piece in &pieces {
            assert_eq!(piece.first_curve, next, "no curve twice, none left out");
            next += piece.curves;
            assert!(piece.split(4).is_empty(), "small enough: {piece:?}");
        }
        let found = pieces.iter().find_map(Piece::search).expect("found by one of them");
        assert_eq!(found, [number("59649589127497217"), number("5704689200685129054721")]);
    }

    #[test]
    fn what_is_done_at_once_is_not_split() {
        for text in
            ["0", "1", "97", "18446744073709551557", "340282366920938463463374607431768211297", "1000000007000000012"]
        {
            assert!(pieces(&number(text), 8).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_large_plan_has_large_pieces_that_split_again() {
        let n = number("115792089237316195423570985008687907852589419931798687112530834793049593217025");
        let whole = Piece { number: n, bound: 2_400_000, first_curve: 0, curves: 10_000 };
        let large = whole.split(2);
        assert!(large.len() > 2 && large.len() as u64 <= PIECES_MAX);
        assert_eq!(large.iter().map(|piece| piece.curves).sum::<u64>(), whole.curves);
        let small = large[0].split(2);
        assert_eq!(small.iter().map(|piece| piece.curves).sum::<u64>(), large[0].curves);
        assert!(small.len() > 2 && small[0].split(2).is_empty());
    }
}
