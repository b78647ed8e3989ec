//! Whole numbers below 2^256: reading, printing and the little arithmetic that is not modular.

use std::fmt;
use std::str::FromStr;

/// Words of a [`Number`].
pub(crate) const WORDS: usize = 4;
/// The largest number has so many bits.
pub const BITS_MAX: u32 = 64 * WORDS as u32;
/// 2^256 - 1 has 78 digits; leading zeros beyond that are somebody's mistake.
const DIGITS_MAX: usize = 78;
/// The largest power of ten in a word, and its digits: numbers are printed so many digits at a time.
const CHUNK: (u64, usize) = (10_000_000_000_000_000_000, 19);

/// Least significant word first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Number(pub [u64; WORDS]);

impl Number {
    pub const ZERO: Self = Self([0; WORDS]);
    pub const ONE: Self = Self([1, 0, 0, 0]);

    pub fn bits(&self) -> u32 {
        self.0.iter().rposition(|&word| word != 0).map_or(0, |at| 64 * (at as u32 + 1) - self.0[at].leading_zeros())
    }

    pub fn bit(&self, at: u32) -> bool {
        self.0[(at / 64) as usize] >> (at % 64) & 1 == 1
    }

    pub fn is_odd(&self) -> bool {
        self.bit(0)
    }

    pub fn trailing_zeros(&self) -> u32 {
        (0..BITS_MAX).find(|&at| self.bit(at)).unwrap_or(BITS_MAX)
    }

    /// Out of line, see [`Number::checked_mul_add`].
    #[inline(never)]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (mut sum, mut carry) = (self, false);
        for (word, add) in sum.0.iter_mut().zip(other.0) {
            let (partial, over) = word.overflowing_add(add);
            let (total, over_too) = partial.overflowing_add(carry.into());
            (*word, carry) = (total, over | over_too);
        }
        (!carry).then_some(sum)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let (mut difference, mut borrow) = (self, false);
        for (word, take) in difference.0.iter_mut().zip(other.0) {
            let (partial, under) = word.overflowing_sub(take);
            let (total, under_too) = partial.overflowing_sub(borrow.into());
            (*word, borrow) = (total, under | under_too);
        }
        (!borrow).then_some(difference)
    }

    pub fn checked_mul(self, other: Self) -> Option<Self> {
        other.0.iter().enumerate().try_fold(Self::ZERO, |sum, (at, &word)| {
            let row = self.checked_mul_add(word, 0)?;
            sum.checked_add(row.checked_shl_words(at)?)
        })
    }

    /// `self * factor + addend`.
    ///
    /// Out of line: LLVM 22 with wide arithmetic reads the upper half of a product before it is there when both halves
    /// are tested together, as they would be within `checked_mul`. A test runs what the tools say against the same code
    /// outside the sandbox.
    #[inline(never)]
    pub fn checked_mul_add(mut self, factor: u64, addend: u64) -> Option<Self> {
        let mut carry = addend;
        for word in &mut self.0 {
            let product = u128::from(*word) * u128::from(factor) + u128::from(carry);
            (*word, carry) = (product as u64, (product >> 64) as u64);
        }
        (carry == 0).then_some(self)
    }

    fn checked_shl_words(self, words: usize) -> Option<Self> {
        let (kept, lost) = self.0.split_at(WORDS - words);
        let mut shifted = Self::ZERO;
        shifted.0[words..].copy_from_slice(kept);
        lost.iter().all(|&word| word == 0).then_some(shifted)
    }

    pub fn checked_pow(self, exponent: u32) -> Option<Self> {
        (0..exponent).try_fold(Self::ONE, |power, _| power.checked_mul(self))
    }

    pub fn div_rem_word(mut self, divisor: u64) -> (Self, u64) {
        let mut rest = 0u64;
        for word in self.0.iter_mut().rev() {
            let dividend = u128::from(rest) << 64 | u128::from(*word);
            *word = (dividend / u128::from(divisor)) as u64;
            rest = (dividend % u128::from(divisor)) as u64;
        }
        (self, rest)
    }

    /// One bit at a time: only ever asked a handful of times per number.
    pub fn div_rem(self, divisor: Self) -> (Self, Self) {
        let (mut quotient, mut rest) = (Self::ZERO, Self::ZERO);
        for at in (0..self.bits()).rev() {
            let over = rest.bit(BITS_MAX - 1);
            rest = rest.shl_bit();
            rest.0[0] |= u64::from(self.bit(at));
            match rest.checked_sub(divisor) {
                Some(less) => rest = less,
                None if over => rest = rest.wrapping_sub(divisor),
                None => continue,
            }
            quotient.0[(at / 64) as usize] |= 1 << (at % 64);
        }
        (quotient, rest)
    }

    fn wrapping_sub(self, other: Self) -> Self {
        let mut borrow = false;
        Self(std::array::from_fn(|at| {
            let (partial, under) = self.0[at].overflowing_sub(other.0[at]);
            let (total, under_too) = partial.overflowing_sub(borrow.into());
            borrow = under | under_too;
            total
        }))
    }

    fn shl_bit(self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] << 1 | if at == 0 { 0 } else { self.0[at - 1] >> 63 }))
    }

    pub fn shifted_right(self, bits: u32) -> Self {
        let (words, bits) = ((bits / 64) as usize, bits % 64);
        let word = |at: usize| self.0.get(at + words).copied().unwrap_or(0);
        Self(std::array::from_fn(|at| match bits {
            0 => word(at),
            _ => word(at) >> bits | word(at + 1) << (64 - bits),
        }))
    }

    /// The largest number whose `degree`-th power is not above this one.
    pub fn root(self, degree: u32) -> Self {
        let mut root = Self::ZERO;
        for at in (0..self.bits().div_ceil(degree)).rev() {
            let mut larger = root;
            larger.0[(at / 64) as usize] |= 1 << (at % 64);
            if larger.checked_pow(degree).is_some_and(|power| power <= self) {
                root = larger;
            }
        }
        root
    }
}

impl From<u64> for Number {
    fn from(word: u64) -> Self {
        Self([word, 0, 0, 0])
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Why a text is not a [`Number`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotANumber {
    Empty,
    NotDecimal,
    TooLarge,
}

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "expected a number, got nothing"),
            Self::NotDecimal => write!(f, "not a whole decimal number"),
            Self::TooLarge => write!(f, "larger than {BITS_MAX} bits"),
        }
    }
}

impl std::error::Error for NotANumber {}

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        if text.is_empty() {
            return Err(NotANumber::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotANumber::NotDecimal);
        }
        if text.len() > DIGITS_MAX {
            return Err(NotANumber::TooLarge);
        }
        text.bytes()
            .try_fold(Self::ZERO, |number, digit| number.checked_mul_add(10, u64::from(digit - b'0')))
            .ok_or(NotANumber::TooLarge)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rest, chunk) = self.div_rem_word(CHUNK.0);
        if rest == Self::ZERO { write!(f, "{chunk}") } else { write!(f, "{rest}{chunk:0width$}", width = CHUNK.1) }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGEST: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

    fn number(text: &str) -> Number {
        text.parse().expect("a number")
    }

    #[test]
    fn what_is_read_is_printed() {
        for text in ["0", "1", "18446744073709551616", "10000000000000000000000000000000000000000", LARGEST] {
            assert_eq!(number(text).to_string(), text);
        }
        assert_eq!(number(LARGEST), Number([u64::MAX; WORDS]));
    }

    #[test]
    fn other_texts_say_why_they_are_not_numbers() {
        let one_more = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        for (text, why) in [
            ("", NotANumber::Empty),
            ("12a", NotANumber::NotDecimal),
            ("-1", NotANumber::NotDecimal),
            (one_more, NotANumber::TooLarge),
        ] {
            assert_eq!(text.parse::<Number>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn division_undoes_multiplication() {
        let (a, b) = (number("340282366920938463463374607431768211457"), number("98765432109876543210987654321"));
        let product = a.checked_mul(b).expect("fits");
        assert_eq!(product.checked_add(Number::from(7)).expect("fits").div_rem(b), (a, Number::from(7)));
        assert_eq!(product.div_rem_word(59_649_589_127_497_217).1, 0);
        assert_eq!(number(LARGEST).div_rem(number(LARGEST)), (Number::ONE, Number::ZERO));
        assert_eq!((a.checked_mul(a), product.checked_mul(b)), (None, None));
        assert_eq!(Number::ZERO.checked_sub(Number::ONE), None);
    }

    #[test]
    fn roots_are_rounded_down() {
        for (text, degree, root) in [("24", 2, 4), ("25", 2, 5), ("1000000000000000000000", 3, 10_000_000), ("0", 2, 0)]
        {
            assert_eq!(number(text).root(degree), Number::from(root), "{text}");
        }
        assert_eq!(number(LARGEST).root(2), number("340282366920938463463374607431768211455"));
    }

    #[test]
    fn shifts_cross_words() {
        let one_high = Number([0, 0, 0, 1]);
        assert_eq!(one_high.shifted_right(192), Number::ONE);
        assert_eq!(one_high.shifted_right(129), Number([1 << 63, 0, 0, 0]));
        assert_eq!((one_high.bits(), one_high.trailing_zeros(), Number::ZERO.bits()), (193, 192, 0));
    }
}
