//! The inputs of a job, as they are gathered here and as they are sent.

use super::cut::{self, Cut};
use super::files;
use super::item::{BATCH_BYTES_MAX, INLINE_FILE_MAX, Item, sandbox_name, shape, shapes};
use super::kept::{Changed, Noted};
use super::names::{Names, label};
use super::spool::{self, Spool, unreadable};
use super::words::{self, Source, text};
use crate::cli::hub::Hub;
use crate::cli::{Failure, say};
use crate::shape::{Big, InputShape, SourceShape};
use crate::tokens::COLUMN;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal};
use std::ops::Range;
use std::path::Path;

/// Inputs that are sent one by one; of more than these a blob of lines is made.
pub(super) const LISTED_MAX: usize = 10_000;
/// Combinations of several sources: they are made in memory.
const COMBINED_MAX: usize = 1_000_000;
/// Read at one time where a file is looked through.
const PIECE_BUFFER: usize = 256 << 10;

/// What has to be text where it becomes an argument.
const INPUT: &str = "an input";

/// What an input that names a file stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Reading {
    /// For its name: inputs are arguments.
    Words,
    /// For what is in it, which the tool reads on its standard input.
    Contents,
    /// For the file, which the tool finds below `/in`.
    Files,
}

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

impl Inputs {
    /// None yet: an open job.
    pub(super) fn none() -> Inputs {
        Inputs::Listed(Listed::default())
    }

    /// Pieces of one file.
    pub(super) fn split(path: &Path, cut: Cut) -> Result<Inputs, Failure> {
        let what = path.display().to_string();
        let unreadable = |error| unreadable(&what, &error);
        if path == Path::new("-") || !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(Failure::usage(format!("{what} is not a file that can be read twice"))
                .hint("keep it in a file first; a pipe of lines goes to --each-line -"));
        }
        let file = File::open(path).map_err(unreadable)?;
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

    /// Numbers as ranges of so many, each one input: a tool that cuts inputs is asked about each one of them.
    pub(super) fn in_chunks(self, chunk: u64) -> Result<Inputs, Failure> {
        let Inputs::Numbers { from, count } = self else { return Ok(self) };
        if chunk < 2 {
            return Ok(self);
        }
        if count.div_ceil(chunk) > cut::PIECES_MAX as u64 {
            return Err(Failure::usage(format!("the range would become more than {} pieces", cut::PIECES_MAX))
                .hint("make them larger, with --chunk"));
        }
        let end = from.saturating_add(count);
        let range = |first: u64| OsString::from(format!("{first}..{}", first.saturating_add(chunk).min(end)));
        let starts = (0..count.div_ceil(chunk)).map(|nth| from.saturating_add(nth.saturating_mul(chunk)));
        Inputs::read(&starts.map(range).collect::<Vec<_>>(), Reading::Words)
    }

    /// Leaves out the inputs that are done.
    pub(super) fn leave_out(&mut self, is_done: impl FnMut(&Noted) -> bool) -> Result<(), Failure> {
        let done: Vec<bool> = self.noted().iter().map(is_done).collect();
        let Inputs::Listed(Listed { items, files }) = self else {
            return Err(Failure::usage("--resume needs inputs with names: those behind :::, or of --split")
                .hint("a job that was broken off here goes on by itself: grove get --wait -o FOLDER last"));
        };
        let mut both = done.iter();
        items.retain(|_| both.next() == Some(&false));
        let mut both = done.iter();
        files.retain(|_| both.next() == Some(&false));
        Ok(())
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
    pub(super) fn lines(path: &Path, reading: Reading) -> Result<Inputs, Failure> {
        if reading == Reading::Files {
            let words: Vec<OsString> = read_lines(path)?.into_iter().map(OsString::from).collect();
            return Inputs::read(&words, reading);
        }
        let spool = Spool::open(path)?;
        if reading == Reading::Words && !spool.is_text {
            return Err(Failure::usage(format!(
                "{} is not UTF-8 text without zero bytes, as arguments have to be",
                path.display()
            ))
            .hint("with --stdin the tool reads each line, and gets it as it is"));
        }
        if spool.lines == 0 { Err(empty(&path.display().to_string())) } else { Ok(Inputs::Lines(spool)) }
    }

    /// From `:::` and `::::`. Where the tool reads its inputs, one that names a file stands for what is in it.
    pub(super) fn gather(sources: &[Source], reading: Reading) -> Result<Inputs, Failure> {
        match sources {
            [Source::File(path)] => Inputs::lines(path, reading),
            [Source::Given(words)] if reading != Reading::Words => Inputs::read(words, reading),
            _ if reading == Reading::Files => {
                Err(Failure::usage("{in} takes its files from one source").hint("name them all behind one `:::`"))
            }
            [Source::Given(words)] => {
                let text = |word: &OsString| text(word, INPUT).map(Item::Text);
                words.iter().map(text).collect::<Result<_, _>>().and_then(Inputs::listed)
            }
            _ => Inputs::listed(combined(sources)?.into_iter().map(Item::Text).collect()),
        }
    }

    fn read(words: &[OsString], reading: Reading) -> Result<Inputs, Failure> {
        if reading == Reading::Contents {
            heed_mistyped(words)?;
        }
        let mut items = Vec::new();
        words.iter().try_for_each(|word| Item::read(word, reading, &mut items))?;
        if items.is_empty() { Err(empty("those folders")) } else { Inputs::listed(items) }
    }

    /// Files again that were inputs before, under the names that their results had.
    pub(in crate::cli) fn again(found: Vec<Changed>) -> Result<Inputs, Failure> {
        let mut listed = Listed::default();
        for (label, file, path, named) in found {
            let len = std::fs::metadata(&path).map_err(|error| unreadable(&label, &error))?.len();
            let named = named.then(|| sandbox_name(&path));
            listed.items.push(Item::File { label, path, len, named });
            listed.files.push(file);
        }
        Ok(Inputs::Listed(listed))
    }

    /// For an open job: every kind of input becomes a list.
    pub(in crate::cli) fn gather_for_sending(sources: &[Source], reading: Reading) -> Result<Inputs, Failure> {
        match sources {
            [] => Inputs::lines(Path::new("-"), reading),
            _ => Inputs::gather(sources, reading),
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
    pub(in crate::cli) fn source(&self, hub: &Hub) -> Result<SourceShape, Failure> {
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

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        match self {
            Inputs::Once(_) => 1,
            Inputs::Listed(listed) => listed.items.len() as u64,
            Inputs::Lines(spool) => spool.lines,
            Inputs::Numbers { count, .. } => *count,
        }
    }

    /// Some of them, one behind the other, as the API takes them.
    pub(super) fn some(&self, from: u64, count: u64, hub: &Hub) -> Result<SourceShape, Failure> {
        let range = |all: usize| {
            let from = usize::try_from(from).unwrap_or(all).min(all);
            from..all.min(from.saturating_add(usize::try_from(count).unwrap_or(all)))
        };
        match self {
            Inputs::Once(_) => self.source(hub),
            Inputs::Listed(Listed { items, .. }) => Ok(SourceShape::Inputs(shapes(&items[range(items.len())], hub)?)),
            Inputs::Lines(spool) => {
                let lines = spool.lines_from(from)?;
                let lines = lines.take(usize::try_from(count).unwrap_or(usize::MAX)).collect::<Result<Vec<_>, _>>();
                let text = lines.map_err(|error| unreadable("the inputs", &error))?.join(&b'\n');
                Ok(SourceShape::Lines { blob: spool::send_bytes(hub, &text)? })
            }
            Inputs::Numbers { from: first, .. } => {
                Ok(SourceShape::Numbers { from: Big(first.saturating_add(from)), count })
            }
        }
    }

    /// What the one at that place is called, and those behind it as far as that needs no names.
    pub(super) fn names_at(&self, at: u64) -> Result<Names, Failure> {
        let name = match self {
            Inputs::Numbers { from, .. } => return Ok(Names::numbers(*from)),
            Inputs::Once(_) => Some("output".to_owned()),
            Inputs::Listed(Listed { items, .. }) => {
                usize::try_from(at).ok().and_then(|at| items.get(at)).map(|item| item.label().to_owned())
            }
            Inputs::Lines(spool) => spool.lines_from(at)?.next().and_then(Result::ok).map(|line| label(&line)),
        };
        Ok(Names::listed(name.into_iter().collect(), Vec::new()).shifted(at))
    }

    /// What is worth remembering of inputs that were given one by one: what they are called, where their results go,
    /// and which file each of them is.
    pub(in crate::cli) fn noted(&self) -> Vec<Noted> {
        let Inputs::Listed(Listed { items, files }) = self else { return Vec::new() };
        let noted = |(item, file): (&Item, &String)| Noted::of(item.label(), file, item.path(), item.is_named());
        items.iter().zip(files).map(noted).collect()
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

    /// The same, some at a time, as an open job takes them: of lines no more are read than one request carries.
    pub(in crate::cli) fn batches(&self, hub: &Hub) -> Result<Batches<'_>, Failure> {
        match self {
            Inputs::Lines(spool) => Ok(Batches::Lines(BufReader::new(spool.reader()?))),
            Inputs::Listed(Listed { items, files }) => {
                let labels = items.iter().map(|item| item.label().to_owned()).collect();
                Ok(Batches::Given(Some((shapes(items, hub)?, Names::listed(labels, files.clone())))))
            }
            Inputs::Once(bytes) => {
                Ok(Batches::Given(Some((vec![shape(bytes)], Names::listed(vec!["output".to_owned()], Vec::new())))))
            }
            Inputs::Numbers { from, count } => {
                let numbers = (*from..*from + *count).map(|n| InputShape::Text(n.to_string())).collect();
                Ok(Batches::Given(Some((numbers, Names::numbers(*from)))))
            }
        }
    }
}

/// Inputs on their way into an open job, some at a time, with what they are called.
pub(in crate::cli) enum Batches<'a> {
    /// They were made in memory, and fit a request.
    Given(Option<(Vec<InputShape>, Names)>),
    Lines(BufReader<Box<dyn spool::Source + 'a>>),
}

impl Batches<'_> {
    fn lines(from: &mut impl BufRead) -> Result<Option<(Vec<InputShape>, Names)>, Failure> {
        let (mut batch, mut labels, mut room) = (Vec::new(), Vec::new(), BATCH_BYTES_MAX);
        while batch.len() < LISTED_MAX && room > 0 {
            let mut line = Vec::new();
            let read = from.read_until(b'\n', &mut line).map_err(|error| unreadable("the inputs", &error))?;
            if read == 0 {
                break;
            }
            if line.ends_with(b"\n") {
                line.pop();
            }
            room = room.saturating_sub(read as u64);
            labels.push(label(&line));
            batch.push(shape(&line));
        }
        Ok((!batch.is_empty()).then(|| (batch, Names::listed(labels, Vec::new()))))
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<(Vec<InputShape>, Names), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Batches::Given(all) => all.take().map(Ok),
            Batches::Lines(from) => Batches::lines(from).transpose(),
        }
    }
}

/// Text that looks like a file's name is given as it is, but not silently, and not among files.
fn heed_mistyped(words: &[OsString]) -> Result<(), Failure> {
    match words::mistyped(words) {
        Some(lost) if lost.among_files => {
            Err(lost.refused("a text that looks so goes on a line of a file: `:::: FILE`"))
        }
        Some(lost) => {
            say::talk(&lost.taken());
            Ok(())
        }
        None => Ok(()),
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

    use crate::cli::Exit;

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
    fn a_range_in_chunks_is_one_input_for_each() {
        let numbers = |count| Inputs::Numbers { from: 5, count };
        let Inputs::Listed(found) = numbers(25).in_chunks(10).unwrap() else { panic!() };
        let labels: Vec<&str> = found.items.iter().map(Item::label).collect();
        assert_eq!(labels, ["5..15", "15..25", "25..30"]);
        assert!(matches!(numbers(25).in_chunks(1), Ok(Inputs::Numbers { from: 5, count: 25 })));
        assert_eq!(numbers(1 << 40).in_chunks(2).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_file_is_its_contents_only_for_a_tool_that_reads() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let Inputs::Listed(found) = Inputs::gather(&[given(&[path, "no-such-file"])], Reading::Contents).unwrap()
        else {
            panic!()
        };
        assert!(matches!(&found.items[..], [Item::File { len: 0, .. }, Item::Text(_)]), "{found:?}");
        let Inputs::Listed(found) = Inputs::gather(&[given(&[path])], Reading::Words).unwrap() else { panic!() };
        assert!(matches!(&found.items[..], [Item::Text(_)]), "{found:?}");
    }

    #[test]
    fn empty_inputs_are_usage_errors() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(Inputs::lines(file.path(), Reading::Words).unwrap_err().exit, Exit::Usage);
        let failure = Inputs::lines(Path::new("/no/such/file"), Reading::Words).unwrap_err();
        assert!(failure.exit == Exit::Error && failure.message.contains("/no/such/file"), "{failure}");
    }

    #[test]
    fn inputs_whose_results_are_there_are_left_out() {
        let out = tempfile::tempdir().unwrap();
        std::fs::write(out.path().join("a.txt"), "done").unwrap();
        std::fs::create_dir(out.path().join("c")).unwrap();
        let mut inputs = Inputs::gather(&[given(&["a", "b", "c", "a"])], Reading::Words).unwrap();
        let is_kept = |noted: &Noted| files::is_kept(out.path(), noted.place());
        inputs.leave_out(is_kept).unwrap();
        let Inputs::Listed(Listed { items, files }) = &inputs else { panic!() };
        assert!(matches!(&items[..], [Item::Text(b), Item::Text(a)] if b == "b" && a == "a"), "{items:?}");
        assert_eq!(files[..], ["b", "a-2"], "they keep their names");
        // A run that was broken off in the middle of a result leaves its draft, or the mark of its files.
        std::fs::write(out.path().join("b.txt.part"), "ha").unwrap();
        std::fs::write(files::unfinished(out.path(), "c"), "").unwrap();
        let mut inputs = Inputs::gather(&[given(&["a", "b", "c"])], Reading::Words).unwrap();
        inputs.leave_out(is_kept).unwrap();
        assert_eq!(inputs.count(), 2, "only the first is whole");
    }

    #[test]
    fn a_piece_is_the_header_and_its_own_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "h\n1\n2\n3\n").unwrap();
        let cut = Cut { by: cut::Measure::Lines(2), records: false, header: true };
        let Inputs::Listed(Listed { items, .. }) = Inputs::split(file.path(), cut).unwrap() else { panic!() };
        let [_, Item::Piece { path, header, body, .. }] = &items[..] else { panic!("{items:?}") };
        assert_eq!(files::read_parts(path, [header, body]).unwrap(), b"h\n3\n");
        for twice in ["/", "-"] {
            let failure = Inputs::split(Path::new(twice), cut).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.hint.unwrap().contains("in a file first"), "{twice}");
        }
    }

    #[test]
    fn very_many_words_become_lines() {
        let words: Vec<OsString> = (0..=LISTED_MAX).map(|n| n.to_string().into()).collect();
        let Inputs::Lines(spool) = Inputs::gather(&[Source::Given(words)], Reading::Words).unwrap() else { panic!() };
        assert_eq!(spool.lines, LISTED_MAX as u64 + 1);
    }

    #[test]
    fn lines_are_sent_some_at_a_time() {
        let long = "x".repeat(1_000_000);
        let lines: Vec<String> = (0..LISTED_MAX + 7).map(|n| n.to_string()).chain(vec![long; 20]).collect();
        let Inputs::Lines(spool) = Spool::of_texts(lines.iter().map(String::as_str)).map(Inputs::Lines).unwrap() else {
            panic!()
        };
        let mut from = BufReader::new(spool.reader().unwrap());
        let mut sent = Vec::new();
        while let Some((batch, _)) = Batches::lines(&mut from).unwrap() {
            let texts: Vec<String> =
                batch.into_iter().map(|one| serde_json::to_value(one).unwrap().to_string()).collect();
            let bytes: usize = texts.iter().map(String::len).sum();
            assert!(texts.len() <= LISTED_MAX && bytes < BATCH_BYTES_MAX as usize + (2 << 20), "{bytes}");
            sent.push(texts);
        }
        assert!(sent.len() > 3 && sent[0].len() == LISTED_MAX, "{}", sent.len());
        assert_eq!(sent.concat().len(), lines.len());
        let empty = Batches::lines(&mut &b"\n\n"[..]).unwrap().map(|(batch, _)| batch.len());
        assert_eq!(empty, Some(2), "an empty line is an input too");
    }
}
