//! Messages to bytes and back, and bytes that are no messages.

use super::any::{Draw, numbers, plain_tool, tiny};
use grove::link::wire::Frame;
use grove::link::{Flaw, codec, read, write};
use grove_core::id::Lease;
use grove_core::limits;
use grove_core::message::{Data, Message, Output};
use grove_core::task::Span;
use prost::Message as _;

pub(super) fn hear(bytes: Vec<u8>) -> Result<Message, Flaw> {
    read::message(codec::decode::<Frame>(bytes.into())?)
}

fn frames(message: &Message) -> Vec<Vec<u8>> {
    write::frames(message.clone()).iter().map(Frame::encode_to_vec).collect()
}

#[test]
fn every_message_is_heard_as_it_was_said() {
    for seed in 0..5_000 {
        let message = Draw(seed).message_of(seed % 13);
        let frames = frames(&message);
        assert_eq!(frames.len(), 1, "seed {seed}");
        assert_eq!(hear(frames.into_iter().next().unwrap()).as_ref(), Ok(&message), "seed {seed}");
    }
}

#[test]
fn long_messages_go_in_several_frames_and_nothing_is_lost() {
    let answers = (0..10_000).map(|item| {
        let stdout = Data::Inline { bytes: vec![7; limits::INLINE_MAX].into() };
        grove_core::message::Answer { output: Output::of(stdout), ..tiny(item) }
    });
    let answers: Vec<_> = answers.collect();
    let frames = frames(&Message::Done { lease: Lease(1), answers: answers.clone() });
    assert!(frames.len() > 10 && frames.iter().all(|frame| frame.len() < 2 << 20));
    let mut heard = Vec::new();
    for frame in frames {
        match hear(frame) {
            Ok(Message::Done { lease: Lease(1), answers }) => heard.extend(answers),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, answers);

    let noted: Vec<_> = (0..10_000).map(|n| (Lease(n), Span { first: n, len: 1 })).collect();
    let frames = self::frames(&Message::Noted { noted });
    assert_eq!(frames.len(), 3);
    assert!(frames.into_iter().all(|frame| hear(frame).is_ok()));
}

#[test]
fn a_gift_of_numbers_is_small_whatever_it_covers() {
    let tool = plain_tool();
    let gifts = |count| {
        let pieces = vec![Span { first: 1_000_000, len: 4_096 }];
        let gifts = (0..count).map(|lease| numbers(lease, &tool, pieces.clone())).collect();
        frames(&Message::Give { gifts })[0].len()
    };
    assert!(gifts(1) <= 128, "{} bytes", gifts(1));
    assert!(gifts(101) - gifts(1) <= 48 * 100, "the tool is said once");
}

#[test]
fn a_tiny_answer_takes_few_bytes() {
    let answers = (0..4_096).map(tiny).collect();
    let frames = frames(&Message::Done { lease: Lease(1), answers });
    assert_eq!(frames.len(), 1);
    assert!(frames[0].len() < 4_096 * 32, "{}", frames[0].len());
}

#[test]
fn fields_of_a_later_version_are_skipped() {
    let mut bytes = frames(&Message::Bye).remove(0);
    // Field 100, of each wire type but groups.
    let tag = |wire_type: u64| {
        let mut tag = Vec::new();
        prost::encoding::encode_varint(100 << 3 | wire_type, &mut tag);
        tag
    };
    bytes.extend([tag(0), vec![1], tag(1), vec![0; 8], tag(2), vec![2, 9, 9], tag(5), vec![0; 4]].concat());
    assert_eq!(hear(bytes), Ok(Message::Bye));
}

/// Decoding either fails or gives a message that can be said again.
fn try_bytes(bytes: Vec<u8>) -> bool {
    let Ok(message) = hear(bytes) else { return false };
    assert_eq!(frames(&message).len(), 1);
    true
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let mut draw = Draw(2_026);
    let mut heard = 0;
    for _ in 0..60_000 {
        let len = draw.below(64);
        let bytes = (0..len).map(|_| u8::try_from(draw.below(256)).unwrap()).collect();
        heard += u32::from(try_bytes(bytes));
    }
    let mut whole = Vec::new();
    for n in 0..140_000 {
        if n % 20 == 0 {
            whole = frames(&draw.message()).remove(0);
        }
        let mut bytes = whole.clone();
        for _ in 0..=draw.below(3) {
            let at = usize::try_from(draw.below(bytes.len() as u64 + 1)).unwrap();
            match (draw.below(4), bytes.get_mut(at)) {
                (0, Some(byte)) => *byte ^= 1 << draw.below(8),
                (1, Some(byte)) => *byte = u8::try_from(draw.below(256)).unwrap(),
                (2, _) => bytes.truncate(at),
                _ => bytes.insert(at, u8::try_from(draw.below(256)).unwrap()),
            }
        }
        heard += u32::from(try_bytes(bytes));
    }
    assert!(heard > 1_000, "only {heard} were messages: the test does not reach far");
}

#[test]
fn the_committed_rust_belongs_to_the_contract() {
    let made = include_str!("../../src/link/wire.rs");
    let contract = include_bytes!("../../proto/grove/v1/node.proto");
    let mut lines = made.splitn(4, '\n');
    let seal = [lines.next(), lines.next(), lines.next()].map(Option::unwrap);
    let body = lines.next().unwrap();
    let hint = "hint: run `cargo proto` and commit the result";
    assert_eq!(seal[1], format!("// contract {}", blake3::hash(contract)), "the contract has changed\n{hint}");
    assert_eq!(seal[2], format!("// made {}", blake3::hash(body.as_bytes())), "it was edited by hand\n{hint}");
}
