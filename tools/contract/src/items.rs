//! Several items on one stream: each as its length in decimal, a line end, and its bytes.

use crate::Refused;

/// A length has at most so many digits; more could not be held in memory anyway.
const DIGITS_MAX: usize = 10;

pub fn write<I: AsRef<[u8]>>(items: &[I]) -> Vec<u8> {
    let mut stream = Vec::with_capacity(items.iter().map(|item| item.as_ref().len() + DIGITS_MAX).sum());
    for item in items {
        stream.extend_from_slice(item.as_ref().len().to_string().as_bytes());
        stream.push(b'\n');
        stream.extend_from_slice(item.as_ref());
    }
    stream
}

pub fn read(mut stream: &[u8]) -> Result<Vec<&[u8]>, Refused> {
    let mut items = Vec::new();
    while !stream.is_empty() {
        let (length, rest) = length(stream).ok_or_else(|| Refused(format!("item {}: no length", items.len())))?;
        let (item, rest) = rest
            .split_at_checked(length)
            .ok_or_else(|| Refused(format!("item {}: {length} bytes announced, {} there", items.len(), rest.len())))?;
        items.push(item);
        stream = rest;
    }
    Ok(items)
}

fn length(stream: &[u8]) -> Option<(usize, &[u8])> {
    let digits = stream.iter().take(DIGITS_MAX + 1).position(|&byte| byte == b'\n')?;
    let number = &stream[..digits];
    if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((length, &stream[digits + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for items in [vec![], vec![&b""[..]], vec![&b"a\n"[..], b"", b"12\n34"]] {
            assert_eq!(read(&write(&items)).expect("well formed"), items);
        }
    }

    #[test]
    fn a_broken_stream_is_refused() {
        for stream in ["x", "3\nab", "\nab", "-1\n", "+1\na", "99999999999999\n", "1"] {
            assert!(read(stream.as_bytes()).is_err(), "{stream:?}");
        }
    }
}
