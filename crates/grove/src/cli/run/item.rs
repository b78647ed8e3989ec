//! One input on its way to the hub: small ones travel in the request, large ones ahead of it, as blobs.

use super::files;
use super::inputs::{LISTED_MAX, Reading};
use super::names::safe_name;
use super::spool::{self, Spool, unreadable};
use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure, say};
use crate::shape::InputShape;
use crate::tokens;
use base64::Engine;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file up to this size travels in the request, a larger one as a blob.
pub(super) const INLINE_FILE_MAX: u64 = 64 << 10;
/// Blobs that are sent at one time: while some wait for the hub's disk, others are on their way.
const SENDERS: usize = 8;
/// All that one request carries.
pub(super) const BATCH_BYTES_MAX: u64 = 8 << 20;

/// One input and what it is called.
#[derive(Debug)]
pub(in crate::cli) enum Item {
    Text(String),
    /// What is in a file, behind its name if the tool is to find it under that.
    File {
        label: String,
        path: PathBuf,
        len: u64,
        named: Option<String>,
    },
    Bytes {
        label: String,
        bytes: Vec<u8>,
    },
    /// A piece of a file, behind the file's header.
    Piece {
        label: String,
        path: PathBuf,
        header: Range<u64>,
        body: Range<u64>,
    },
}

impl Item {
    /// What a word stands for; a folder stands for all files in it.
    pub(super) fn read(word: &OsStr, reading: Reading, items: &mut Vec<Item>) -> Result<(), Failure> {
        let label = word.to_string_lossy().into_owned();
        let named = |path: &Path| (reading == Reading::Files).then(|| sandbox_name(path));
        if word == "-" && reading == Reading::Contents {
            items.push(Item::Bytes { label: "stdin".to_owned(), bytes: spool::piped_bytes()? });
            return Ok(());
        }
        match std::fs::metadata(word) {
            Ok(found) if found.is_file() => {
                items.push(Item::File { label, path: word.into(), len: found.len(), named: named(Path::new(word)) });
            }
            Ok(found) if found.is_dir() => {
                let found = files::below(Path::new(word), LISTED_MAX)?;
                let item = |(path, len): (PathBuf, u64)| {
                    let (label, named) = (path.to_string_lossy().into_owned(), named(&path));
                    Item::File { label, path, len, named }
                };
                found.left_out(Path::new(word)).iter().for_each(|text| say::talk(text));
                items.extend(found.files.into_iter().map(item));
            }
            Ok(_) => {
                return Err(Failure::new(Exit::Error, format!("{label} is neither a file nor a folder"))
                    .hint("keep what comes out of it in a file; with --stdin, `-` stands for what is piped in"));
            }
            Err(error) if reading == Reading::Files => return Err(unreadable(&label, &error)),
            Err(_) => items.push(match word.to_str() {
                Some(text) => Item::Text(text.to_owned()),
                None => Item::Bytes { label, bytes: word.as_encoded_bytes().to_vec() },
            }),
        }
        Ok(())
    }

    pub(super) fn is_named(&self) -> bool {
        matches!(self, Item::File { named: Some(_), .. })
    }

    /// Where it is, if it is a file.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Item::File { path, .. } => Some(path),
            Item::Text(_) | Item::Bytes { .. } | Item::Piece { .. } => None,
        }
    }

    pub(super) fn label(&self) -> &str {
        match self {
            Item::Text(label) | Item::File { label, .. } | Item::Bytes { label, .. } | Item::Piece { label, .. } => {
                label
            }
        }
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Item::Text(_) => 0,
            Item::File { len, .. } => *len,
            Item::Bytes { bytes, .. } => bytes.len() as u64,
            Item::Piece { header, body, .. } => header.end - header.start + body.end - body.start,
        }
    }

    /// As it travels in the request.
    fn shape(&self) -> Result<InputShape, Failure> {
        match self {
            Item::Text(text) => Ok(InputShape::Text(text.clone())),
            Item::Bytes { bytes, .. } => Ok(shape(bytes)),
            Item::Piece { .. } => Ok(shape(&self.piece()?)),
            Item::File { path, named, .. } => Ok(shape(&whole(path, named.as_deref())?)),
        }
    }

    /// Sent ahead of the request, as a blob.
    fn send(&self, hub: &Hub) -> Result<InputShape, Failure> {
        match self {
            Item::Text(_) => self.shape(),
            Item::Bytes { bytes, .. } => spool::send_bytes(hub, bytes).map(|blob| InputShape::Blob { blob }),
            Item::File { path, named: None, .. } => {
                Spool::open_any(path)?.send(hub).map(|blob| InputShape::Blob { blob })
            }
            Item::File { path, named, .. } => {
                spool::send_bytes(hub, &whole(path, named.as_deref())?).map(|blob| InputShape::Blob { blob })
            }
            Item::Piece { .. } => spool::send_bytes(hub, &self.piece()?).map(|blob| InputShape::Blob { blob }),
        }
    }

    /// What is in a piece of a file.
    fn piece(&self) -> Result<Vec<u8>, Failure> {
        let Item::Piece { path, header, body, .. } = self else { return Ok(Vec::new()) };
        files::read_parts(path, [header, body]).map_err(|error| unreadable(&path.display().to_string(), &error))
    }
}

/// What is in a file, behind its name if it has one in the sandbox.
fn whole(path: &Path, named: Option<&str>) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(&path.display().to_string(), &error))?;
    Ok(match named {
        Some(name) => tokens::named(name, &bytes),
        None => bytes,
    })
}

/// What a file is called below `/in`: its own name, as far as that is one everywhere.
pub(super) fn sandbox_name(path: &Path) -> String {
    safe_name(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// All of them as the API takes them. Large ones are sent ahead, several at a time: while one is being written to the
/// hub's disk, another is on its way.
pub(super) fn shapes(items: &[Item], hub: &Hub) -> Result<Vec<InputShape>, Failure> {
    let mut room = BATCH_BYTES_MAX;
    let mut large = Vec::new();
    let mut shapes = Vec::with_capacity(items.len());
    for item in items {
        if item.len() > INLINE_FILE_MAX.min(room) {
            large.push((shapes.len(), item));
            shapes.push(InputShape::Text(String::new()));
        } else {
            room -= item.len();
            shapes.push(item.shape()?);
        }
    }
    let next = AtomicUsize::new(0);
    let send = || -> Result<Vec<(usize, InputShape)>, Failure> {
        let mut sent = Vec::new();
        while let Some((at, item)) = large.get(next.fetch_add(1, Ordering::Relaxed)) {
            sent.push((*at, item.send(hub)?));
        }
        Ok(sent)
    };
    let sent = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS.min(large.len())).map(|_| scope.spawn(send)).collect();
        // A panic there is a defect, and goes on here.
        let join = |sender: std::thread::ScopedJoinHandle<'_, _>| {
            sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        senders.into_iter().map(join).collect::<Result<Vec<_>, Failure>>()
    })?;
    for (at, shape) in sent.into_iter().flatten() {
        shapes[at] = shape;
    }
    Ok(shapes)
}

pub(super) fn shape(bytes: &[u8]) -> InputShape {
    match std::str::from_utf8(bytes) {
        Ok(text) => InputShape::Text(text.to_owned()),
        Err(_) => InputShape::Bytes { base64: base64::engine::general_purpose::STANDARD.encode(bytes) },
    }
}
