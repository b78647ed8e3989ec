//! Lenstra's elliptic curve method: one curve, two stages. A curve finds a prime p of n if the order of its group
//! modulo p is a product of small primes; every curve has another order, so trying more of them finds p in the end.

use crate::number::Number;
use crate::prime;
use crate::residue::{Modulus, Residue};

/// The second stage goes so many times as far as the first: measured, and flat around here.
const SECOND_STAGE: u64 = 120;
/// The exponent is worked off in pieces of so many words, each from a point whose z is 1: that saves a product per bit.
const CHUNK_WORDS: usize = 64;

/// Giants whose primes are sieved together: their numbers fit into a processor's first cache.
const GIANTS_AT_ONCE: usize = 16;

/// What all curves with the same bound share.
#[derive(Debug)]
pub(crate) struct Stages {
    /// The product of all prime powers up to the bound, in chunks, least significant word first.
    exponents: Vec<Vec<u64>>,
    /// Primes of the second stage are written as `giant * step ± baby`.
    step: u64,
    babies: Vec<u64>,
    giant_first: u64,
    /// For each giant from `giant_first` on: the indices of the babies that reach a prime.
    pairs: Vec<Vec<u16>>,
}

impl Stages {
    /// `bound` is at least 105, so that there is always a first giant.
    pub(crate) fn new(bound: u64) -> Self {
        let last = bound * SECOND_STAGE;
        let step = match bound {
            ..2_000 => 2 * 3 * 5 * 7,
            2_000..200_000 => 2 * 3 * 5 * 7 * 11,
            _ => 2 * 3 * 5 * 7 * 11 * 13,
        };
        let babies: Vec<u64> = (1..step / 2).filter(|&baby| coprime(baby, step)).collect();
        let giant_first = (bound + step / 2) / step;
        let base: Vec<u64> = prime::up_to(last.isqrt() + step).into_iter().filter(|&n| coprime(n, step)).collect();
        let mut pairs = Vec::new();
        for giant in (giant_first..=last / step + 1).step_by(GIANTS_AT_ONCE) {
            let window = Window::new(giant * step - step / 2, GIANTS_AT_ONCE as u64 * step, &base);
            for giant in giant..giant + GIANTS_AT_ONCE as u64 {
                let reaches = |&(_, &baby): &(usize, &u64)| {
                    window.is_prime(giant * step - baby) || window.is_prime(giant * step + baby)
                };
                pairs.push(babies.iter().enumerate().filter(reaches).map(|(at, _)| at as u16).collect());
            }
        }
        Self { exponents: exponents(bound), step, babies, giant_first, pairs }
    }
}

fn coprime(a: u64, b: u64) -> bool {
    if b == 0 { a == 1 } else { coprime(b, a % b) }
}

fn exponents(bound: u64) -> Vec<Vec<u64>> {
    let mut chunks = vec![vec![1u64]];
    for prime in prime::up_to(bound) {
        let power = prime.pow(bound.ilog(prime));
        if chunks.last().is_none_or(|chunk| chunk.len() >= CHUNK_WORDS) {
            chunks.push(vec![1]);
        }
        let chunk = chunks.last_mut().expect("one was just pushed");
        let mut carry = 0;
        for word in chunk.iter_mut() {
            let product = u128::from(*word) * u128::from(power) + carry;
            (*word, carry) = (product as u64, product >> 64);
        }
        if carry != 0 {
            chunk.push(carry as u64);
        }
    }
    chunks
}

/// Which of the odd numbers from `low` on are prime, except multiples of the primes left out of `base`.
struct Window {
    low: u64,
    composite: Vec<bool>,
}

impl Window {
    /// `low` is odd.
    fn new(low: u64, length: u64, base: &[u64]) -> Self {
        let mut composite = vec![false; length as usize / 2];
        for &prime in base.iter().take_while(|&&prime| prime * prime < low + length) {
            let first = low.next_multiple_of(prime).max(prime * prime);
            let first = if first % 2 == 1 { first } else { first + prime };
            let multiples = composite.iter_mut().skip((first - low) as usize / 2).step_by(prime as usize);
            multiples.for_each(|composite| *composite = true);
        }
        Self { low, composite }
    }

    fn is_prime(&self, n: u64) -> bool {
        !self.composite[(n - self.low) as usize / 2]
    }
}

/// A point of a Montgomery curve, up to its sign: x / z.
#[derive(Clone, Copy)]
struct Point<const N: usize> {
    x: Residue<N>,
    z: Residue<N>,
}

/// Why a curve ends: some number had no inverse modulo n, and this is what it had in common with n.
struct Found(Number);

/// A proper divisor of the modulus, if this curve finds one.
pub(crate) fn divisor<const N: usize>(modulus: &Modulus<N>, stages: &Stages, curve: u64) -> Option<Number> {
    let n = modulus.number();
    match Curve::new(modulus, curve)
        .and_then(|(curve, start)| curve.second_stage(stages, curve.first_stage(stages, start)?))
    {
        Err(Found(divisor)) if divisor != n && divisor != Number::ONE => Some(divisor),
        _ => None,
    }
}

struct Curve<'a, const N: usize> {
    modulus: &'a Modulus<N>,
    /// (A + 2) / 4 of y² = x³ + A x² + x.
    shape: Residue<N>,
}

impl<'a, const N: usize> Curve<'a, N> {
    /// Suyama's family: the group's order is a multiple of 12, which makes the rest of it smaller. Gives the curve and
    /// a point on it.
    fn new(modulus: &'a Modulus<N>, number: u64) -> Result<(Self, Residue<N>), Found> {
        let m = modulus;
        let sigma = m.residue(scrambled(number));
        let (u, v) = (m.sub(&m.sqr(&sigma), &m.residue(5)), m.mul(&sigma, &m.residue(4)));
        let cube = |a: &_| m.mul(&m.sqr(a), a);
        let (u3, v3) = (cube(&u), cube(&v));
        let below = m.mul(&m.mul(&u3, &v), &m.residue(16));
        let inverse = m.invert(&m.mul(&below, &v3)).map_err(Found)?;
        let above = m.mul(&cube(&m.sub(&v, &u)), &m.add(&m.add(&m.add(&u, &u), &u), &v));
        let shape = m.mul(&m.mul(&above, &v3), &inverse);
        let x = m.mul(&m.mul(&u3, &below), &inverse);
        Ok((Self { modulus, shape }, x))
    }

    #[inline(always)]
    fn double(&self, p: &Point<N>) -> Point<N> {
        let m = self.modulus;
        let square = |a: Residue<N>| m.mul_hot(&a, &a);
        let sum = square(m.add(&p.x, &p.z));
        let difference = square(m.sub(&p.x, &p.z));
        let cross = m.sub(&sum, &difference);
        Point {
            x: m.mul_hot(&sum, &difference),
            z: m.mul_hot(&cross, &m.add(&difference, &m.mul_hot(&self.shape, &cross))),
        }
    }

    /// `p + q` up to the factor that their difference brings in: x still wants its z, and z its x.
    #[inline(always)]
    fn raw_add(&self, p: &Point<N>, q: &Point<N>) -> Point<N> {
        let m = self.modulus;
        let square = |a: Residue<N>| m.mul_hot(&a, &a);
        let u = m.mul_hot(&m.sub(&p.x, &p.z), &m.add(&q.x, &q.z));
        let v = m.mul_hot(&m.add(&p.x, &p.z), &m.sub(&q.x, &q.z));
        Point { x: square(m.add(&u, &v)), z: square(m.sub(&u, &v)) }
    }

    fn add(&self, p: &Point<N>, q: &Point<N>, difference: &Point<N>) -> Point<N> {
        let sum = self.raw_add(p, q);
        Point { x: self.modulus.mul(&sum.x, &difference.z), z: self.modulus.mul(&sum.z, &difference.x) }
    }

    fn affine(&self, x: Residue<N>) -> Point<N> {
        Point { x, z: self.modulus.one }
    }

    /// `exponent` times and `exponent + 1` times the point x: Montgomery's ladder. The exponent is at least 1.
    fn ladder(&self, x: Residue<N>, exponent: &[u64]) -> [Point<N>; 2] {
        let start = self.affine(x);
        let mut points = [start, self.double(&start)];
        let bits = 64 * exponent.len() - exponent.last().map_or(64, |word| word.leading_zeros() as usize);
        for at in (0..bits - 1).rev() {
            let bit = (exponent[at / 64] >> (at % 64) & 1) as usize;
            let mut sum = self.raw_add(&points[1], &points[0]);
            sum.z = self.modulus.mul_hot(&sum.z, &x);
            let double = self.double(&points[bit]);
            points = if bit == 1 { [sum, double] } else { [double, sum] };
        }
        points
    }

    /// The start times all prime powers up to the bound.
    fn first_stage(&self, stages: &Stages, start: Residue<N>) -> Result<Residue<N>, Found> {
        stages.exponents.iter().try_fold(start, |x, exponent| {
            let [point, _] = self.ladder(x, exponent);
            Ok(self.modulus.mul(&point.x, &self.modulus.invert(&point.z).map_err(Found)?))
        })
    }

    /// One more prime, up to the second bound: `giant * step ± baby` is a multiple of the point's order modulo p just if
    /// the two points have the same x modulo p. All differences go into one product.
    fn second_stage(&self, stages: &Stages, start: Residue<N>) -> Result<(), Found> {
        let m = self.modulus;
        let mut points = self.odd_multiples(start, stages.step / 2 + 1);
        let half = points[points.len() - 1];
        points = stages.babies.iter().map(|&baby| points[baby as usize / 2]).collect();
        points.extend(self.multiples(&self.double(&half), stages.giant_first, stages.pairs.len())?);
        let (babies, giants) = self.normalised(&points, stages.babies.len())?;
        let mut product = m.one;
        for (giant, pairs) in giants.iter().zip(&stages.pairs) {
            for &baby in pairs {
                product = m.mul_hot(&product, &m.sub(giant, &babies[usize::from(baby)]));
            }
        }
        Err(Found(m.gcd(&product)))
    }

    /// 1, 3, 5, … times the point, below `end`.
    fn odd_multiples(&self, x: Residue<N>, end: u64) -> Vec<Point<N>> {
        let once = self.affine(x);
        let twice = self.double(&once);
        let mut points = vec![once, self.add(&twice, &once, &once)];
        while 2 * (points.len() as u64) + 1 < end {
            let [.., before, last] = points[..] else { break };
            points.push(self.add(&last, &twice, &before));
        }
        points
    }

    /// `first`, `first + 1`, … times the point, `count` of them.
    fn multiples(&self, point: &Point<N>, first: u64, count: usize) -> Result<Vec<Point<N>>, Found> {
        let x = self.modulus.mul(&point.x, &self.modulus.invert(&point.z).map_err(Found)?);
        let once = self.affine(x);
        let mut points = self.ladder(x, &[first]).to_vec();
        while points.len() < count {
            let [.., before, last] = points[..] else { break };
            points.push(self.add(&last, &once, &before));
        }
        points.truncate(count);
        Ok(points)
    }

    /// The points' x with z = 1, cut in two at `at`: all inversions for the price of one.
    fn normalised(&self, points: &[Point<N>], at: usize) -> Result<(Vec<Residue<N>>, Vec<Residue<N>>), Found> {
        let m = self.modulus;
        let mut product = m.one;
        let mut before = Vec::with_capacity(points.len());
        for point in points {
            before.push(product);
            product = m.mul(&product, &point.z);
        }
        let mut inverse = m.invert(&product).map_err(Found)?;
        for (x, point) in before.iter_mut().zip(points).rev() {
            *x = m.mul(&m.mul(x, &inverse), &point.x);
            inverse = m.mul(&inverse, &point.z);
        }
        let giants = before.split_off(at);
        Ok((before, giants))
    }
}

/// Neighbouring curve numbers give unrelated curves (splitmix64), none of the degenerate ones among them.
fn scrambled(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ z >> 31) | 1 << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_stage_covers_each_prime_between_the_bounds() {
        for bound in [105, 353, 2_500] {
            let stages = Stages::new(bound);
            let mut covered: Vec<u64> = stages
                .pairs
                .iter()
                .enumerate()
                .flat_map(|(at, pairs)| pairs.iter().map(move |&baby| (at as u64, baby)))
                .map(|(at, baby)| ((at + stages.giant_first) * stages.step, stages.babies[usize::from(baby)]))
                .flat_map(|(giant, baby)| [giant - baby, giant + baby])
                .collect();
            covered.sort_unstable();
            for prime in prime::up_to(bound * SECOND_STAGE).into_iter().filter(|&prime| prime > bound) {
                assert!(covered.binary_search(&prime).is_ok(), "{prime} above {bound}");
            }
        }
    }

    #[test]
    fn the_ladder_agrees_with_adding_again_and_again() {
        let prime: Number = "340282366920938463463374607431768211297".parse().expect("a number");
        let modulus = Modulus::<2>::new(&prime);
        let (curve, x) = Curve::new(&modulus, 1).unwrap_or_else(|_| panic!("a prime modulus divides nothing"));
        let affine = |point: &Point<2>| modulus.mul(&point.x, &modulus.invert(&point.z).expect("prime"));
        let odd = curve.odd_multiples(x, 100);
        for (at, point) in odd.iter().enumerate() {
            let [by_ladder, next] = curve.ladder(x, &[2 * at as u64 + 1]);
            assert_eq!(affine(point), affine(&by_ladder));
            let even = curve.multiples(&curve.affine(x), 2 * at as u64 + 2, 1).unwrap_or_else(|_| panic!("prime"));
            assert_eq!(affine(&next), affine(&even[0]));
        }
    }

    #[test]
    fn some_of_the_first_curves_find_a_prime_of_40_bits() {
        let (p, q) = (Number::from(1_000_000_000_039), Number::from(18_446_744_073_709_551_557));
        let modulus = Modulus::<2>::new(&p.checked_mul(q).expect("fits"));
        let stages = Stages::new(900);
        let found = (0..100).filter_map(|curve| divisor(&modulus, &stages, curve)).filter(|&found| found == p).count();
        assert!((4..30).contains(&found), "{found} of 100; about 12 were expected");
    }
}
