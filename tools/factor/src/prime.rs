//! Whether a number is prime (Baillie, Pomerance, Selfridge, Wagstaff: no composite is known that passes), and making
//! primes and their products.

use crate::number::{BITS_MAX, Number};
use crate::residue::Modulus;

/// Trial division up to here removes most candidates before anything dear is computed.
pub(crate) const SMALL_MAX: u64 = 1 << 10;

/// All primes up to `last`.
pub(crate) fn up_to(last: u64) -> Vec<u64> {
    let mut composite = vec![false; last as usize + 1];
    let mut primes = Vec::new();
    for n in 2..=last {
        if !composite[n as usize] {
            primes.push(n);
            (n * n..=last).step_by(n as usize).for_each(|multiple| composite[multiple as usize] = true);
        }
    }
    primes
}

pub fn is_prime(n: &Number) -> bool {
    for prime in up_to(SMALL_MAX) {
        if *n <= Number::from(prime) {
            return *n == Number::from(prime);
        }
        if n.div_rem_word(prime).1 == 0 {
            return false;
        }
    }
    passes(n)
}

/// The product of two random primes of half the bits each, exactly `bits` long (12 to 256: below that, primes
/// are too few).
pub fn semiprime(bits: u32, random: &mut impl FnMut() -> u64) -> Number {
    let bits = bits.clamp(12, BITS_MAX);
    let first = random_prime(bits / 2, random);
    loop {
        let second = random_prime(bits - bits / 2, random);
        if second != first {
            return first.checked_mul(second).expect("half the bits each");
        }
    }
}

/// A random prime of so many bits (at least 6), whose two highest bits are set: so products have all their bits.
fn random_prime(bits: u32, random: &mut impl FnMut() -> u64) -> Number {
    loop {
        let mut candidate = Number(std::array::from_fn(|_| random())).shifted_right(BITS_MAX - bits);
        candidate.0[0] |= 1;
        for high in [bits - 1, bits - 2] {
            candidate.0[(high / 64) as usize] |= 1 << (high % 64);
        }
        if is_prime(&candidate) {
            return candidate;
        }
    }
}

/// For a number without small factors.
pub(crate) fn passes(n: &Number) -> bool {
    match n.bits().div_ceil(64) {
        0 | 1 => strong::<1>(n),
        2 => strong::<2>(n),
        3 => strong::<3>(n),
        _ => strong::<4>(n),
    }
}

fn strong<const N: usize>(n: &Number) -> bool {
    let modulus = Modulus::<N>::new(n);
    fermat(n, &modulus) && n.root(2).checked_pow(2) != Some(*n) && lucas(n, &modulus)
}

/// Miller's test to base 2.
fn fermat<const N: usize>(n: &Number, modulus: &Modulus<N>) -> bool {
    let even = n.checked_sub(Number::ONE).expect("above one");
    let twos = even.trailing_zeros();
    let minus_one = modulus.sub(&[0; N], &modulus.one);
    let mut power = modulus.pow(&modulus.residue(2), &even.shifted_right(twos));
    if power == modulus.one {
        return true;
    }
    for _ in 0..twos {
        if power == minus_one {
            return true;
        }
        power = modulus.sqr(&power);
    }
    false
}

/// The strong Lucas test with Selfridge's parameters: P = 1, Q = (1 - D) / 4.
fn lucas<const N: usize>(n: &Number, modulus: &Modulus<N>) -> bool {
    let d = (0..).map(|i| if i % 2 == 0 { 5 + 2 * i } else { -5 - 2 * i }).find(|&d| jacobi(d, n) < 0);
    let signed = |value: i64| match value {
        0.. => modulus.residue(value.unsigned_abs()),
        _ => modulus.sub(&[0; N], &modulus.residue(value.unsigned_abs())),
    };
    let d = d.expect("half of all numbers are not squares modulo n");
    let (d, q) = (signed(d), signed((1 - d) / 4));
    let Some(even) = n.checked_add(Number::ONE) else {
        return false;
    };
    let twos = even.trailing_zeros();
    let odd = even.shifted_right(twos);
    let (mut u, mut v, mut power) = (modulus.one, modulus.one, q);
    let double_v = |v: &_, power: &_| modulus.sub(&modulus.sqr(v), &modulus.add(power, power));
    for at in (0..odd.bits() - 1).rev() {
        u = modulus.mul(&u, &v);
        v = double_v(&v, &power);
        power = modulus.sqr(&power);
        if odd.bit(at) {
            let next = modulus.half(&modulus.add(&u, &v));
            v = modulus.half(&modulus.add(&modulus.mul(&d, &u), &v));
            u = next;
            power = modulus.mul(&power, &q);
        }
    }
    if u == [0; N] {
        return true;
    }
    for _ in 0..twos {
        if v == [0; N] {
            return true;
        }
        v = double_v(&v, &power);
        power = modulus.sqr(&power);
    }
    false
}

/// The Jacobi symbol (d / n) of an odd d and an odd n.
fn jacobi(d: i64, n: &Number) -> i32 {
    let low = n.0[0];
    let mut sign = if d < 0 && low % 4 == 3 { -1 } else { 1 };
    let mut below = d.unsigned_abs();
    if below % 4 == 3 && low % 4 == 3 {
        sign = -sign;
    }
    let mut above = n.div_rem_word(below).1;
    while above != 0 {
        let twos = above.trailing_zeros();
        above >>= twos;
        if twos % 2 == 1 && matches!(below % 8, 3 | 5) {
            sign = -sign;
        }
        if above % 4 == 3 && below % 4 == 3 {
            sign = -sign;
        }
        (above, below) = (below % above, above);
    }
    if below == 1 { sign } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_trial_division_on_small_numbers() {
        for n in 0..20_000u64 {
            let by_trial = n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0);
            assert_eq!(is_prime(&Number::from(n)), by_trial, "{n}");
        }
    }

    #[test]
    fn both_halves_agree_with_trial_division_on_their_own() {
        for n in (1_000_003..1_040_003u64).step_by(2) {
            let by_trial = (2..).take_while(|d| d * d <= n).all(|d| n % d != 0);
            assert_eq!(passes(&Number::from(n)), by_trial, "{n}");
        }
    }

    #[test]
    fn pseudoprimes_to_base_2_and_strong_lucas_pseudoprimes_are_refused() {
        for n in ["1194649", "12327121", "3215031751", "3825123056546413051", "318665857834031151167461"] {
            let n = n.parse().expect("a number");
            assert!(fermat(&n, &Modulus::<2>::new(&n)), "{n} passes the first half");
            assert!(!passes(&n), "{n}");
        }
        for n in ["5459", "5777", "10877", "16109", "18971"] {
            let n = n.parse().expect("a number");
            assert!(lucas(&n, &Modulus::<1>::new(&n)), "{n} passes the second half");
            assert!(!passes(&n), "{n}");
        }
    }

    #[test]
    fn known_large_primes_pass() {
        for n in [
            "170141183460469231731687303715884105727",
            "340282366920938463463374607431768211297",
            "57896044618658097711785492504343953926634992332820282019728792003956564819949",
            "115792089237316195423570985008687907853269984665640564039457584007908834671663",
        ] {
            assert!(is_prime(&n.parse().expect("a number")), "{n}");
        }
    }

    #[test]
    fn semiprimes_have_exactly_the_bits_asked_for() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            state ^ state >> 29
        };
        for bits in [12, 31, 64, 128, 160, 255, 256] {
            let n = semiprime(bits, &mut random);
            assert_eq!(n.bits(), bits);
            assert!(!is_prime(&n));
        }
    }
}
