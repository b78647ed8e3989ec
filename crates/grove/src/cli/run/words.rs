//! The words after the tool: its arguments, then where its inputs come from. Pure.

use crate::cli::Failure;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Longer endings of names are hardly ever given.
const ENDING_MAX: usize = 5;

/// What stands after the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Words {
    pub args: Vec<String>,
    pub sources: Vec<Source>,
}

impl Words {
    /// Whether all inputs are files and folders of this machine.
    pub(super) fn all_files(&self) -> bool {
        matches!(&self.sources[..], [Source::Given(words)] if words.iter().all(exists))
    }

    /// What the one source of given inputs has of this kind.
    pub(super) fn mistyped(&self) -> Option<Mistyped> {
        match &self.sources[..] {
            [Source::Given(words)] => mistyped(words),
            _ => None,
        }
    }
}

/// An input that looks like the name of a file, and there is no such file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistyped {
    pub(super) word: String,
    /// Others are files, so this one was meant to be one too.
    pub(super) among_files: bool,
}

impl Mistyped {
    pub(super) fn refused(&self, as_text: &str) -> Failure {
        Failure::usage(format!("there is no file {}, and other inputs are files", self.word))
            .hint(format!("check its name; {as_text}"))
    }

    /// Given as the text that it is, but not silently.
    pub(super) fn taken(&self) -> String {
        let hint = match self.word.contains(['*', '?']) {
            true => "a shell puts names in the place of * and ?, but not between quotes",
            false => "check its name, if it was meant to be one",
        };
        format!("there is no file {0}, so the tool gets these letters: {0}\nhint: {hint}", self.word)
    }
}

/// The first one that was mistyped, as it seems.
pub(super) fn mistyped(words: &[OsString]) -> Option<Mistyped> {
    let lost = words.iter().filter_map(|word| word.to_str()).find(|word| looks_like_a_file(word) && !exists(word))?;
    Some(Mistyped { word: lost.to_owned(), among_files: words.iter().any(exists) })
}

fn exists(word: impl AsRef<Path>) -> bool {
    std::fs::metadata(word).is_ok()
}

/// Texts seldom do: steps of a path, or an ending such as `.csv`. An address of the web is none.
fn looks_like_a_file(word: &str) -> bool {
    let ending = Path::new(word).extension().and_then(OsStr::to_str).unwrap_or_default();
    let is_ending = ending.len() <= ENDING_MAX
        && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && ending.bytes().any(|byte| byte.is_ascii_alphabetic());
    let has_steps = word.contains('/') && !word.contains(char::is_whitespace);
    !word.contains("://") && (is_ending || has_steps)
}

/// One source of inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Source {
    /// `::: a b c`: names of files may be any bytes.
    Given(Vec<OsString>),
    /// `:::: file`
    File(PathBuf),
}

/// Takes the words apart.
pub(in crate::cli) fn words(words: &[OsString]) -> Result<Words, Failure> {
    let is_mark = |word: &&OsString| word.as_encoded_bytes().starts_with(b":::");
    let first = words.iter().position(|word| is_mark(&word)).unwrap_or(words.len());
    let (args, mut rest) = words.split_at(first);
    let mut sources = Vec::new();
    while let Some((mark, after)) = rest.split_first() {
        let end = after.iter().position(|word| is_mark(&word)).unwrap_or(after.len());
        let (given, further) = after.split_at(end);
        rest = further;
        match &*mark.to_string_lossy() {
            ":::" if given.is_empty() => {
                return Err(Failure::usage("no inputs stand after :::").hint("for instance ::: a b c"));
            }
            ":::" => sources.push(Source::Given(given.to_vec())),
            "::::" if given.is_empty() => {
                return Err(Failure::usage("no file stands after ::::").hint("for instance :::: inputs.txt"));
            }
            "::::" => sources.extend(given.iter().map(|file| Source::File(file.into()))),
            other => {
                return Err(Failure::usage(format!("{other} is not known here"))
                    .hint("inputs follow `:::`, files with one input a line follow `::::`"));
            }
        }
    }
    let args = args.iter().map(|arg| text(arg, "an argument of a tool")).collect::<Result<_, _>>()?;
    Ok(Words { args, sources })
}

/// A word that has to be text, since the tool gets it as one.
pub(super) fn text(word: &OsStr, what: &str) -> Result<String, Failure> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::usage(format!("{what} has to be UTF-8 text, and {} is not", word.display()))
            .hint("with --stdin an input may be any bytes, and so may the name of a file that is one")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Exit;

    fn split(text: &str) -> Result<Words, Failure> {
        words(&text.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_end_where_the_inputs_begin() {
        let found = split("-x {} ::: a -b ::: 1 :::: f g").unwrap();
        assert_eq!(found.args, ["-x", "{}"]);
        let given = |words: &[&str]| Source::Given(words.iter().map(OsString::from).collect());
        assert_eq!(
            found.sources,
            [given(&["a", "-b"]), given(&["1"]), Source::File("f".into()), Source::File("g".into())]
        );
        assert_eq!(split("a b").unwrap(), Words { args: vec!["a".into(), "b".into()], sources: Vec::new() });
    }

    #[test]
    fn empty_lists_and_unknown_marks_are_usage_errors() {
        for text in [":::", "x ::: a :::", "::::", ":::+ a", "::::: a"] {
            let failure = split(text).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.hint.is_some(), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_told_from_a_text() {
        let found = |words: &[&str]| mistyped(&words.iter().map(OsString::from).collect::<Vec<_>>());
        for text in ["plain", "3.14", "a sentence. And more", "and / or", "https://example.org/a.csv", ".", ""] {
            assert_eq!(found(&[text]), None, "{text:?}");
        }
        for name in ["no-such.csv", "no/such", "my files.txt"] {
            assert_eq!(found(&["plain", name]).map(|lost| (lost.word, lost.among_files)), Some((name.into(), false)));
        }
        assert_eq!(found(&["/", "no-such.csv"]).map(|lost| lost.among_files), Some(true));
    }
}
