//! From the wire: a frame becomes a message, or a flaw. Counts and lengths have been looked at before.
//!
//! What an answer's digest is, its hearer works out: here it stays empty.

use super::flaw::Flaw;
use super::wire::{self, frame::Kind};
use grove_core::id::{Digest, Incarnation, JobId, Lease};
use grove_core::job::{Abilities, Caps, Check, Tool};
use grove_core::limits;
use grove_core::message::{Answer, Data, Decline, Gift, Inputs, Message, Outcome, Output, Part, Signed, Totals, Trap};
use grove_core::task::{Act, Span};
use grove_core::units::{Credits, Fuel, Millis};
use prost::bytes::Bytes;
use std::sync::Arc;

/// What the frame says.
pub fn message(frame: wire::Frame) -> Result<Message, Flaw> {
    Ok(match frame.kind.ok_or(Flaw::Unknown { what: "a frame" })? {
        Kind::Hello(hello) => Message::Hello {
            incarnation: Incarnation(hello.incarnation),
            slots: hello.slots,
            solves: hello.solves,
            holding: leases(hello.holding),
        },
        Kind::Give(give) => Message::Give { gifts: gifts(give)? },
        Kind::Cancel(cancel) => Message::Cancel { leases: leases(cancel.leases) },
        Kind::Noted(list) => Message::Noted { noted: noted(&list.noted)? },
        Kind::Pay(pay) => Message::Pay { total: Credits(pay.total) },
        Kind::Declined(declined) => Message::Decline { why: decline(declined.why())?, leases: leases(declined.leases) },
        Kind::Alive(alive) => Message::Alive { slots: alive.slots, holding: leases(alive.holding) },
        Kind::Done(done) => Message::Done {
            lease: Lease(done.lease),
            answers: done.answers.into_iter().map(answer).collect::<Result<_, _>>()?,
        },
        Kind::Bye(wire::Bye {}) => Message::Bye,
        Kind::Memory(memory) => Message::Memory { bytes: memory.bytes },
        Kind::Solved(solved) => Message::Solved {
            lease: Lease(solved.lease),
            answer: answer(solved.answer.ok_or(Flaw::Unknown { what: "an answer" })?)?,
            ways: solved.ways,
            parts: solved.parts.iter().map(part).collect::<Result<_, _>>()?,
        },
        Kind::Show(show) => Message::Show { lease: Lease(show.lease) },
        Kind::Owns(signed) => Message::Owns { signed: self::signed(signed) },
        Kind::Recalls(signed) => Message::Recalls { signed: self::signed(signed) },
        Kind::Shown(shown) => Message::Shown {
            lease: Lease(shown.lease),
            answers: shown.answers.into_iter().map(answer).collect::<Result<_, _>>()?,
        },
    })
}

/// Whether it is signed by whom it should be, the conversation knows.
fn signed(signed: wire::Signed) -> Signed {
    let totals = Totals { yours: Credits(signed.yours), mine: Credits(signed.mine) };
    Signed { totals, seal: Arc::from(&*signed.seal) }
}

fn leases(numbers: Vec<u64>) -> Vec<Lease> {
    numbers.into_iter().map(Lease).collect()
}

/// Items are numbered within their task, so that sums of them never wrap.
fn span(first: u64, len: u64) -> Result<Span, Flaw> {
    let end = first.checked_add(len).filter(|_| len > 0);
    end.filter(|end| *end <= limits::ITEMS_MAX).map(|_| Span { first, len }).ok_or(Flaw::OutOfBounds { what: "items" })
}

fn noted(numbers: &[u64]) -> Result<Vec<(Lease, Span)>, Flaw> {
    let (triples, rest) = numbers.as_chunks::<3>();
    if !rest.is_empty() {
        return Err(Flaw::OutOfBounds { what: "noted answers" });
    }
    let one = |[lease, first, len]: &[u64; 3]| Ok((Lease(*lease), span(*first, *len)?));
    triples.iter().map(one).collect()
}

fn decline(why: wire::Decline) -> Result<Decline, Flaw> {
    Ok(match why {
        wire::Decline::Unspecified => return Err(Flaw::Unknown { what: "a reason" }),
        wire::Decline::Full => Decline::Full,
        wire::Decline::Paused => Decline::Paused,
        wire::Decline::Ancestor => Decline::Ancestor,
        wire::Decline::TooDeep => Decline::TooDeep,
        wire::Decline::Absurd => Decline::Absurd,
    })
}

fn gifts(give: wire::Give) -> Result<Vec<Gift>, Flaw> {
    let tools: Vec<Arc<Tool>> = give.tools.into_iter().map(|one| tool(one).map(Arc::new)).collect::<Result<_, _>>()?;
    give.gifts.into_iter().map(|one| gift(one, &tools)).collect()
}

fn gift(gift: wire::Gift, tools: &[Arc<Tool>]) -> Result<Gift, Flaw> {
    let tool = usize::try_from(gift.tool).ok().and_then(|at| tools.get(at));
    let tool = tool.ok_or(Flaw::OutOfBounds { what: "the tool" })?;
    let (act, check) = (act(&gift)?, check(&gift)?);
    let (pairs, rest) = gift.pieces.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Flaw::OutOfBounds { what: "pieces" });
    }
    let pieces = pairs.iter().map(|[first, len]| span(*first, *len));
    Ok(Gift {
        lease: Lease(gift.lease),
        job: JobId(gift.job),
        tool: Arc::clone(tool),
        act,
        pieces: pieces.collect::<Result<_, _>>()?,
        // Judged by whoever takes it: declined it is this one gift that is lost, and not the link.
        chunk: gift.chunk,
        inputs: inputs(gift.inputs)?,
        fuel: Fuel(gift.fuel),
        price: Credits(gift.price),
        check,
    })
}

fn act(gift: &wire::Gift) -> Result<Act, Flaw> {
    let depth = || u8::try_from(gift.depth).map_err(|_| Flaw::OutOfBounds { what: "the depth" });
    Ok(match gift.act() {
        wire::Act::Unspecified => return Err(Flaw::Unknown { what: "an act" }),
        wire::Act::Run => Act::Run,
        wire::Act::Split => Act::Split { ways: gift.ways },
        wire::Act::Merge => Act::Merge,
        wire::Act::Check => Act::Check,
        wire::Act::Solve => Act::Solve { depth: depth()? },
    })
}

fn check(gift: &wire::Gift) -> Result<Check, Flaw> {
    let per_mille = gift.per_mille;
    Ok(match gift.check() {
        wire::Check::Unspecified => return Err(Flaw::Unknown { what: "a check" }),
        wire::Check::Prove => Check::Prove { spot_per_mille: per_mille },
        wire::Check::Spot => Check::Spot { per_mille },
        wire::Check::Copies => Check::Copies,
        wire::Check::Trust => Check::Trust,
    })
}

fn inputs(inputs: Option<wire::gift::Inputs>) -> Result<Inputs, Flaw> {
    Ok(match inputs.ok_or(Flaw::Unknown { what: "inputs" })? {
        wire::gift::Inputs::NumbersFrom(from) => Inputs::Numbers { from },
        wire::gift::Inputs::Carried(carried) => {
            Inputs::Carried { data: carried.data.into_iter().map(data).collect::<Result<_, _>>()? }
        }
    })
}

fn tool(tool: wire::Tool) -> Result<Tool, Flaw> {
    let caps = tool.caps.ok_or(Flaw::Unknown { what: "caps" })?;
    if tool.args.iter().map(String::len).sum::<usize>() > limits::ARGS_BYTES_MAX {
        return Err(Flaw::TooLong { what: "arguments", most: limits::ARGS_BYTES_MAX });
    }
    Ok(Tool {
        module: digest(&tool.module)?,
        abilities: Abilities { split: tool.splits, merge: tool.merges, check: tool.checks, first: tool.first_settles },
        args: tool.args.into_iter().map(String::into_boxed_str).collect(),
        stdin: tool.stdin,
        real_time: tool.real_time,
        caps: Caps {
            fuel: Fuel(caps.fuel),
            wall: Millis(caps.wall_ms),
            memory_bytes: caps.memory_bytes,
            output_bytes: caps.output_bytes,
        },
    })
}

/// The name of a blob.
pub(super) fn digest(bytes: &[u8]) -> Result<Digest, Flaw> {
    bytes.try_into().map(Digest).map_err(|_| Flaw::OutOfBounds { what: "a digest" })
}

fn blob(blob: &wire::Blob) -> Result<Data, Flaw> {
    let (id, len) = (digest(&blob.id)?, blob.len);
    Ok(Data::Blob { id, len })
}

fn inline(bytes: &Bytes) -> Data {
    // Copied, so that a small output does not keep the frame that it came in.
    let bytes = if bytes.is_empty() { Arc::default() } else { Arc::from(&**bytes) };
    Data::Inline { bytes }
}

fn data(data: wire::Data) -> Result<Data, Flaw> {
    match data.kind.ok_or(Flaw::Unknown { what: "data" })? {
        wire::data::Kind::Inline(bytes) => Ok(inline(&bytes)),
        wire::data::Kind::Blob(one) => blob(&one),
    }
}

fn text(text: &str) -> Arc<str> {
    if text.is_empty() { Arc::default() } else { Arc::from(text) }
}

fn answer(answer: wire::Answer) -> Result<Answer, Flaw> {
    let file = |file: wire::File| {
        let contents = data(file.data.ok_or(Flaw::Unknown { what: "a file" })?)?;
        Ok((text(&file.name), contents))
    };
    let stdout = match &answer.stdout {
        None => inline(&Bytes::new()),
        Some(wire::answer::Stdout::Inline(bytes)) => inline(bytes),
        Some(wire::answer::Stdout::Blob(one)) => blob(one)?,
    };
    Ok(Answer {
        span: span(answer.first, answer.len)?,
        outcome: outcome(&answer)?,
        fuel: Fuel(answer.fuel),
        micros: answer.micros,
        digest: Digest::default(),
        pieces: answer.pieces,
        output: Output {
            stdout,
            note: text(&answer.note),
            files: answer.files.into_iter().map(file).collect::<Result<_, Flaw>>()?,
        },
    })
}

fn part(part: &wire::Part) -> Result<Part, Flaw> {
    Ok(Part { digest: digest(&part.digest)?, fuel: Fuel(part.fuel), inner: part.inner })
}

fn outcome(answer: &wire::Answer) -> Result<Outcome, Flaw> {
    Ok(match answer.outcome() {
        wire::Outcome::Unspecified => return Err(Flaw::Unknown { what: "an outcome" }),
        wire::Outcome::Right => Outcome::Right,
        wire::Outcome::Exit => Outcome::Exit { code: answer.code },
        wire::Outcome::Trapped => Outcome::Trapped { trap: trap(answer.trap())? },
        wire::Outcome::OutOfFuel => Outcome::OutOfFuel,
        wire::Outcome::Broken => Outcome::Broken,
    })
}

fn trap(trap: wire::Trap) -> Result<Trap, Flaw> {
    Ok(match trap {
        wire::Trap::Unspecified => return Err(Flaw::Unknown { what: "a trap" }),
        wire::Trap::Crashed => Trap::Crashed,
        wire::Trap::OutOfMemory => Trap::OutOfMemory,
        wire::Trap::OutputTooLarge => Trap::OutputTooLarge,
        wire::Trap::FilesTooLarge => Trap::FilesTooLarge,
        wire::Trap::TooSlow => Trap::TooSlow,
        wire::Trap::OutOfFuel => Trap::OutOfFuel,
        wire::Trap::NotATool => Trap::NotATool,
        wire::Trap::Contradicts => Trap::Contradicts,
        wire::Trap::StackTooDeep => Trap::StackTooDeep,
    })
}
