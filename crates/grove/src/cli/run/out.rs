//! Where results go: to standard output, into a folder, or as lines of JSON.
//!
//! What a failed part printed is no result: it is told of on standard error, and goes where results go only when just
//! the failed parts were asked for. Lines of JSON hold both, since each says how its part ended.

use super::files;
use super::names::{FileNames, Names, safe_name};
use super::script;
use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure, say};
use crate::shape::{Content, JobShape, ResultShape, V};
use base64::Engine;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Failures that are told one by one; the count is told at the end.
const NOTES_MAX: u64 = 20;
/// Last lines of what a failed part said, and of what it printed, that are told.
pub(super) const LAST_LINES: usize = 5;
/// More of a line is not told.
const LINE_SHOWN: usize = 200;
/// Folders below each other that a tool may want in its results.
const DEPTH_MAX: usize = 16;
/// More than this of one result is not shown on a terminal.
const SHOWN_BYTES_MAX: u64 = 64 << 10;

/// Results whose like is remembered, at four bytes each, to see whether they changed later.
const REMEMBERED_MAX: usize = 4_000_000;

/// Takes results, one after another.
pub(in crate::cli) struct Out<'h> {
    hub: &'h Hub,
    names: Names,
    /// What the script that made the results is called here.
    script: Option<String>,
    to: To,
    which: Which,
    notes: u64,
    files_lost: bool,
    /// What was put, in order; a few bits of its hash.
    put: Vec<u32>,
    /// Files that tools wrote, by the place of their result in that order, as they lie below the folder.
    wrote: BTreeMap<usize, Vec<PathBuf>>,
}

/// Which results are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Which {
    Right,
    Failed,
}

enum To {
    Stdout { terminal: bool },
    Folder { path: PathBuf, names: FileNames },
    Json,
}

/// A line of JSON that says what it is.
#[derive(Serialize)]
struct Line<'a, T> {
    v: u32,
    r#type: &'static str,
    #[serde(flatten)]
    value: &'a T,
}

/// Results of a job go there: whether they can is known before there are any.
pub(in crate::cli) fn make_folder(path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Err(Failure::usage("-o names a folder, and - is not one")
            .hint("leave -o out, and results go to standard output; a folder of that name is ./-"));
    }
    if std::fs::metadata(path).is_ok_and(|found| !found.is_dir()) {
        return Err(Failure::usage(format!("{} is no folder, and each result is a file of its own", path.display()))
            .hint("name a folder, which is made if need be; or leave -o out, and write standard output into a file"));
    }
    let written = std::fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path));
    written.map(drop).map_err(|error| {
        Failure::new(Exit::Error, format!("no results can be written into {}: {error}", path.display()))
            .hint("choose another folder with -o")
    })
}

impl<'h> Out<'h> {
    pub(in crate::cli) fn new(
        hub: &'h Hub,
        folder: Option<&Path>,
        json: bool,
        names: Names,
    ) -> Result<Out<'h>, Failure> {
        let to = match folder {
            Some(path) => {
                make_folder(path)?;
                To::Folder { path: path.to_owned(), names: FileNames::default() }
            }
            None if json => To::Json,
            None => To::Stdout { terminal: io::stdout().is_terminal() },
        };
        Ok(Out {
            hub,
            names,
            script: None,
            to,
            which: Which::Right,
            notes: 0,
            files_lost: false,
            put: Vec::new(),
            wrote: BTreeMap::new(),
        })
    }

    /// Others than the right ones.
    pub(in crate::cli) fn only(self, which: Which) -> Out<'h> {
        Out { which, ..self }
    }

    /// The results are of a script, which has a name of its own here.
    pub(in crate::cli) fn of_script(self, script: Option<String>) -> Out<'h> {
        Out { script, ..self }
    }

    /// The results that come now are of these inputs.
    pub(in crate::cli) fn call(&mut self, names: Names) {
        self.names = names;
    }

    /// One result.
    pub(in crate::cli) fn put(&mut self, result: &ResultShape) -> Result<(), Failure> {
        let named = self.script.as_deref().and_then(|script| script::under_its_name(result, script));
        let result = named.as_ref().unwrap_or(result);
        let nth = self.put.len();
        if nth < REMEMBERED_MAX {
            self.put.push(mark(result));
        }
        let name = self.names.name(result);
        if !result.is_right() {
            self.note(&name, result);
        }
        let wanted = self.wants(result);
        match &mut self.to {
            To::Folder { path, names } => {
                // Also where nothing is kept: with and without what failed, the others have the same names.
                let file = self.names.file(result).map_or_else(|| names.fresh(&name), str::to_owned);
                if wanted {
                    let wrote = keep(self.hub, path, &file, result)?;
                    if !wrote.is_empty() && nth < REMEMBERED_MAX {
                        self.wrote.insert(nth, wrote);
                    }
                }
                Ok(())
            }
            _ if !wanted => Ok(()),
            To::Json => line("result", result),
            To::Stdout { terminal: true } => show(self.hub, &result.stdout),
            To::Stdout { terminal: false } => {
                self.files_lost |= !result.files.is_empty();
                write(self.hub, &result.stdout, &mut io::stdout().lock()).map_err(|error| closed(&error))
            }
        }
    }

    fn wants(&self, result: &ResultShape) -> bool {
        match self.which {
            Which::Right => result.is_right() || matches!(self.to, To::Json),
            Which::Failed => !result.is_right(),
        }
    }

    /// All results will be looked at once more, from the first on: an answer was found wrong after some had been put.
    pub(super) fn begin_again(&mut self, job: &JobShape) {
        self.names.rewind(self.hub, job);
        if let To::Folder { names, .. } = &mut self.to {
            *names = FileNames::default();
        }
    }

    /// The result that was the `nth` to be put, as it is now; puts it right where that can be done. Whether it had
    /// changed, or cannot be told.
    pub(super) fn correct(&mut self, nth: usize, result: &ResultShape) -> Result<bool, Failure> {
        let named = self.script.as_deref().and_then(|script| script::under_its_name(result, script));
        let result = named.as_ref().unwrap_or(result);
        let name = self.names.name(result);
        let changed = self.put.get(nth) != Some(&mark(result));
        let wanted = self.wants(result);
        match &mut self.to {
            To::Folder { path, names } => {
                let file = self.names.file(result).map_or_else(|| names.fresh(&name), str::to_owned);
                if changed {
                    // What a liar put there goes, also where what is right has other files or none.
                    lose(path, &file, &self.wrote.remove(&nth).unwrap_or_default())?;
                }
                if changed && wanted {
                    keep(self.hub, path, &file, result)?;
                }
            }
            To::Json if changed && wanted => line("result", result)?,
            To::Json | To::Stdout { .. } => {}
        }
        Ok(changed)
    }

    /// Whether what was put can be replaced, or, in a stream of JSON, followed by what is right.
    pub(super) fn can_correct(&self) -> bool {
        !matches!(self.to, To::Stdout { .. })
    }

    /// The job as it ended, for programs.
    pub(super) fn job(&mut self, job: &JobShape) -> Result<(), Failure> {
        if matches!(self.to, To::Json) { line("job", job) } else { Ok(()) }
    }

    /// All results are there.
    pub(in crate::cli) fn finish(&mut self) -> Result<(), Failure> {
        if self.which == Which::Failed && self.notes == 0 {
            say::talk("no part has failed");
        }
        if self.which == Which::Right && self.notes > NOTES_MAX {
            say::talk(&format!("... and {} failed", say::many(self.notes - NOTES_MAX, "more part")));
        }
        if self.files_lost {
            say::talk("the tool wrote files, which standard output cannot hold\nhint: grove get -o FOLDER last");
        }
        io::stdout().flush().map_err(|error| closed(&error))
    }

    fn note(&mut self, name: &str, result: &ResultShape) {
        self.notes += 1;
        match self.which {
            Which::Failed => say::talk(&failure_text(name, result, usize::MAX)),
            Which::Right if self.notes > NOTES_MAX => {}
            Which::Right => {
                say::talk(&failure_text(name, result, LAST_LINES));
                // A program that reads JSON has it there.
                if !matches!(self.to, To::Json) {
                    printed_text(&result.stdout).iter().for_each(|text| say::talk(text));
                }
            }
        }
    }
}

/// A few bits that differ where results differ. Who gave an answer, and how fast, does not matter.
fn mark(result: &ResultShape) -> u32 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hash = DefaultHasher::new();
    (result.item, result.count, &result.outcome, result.exit, &result.stdout, &result.files).hash(&mut hash);
    // Cut on purpose.
    hash.finish() as u32
}

/// A failure in a line, then the last lines of what the tool said.
pub(super) fn failure_text(name: &str, result: &ResultShape, lines: usize) -> String {
    let how = match (result.outcome.as_str(), result.exit, &result.trap) {
        ("exit", Some(code), _) => format!("exit code {code}"),
        ("trap", _, Some(trap)) => trap.replace('_', " "),
        (outcome, _, _) => outcome.replace('_', " "),
    };
    let mut text = match result.merging {
        true => format!("merging failed: {how}"),
        false => format!("part {} ({}) failed: {how}", result.item + 1, say::short(name, 60)),
    };
    for line in last_lines(result.note.trim(), lines) {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}

/// The end of what a failed part printed, for people: programs often say there what went wrong.
fn printed_text(stdout: &Content) -> Option<String> {
    let bytes;
    let (text, len) = match stdout {
        Content::Blob { len, .. } => return Some(format!("  it printed {}", crate::amount::bytes_text(*len))),
        Content::Text(text) => (text.as_str().into(), text.len()),
        Content::Bytes { base64 } => {
            bytes = base64::engine::general_purpose::STANDARD.decode(base64).ok()?;
            (String::from_utf8_lossy(&bytes), bytes.len())
        }
    };
    let lines: Vec<String> = last_lines(text.trim(), LAST_LINES).map(|line| say::short(line, LINE_SHOWN)).collect();
    match (len, lines.is_empty()) {
        (0, _) => None,
        (_, true) => Some(format!("  it printed {}", crate::amount::bytes_text(len as u64))),
        _ => Some(format!("  it printed: {}", lines.join("\n              "))),
    }
}

fn last_lines(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let count = text.lines().count();
    text.lines().skip(count.saturating_sub(most))
}

fn line(kind: &'static str, value: &impl Serialize) -> Result<(), Failure> {
    // The version stands in front of everything, also where the value has one of its own.
    let mut value = serde_json::to_value(value).map_err(|error| closed(&error.into()))?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("v");
    }
    let mut text =
        serde_json::to_vec(&Line { v: V, r#type: kind, value: &value }).map_err(|error| closed(&error.into()))?;
    text.push(b'\n');
    io::stdout().lock().write_all(&text).map_err(|error| closed(&error))
}

fn show(hub: &Hub, content: &Content) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    let len = match content {
        Content::Blob { blob, len, .. } if *len > SHOWN_BYTES_MAX => {
            say::talk(&format!("({} in blob {blob}; -o FOLDER keeps it)", crate::amount::bytes_text(*len)));
            return Ok(());
        }
        content => write(hub, content, &mut bytes).map(|()| bytes.len()).map_err(|error| closed(&error))?,
    };
    let text = say::safe_bytes(&bytes[..len]);
    io::stdout().lock().write_all(text.as_bytes()).map_err(|error| closed(&error))
}

/// The bytes, wherever they are.
fn write(hub: &Hub, content: &Content, to: &mut impl Write) -> io::Result<()> {
    match content {
        Content::Text(text) => to.write_all(text.as_bytes()),
        Content::Bytes { base64 } => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(base64).map_err(io::Error::other)?;
            to.write_all(&bytes)
        }
        Content::Blob { url, .. } => {
            let body = hub.open(url).map_err(io::Error::other)?;
            io::copy(&mut body.into_reader(), to).map(|_| ())
        }
    }
}

/// `FOLDER/input.txt` for what the tool printed, `FOLDER/input/…` for the files that it wrote, which are given back. Of
/// several files some could be there and others not: until all are, a mark says so.
fn keep(hub: &Hub, folder: &Path, name: &str, result: &ResultShape) -> Result<Vec<PathBuf>, Failure> {
    let mark = files::unfinished(folder, name);
    if !result.files.is_empty() {
        make_parent(&mark, folder)?;
        remove(&mark)?;
        File::create_new(&mark).map_err(|error| unwritable(&mark, &error))?;
    }
    if !result.stdout.is_empty() || result.files.is_empty() {
        let path = folder.join(format!("{name}.txt"));
        make_parent(&path, folder)?;
        keep_file(hub, &path, &result.stdout)?;
    }
    let mut wrote = Vec::new();
    for file in &result.files {
        // The tool chose these names, and strangers chose the tool.
        let steps = file.name.split(['/', '\\']).filter(|step| !step.is_empty()).take(DEPTH_MAX).map(safe_name);
        let path = steps.fold(folder.join(name), |path, step| path.join(step));
        make_parent(&path, folder)?;
        keep_file(hub, &path, &file.content)?;
        wrote.push(path);
    }
    remove(&mark)?;
    Ok(wrote)
}

fn make_parent(path: &Path, folder: &Path) -> Result<(), Failure> {
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))
}

/// What was kept there turned out to be no result. Folders go as far as nothing else is in them.
fn lose(folder: &Path, name: &str, wrote: &[PathBuf]) -> Result<(), Failure> {
    remove(&folder.join(format!("{name}.txt")))?;
    wrote.iter().try_for_each(|path| remove(path))?;
    for path in wrote {
        let below = path.ancestors().skip(1).take_while(|above| *above != folder);
        let _ = below.map(std::fs::remove_dir).take_while(Result::is_ok).count();
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, &error)),
        _ => Ok(()),
    }
}

/// Whole or not at all; a link that lies there is replaced, not followed.
fn keep_file(hub: &Hub, path: &Path, content: &Content) -> Result<(), Failure> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let write = || {
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        write(hub, content, &mut File::create_new(&draft)?)?;
        std::fs::rename(&draft, path)
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&draft);
        unwritable(path, &error)
    })
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Error, format!("cannot write {}: {error}", path.display()))
        .hint("the results are kept: choose another folder and `grove get -o FOLDER`")
}

fn closed(error: &io::Error) -> Failure {
    say::closed(error).hint("the job keeps running, and its results are kept: grove get last")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::FileShape;

    #[test]
    fn what_a_failed_part_printed_is_told_by_its_end() {
        let text = |text: &str| printed_text(&Content::Text(text.to_owned()));
        assert_eq!(text(""), None);
        assert_eq!(text("\n").as_deref(), Some("  it printed 1 B"));
        assert_eq!(text("only\n").as_deref(), Some("  it printed: only"));
        let lines = text("1\n2\n3\n4\n5\n6\n").unwrap();
        assert_eq!(lines.lines().map(str::trim).collect::<Vec<_>>(), ["it printed: 2", "3", "4", "5", "6"]);
        let blob = Content::Blob { blob: "b".into(), len: 2_048, url: "u".into() };
        assert_eq!(printed_text(&blob).as_deref(), Some("  it printed 2.0 KiB"));
    }

    #[test]
    fn a_failure_is_told_with_its_input_and_its_last_words() {
        let result = ResultShape {
            item: 2,
            count: 1,
            outcome: "exit".into(),
            exit: Some(3),
            note: "1\n2\n3\n4\n5\nno such column\n".into(),
            ..ResultShape::default()
        };
        let expect = "part 3 (a.csv) failed: exit code 3\n  2\n  3\n  4\n  5\n  no such column";
        assert_eq!(failure_text("a.csv", &result, LAST_LINES), expect);
        let trapped =
            ResultShape { outcome: "trap".into(), trap: Some("out_of_memory".into()), ..ResultShape::default() };
        assert_eq!(failure_text("x", &trapped, LAST_LINES), "part 1 (x) failed: out of memory");
    }

    #[test]
    fn where_a_result_cannot_go_no_draft_of_it_stays() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a.txt")).unwrap();
        let result = ResultShape { stdout: Content::Text("x".into()), ..ResultShape::default() };
        let failure = keep(&Hub::nowhere(), dir.path(), "a", &result).unwrap_err();
        assert!(failure.message.contains("a.txt") && failure.hint.is_some(), "{failure}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the folder");
    }

    #[test]
    fn what_a_liar_put_there_goes_and_what_else_lies_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let hub = Hub::nowhere();
        let names = || Names::listed(vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]);
        let mut out = Out::new(&hub, Some(dir.path()), false, names()).unwrap();
        let file = |name: &str| FileShape { name: name.into(), content: Content::Text("x".into()) };
        let result = |item, files: &[&str], text: &str| ResultShape {
            item,
            count: 1,
            outcome: "right".into(),
            stdout: Content::Text(text.into()),
            files: files.iter().map(|name| file(name)).collect(),
            ..ResultShape::default()
        };
        out.put(&result(0, &["deep/lie", "both"], "")).unwrap();
        out.put(&result(1, &["lie"], "lie")).unwrap();
        std::fs::write(dir.path().join("b/mine"), "").unwrap();
        assert!(dir.path().join("a/deep/lie").exists() && dir.path().join("b.txt").exists());
        assert!(out.correct(0, &result(0, &["both"], "right")).unwrap());
        assert!(out.correct(1, &ResultShape { outcome: "exit".into(), ..result(1, &[], "") }).unwrap());
        let there = |name: &str| dir.path().join(name).exists();
        assert_eq!(["a/deep", "b.txt", "b/lie"].map(there), [false; 3]);
        assert_eq!(["a/both", "a.txt", "b/mine"].map(there), [true; 3]);
        assert_eq!(["a.unfinished", "b.unfinished", "a.txt.part"].map(there), [false; 3], "all of it is whole");
    }
}
