//! Bytes of every kind of frame, as they were when nodes first spoke so. A change here is a change of the protocol.
//!
//! `GROVE_BLESS=1` writes the samples anew.

use super::any::Draw;
use grove::link::wire::Frame;
use grove::link::{codec, read, write};
use prost::Message as _;
use std::fmt::Write;
use std::path::Path;

const NAMES: [&str; 15] = [
    "hello", "give", "cancel", "noted", "pay", "decline", "alive", "done", "bye", "memory", "solved", "show", "shown",
    "owns", "recalls",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn frames_are_written_and_read_as_ever() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/link/golden.txt");
    let message = |at: usize| Draw(at as u64 + 1).message_of(at as u64);
    if std::env::var_os("GROVE_BLESS").is_some() {
        let line = |at: usize| format!("{} {}\n", NAMES[at], hex(&write::frames(message(at))[0].encode_to_vec()));
        std::fs::write(&path, (0..NAMES.len()).map(line).collect::<String>()).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(golden.lines().count(), NAMES.len());
    for (at, line) in golden.lines().enumerate() {
        let (name, bytes) = line.split_once(' ').unwrap();
        assert_eq!(name, NAMES[at]);
        let frame = codec::decode::<Frame>(unhex(bytes).into()).unwrap();
        assert_eq!(read::message(frame), Ok(message(at)), "{name} is read otherwise");
        assert_eq!(hex(&write::frames(message(at))[0].encode_to_vec()), bytes, "{name} is written otherwise");
    }
}
