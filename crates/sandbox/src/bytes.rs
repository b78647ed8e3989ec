//! Byte strings copied whole; serde by itself makes one call for each byte of a `Vec<u8>`.

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};
use std::marker::PhantomData;

pub(crate) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes.as_ref())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: for<'a> From<&'a [u8]>>(
    deserializer: D,
) -> Result<T, D::Error> {
    /// Makes what is wanted where the bytes lie: an input of many megabytes is copied once.
    struct Bytes<T>(PhantomData<T>);
    impl<T: for<'a> From<&'a [u8]>> Visitor<'_> for Bytes<T> {
        type Value = T;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }
        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
            Ok(T::from(bytes))
        }
    }
    deserializer.deserialize_bytes(Bytes(PhantomData))
}
