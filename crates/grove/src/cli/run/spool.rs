//! Many bytes on their way to a hub: looked through once for their name and their lines, then sent, and taken up again
//! where sending broke off.

use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// A line longer than this is no input; the hub would refuse it later.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Read at one time.
const PIECE: usize = 256 << 10;
/// Piped input up to this size is kept in memory, more in a file.
const MEMORY_BYTES_MAX: u64 = 16 << 20;

/// Bytes that can be read again from the start.
#[derive(Debug)]
pub(in crate::cli) struct Spool {
    bytes: Bytes,
    what: String,
    pub(super) blob: String,
    pub(super) lines: u64,
    /// Its lines are UTF-8.
    pub(super) is_text: bool,
}

#[derive(Debug)]
enum Bytes {
    File(File),
    Memory(Vec<u8>),
}

impl Spool {
    /// A file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Spool, Failure> {
        let what = path.display().to_string();
        let bytes = if path == Path::new("-") { piped() } else { file(path) };
        let bytes = bytes.map_err(|error| unreadable(&what, &error))?;
        Spool::look_through(bytes, what)
    }

    /// A file of any kind, whose lines do not matter.
    pub(super) fn open_any(path: &Path) -> Result<Spool, Failure> {
        let what = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&what, &error))?;
        let mut hash = blake3::Hasher::new();
        hash.update_reader(&file).map_err(|error| unreadable(&what, &error))?;
        Ok(Spool {
            bytes: Bytes::File(file),
            what,
            blob: hash.finalize().to_hex().to_string(),
            lines: 0,
            is_text: false,
        })
    }

    /// Texts as lines.
    pub(super) fn of_texts<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Spool, Failure> {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(b'\n');
        }
        Spool::look_through(Bytes::Memory(bytes), "the inputs".to_owned())
    }

    fn look_through(bytes: Bytes, what: String) -> Result<Spool, Failure> {
        let mut spool = Spool { bytes, what, blob: String::new(), lines: 0, is_text: true };
        let mut hash = blake3::Hasher::new();
        let (mut line, mut buffer) = (0_u64, vec![0; PIECE]);
        let mut reader = spool.reader()?;
        let (mut lines, mut is_text, mut cut) = (0, true, Vec::new());
        loop {
            let read = reader.read(&mut buffer).map_err(|error| unreadable(&spool.what, &error))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            is_text = is_text && goes_on_as_text(&mut cut, &buffer[..read]);
            for piece in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
                line += piece.len() as u64;
                if line > LINE_BYTES_MAX {
                    let message = format!("line {} of {} is longer than {LINE_BYTES_MAX} bytes", lines + 1, spool.what);
                    return Err(Failure::new(Exit::Error, message).hint("is it a text with one input a line?"));
                }
                if piece.ends_with(b"\n") {
                    (line, lines) = (0, lines + 1);
                }
            }
        }
        drop(reader);
        spool.lines = lines + u64::from(line > 0);
        spool.is_text = is_text && cut.is_empty();
        spool.blob = hash.finalize().to_hex().to_string();
        Ok(spool)
    }

    /// From the start.
    pub(super) fn reader(&self) -> Result<Box<dyn Source + '_>, Failure> {
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(Box::new(Cursor::new(bytes))),
            Bytes::File(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(0)).map_err(|error| unreadable(&self.what, &error))?;
                Ok(Box::new(file))
            }
        }
    }

    /// Its lines from one on.
    pub(super) fn lines_from(&self, first: u64) -> Result<impl Iterator<Item = io::Result<Vec<u8>>> + '_, Failure> {
        Ok(BufReader::new(self.reader()?).split(b'\n').skip(usize::try_from(first).unwrap_or(usize::MAX)))
    }

    /// From the start, to keep.
    pub(super) fn into_reader(self) -> Box<dyn Read> {
        match self.bytes {
            Bytes::Memory(bytes) => Box::new(Cursor::new(bytes)),
            Bytes::File(mut file) => {
                // Names of results are a convenience: where they cannot be read, numbers take their place.
                let _ = file.seek(SeekFrom::Start(0));
                Box::new(file)
            }
        }
    }

    /// Sends it, unless it is there.
    pub(super) fn send(&self, hub: &Hub) -> Result<String, Failure> {
        hub.insist(|| {
            let Some(offset) = hub.missing_from(&self.blob)? else {
                return Ok(());
            };
            let mut reader = self.reader()?;
            reader.seek(SeekFrom::Start(offset)).map_err(|error| unreadable(&self.what, &error))?;
            hub.send_blob(&self.blob, offset, &mut reader)
        })?;
        Ok(self.blob.clone())
    }
}

/// Whether a text that was cut anywhere goes on; `cut` is the beginning of a letter whose rest is still to come.
fn goes_on_as_text(cut: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let joined = if cut.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned([cut, bytes].concat()) };
    match std::str::from_utf8(&joined) {
        // No argument of a program can hold one.
        Ok(text) if text.contains('\0') => return false,
        Ok(_) => cut.clear(),
        Err(error) if error.error_len().is_none() => *cut = joined[error.valid_up_to()..].to_vec(),
        Err(_) => return false,
    }
    true
}

/// What can be read, and read again.
pub(in crate::cli) trait Source: Read + Seek {}

impl<T: Read + Seek> Source for T {}

/// Sends bytes that are in memory, unless they are there. Returns the name of the blob.
pub(super) fn send_bytes(hub: &Hub, bytes: &[u8]) -> Result<String, Failure> {
    let blob = blake3::hash(bytes).to_hex().to_string();
    hub.insist(|| match hub.missing_from(&blob)? {
        None => Ok(()),
        Some(offset) => {
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            hub.send_blob(&blob, offset, &mut &*rest)
        }
    })?;
    Ok(blob)
}

/// All of standard input, where it is not a terminal.
pub(super) fn piped_bytes() -> Result<Vec<u8>, Failure> {
    let read = || match piped()? {
        Bytes::Memory(bytes) => Ok(bytes),
        Bytes::File(mut file) => {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(0))?;
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        }
    };
    read().map_err(|error: io::Error| unreadable("standard input", &error))
}

fn file(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    if file.metadata()?.is_file() {
        return Ok(Bytes::File(file));
    }
    // A pipe or a device can be read only once.
    keep(file)
}

fn piped() -> io::Result<Bytes> {
    keep(io::stdin().lock())
}

fn keep(mut from: impl Read) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    (&mut from).take(MEMORY_BYTES_MAX).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < MEMORY_BYTES_MAX {
        return Ok(Bytes::Memory(bytes));
    }
    let mut file = tempfile::tempfile()?;
    io::copy(&mut Cursor::new(bytes).chain(from), &mut file)?;
    Ok(Bytes::File(file))
}

pub(super) fn unreadable(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Error, format!("cannot read {what}: {error}")).hint("check its name and its rights")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> u64 {
        Spool::look_through(Bytes::Memory(text.into()), "x".to_owned()).unwrap().lines
    }

    #[test]
    fn lines_are_counted_as_the_hub_counts_them() {
        assert_eq!([lines(""), lines("a"), lines("a\n"), lines("a\nb"), lines("\n\n")], [0, 1, 1, 2, 2]);
    }

    #[test]
    fn text_is_told_from_other_bytes_wherever_it_is_cut() {
        let is_text = |pieces: &[&[u8]]| {
            let mut cut = Vec::new();
            pieces.iter().all(|piece| goes_on_as_text(&mut cut, piece)) && cut.is_empty()
        };
        assert!(is_text(&["grün €".as_bytes(), b"\n"]) && is_text(&[b"\xe2", b"\x82", b"\xac\n"]) && is_text(&[]));
        assert!(!is_text(&[b"\xff"]) && !is_text(&[b"gr\xfcn"]) && !is_text(&[b"\xe2", b"x"]) && !is_text(&[b"\xe2"]));
        assert!(!is_text(&[b"a\0b"]) && !is_text(&[b"\0", b"\xe2"]));
    }

    #[test]
    fn a_line_without_end_is_refused_and_named() {
        let long = format!("a\n{}", "x".repeat(1 << 21));
        let failure = Spool::look_through(Bytes::Memory(long.into()), "big.bin".to_owned()).unwrap_err();
        assert!(failure.message.starts_with("line 2 of big.bin is longer"), "{failure}");
    }

    #[test]
    fn what_is_too_much_for_memory_is_read_again_from_a_file() {
        let bytes = vec![b'a'; (MEMORY_BYTES_MAX + 3) as usize];
        let Bytes::File(mut file) = keep(&bytes[..]).unwrap() else { panic!("kept in memory") };
        assert_eq!(file.seek(SeekFrom::End(0)).unwrap(), MEMORY_BYTES_MAX + 3);
    }
}
