//! How answers and inputs lie in the store, and what is made of an answer that comes in: bounds, hash, blobs.
//!
//! A row is a short head and then the bytes themselves, so that reading a thousand answers copies each once.

use crate::store::{BlobId, Blobs, Page, StoreError};
use grove_core::id::{Digest, NodeId};
use grove_core::limits;
use grove_core::message::{Answer, Data, Outcome, Output};
use grove_core::node::{Kept, Row};
use grove_core::task::Span;
use grove_core::units::Fuel;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

/// Files that one run may leave: an answer stays one row.
pub(super) const FILES_MAX: usize = 256;
/// Names of all those files together.
const NAMES_BYTES_MAX: usize = 32 << 10;
/// Output and files of one answer that lie in its row; what goes beyond lies in blobs.
const INLINE_BYTES_MAX: usize = 4 * limits::INLINE_MAX;
/// The last lines of standard error.
pub(super) const NOTE_BYTES_MAX: usize = 4 << 10;

/// The head of an answer's row. `order` tells which of two answers over the same items came later.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    items: u64,
    order: u64,
    outcome: Outcome,
    fuel: Fuel,
    micros: u64,
    by: NodeId,
    stdout: Place,
    #[serde(borrow)]
    files: Vec<(Cow<'a, str>, Place)>,
    #[serde(borrow)]
    note: Cow<'a, str>,
}

/// Where bytes lie: behind the head, in order, or in a blob.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Place {
    Here { len: u64 },
    Blob { id: Digest, len: u64 },
}

/// Packs the answers of one batch into as few pages as their gaps allow. Where two are over the same item, the later
/// one wins.
pub(super) fn pack(mut kept: Vec<(Row, Kept)>, order: u64) -> Result<Vec<Page>, StoreError> {
    let key = |(row, kept): &(Row, Kept)| (row.task, row.stage, kept.span.first);
    kept.sort_by_key(key);
    let mut pages: Vec<Page> = Vec::new();
    let mut bytes = Vec::new();
    for (row, kept) in &kept {
        bytes.clear();
        encode(kept, order, &mut bytes);
        push(&mut pages, Row { first: kept.span.first, ..*row }, &bytes)?;
    }
    Ok(pages)
}

/// Packs inputs that came with a job, from item `from` on.
pub(super) fn pack_inputs(row: Row, inputs: &[Data]) -> Result<Vec<Page>, StoreError> {
    let mut pages = Vec::new();
    for (item, input) in (row.first..).zip(inputs) {
        let head = postcard::to_stdvec(&Place::of(input)).expect("a head can always be written to memory");
        push(&mut pages, Row { first: item, ..row }, &[&head, inline(input)].concat())?;
    }
    Ok(pages)
}

fn push(pages: &mut Vec<Page>, row: Row, bytes: &[u8]) -> Result<(), StoreError> {
    let key = super::rows::page_key(row);
    if let Some(page) = pages.last_mut() {
        let follows = page.key().task == key.task && page.key().stage == key.stage;
        if follows && page.next_item() == key.first_item && page.has_room(bytes.len()) {
            return page.push(bytes);
        }
    }
    let mut page = Page::new(key);
    page.push(bytes)?;
    pages.push(page);
    Ok(())
}

fn encode(kept: &Kept, order: u64, out: &mut Vec<u8>) {
    let output = &kept.output;
    let head = Head {
        items: kept.span.len,
        order,
        outcome: kept.outcome,
        fuel: kept.fuel,
        micros: kept.micros,
        by: kept.by,
        stdout: Place::of(&output.stdout),
        files: output.files.iter().map(|(name, data)| (Cow::Borrowed(&**name), Place::of(data))).collect(),
        note: Cow::Borrowed(&output.note),
    };
    let taken = std::mem::take(out);
    *out = postcard::to_extend(&head, taken).expect("a head can always be written to memory");
    out.extend_from_slice(inline(&output.stdout));
    output.files.iter().for_each(|(_, data)| out.extend_from_slice(inline(data)));
}

/// An answer as it was kept, with its order; `None` for bytes that no answer can be.
pub fn decode(first: u64, bytes: &[u8]) -> Option<(Kept, u64)> {
    let (head, mut rest) = postcard::take_from_bytes::<Head<'_>>(bytes).ok()?;
    let stdout = head.stdout.take(&mut rest)?;
    let mut files = Vec::with_capacity(head.files.len());
    for (name, place) in &head.files {
        files.push((Arc::from(&**name), place.take(&mut rest)?));
    }
    let output = Output { stdout, files, note: Arc::from(&*head.note) };
    let span = Span { first, len: head.items };
    let kept = Kept { span, outcome: head.outcome, output, fuel: head.fuel, micros: head.micros, by: head.by };
    Some((kept, head.order))
}

/// An input as it was kept.
pub fn decode_input(bytes: &[u8]) -> Option<Data> {
    let (place, mut rest) = postcard::take_from_bytes::<Place>(bytes).ok()?;
    place.take(&mut rest)
}

/// Answers in the order of their items, of those over the same items only the newest.
pub(super) fn newest(rows: Vec<(Kept, u64)>) -> Vec<Kept> {
    let mut out: Vec<(Kept, u64)> = Vec::with_capacity(rows.len());
    'rows: for (kept, order) in rows {
        while let Some((last, last_order)) = out.last() {
            if last.span.end() <= kept.span.first {
                break;
            }
            if *last_order > order {
                continue 'rows;
            }
            out.pop();
        }
        out.push((kept, order));
    }
    out.into_iter().map(|(kept, _)| kept).collect()
}

impl Place {
    fn of(data: &Data) -> Place {
        match data {
            Data::Inline { bytes } => Place::Here { len: bytes.len() as u64 },
            Data::Blob { id, len } => Place::Blob { id: *id, len: *len },
        }
    }

    fn take(self, rest: &mut &[u8]) -> Option<Data> {
        match self {
            Place::Here { len } => {
                let bytes = rest.split_off(..usize::try_from(len).ok()?)?;
                Some(Data::Inline { bytes: Arc::from(bytes) })
            }
            Place::Blob { id, len } => Some(Data::Blob { id, len }),
        }
    }
}

fn inline(data: &Data) -> &[u8] {
    match data {
        Data::Inline { bytes } => bytes,
        Data::Blob { .. } => &[],
    }
}

/// The hash over outcome and output: equal for equal answers, whatever the lender.
pub(super) fn digest(outcome: Outcome, output: &Output) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let mut head = [0_u8; 16];
    let head = postcard::to_slice(&outcome, &mut head).expect("an outcome has seven bytes at the most");
    hasher.update(head);
    // The note is left out: it is talk, and a machine may have its own words for what went wrong.
    hash_data(&mut hasher, &output.stdout);
    for (name, data) in &output.files {
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        hash_data(&mut hasher, data);
    }
    Digest(*hasher.finalize().as_bytes())
}

fn hash_data(hasher: &mut blake3::Hasher, data: &Data) {
    hasher.update(&data.len().to_le_bytes());
    match data {
        Data::Inline { bytes } => hasher.update(bytes),
        Data::Blob { id, .. } => hasher.update(&id.0),
    };
}

/// Makes an answer that a lender sent fit for the books: one that breaks a limit, or names a blob that never came,
/// says nothing about its part. The hash is computed here, never believed.
pub(super) fn receive(answer: &mut Answer, blobs: &Blobs) {
    if let Some(wrong) = wrong(&answer.output, blobs) {
        answer.outcome = Outcome::Broken;
        answer.output = Output { note: Arc::from(wrong), ..Output::of(Data::empty()) };
    }
    answer.digest = digest(answer.outcome, &answer.output);
}

fn wrong(output: &Output, blobs: &Blobs) -> Option<&'static str> {
    let data = || std::iter::once(&output.stdout).chain(output.files.iter().map(|(_, data)| data));
    if output.files.len() > FILES_MAX
        || output.files.iter().map(|(name, _)| name.len()).sum::<usize>() > NAMES_BYTES_MAX
    {
        return Some("the lender sent too many files");
    }
    if output.note.len() > NOTE_BYTES_MAX || data().map(|data| inline(data).len()).sum::<usize>() > INLINE_BYTES_MAX {
        return Some("the lender sent too much beside its blobs");
    }
    let here = |data: &Data| match data {
        Data::Inline { .. } => true,
        Data::Blob { id, len } => blobs.len(&BlobId(id.0)).is_ok_and(|found| found == Some(*len)),
    };
    (!data().all(here)).then_some("the lender named a blob that it never sent")
}

/// What a run printed and wrote, as an answer carries it: small things inline, large ones in blobs, which are on the
/// disk afterwards. `None` when there are too many files.
pub(super) fn output(
    blobs: &Blobs,
    stdout: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    note: Arc<str>,
) -> Result<Option<Output>, StoreError> {
    if files.len() > FILES_MAX || files.iter().map(|(name, _)| name.len()).sum::<usize>() > NAMES_BYTES_MAX {
        return Ok(None);
    }
    let mut room = INLINE_BYTES_MAX;
    let stdout = place(blobs, stdout, &mut room)?;
    let files = files.into_iter().map(|(name, bytes)| Ok((Arc::from(name), place(blobs, bytes, &mut room)?)));
    Ok(Some(Output { stdout, files: files.collect::<Result<_, StoreError>>()?, note }))
}

fn place(blobs: &Blobs, bytes: Vec<u8>, room: &mut usize) -> Result<Data, StoreError> {
    if bytes.len() <= limits::INLINE_MAX && bytes.len() <= *room {
        *room -= bytes.len();
        return Ok(Data::Inline { bytes: bytes.into() });
    }
    put(blobs, &bytes)
}

/// Bytes as they travel: carried along when they are few, else by name.
pub(super) fn data(blobs: &Blobs, bytes: Vec<u8>) -> Result<Data, StoreError> {
    if bytes.len() <= limits::INLINE_MAX { Ok(Data::Inline { bytes: bytes.into() }) } else { put(blobs, &bytes) }
}

fn put(blobs: &Blobs, bytes: &[u8]) -> Result<Data, StoreError> {
    let id = blobs.put_bytes(bytes)?;
    Ok(Data::Blob { id: Digest(id.0), len: bytes.len() as u64 })
}

/// The blobs that an output names.
pub(super) fn blobs_of(output: &Output) -> impl Iterator<Item = Digest> + '_ {
    std::iter::once(&output.stdout).chain(output.files.iter().map(|(_, data)| data)).filter_map(blob_of)
}

pub(super) fn blob_of(data: &Data) -> Option<Digest> {
    match data {
        Data::Inline { .. } => None,
        Data::Blob { id, .. } => Some(*id),
    }
}

#[cfg(test)]
mod tests;
