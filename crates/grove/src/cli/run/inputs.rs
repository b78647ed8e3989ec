//! The inputs of a job, as they are gathered here and as they are sent.

use super::cut::{self, Cut};
use super::files;
use super::names::Names;
use super::spool::{self, Spool, unreadable};
use super::words::{Source, text};
use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure};
use crate::shape::{Big, InputShape, SourceShape};
use crate::tokens::COLUMN;
use base64::Engine;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Inputs that are sent one by one; of more than these a blob of lines is made.
const LISTED_MAX: usize = 10_000;
/// Combinations of several sources: they are made in memory.
const COMBINED_MAX: usize = 1_000_000;
/// A file up to this size travels in the request, a larger one as a blob.
const INLINE_FILE_MAX: u64 = 64 << 10;
/// Blobs that are sent at one time.
const SENDERS: usize = 4;
/// All that one request carries.
const BATCH_BYTES_MAX: u64 = 8 << 20;

/// Read at one time where a file is looked through.
const PIECE_BUFFER: usize = 256 << 10;

/// What has to be text where it becomes an argument.
const INPUT: &str = "an input";

/// All inputs of a job.
#[derive(Debug)]
pub(in crate::cli) enum Inputs {
    /// The tool runs once, with this on its standard input.
    Once(Vec<u8>),
    Listed(Listed),
    Lines(Spool),
    Numbers {
        from: u64,
        count: u64,
    },
}

/// Inputs one by one, and where below a folder their results go.
#[derive(Debug, Default)]
pub(in crate::cli) struct Listed {
    items: Vec<Item>,
    files: Vec<String>,
}

/// One input and what it is called.
#[derive(Debug)]
pub(in crate::cli) enum Item {
    Text(String),
    /// What is in a file.
    File {
        label: String,
        path: PathBuf,
        len: u64,
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

impl Inputs {
    /// None yet: an open job.
    pub(super) fn none() -> Inputs {
        Inputs::Listed(Listed::default())
    }

    /// Pieces of one file.
    pub(super) fn split(path: &Path, cut: Cut) -> Result<Inputs, Failure> {
        let what = path.display().to_string();
        let unreadable = |error| unreadable(&what, &error);
        let file = File::open(path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(Failure::usage(format!("{what} is not a file that can be read twice"))
                .hint("keep it in a file first; a pipe of lines goes to --each-line -"));
        }
        let found = cut::pieces(BufReader::with_capacity(PIECE_BUFFER, file), cut).map_err(unreadable)?;
        let Some(pieces) = found else {
            return Err(Failure::usage(format!("{what} would become more than {} pieces", cut::PIECES_MAX))
                .hint("make them larger, with --lines or --bytes"));
        };
        if pieces.bodies.is_empty() {
            return Err(empty(&what));
        }
        let piece = |(nth, body): (usize, Range<u64>)| {
            let label = files::numbered(path, nth + 1, pieces.bodies.len());
            Item::Piece { label, path: path.to_owned(), header: pieces.header.clone(), body }
        };
        Inputs::listed(pieces.bodies.iter().cloned().enumerate().map(piece).collect())
    }

    /// Leaves out the inputs whose results are in that folder; how many there were.
    pub(super) fn leave_out_done(&mut self, folder: &Path) -> Result<usize, Failure> {
        let Inputs::Listed(Listed { items, files }) = self else {
            return Err(Failure::usage("--resume needs inputs with names: those behind :::, or of --split")
                .hint("a job that was broken off here goes on by itself: grove get --wait -o FOLDER last"));
        };
        let done: Vec<bool> = files.iter().map(|file| files::is_kept(folder, file)).collect();
        let mut both = done.iter();
        items.retain(|_| both.next() == Some(&false));
        let mut both = done.iter();
        files.retain(|_| both.next() == Some(&false));
        Ok(done.iter().filter(|done| **done).count())
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Inputs::Listed(listed) if listed.items.is_empty())
    }

    /// What is piped in, or nothing.
    pub(super) fn once() -> Result<Inputs, Failure> {
        let piped = if std::io::stdin().is_terminal() { Vec::new() } else { spool::piped_bytes()? };
        Ok(Inputs::Once(piped))
    }

    /// Whoever gets lines as arguments gets text.
    pub(super) fn lines(path: &Path, reads: bool) -> Result<Inputs, Failure> {
        let spool = Spool::open(path)?;
        if !reads && !spool.is_text {
            return Err(Failure::usage(format!("{} is not UTF-8 text, as arguments have to be", path.display()))
                .hint("with --stdin the tool reads each line, and gets it as it is"));
        }
        if spool.lines == 0 { Err(empty(&path.display().to_string())) } else { Ok(Inputs::Lines(spool)) }
    }

    /// From `:::` and `::::`. Where the tool reads its inputs, one that names a file stands for what is in it.
    pub(super) fn gather(sources: &[Source], reads: bool) -> Result<Inputs, Failure> {
        match sources {
            [Source::File(path)] => Inputs::lines(path, reads),
            [Source::Given(words)] if reads => {
                let mut items = Vec::new();
                words.iter().try_for_each(|word| Item::read(word, &mut items))?;
                if items.is_empty() { Err(empty("those folders")) } else { Inputs::listed(items) }
            }
            [Source::Given(words)] => {
                let text = |word: &OsString| text(word, INPUT).map(Item::Text);
                words.iter().map(text).collect::<Result<_, _>>().and_then(Inputs::listed)
            }
            _ => Inputs::listed(combined(sources)?.into_iter().map(Item::Text).collect()),
        }
    }

    /// For an open job: every kind of input becomes a list.
    pub(in crate::cli) fn gather_for_sending(sources: &[Source], reads: bool) -> Result<Inputs, Failure> {
        match sources {
            [] => Inputs::lines(Path::new("-"), reads),
            _ => Inputs::gather(sources, reads),
        }
    }

    fn listed(items: Vec<Item>) -> Result<Inputs, Failure> {
        let plain = |item: &Item| matches!(item, Item::Text(text) if !text.contains('\n'));
        if items.len() > LISTED_MAX && items.iter().all(plain) {
            return Spool::of_texts(items.iter().map(Item::label)).map(Inputs::Lines);
        }
        if items.len() > LISTED_MAX {
            return Err(Failure::usage(format!("{} files are too many for one job", items.len()))
                .hint("send them some at a time: `grove run --open`, then `grove send`"));
        }
        let paths: Vec<Option<&Path>> = items.iter().map(Item::path).collect();
        let files = files::places(&paths, items.iter().map(Item::label));
        Ok(Inputs::Listed(Listed { items, files }))
    }

    pub(super) fn is_once(&self) -> bool {
        matches!(self, Inputs::Once(_))
    }

    /// As the API takes it; what is large is sent first.
    pub(super) fn source(&self, hub: &Hub) -> Result<SourceShape, Failure> {
        match self {
            Inputs::Once(bytes) if bytes.len() as u64 > INLINE_FILE_MAX => {
                Ok(SourceShape::Inputs(vec![InputShape::Blob { blob: spool::send_bytes(hub, bytes)? }]))
            }
            Inputs::Once(bytes) => Ok(SourceShape::Inputs(vec![shape(bytes)])),
            Inputs::Listed(Listed { items, .. }) => Ok(SourceShape::Inputs(shapes(items, hub)?)),
            Inputs::Lines(spool) => Ok(SourceShape::Lines { blob: spool.send(hub)? }),
            Inputs::Numbers { from, count } => Ok(SourceShape::Numbers { from: Big(*from), count: *count }),
        }
    }

    /// What results are called.
    pub(in crate::cli) fn names(self) -> Names {
        match self {
            Inputs::Once(_) => Names::listed(vec!["output".to_owned()], Vec::new()),
            Inputs::Listed(Listed { items, files }) => {
                Names::listed(items.iter().map(|item| item.label().to_owned()).collect(), files)
            }
            Inputs::Lines(spool) => Names::lines(spool.into_reader()),
            Inputs::Numbers { from, .. } => Names::numbers(from),
        }
    }

    /// The same, some at a time, as an open job takes them.
    pub(in crate::cli) fn batches(&self, hub: &Hub) -> Result<Vec<Vec<InputShape>>, Failure> {
        let all: Vec<InputShape> = match self {
            Inputs::Lines(spool) => {
                let lines = BufReader::new(spool.reader()?).split(b'\n');
                lines
                    .map(|line| line.map(|line| shape(&line)))
                    .collect::<Result<_, _>>()
                    .map_err(|error| unreadable("the inputs", &error))?
            }
            Inputs::Listed(Listed { items, .. }) => shapes(items, hub)?,
            Inputs::Once(bytes) => vec![shape(bytes)],
            Inputs::Numbers { from, count } => {
                (*from..*from + *count).map(|n| InputShape::Text(n.to_string())).collect()
            }
        };
        Ok(all.chunks(LISTED_MAX).map(<[InputShape]>::to_vec).collect())
    }
}

impl Item {
    /// What a word stands for; a folder stands for all files in it.
    fn read(word: &OsStr, items: &mut Vec<Item>) -> Result<(), Failure> {
        let label = word.to_string_lossy().into_owned();
        if word == "-" {
            items.push(Item::Bytes { label: "stdin".to_owned(), bytes: spool::piped_bytes()? });
            return Ok(());
        }
        match std::fs::metadata(word) {
            Ok(found) if found.is_file() => items.push(Item::File { label, path: word.into(), len: found.len() }),
            Ok(found) if found.is_dir() => {
                let found = files::below(Path::new(word), LISTED_MAX)?;
                let item =
                    |(path, len): (PathBuf, u64)| Item::File { label: path.to_string_lossy().into_owned(), path, len };
                items.extend(found.into_iter().map(item));
            }
            Ok(_) => {
                return Err(Failure::new(Exit::Error, format!("{label} is neither a file nor a folder"))
                    .hint("pipe it in: `-` stands for standard input"));
            }
            Err(_) => items.push(match word.to_str() {
                Some(text) => Item::Text(text.to_owned()),
                None => Item::Bytes { label, bytes: word.as_encoded_bytes().to_vec() },
            }),
        }
        Ok(())
    }

    /// Where it is, if it is a file.
    fn path(&self) -> Option<&Path> {
        match self {
            Item::File { path, .. } => Some(path),
            Item::Text(_) | Item::Bytes { .. } | Item::Piece { .. } => None,
        }
    }

    fn label(&self) -> &str {
        match self {
            Item::Text(label) | Item::File { label, .. } | Item::Bytes { label, .. } | Item::Piece { label, .. } => {
                label
            }
        }
    }

    fn len(&self) -> u64 {
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
            Item::File { path, .. } => {
                let bytes = std::fs::read(path).map_err(|error| unreadable(&path.display().to_string(), &error))?;
                Ok(shape(&bytes))
            }
        }
    }

    /// Sent ahead of the request, as a blob.
    fn send(&self, hub: &Hub) -> Result<InputShape, Failure> {
        match self {
            Item::Text(_) => self.shape(),
            Item::Bytes { bytes, .. } => spool::send_bytes(hub, bytes).map(|blob| InputShape::Blob { blob }),
            Item::File { path, .. } => Spool::open_any(path)?.send(hub).map(|blob| InputShape::Blob { blob }),
            Item::Piece { .. } => spool::send_bytes(hub, &self.piece()?).map(|blob| InputShape::Blob { blob }),
        }
    }

    /// What is in a piece of a file.
    fn piece(&self) -> Result<Vec<u8>, Failure> {
        let Item::Piece { path, header, body, .. } = self else { return Ok(Vec::new()) };
        files::read_parts(path, [header, body]).map_err(|error| unreadable(&path.display().to_string(), &error))
    }
}

/// All of them as the API takes them. Large ones are sent ahead, several at a time: while one is being written to the
/// hub's disk, another is on its way.
fn shapes(items: &[Item], hub: &Hub) -> Result<Vec<InputShape>, Failure> {
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

fn shape(bytes: &[u8]) -> InputShape {
    match std::str::from_utf8(bytes) {
        Ok(text) => InputShape::Text(text.to_owned()),
        Err(_) => InputShape::Bytes { base64: base64::engine::general_purpose::STANDARD.encode(bytes) },
    }
}

/// Each of the first source with each of the second, and so on: the last one turns fastest.
fn combined(sources: &[Source]) -> Result<Vec<String>, Failure> {
    let mut all = vec![String::new()];
    for (nth, source) in sources.iter().enumerate() {
        let values = match source {
            Source::Given(words) => words.iter().map(|word| text(word, INPUT)).collect::<Result<_, _>>()?,
            Source::File(path) => read_lines(path)?,
        };
        let count = all.len().saturating_mul(values.len());
        if count > COMBINED_MAX {
            return Err(Failure::usage(format!("{count} combinations are too many; {COMBINED_MAX} are not"))
                .hint("write them into a file, one a line: :::: file"));
        }
        let column = |before: &String, value: &String| match nth {
            0 => value.clone(),
            _ => format!("{before}{COLUMN}{value}"),
        };
        all = all.iter().flat_map(|before| values.iter().map(move |value| column(before, value))).collect();
    }
    if all.is_empty() { Err(empty("one of the sources")) } else { Ok(all) }
}

fn read_lines(path: &Path) -> Result<Vec<String>, Failure> {
    let spool = Spool::open(path)?;
    let lines = BufReader::new(spool.reader()?).lines().take(COMBINED_MAX + 1);
    lines.collect::<Result<_, _>>().map_err(|error| unreadable(&path.display().to_string(), &error))
}

fn empty(what: &str) -> Failure {
    Failure::usage(format!("there are no inputs in {what}")).hint("a job needs one input at the least")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(words: &[&str]) -> Source {
        Source::Given(words.iter().map(OsString::from).collect())
    }

    #[test]
    fn sources_are_combined_each_with_each() {
        let all = combined(&[given(&["a", "b"]), given(&["1", "2"])]).unwrap();
        assert_eq!(all, ["a\u{1f}1", "a\u{1f}2", "b\u{1f}1", "b\u{1f}2"]);
        let many = given(&["x"; 2_000]);
        assert_eq!(combined(&[many.clone(), many]).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_file_is_its_contents_only_for_a_tool_that_reads() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let Inputs::Listed(found) = Inputs::gather(&[given(&[path, "no-such-file"])], true).unwrap() else { panic!() };
        assert!(matches!(&found.items[..], [Item::File { len: 0, .. }, Item::Text(_)]), "{found:?}");
        let Inputs::Listed(found) = Inputs::gather(&[given(&[path])], false).unwrap() else { panic!() };
        assert!(matches!(&found.items[..], [Item::Text(_)]), "{found:?}");
    }

    #[test]
    fn empty_inputs_are_usage_errors() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Inputs::lines(file.path(), false).unwrap_err().exit, Exit::Usage);
        let failure = Inputs::lines(Path::new("/no/such/file"), false).unwrap_err();
        assert!(failure.exit == Exit::Error && failure.message.contains("/no/such/file"), "{failure}");
    }

    #[test]
    fn inputs_whose_results_are_there_are_left_out() {
        let out = tempfile::tempdir().unwrap();
        std::fs::write(out.path().join("a.txt"), "done").unwrap();
        std::fs::create_dir(out.path().join("c")).unwrap();
        let mut inputs = Inputs::gather(&[given(&["a", "b", "c", "a"])], false).unwrap();
        assert_eq!(inputs.leave_out_done(out.path()).unwrap(), 2);
        let Inputs::Listed(Listed { items, files }) = &inputs else { panic!() };
        assert!(matches!(&items[..], [Item::Text(b), Item::Text(a)] if b == "b" && a == "a"), "{items:?}");
        assert_eq!(files[..], ["b", "a-2"], "they keep their names");
    }

    #[test]
    fn a_piece_is_the_header_and_its_own_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "h\n1\n2\n3\n").unwrap();
        let cut = Cut { by: cut::Measure::Lines(2), records: false, header: true };
        let Inputs::Listed(Listed { items, .. }) = Inputs::split(file.path(), cut).unwrap() else { panic!() };
        let [_, Item::Piece { path, header, body, .. }] = &items[..] else { panic!("{items:?}") };
        assert_eq!(files::read_parts(path, [header, body]).unwrap(), b"h\n3\n");
        assert_eq!(Inputs::split(Path::new("/"), cut).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn very_many_words_become_lines() {
        let words: Vec<OsString> = (0..=LISTED_MAX).map(|n| n.to_string().into()).collect();
        let Inputs::Lines(spool) = Inputs::gather(&[Source::Given(words)], false).unwrap() else { panic!() };
        assert_eq!(spool.lines, LISTED_MAX as u64 + 1);
    }
}
