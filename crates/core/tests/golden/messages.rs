//! Samples of all messages.

use std::sync::Arc;

use grove_core::id::{Digest, Incarnation, JobId, Lease};
use grove_core::job::Check;
use grove_core::message::{Answer, Data, Decline, Gift, Inputs, Message, Outcome, Output, Part, Trap};
use grove_core::task::{Act, Span};
use grove_core::units::{Credits, Fuel};

use super::{facts, samples};

pub(super) fn samples() -> Vec<(String, Message)> {
    samples!(Message:
        Hello => [Message::Hello {
            incarnation: Incarnation(0x1234_5678_9abc),
            slots: 8,
            solves: true,
            holding: vec![Lease(5), Lease(1 << 40)],
        }],
        Give => [Message::Give { gifts: vec![gift(), numbers()] }],
        Cancel => [Message::Cancel { leases: vec![Lease(7), Lease(300)] }],
        Noted => [Message::Noted { noted: vec![(Lease(7), Span { first: 1_000, len: 24 })] }],
        Pay => [Message::Pay { total: Credits(123_456_789) }],
        Decline => [Message::Decline { leases: vec![Lease(9)], why: Decline::Paused }],
        Alive => [Message::Alive { slots: 2, holding: vec![Lease(11)] }],
        Done => [Message::Done { lease: Lease(11), answers: vec![right(), trapped()] }],
        Bye => [Message::Bye],
        Memory => [Message::Memory { bytes: 2 << 30 }],
        Solved => [Message::Solved { lease: Lease(12), answer: right(), ways: 16, parts: vec![part()] }],
        Show => [Message::Show { lease: Lease(12) }],
        Shown => [Message::Shown { lease: Lease(12), answers: vec![right()] }],
        Owns => [Message::Owns { signed: facts::signed() }],
        Recalls => [Message::Recalls { signed: facts::signed() }],
    )
}

pub(super) fn gift() -> Gift {
    Gift {
        lease: Lease(1 << 40 | 3),
        job: JobId(u64::MAX),
        tool: Arc::new(facts::tool()),
        act: Act::Solve { depth: 2 },
        pieces: vec![Span { first: 0, len: 4 }, Span { first: 10, len: 3 }],
        chunk: 2,
        inputs: Inputs::Carried { data: vec![inline(), blob()] },
        fuel: Fuel(2_000_000_000),
        price: Credits(2_000),
        check: Check::Spot { per_mille: 50 },
    }
}

fn numbers() -> Gift {
    Gift { act: Act::Run, inputs: Inputs::Numbers { from: 77 }, check: Check::Trust, ..gift() }
}

pub(super) fn inline() -> Data {
    Data::Inline { bytes: Arc::from(*b"three\n") }
}

pub(super) fn blob() -> Data {
    Data::Blob { id: facts::digest(9), len: 5_000_000_000 }
}

fn part() -> Part {
    Part { digest: facts::digest(4), fuel: Fuel(99), inner: true }
}

fn right() -> Answer {
    Answer {
        span: Span { first: 2, len: 2 },
        outcome: Outcome::Right,
        fuel: Fuel(1_234_567),
        micros: 890,
        digest: facts::digest(1),
        output: Output {
            stdout: inline(),
            files: vec![(Arc::from("a/b.txt"), blob())],
            note: Arc::from("said on stderr"),
        },
        pieces: 12,
    }
}

fn trapped() -> Answer {
    Answer {
        span: Span { first: 4, len: 1 },
        outcome: Outcome::Trapped { trap: Trap::OutOfMemory },
        fuel: Fuel(1),
        micros: 0,
        digest: Digest::default(),
        output: Output::of(Data::empty()),
        pieces: 0,
    }
}
