//! Numbers that do not fit JSON: written as strings, read as strings or numbers.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::fmt;

/// An amount of up to 64 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Big(pub u64);

/// A balance, which may be below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signed(pub i128);

impl Serialize for Big {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Big {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Big, D::Error> {
        let number = from.deserialize_any(Number)?;
        u64::try_from(number).map(Big).map_err(|_| D::Error::custom("the number is below 0 or above 2^64 - 1"))
    }
}

impl Serialize for Signed {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Signed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Signed, D::Error> {
        from.deserialize_any(Number).map(Signed)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = i128;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a whole number, or a string that holds one")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<i128, E> {
        Ok(i128::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<i128, E> {
        Ok(i128::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<i128, E> {
        value.parse().map_err(|_| E::custom(format_args!("{value:?} is not a whole number")))
    }
}
