//! To the wire: a message becomes one frame, or several where it is long.

use super::shape::{LEASES_MAX, NOTE_MAX, SEAL};
use super::wire::{self, frame::Kind};
use grove_core::id::{Digest, Lease};
use grove_core::job::{Check, Tool};
use grove_core::limits;
use grove_core::message::{Answer, Data, Decline, Gift, Inputs, Message, Outcome, Part, Signed, Trap};
use grove_core::task::{Act, Span};
use prost::bytes::Bytes;
use std::sync::Arc;

/// A frame ends where it would grow beyond this, so that it stays far below what the hearer takes.
const PAGE_BYTES: usize = 1 << 20;
/// What an answer or a gift takes besides the bytes that it carries, at the most.
const ITEM_BYTES: usize = 128;

/// What a part of a solved piece takes.
const PART_BYTES: usize = 64;

/// The frames that say this, in order.
pub fn frames(message: Message) -> Vec<wire::Frame> {
    match message {
        Message::Give { gifts } => pages(gifts, limits::GIFTS_PER_PEER_MAX, gift_bytes, give),
        Message::Done { lease, answers } => pages(answers, limits::ANSWERS_MAX, answer_bytes, |answers| {
            Kind::Done(wire::Done { lease: lease.0, answers: answers.into_iter().map(answer).collect() })
        }),
        Message::Cancel { leases } => {
            pages(leases, LEASES_MAX, |_| 0, |leases| Kind::Cancel(wire::Cancel { leases: numbers(leases) }))
        }
        Message::Decline { leases, why } => pages(
            leases,
            LEASES_MAX,
            |_| 0,
            |leases| Kind::Declined(wire::Declined { leases: numbers(leases), why: decline(why).into() }),
        ),
        Message::Noted { noted } => pages(
            noted,
            LEASES_MAX,
            |_| 0,
            |noted| {
                let flat = |(lease, span): (Lease, Span)| [lease.0, span.first, span.len];
                let noted = noted.into_iter().flat_map(flat).collect();
                Kind::Noted(wire::Noted { noted })
            },
        ),
        Message::Hello { incarnation, slots, solves, holding } => {
            one(Kind::Hello(wire::Hello { incarnation: incarnation.0, slots, solves, holding: held(holding) }))
        }
        Message::Alive { slots, holding } => one(Kind::Alive(wire::Alive { slots, holding: held(holding) })),
        Message::Memory { bytes } => one(Kind::Memory(wire::Memory { bytes })),
        Message::Pay { total } => one(Kind::Pay(wire::Pay { total: total.0 })),
        Message::Owns { signed } => one(Kind::Owns(self::signed(&signed))),
        Message::Recalls { signed } => one(Kind::Recalls(self::signed(&signed))),
        Message::Bye => one(Kind::Bye(wire::Bye {})),
        Message::Solved { lease, answer: solved, ways, parts } => {
            let parts = parts.iter().map(part).collect();
            one(Kind::Solved(wire::Solved { lease: lease.0, answer: Some(answer(solved)), ways, parts }))
        }
        Message::Show { lease } => one(Kind::Show(wire::Show { lease: lease.0 })),
        Message::Shown { lease, answers } => pages(answers, limits::ANSWERS_MAX, answer_bytes, |answers| {
            Kind::Shown(wire::Shown { lease: lease.0, answers: answers.into_iter().map(answer).collect() })
        }),
    }
}

/// About how many bytes a message takes, here and on the wire, and how many its largest item.
pub(super) fn weight(message: &Message) -> (usize, usize) {
    let sum = |(sum, most): (usize, usize), item: usize| (sum + item, most.max(item));
    match message {
        Message::Give { gifts } => gifts.iter().map(gift_bytes).fold((ITEM_BYTES, 0), sum),
        Message::Done { answers, .. } | Message::Shown { answers, .. } => {
            answers.iter().map(answer_bytes).fold((ITEM_BYTES, 0), sum)
        }
        Message::Solved { answer, parts, .. } => {
            let all = answer_bytes(answer) + PART_BYTES * parts.len();
            (ITEM_BYTES + all, all)
        }
        Message::Cancel { leases } | Message::Decline { leases, .. } => (ITEM_BYTES + 8 * leases.len(), 0),
        Message::Hello { holding, .. } | Message::Alive { holding, .. } => (ITEM_BYTES + 8 * holding.len(), 0),
        Message::Noted { noted } => (ITEM_BYTES + 24 * noted.len(), 0),
        Message::Owns { .. } | Message::Recalls { .. } => (ITEM_BYTES + SEAL, 0),
        Message::Pay { .. } | Message::Show { .. } | Message::Bye | Message::Memory { .. } => (ITEM_BYTES, 0),
    }
}

fn signed(Signed { totals, seal }: &Signed) -> wire::Signed {
    wire::Signed { yours: totals.yours.0, mine: totals.mine.0, seal: Bytes::copy_from_slice(seal) }
}

fn one(kind: Kind) -> Vec<wire::Frame> {
    vec![wire::Frame { kind: Some(kind) }]
}

/// Cuts a list into frames, each of at most `most` items and about [`PAGE_BYTES`].
fn pages<T>(
    items: Vec<T>,
    most: usize,
    bytes: impl Fn(&T) -> usize,
    frame: impl Fn(Vec<T>) -> Kind,
) -> Vec<wire::Frame> {
    let mut frames = Vec::new();
    let (mut page, mut filled) = (Vec::new(), 0);
    for item in items {
        let more = bytes(&item);
        if page.len() == most || (!page.is_empty() && filled + more > PAGE_BYTES) {
            frames.extend(one(frame(std::mem::take(&mut page))));
            filled = 0;
        }
        filled += more;
        page.push(item);
    }
    if !page.is_empty() || frames.is_empty() {
        frames.extend(one(frame(page)));
    }
    frames
}

fn numbers(leases: Vec<Lease>) -> Vec<u64> {
    leases.into_iter().map(|lease| lease.0).collect()
}

/// No node holds more of one giver; the hearer would look at no more either.
fn held(mut leases: Vec<Lease>) -> Vec<u64> {
    leases.truncate(limits::GIFTS_PER_PEER_MAX);
    numbers(leases)
}

fn data_bytes(data: &Data) -> usize {
    match data {
        Data::Inline { bytes } => 16 + bytes.len(),
        Data::Blob { .. } => 64,
    }
}

fn gift_bytes(gift: &Gift) -> usize {
    let args: usize = gift.tool.args.iter().map(|arg| 16 + arg.len()).sum();
    let inputs: usize = match &gift.inputs {
        Inputs::Numbers { .. } => 0,
        Inputs::Carried { data } => data.iter().map(data_bytes).sum(),
    };
    ITEM_BYTES + args + 16 * gift.pieces.len() + inputs
}

fn answer_bytes(answer: &Answer) -> usize {
    let output = &answer.output;
    let files: usize = output.files.iter().map(|(name, data)| 16 + name.len() + data_bytes(data)).sum();
    ITEM_BYTES + data_bytes(&output.stdout) + files + output.note.len()
}

fn decline(why: Decline) -> wire::Decline {
    match why {
        Decline::Full => wire::Decline::Full,
        Decline::Paused => wire::Decline::Paused,
        Decline::Ancestor => wire::Decline::Ancestor,
        Decline::TooDeep => wire::Decline::TooDeep,
        Decline::Absurd => wire::Decline::Absurd,
    }
}

/// Gifts of one job share their tool, so it is said once.
fn give(gifts: Vec<Gift>) -> Kind {
    let mut tools: Vec<Arc<Tool>> = Vec::new();
    let mut said = Vec::with_capacity(gifts.len());
    for gift in gifts {
        let same = |tool: &Arc<Tool>| Arc::ptr_eq(tool, &gift.tool) || **tool == *gift.tool;
        // The newest first: gifts of one job stand together.
        let at = tools.iter().rposition(same).unwrap_or_else(|| {
            tools.push(Arc::clone(&gift.tool));
            tools.len() - 1
        });
        said.push(self::gift(gift, u32::try_from(at).unwrap_or(u32::MAX)));
    }
    let tools = tools.iter().map(|one| tool(one)).collect();
    Kind::Give(wire::Give { tools, gifts: said })
}

fn gift(gift: Gift, tool: u32) -> wire::Gift {
    let (act, ways, depth) = match gift.act {
        Act::Run => (wire::Act::Run, 0, 0),
        Act::Split { ways } => (wire::Act::Split, ways, 0),
        Act::Merge => (wire::Act::Merge, 0, 0),
        Act::Check => (wire::Act::Check, 0, 0),
        Act::Solve { depth } => (wire::Act::Solve, 0, depth),
    };
    let check = match gift.check {
        Check::Prove { .. } => wire::Check::Prove,
        Check::Spot { .. } => wire::Check::Spot,
        Check::Copies => wire::Check::Copies,
        Check::Trust => wire::Check::Trust,
    };
    wire::Gift {
        lease: gift.lease.0,
        job: gift.job.0,
        tool,
        act: act.into(),
        ways,
        depth: depth.into(),
        pieces: gift.pieces.iter().flat_map(|piece| [piece.first, piece.len]).collect(),
        chunk: gift.chunk,
        inputs: Some(match gift.inputs {
            Inputs::Numbers { from } => wire::gift::Inputs::NumbersFrom(from),
            Inputs::Carried { data: list } => {
                wire::gift::Inputs::Carried(wire::Carried { data: list.into_iter().map(data).collect() })
            }
        }),
        fuel: gift.fuel.0,
        price: gift.price.0,
        check: check.into(),
        per_mille: gift.check.per_mille(),
    }
}

fn tool(tool: &Tool) -> wire::Tool {
    wire::Tool {
        module: digest(tool.module),
        splits: tool.abilities.split,
        merges: tool.abilities.merge,
        checks: tool.abilities.check,
        first_settles: tool.abilities.first,
        args: tool.args.iter().map(|arg| arg.to_string()).collect(),
        stdin: tool.stdin,
        real_time: tool.real_time,
        caps: Some(wire::Caps {
            fuel: tool.caps.fuel.0,
            wall_ms: tool.caps.wall.0,
            memory_bytes: tool.caps.memory_bytes,
            output_bytes: tool.caps.output_bytes,
        }),
    }
}

/// The name of a blob.
pub(super) fn digest(digest: Digest) -> Bytes {
    Bytes::copy_from_slice(&digest.0)
}

fn blob(id: Digest, len: u64) -> wire::Blob {
    wire::Blob { id: digest(id), len }
}

fn data(data: Data) -> wire::Data {
    let kind = match data {
        Data::Inline { bytes } => wire::data::Kind::Inline(Bytes::from_owner(bytes)),
        Data::Blob { id, len } => wire::data::Kind::Blob(blob(id, len)),
    };
    wire::Data { kind: Some(kind) }
}

fn answer(answer: Answer) -> wire::Answer {
    let (outcome, code, trap) = outcome(answer.outcome);
    let output = answer.output;
    let file = |(name, contents): (Arc<str>, Data)| wire::File { name: name.to_string(), data: Some(data(contents)) };
    wire::Answer {
        first: answer.span.first,
        len: answer.span.len,
        outcome: outcome.into(),
        code,
        trap: trap.into(),
        fuel: answer.fuel.0,
        micros: answer.micros,
        pieces: answer.pieces,
        stdout: match output.stdout {
            Data::Inline { bytes } if bytes.is_empty() => None,
            Data::Inline { bytes } => Some(wire::answer::Stdout::Inline(Bytes::from_owner(bytes))),
            Data::Blob { id, len } => Some(wire::answer::Stdout::Blob(blob(id, len))),
        },
        files: output.files.into_iter().map(file).collect(),
        note: short(&output.note).to_owned(),
    }
}

/// A note is talk: the hearer takes no more of it than this, so its end is left out.
fn short(note: &str) -> &str {
    &note[..note.floor_char_boundary(NOTE_MAX)]
}

fn part(part: &Part) -> wire::Part {
    wire::Part { digest: digest(part.digest), fuel: part.fuel.0, inner: part.inner }
}

fn outcome(outcome: Outcome) -> (wire::Outcome, i32, wire::Trap) {
    match outcome {
        Outcome::Right => (wire::Outcome::Right, 0, wire::Trap::Unspecified),
        Outcome::Exit { code } => (wire::Outcome::Exit, code, wire::Trap::Unspecified),
        Outcome::Trapped { trap: why } => (wire::Outcome::Trapped, 0, trap(why)),
        Outcome::OutOfFuel => (wire::Outcome::OutOfFuel, 0, wire::Trap::Unspecified),
        Outcome::Broken => (wire::Outcome::Broken, 0, wire::Trap::Unspecified),
    }
}

fn trap(trap: Trap) -> wire::Trap {
    match trap {
        Trap::Crashed => wire::Trap::Crashed,
        Trap::OutOfMemory => wire::Trap::OutOfMemory,
        Trap::OutputTooLarge => wire::Trap::OutputTooLarge,
        Trap::FilesTooLarge => wire::Trap::FilesTooLarge,
        Trap::TooSlow => wire::Trap::TooSlow,
        Trap::OutOfFuel => wire::Trap::OutOfFuel,
        Trap::NotATool => wire::Trap::NotATool,
        Trap::Contradicts => wire::Trap::Contradicts,
        Trap::StackTooDeep => wire::Trap::StackTooDeep,
    }
}
