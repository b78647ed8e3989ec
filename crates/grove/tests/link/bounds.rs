//! Frames that break a limit: lists that are too long, values that mean nothing.

use super::any::{numbers, plain_tool};
use super::frames::hear;
use grove::link::wire::{self, Frame, frame::Kind};
use grove::link::{Flaw, write};
use grove_core::limits;
use grove_core::message::Message;
use grove_core::task::Span;
use prost::Message as _;

fn heard(kind: Kind) -> Result<Message, Flaw> {
    hear(Frame { kind: Some(kind) }.encode_to_vec())
}

fn lots(most: usize) -> Vec<u64> {
    vec![1; most + 1]
}

/// A done with one right answer, changed.
fn answer(change: impl FnOnce(&mut wire::Answer)) -> Kind {
    let mut answer = wire::Answer { first: 1, len: 1, outcome: 1, ..wire::Answer::default() };
    change(&mut answer);
    Kind::Done(wire::Done { lease: 1, answers: vec![answer] })
}

/// A give with one gift, changed.
fn give(change: impl FnOnce(&mut wire::Give)) -> Kind {
    let gift = numbers(1, &plain_tool(), vec![Span { first: 0, len: 1 }]);
    let mut frames = write::frames(Message::Give { gifts: vec![gift] });
    let Some(Kind::Give(mut give)) = frames.remove(0).kind else { panic!("a give") };
    change(&mut give);
    Kind::Give(give)
}

fn gift(change: impl FnOnce(&mut wire::Gift)) -> Kind {
    give(|give| change(&mut give.gifts[0]))
}

fn tool(change: impl FnOnce(&mut wire::Tool)) -> Kind {
    give(|give| change(&mut give.tools[0]))
}

#[test]
fn no_list_is_longer_than_its_limit() {
    let held = limits::GIFTS_PER_PEER_MAX;
    let data = wire::Data { kind: Some(wire::data::Kind::Inline(Default::default())) };
    let carried = wire::Carried { data: vec![data; limits::GIFT_INPUTS_MAX as usize + 1] };
    let Kind::Done(mut done) = answer(|_| {}) else { panic!("a done") };
    done.answers = vec![done.answers[0].clone(); limits::ANSWERS_MAX + 1];
    let over = [
        Kind::Hello(wire::Hello { holding: lots(held), ..wire::Hello::default() }),
        Kind::Alive(wire::Alive { holding: lots(held), slots: 1 }),
        Kind::Cancel(wire::Cancel { leases: lots(4_096) }),
        Kind::Declined(wire::Declined { leases: lots(4_096), why: 1 }),
        Kind::Noted(wire::Noted { noted: lots(3 * 4_096) }),
        give(|give| give.gifts = vec![wire::Gift::default(); held + 1]),
        give(|give| give.tools = vec![wire::Tool::default(); held + 1]),
        gift(|gift| gift.inputs = Some(wire::gift::Inputs::Carried(carried))),
        gift(|gift| gift.pieces = lots(2 * limits::GIFT_PIECES_MAX as usize)),
        tool(|tool| tool.args = vec![String::new(); 4_097]),
        Kind::Done(done),
        answer(|answer| answer.files = vec![wire::File::default(); 1_025]),
    ];
    for kind in over {
        let name = format!("{kind:?}").chars().take(12).collect::<String>();
        let flaw = heard(kind);
        assert!(matches!(flaw, Err(Flaw::TooMany { .. })), "{name}: {flaw:?}");
    }
}

#[test]
fn short_lists_of_short_lists_are_bounded_too() {
    let Kind::Done(mut done) = answer(|answer| answer.files = vec![wire::File::default(); 1_000]) else {
        panic!("a done")
    };
    done.answers = vec![done.answers[0].clone(); 200];
    let flaw = heard(Kind::Done(done));
    assert!(matches!(flaw, Err(Flaw::TooMany { what: "things", .. })), "{flaw:?}");
}

#[test]
fn no_value_is_out_of_bounds() {
    for right in [answer(|_| {}), give(|_| {})] {
        assert!(heard(right).is_ok(), "it is wrong before it is changed");
    }
    let long = || "x".repeat(limits::ARGS_BYTES_MAX);
    let wrong = [
        answer(|answer| answer.len = 0),
        answer(|answer| answer.first = u64::MAX),
        answer(|answer| answer.len = limits::ITEMS_MAX),
        answer(|answer| answer.outcome = 0),
        answer(|answer| answer.outcome = 77),
        answer(|answer| answer.outcome = 3),
        answer(|answer| answer.note = "x".repeat(4_097)),
        answer(|answer| answer.files = vec![wire::File::default()]),
        answer(|answer| answer.stdout = Some(wire::answer::Stdout::Blob(wire::Blob::default()))),
        gift(|gift| gift.tool = 1),
        gift(|gift| gift.act = 0),
        gift(|gift| gift.check = 0),
        gift(|gift| gift.inputs = None),
        gift(|gift| gift.pieces = vec![1, 2, 3]),
        gift(|gift| gift.pieces = vec![1, 0]),
        gift(|gift| (gift.act, gift.depth) = (5, 256)),
        tool(|tool| tool.caps = None),
        tool(|tool| tool.module = vec![1; 31].into()),
        tool(|tool| tool.module = vec![1; 33].into()),
        tool(|tool| tool.args = vec![long() + "x"]),
        tool(|tool| tool.args = vec![long(); 2]),
        Kind::Noted(wire::Noted { noted: vec![1, 2] }),
        Kind::Noted(wire::Noted { noted: vec![1, 2, 0] }),
        Kind::Declined(wire::Declined { leases: vec![1], why: 0 }),
    ];
    for kind in wrong {
        let said = format!("{kind:?}");
        assert!(heard(kind).is_err(), "{said}");
    }
    assert!(hear(Vec::new()).is_err(), "a frame of no kind");
    let large = hear(vec![0; (4 << 20) + 1]);
    assert!(matches!(large, Err(Flaw::TooLong { what: "a frame", .. })), "{large:?}");
}
