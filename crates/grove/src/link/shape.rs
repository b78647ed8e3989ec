//! What may stand in a frame, and how often: looked at before anything is allocated for it.
//!
//! A frame of 4 MiB can name two million empty things, each of which would become a hundred bytes and more. So its
//! bytes are walked once, and counted, before prost makes values of them. Fields that are not listed here are single
//! numbers, or of a later version and skipped.

use super::flaw::Flaw;
use super::wire;
use grove_core::limits;

/// All messages, texts and byte strings of one frame. 256 gifts with 256 inputs each would be 131,072.
const PIECES_MAX: usize = 1 << 17;
/// Files of one answer; the books take far fewer.
const FILES_MAX: usize = 1_024;
/// A relative path, as long as systems have it.
const FILE_NAME_MAX: usize = 4_096;
/// The last lines of standard error.
pub(super) const NOTE_MAX: usize = 4_096;
/// Arguments of one tool: an empty one costs sixteen bytes here and none in [`limits::ARGS_BYTES_MAX`].
const ARGS_MAX: usize = 4_096;
/// Leases in one list, as many as pieces in a gift.
pub(super) const LEASES_MAX: usize = limits::GIFT_PIECES_MAX as usize;
/// A frame is no longer than this.
pub(super) const FRAME_BYTES_MAX: usize = 4 << 20;
/// A BLAKE3 hash.
const DIGEST: usize = 32;
/// An ed25519 key.
const KEY: usize = 32;
/// An ed25519 signature.
pub(super) const SEAL: usize = 64;
/// Peers of whom one tells another at one time: as many as one is linked with, and itself.
pub const TOLD_MAX: usize = NEIGHBOURS_MAX + 1;
/// Peers that one is linked with: each costs two streams, and says every ten seconds that it lives.
pub const NEIGHBOURS_MAX: usize = 64;
/// Ways to one peer that are worth trying.
pub const ADDRESSES_MAX: usize = 8;
/// The longest address of IPv6, with its port.
const ADDRESS_MAX: usize = 64;
/// Branches of a tree that are shown: nobody reads more.
pub(super) const BRANCHES_MAX: usize = 1_024;

/// A message of the wire that can be looked at before it is decoded.
pub trait Shaped {
    /// What may stand in it.
    const SHAPE: Shape;
}

/// The fields of a message.
#[derive(Debug, Clone, Copy)]
pub struct Shape(&'static [Field]);

#[derive(Debug)]
struct Field {
    number: u64,
    what: &'static str,
    /// How many there may be.
    most: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Message(Shape),
    /// Texts or byte strings of at most so many bytes.
    Bytes(usize),
    /// Numbers, packed or not.
    Numbers,
}

const fn message(number: u64, what: &'static str, most: usize, shape: Shape) -> Field {
    Field { number, what, most, kind: Kind::Message(shape) }
}

const fn bytes(number: u64, what: &'static str, most: usize, len: usize) -> Field {
    Field { number, what, most, kind: Kind::Bytes(len) }
}

const fn numbers(number: u64, what: &'static str, most: usize) -> Field {
    Field { number, what, most, kind: Kind::Numbers }
}

const BLOB: Shape = Shape(&[bytes(1, "digest", 1, DIGEST)]);
const DATA: Shape = Shape(&[bytes(1, "bytes", 1, FRAME_BYTES_MAX), message(2, "blob", 1, BLOB)]);
const CARRIED: Shape = Shape(&[message(1, "inputs", limits::GIFT_INPUTS_MAX as usize, DATA)]);
const TOOL: Shape = Shape(&[
    bytes(1, "digest", 1, DIGEST),
    bytes(6, "arguments", ARGS_MAX, limits::ARGS_BYTES_MAX),
    message(9, "caps", 1, Shape(&[])),
]);
const GIFT: Shape = Shape(&[
    numbers(7, "numbers of pieces", 2 * limits::GIFT_PIECES_MAX as usize),
    message(10, "lists of inputs", 1, CARRIED),
]);
const GIVE: Shape = Shape(&[
    message(1, "tools", limits::GIFTS_PER_PEER_MAX, TOOL),
    message(2, "gifts", limits::GIFTS_PER_PEER_MAX, GIFT),
]);
const FILE: Shape = Shape(&[bytes(1, "file names", 1, FILE_NAME_MAX), message(2, "contents of a file", 1, DATA)]);
const ANSWER: Shape = Shape(&[
    bytes(9, "bytes", 1, FRAME_BYTES_MAX),
    message(10, "blob", 1, BLOB),
    message(11, "files", FILES_MAX, FILE),
    bytes(12, "notes", 1, NOTE_MAX),
]);
const SIGNED: Shape = Shape(&[bytes(3, "seals", 1, SEAL)]);
const DONE: Shape = Shape(&[message(2, "answers", limits::ANSWERS_MAX, ANSWER)]);
const PART: Shape = Shape(&[bytes(1, "digest", 1, DIGEST)]);
const SOLVED: Shape = Shape(&[message(2, "answers", 1, ANSWER), message(4, "parts", limits::WAYS_MAX as usize, PART)]);

impl Shaped for wire::Frame {
    const SHAPE: Shape = Shape(&[
        message(1, "hellos", 1, Shape(&[numbers(4, "leases", limits::GIFTS_PER_PEER_MAX)])),
        message(2, "gives", 1, GIVE),
        message(3, "cancels", 1, Shape(&[numbers(1, "leases", LEASES_MAX)])),
        message(4, "noteds", 1, Shape(&[numbers(1, "numbers of noted answers", 3 * LEASES_MAX)])),
        message(5, "pays", 1, Shape(&[])),
        message(6, "declines", 1, Shape(&[numbers(1, "leases", LEASES_MAX)])),
        message(7, "alives", 1, Shape(&[numbers(2, "leases", limits::GIFTS_PER_PEER_MAX)])),
        message(8, "dones", 1, DONE),
        message(9, "byes", 1, Shape(&[])),
        message(11, "answers of pieces", 1, SOLVED),
        message(12, "wishes to see", 1, Shape(&[])),
        message(13, "shows", 1, DONE),
        message(14, "signed totals", 1, SIGNED),
        message(15, "signed totals", 1, SIGNED),
    ]);
}

impl Shaped for wire::Want {
    const SHAPE: Shape = Shape(&[bytes(1, "digest", 1, DIGEST)]);
}

impl Shaped for wire::Chunk {
    const SHAPE: Shape = Shape(&[bytes(2, "bytes", 1, FRAME_BYTES_MAX), bytes(4, "digest", 1, DIGEST)]);
}

impl Shaped for wire::Stored {
    const SHAPE: Shape = Shape(&[]);
}

const PEER: Shape = Shape(&[bytes(1, "keys", 1, KEY), bytes(2, "addresses", ADDRESSES_MAX, ADDRESS_MAX)]);

impl Shaped for wire::Known {
    const SHAPE: Shape = Shape(&[message(1, "peers", TOLD_MAX, PEER)]);
}

impl Shaped for wire::Piece {
    const SHAPE: Shape = Shape(&[]);
}

impl Shaped for wire::Grown {
    const SHAPE: Shape = Shape(&[message(1, "branches", BRANCHES_MAX, Shape(&[]))]);
}

/// Whether the bytes keep to the shape.
pub(super) fn examine(bytes: &[u8], shape: Shape) -> Result<(), Flaw> {
    walk(bytes, shape, &mut PIECES_MAX.clone())
}

/// The depth of this is the depth of the shapes, whatever the bytes say.
fn walk(mut rest: &[u8], shape: Shape, budget: &mut usize) -> Result<(), Flaw> {
    // Fields mostly come in order, so the counter of one field is enough until it changes; a shape has few.
    let mut counts = [0_usize; 15];
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let at = shape.0.iter().position(|field| field.number == tag >> 3);
        let field = at.and_then(|at| Some((shape.0.get(at)?, counts.get_mut(at)?)));
        match (tag & 7, field) {
            (0, Some((field, count))) => {
                varint(&mut rest)?;
                add(field, count, 1)?;
            }
            (0, None) => drop(varint(&mut rest)?),
            (1, _) => drop(take(&mut rest, 8)?),
            (2, field) => {
                let len = varint(&mut rest)?;
                let inside = take(&mut rest, len)?;
                *budget = budget.checked_sub(1).ok_or(Flaw::TooMany { what: "things", most: PIECES_MAX })?;
                if let Some((field, count)) = field {
                    look(inside, field, count, budget)?;
                }
            }
            (5, _) => drop(take(&mut rest, 4)?),
            _ => return Err(Flaw::Garbled),
        }
    }
    Ok(())
}

fn look(inside: &[u8], field: &Field, count: &mut usize, budget: &mut usize) -> Result<(), Flaw> {
    match field.kind {
        Kind::Message(shape) => {
            add(field, count, 1)?;
            walk(inside, shape, budget)
        }
        Kind::Bytes(most) => {
            add(field, count, 1)?;
            let what = field.what;
            (inside.len() <= most).then_some(()).ok_or(Flaw::TooLong { what, most })
        }
        Kind::Numbers => add(field, count, inside.iter().filter(|byte| **byte < 128).count()),
    }
}

fn add(field: &Field, count: &mut usize, more: usize) -> Result<(), Flaw> {
    *count += more;
    let (what, most) = (field.what, field.most);
    (*count <= most).then_some(()).ok_or(Flaw::TooMany { what, most })
}

fn varint(rest: &mut &[u8]) -> Result<u64, Flaw> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first().ok_or(Flaw::Garbled)?;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(value);
        }
    }
    Err(Flaw::Garbled)
}

fn take<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], Flaw> {
    usize::try_from(len).ok().and_then(|len| rest.split_off(..len)).ok_or(Flaw::Garbled)
}
