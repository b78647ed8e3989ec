//! Arithmetic modulo one odd number of `N` words, in Montgomery's form: a residue `a` is kept as `a * 2^(64 N)`.

use crate::number::{Number, WORDS};

/// Below its modulus, in Montgomery's form.
pub(crate) type Residue<const N: usize> = [u64; N];

/// An odd number above one, with what computing modulo it needs.
#[derive(Debug, Clone)]
pub(crate) struct Modulus<const N: usize> {
    number: [u64; N],
    /// `-1 / number` modulo 2^64.
    inverse: u64,
    /// 1 in Montgomery's form.
    pub(crate) one: Residue<N>,
    /// Brings a number into Montgomery's form.
    square: Residue<N>,
    /// Brings the inverse of a number in Montgomery's form back into it.
    cube: Residue<N>,
}

impl<const N: usize> Modulus<N> {
    /// `number` is odd, above one, and has at most `N` words.
    pub(crate) fn new(number: &Number) -> Self {
        debug_assert!(number.is_odd() && number.bits() > 1 && number.bits() <= 64 * N as u32);
        let words: [u64; N] = std::array::from_fn(|at| number.0[at]);
        // Newton's iteration doubles the correct bits: an odd number is its own inverse modulo 8.
        let inverse = (0..5).fold(words[0], |x, _| x.wrapping_mul(2u64.wrapping_sub(words[0].wrapping_mul(x))));
        let mut modulus =
            Self { number: words, inverse: inverse.wrapping_neg(), one: [0; N], square: [0; N], cube: [0; N] };
        let mut power = [0; N];
        power[0] = 1;
        for doubled in 1..=128 * N {
            power = modulus.add(&power, &power);
            if doubled == 64 * N {
                modulus.one = power;
            }
        }
        modulus.square = power;
        modulus.cube = modulus.mul(&power, &power);
        modulus
    }

    pub(crate) fn residue(&self, word: u64) -> Residue<N> {
        let mut words = [0; N];
        words[0] = word;
        if N == 1 {
            words[0] %= self.number[0];
        }
        self.mul(&words, &self.square)
    }

    pub(crate) fn number(&self) -> Number {
        widened(&self.number)
    }

    #[inline(always)]
    pub(crate) fn add(&self, a: &Residue<N>, b: &Residue<N>) -> Residue<N> {
        let (sum, carry) = add(a, b);
        self.reduced(&sum, carry)
    }

    #[inline(always)]
    pub(crate) fn sub(&self, a: &Residue<N>, b: &Residue<N>) -> Residue<N> {
        let (difference, borrow) = subtract(a, b);
        add(&difference, &self.number.map(|word| word & borrow)).0
    }

    /// Takes the modulus from `words + carry * 2^(64 N)` if it is in there; it is in there once at most.
    #[inline(always)]
    fn reduced(&self, words: &[u64; N], carry: u64) -> Residue<N> {
        let (less, borrow) = subtract(words, &self.number);
        // All ones if the modulus was too much, all zeros otherwise: a carry makes good for the borrow. Without a
        // branch, since which one it is cannot be foreseen.
        let too_much = carry.wrapping_add(borrow);
        std::array::from_fn(|at| (words[at] & too_much) | (less[at] & !too_much))
    }

    /// Out of line, because `mul_hot` is long.
    #[inline(never)]
    pub(crate) fn mul(&self, a: &Residue<N>, b: &Residue<N>) -> Residue<N> {
        self.mul_hot(a, b)
    }

    pub(crate) fn sqr(&self, a: &Residue<N>) -> Residue<N> {
        self.mul(a, a)
    }

    /// As `mul`, in line: for the few loops in which the time is spent.
    ///
    /// Multiplies and reduces word by word, so that nothing longer than `N + 1` words is ever held.
    #[inline(always)]
    pub(crate) fn mul_hot(&self, a: &Residue<N>, b: &Residue<N>) -> Residue<N> {
        let mut sum = [0u64; N];
        let mut top = 0u64;
        for &word in b {
            let mut carry = 0;
            for at in 0..N {
                (sum[at], carry) = multiply_add(a[at], word, sum[at], carry);
            }
            let high = u128::from(top) + u128::from(carry);
            let factor = sum[0].wrapping_mul(self.inverse);
            let (_, mut carry) = multiply_add(factor, self.number[0], sum[0], 0);
            for at in 1..N {
                (sum[at - 1], carry) = multiply_add(factor, self.number[at], sum[at], carry);
            }
            let high = high + u128::from(carry);
            sum[N - 1] = high as u64;
            top = (high >> 64) as u64;
        }
        self.reduced(&sum, top)
    }

    /// `a / 2`.
    pub(crate) fn half(&self, a: &Residue<N>) -> Residue<N> {
        let (even, carry) = if a[0] & 1 == 1 { add(a, &self.number) } else { (*a, 0) };
        std::array::from_fn(|at| even[at] >> 1 | even.get(at + 1).copied().unwrap_or(carry) << 63)
    }

    pub(crate) fn pow(&self, base: &Residue<N>, exponent: &Number) -> Residue<N> {
        (0..exponent.bits()).rev().fold(self.one, |power, at| {
            let square = self.sqr(&power);
            if exponent.bit(at) { self.mul(&square, base) } else { square }
        })
    }

    /// What `a` and the modulus have in common; the modulus itself if `a` is zero.
    pub(crate) fn gcd(&self, a: &Residue<N>) -> Number {
        match self.divide_out(a) {
            Ok(_) => Number::ONE,
            Err(divisor) => divisor,
        }
    }

    /// `1 / a`, or else the divisor that `a` has in common with the modulus.
    pub(crate) fn invert(&self, a: &Residue<N>) -> Result<Residue<N>, Number> {
        Ok(self.mul(&self.divide_out(a)?, &self.cube))
    }

    /// The inverse of `a` taken as a plain number: the binary algorithm, `a * x = u` and `a * y = v` throughout.
    fn divide_out(&self, a: &Residue<N>) -> Result<Residue<N>, Number> {
        let (mut u, mut v) = (*a, self.number);
        let (mut x, mut y) = ([0; N], [0; N]);
        x[0] = 1;
        if u == [0; N] {
            return Err(widened(&v));
        }
        loop {
            while u[0] & 1 == 0 {
                u = shift(&u);
                x = self.half(&x);
            }
            let (difference, smaller) = subtract(&u, &v);
            if difference == [0; N] {
                break;
            }
            if smaller != 0 {
                (v, u) = (u, subtract(&v, &u).0);
                (x, y) = (self.sub(&y, &x), x);
            } else {
                u = difference;
                x = self.sub(&x, &y);
            }
        }
        let divisor = widened(&u);
        if divisor == Number::ONE { Ok(x) } else { Err(divisor) }
    }
}

fn widened<const N: usize>(words: &[u64; N]) -> Number {
    let mut number = [0; WORDS];
    number[..N].copy_from_slice(words);
    Number(number)
}

#[inline(always)]
fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let sum = u128::from(a) * u128::from(b) + u128::from(c) + u128::from(d);
    (sum as u64, (sum >> 64) as u64)
}

/// The sum, and the carry: 0 or 1.
#[inline(always)]
fn add<const N: usize>(a: &[u64; N], b: &[u64; N]) -> ([u64; N], u64) {
    let mut carry = 0;
    let sum = std::array::from_fn(|at| {
        let sum = u128::from(a[at]) + u128::from(b[at]) + u128::from(carry);
        carry = (sum >> 64) as u64;
        sum as u64
    });
    (sum, carry)
}

/// The difference, and the borrow: all zeros or all ones.
#[inline(always)]
fn subtract<const N: usize>(a: &[u64; N], b: &[u64; N]) -> ([u64; N], u64) {
    let mut borrow = 0;
    let difference = std::array::from_fn(|at| {
        let difference = i128::from(a[at]) - i128::from(b[at]) + i128::from(borrow as i64);
        borrow = (difference >> 64) as u64;
        difference as u64
    });
    (difference, borrow)
}

fn shift<const N: usize>(a: &[u64; N]) -> [u64; N] {
    std::array::from_fn(|at| a[at] >> 1 | a.get(at + 1).copied().unwrap_or(0) << 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain<const N: usize>(modulus: &Modulus<N>, a: &Residue<N>) -> Number {
        let mut one = [0; N];
        one[0] = 1;
        widened(&modulus.mul(a, &one))
    }

    fn laws<const N: usize>(number: &str) {
        let number: Number = number.parse().expect("a number");
        let modulus = Modulus::<N>::new(&number);
        let mut a = modulus.residue(0x9e37_79b9_7f4a_7c15);
        for round in 0..200 {
            let b = modulus.sqr(&modulus.sub(&a, &modulus.residue(round)));
            assert_eq!(modulus.sub(&modulus.add(&a, &b), &b), a);
            assert_eq!(modulus.add(&modulus.half(&b), &modulus.half(&b)), b);
            let distributed = modulus.add(&modulus.mul(&a, &b), &modulus.mul(&a, &a));
            assert_eq!(modulus.mul(&a, &modulus.add(&a, &b)), distributed);
            match modulus.invert(&b) {
                Ok(inverse) => assert_eq!(modulus.mul(&inverse, &b), modulus.one),
                Err(divisor) => assert_eq!(number.div_rem(divisor).1, Number::ZERO),
            }
            a = b;
        }
        assert_eq!(plain(&modulus, &modulus.residue(2)), Number::from(2));
    }

    #[test]
    fn the_laws_of_a_ring_hold_at_every_width() {
        laws::<1>("18446744073709551557");
        laws::<1>("1000003");
        laws::<2>("340282366920938463463374607431768211455");
        laws::<2>("340282366920938463463374607431768211297");
        laws::<3>("1461501637330902918203684832716283019655932542929");
        laws::<4>("115792089237316195423570985008687907853269984665640564039457584007913129639935");
    }

    #[test]
    fn powers_agree_with_fermat() {
        let prime: Number = "340282366920938463463374607431768211297".parse().expect("a number");
        let modulus = Modulus::<2>::new(&prime);
        let exponent = prime.checked_sub(Number::ONE).expect("positive");
        assert_eq!(modulus.pow(&modulus.residue(3), &exponent), modulus.one);
    }

    #[test]
    fn a_common_divisor_is_found() {
        let modulus = Modulus::<2>::new(&Number::from(3 * 5 * 7 * 11));
        assert_eq!(modulus.gcd(&modulus.residue(15)), Number::from(15));
        assert_eq!(modulus.gcd(&modulus.residue(2)), Number::ONE);
        assert_eq!(modulus.gcd(&modulus.residue(0)), Number::from(1155));
    }
}
