//! The tokens of GNU parallel: `{}` and its kin in a tool's arguments, replaced by the input. Pure; knows no tool.
//!
//! | token | becomes |
//! |---|---|
//! | `{}` | the input |
//! | `{.}` | the input without its extension |
//! | `{/}` | its last path component |
//! | `{//}` | the folder that it names, `.` when it names none |
//! | `{/.}` | its last path component without extension |
//! | `{#}` | the number of the input, from 1 on |
//! | `{1}` `{2}` … | the first, second … of several input sources, also as `{1/}`, `{2.}` … |
//!
//! | `{in}` | the path of a file in the sandbox that holds the input; then inputs are files |
//!
//! Where no token is in the arguments, the input is appended, as there. A run of numbers has two columns, the first
//! number and the one after the last.

/// What stands between the columns of an input that was combined from several sources. No text has it.
pub const COLUMN: char = '\u{1f}';

/// Where this stands, the input is a file, and this becomes its path.
pub const FILE: &str = "{in}";
/// What a file is called whose name cannot be used.
const NAMELESS: &str = "input";

/// The input of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// One input, perhaps of several columns.
    Text(&'a str),
    /// One number.
    Number(u64),
    /// Several numbers: `end` is not one of them.
    Range { first: u64, end: u64 },
}

/// The arguments of one run. `number` counts the inputs of the job from 1 on.
pub fn expand<S: AsRef<str>>(args: &[S], input: Input<'_>, number: u64) -> Vec<String> {
    let filled = Filled::of(input);
    let mut found = false;
    let mut out: Vec<String> = Vec::with_capacity(args.len() + 1);
    out.extend(args.iter().map(|arg| filled.replace(arg.as_ref(), number, &mut found)));
    if !found {
        out.extend(filled.columns().map(str::to_owned));
    }
    out
}

/// The arguments of a job whose runs are ranges, written so that a range of one, as may stand at the end, looks like the
/// others: with both its ends.
pub fn ranged<S: AsRef<str>>(args: &[S]) -> Vec<String> {
    let mut out: Vec<String> = args.iter().map(|arg| arg.as_ref().replace("{}", "{1}..{2}")).collect();
    if !has_token(args) {
        out.extend(["{1}".to_owned(), "{2}".to_owned()]);
    }
    out
}

/// Whether any argument has a token, so that nothing will be appended.
pub fn has_token<S: AsRef<str>>(args: &[S]) -> bool {
    args.iter().any(|arg| tokens(arg.as_ref()).next().is_some())
}

/// Whether inputs are to be files.
pub fn wants_file<S: AsRef<str>>(args: &[S]) -> bool {
    args.iter().any(|arg| arg.as_ref().contains(FILE))
}

/// A file as an input: a line with its name, then what is in it.
pub fn named(name: &str, contents: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"\n", contents].concat()
}

/// The name and the contents of such an input. A name that would lead elsewhere is no name.
pub fn unnamed(input: &[u8]) -> (&str, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let name = std::str::from_utf8(&input[..end]).unwrap_or_default();
    let plain = !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', '\0']);
    (if plain { name } else { NAMELESS }, input.get(end + 1..).unwrap_or_default())
}

/// The arguments of a run whose input is a file there.
pub fn expand_file<S: AsRef<str>>(args: &[S], path: &str) -> Vec<String> {
    args.iter().map(|arg| arg.as_ref().replace(FILE, path)).collect()
}

/// An input as text.
struct Filled<'a> {
    whole: std::borrow::Cow<'a, str>,
    split: std::borrow::Cow<'a, str>,
}

impl<'a> Filled<'a> {
    fn of(input: Input<'a>) -> Filled<'a> {
        match input {
            Input::Text(text) if text.contains(COLUMN) => {
                Filled { whole: text.replace(COLUMN, " ").into(), split: text.into() }
            }
            Input::Text(text) => Filled { whole: text.into(), split: text.into() },
            Input::Number(number) => {
                let text = number.to_string();
                Filled { whole: text.clone().into(), split: text.into() }
            }
            Input::Range { first, end } => {
                Filled { whole: format!("{first}..{end}").into(), split: format!("{first}{COLUMN}{end}").into() }
            }
        }
    }

    fn columns(&self) -> impl Iterator<Item = &str> {
        self.split.split(COLUMN)
    }

    fn replace(&self, arg: &str, number: u64, found: &mut bool) -> String {
        let mut out = String::with_capacity(arg.len() + self.whole.len());
        let mut done = 0;
        for token in tokens(arg) {
            *found = true;
            out.push_str(&arg[done..token.at]);
            done = token.end;
            if token.part == Part::Number {
                out.push_str(&number.to_string());
                continue;
            }
            let text = match token.column {
                0 => &self.whole,
                column => self.columns().nth(column - 1).unwrap_or_default(),
            };
            out.push_str(token.part.of(text));
        }
        out.push_str(&arg[done..]);
        out
    }
}

/// A token and where it stands.
#[derive(Debug, PartialEq, Eq)]
struct Token {
    at: usize,
    end: usize,
    /// Which source, from 1 on; 0 for all of them.
    column: usize,
    part: Part,
}

/// What of the input is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    NoExtension,
    Last,
    Folder,
    LastNoExtension,
    Number,
}

impl Part {
    fn of(self, text: &str) -> &str {
        match self {
            Part::Whole | Part::Number => text,
            Part::NoExtension => without_extension(text),
            Part::Last => last(text),
            Part::Folder => match text.rfind('/') {
                None => ".",
                Some(0) => "/",
                Some(slash) => &text[..slash],
            },
            Part::LastNoExtension => without_extension(last(text)),
        }
    }
}

fn last(text: &str) -> &str {
    text.rfind('/').map_or(text, |slash| &text[slash + 1..])
}

fn without_extension(text: &str) -> &str {
    match text.rfind('.') {
        Some(dot) if dot + 1 < text.len() && !text[dot..].contains('/') => &text[..dot],
        _ => text,
    }
}

/// The tokens of one argument, from left to right. Braces around anything else are not tokens.
fn tokens(arg: &str) -> impl Iterator<Item = Token> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(open) = arg[from..].find('{').map(|open| from + open) {
            from = open + 1;
            if let Some(token) = token_at(arg, open) {
                from = token.end;
                return Some(token);
            }
        }
        None
    })
}

fn token_at(arg: &str, open: usize) -> Option<Token> {
    let close = open + arg[open..].find('}')?;
    let inside = &arg[open + 1..close];
    let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
    let column = if digits == 0 { 0 } else { inside[..digits].parse().ok().filter(|column| *column > 0)? };
    let part = match &inside[digits..] {
        "" => Part::Whole,
        "." => Part::NoExtension,
        "/" => Part::Last,
        "//" => Part::Folder,
        "/." => Part::LastNoExtension,
        "#" if digits == 0 => Part::Number,
        _ => return None,
    };
    Some(Token { at: open, end: close + 1, column, part })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], input: Input<'_>, expect: &[&str]) {
        assert_eq!(expand(args, input, 7), expect, "{args:?} {input:?}");
    }

    #[test]
    fn every_token_means_what_parallel_means() {
        let path = Input::Text("data/run.1/a.csv");
        check(&["{}"], path, &["data/run.1/a.csv"]);
        check(&["{.}.txt"], path, &["data/run.1/a.txt"]);
        check(&["{/}"], path, &["a.csv"]);
        check(&["{//}"], path, &["data/run.1"]);
        check(&["{/.}"], path, &["a"]);
        check(&["-n{#}", "{}"], path, &["-n7", "data/run.1/a.csv"]);
        check(&["{.}|{//}|{/.}"], Input::Text("run.d/plain"), &["run.d/plain|run.d|plain"]);
        check(&["{.}|{//}|{/}"], Input::Text("/x"), &["/x|/|x"]);
        check(&["{//}"], Input::Text("x"), &["."]);
    }

    #[test]
    fn a_range_of_one_looks_like_the_others() {
        let one = Input::Range { first: 9, end: 10 };
        check(&ranged(&["--at={}", "{#}"]).iter().map(String::as_str).collect::<Vec<_>>(), one, &["--at=9..10", "7"]);
        check(&ranged(&["search"]).iter().map(String::as_str).collect::<Vec<_>>(), one, &["search", "9", "10"]);
        check(&ranged(&["{1}", "{2}"]).iter().map(String::as_str).collect::<Vec<_>>(), one, &["9", "10"]);
    }

    #[test]
    fn the_input_is_appended_where_no_token_is() {
        check(&["-q"], Input::Text("a b"), &["-q", "a b"]);
        check(&[], Input::Number(3), &["3"]);
        check(&["{x}", "{", "}{", "{0}", "{1x}"], Input::Text("v"), &["{x}", "{", "}{", "{0}", "{1x}", "v"]);
        assert!(has_token(&["--x={#}"]) && !has_token(&["{ }", "{a}"]));
    }

    #[test]
    fn several_sources_are_columns() {
        let pair = Input::Text("a/b.c\u{1f}2");
        check(&["{2}:{1/.}", "{}"], pair, &["2:b", "a/b.c 2"]);
        check(&["-x"], pair, &["-x", "a/b.c", "2"]);
        check(&["{3}"], pair, &[""]);
    }

    #[test]
    fn a_run_of_numbers_has_a_first_and_an_end() {
        let range = Input::Range { first: 10, end: 20 };
        check(&[], range, &["10", "20"]);
        check(&["--from={1}", "--to={2}"], range, &["--from=10", "--to=20"]);
        check(&["{}"], range, &["10..20"]);
    }

    #[test]
    fn an_input_is_never_read_as_a_token() {
        check(&["{}{#}"], Input::Text("{#}{}"), &["{#}{}7"]);
        check(&["ä{}ö{/}"], Input::Text("ü/ß"), &["äü/ßöß"]);
    }

    #[test]
    fn an_input_may_be_a_file_with_its_name() {
        assert!(wants_file(&["-x", "--from={in}"]) && !wants_file(&["{}", "{i}"]));
        assert_eq!(unnamed(&named("a b\u{1f600}.csv", b"1\n2")), ("a b\u{1f600}.csv", &b"1\n2"[..]));
        for name in ["", "..", ".", "a/b", "/etc", "a\\b", "a\0b"] {
            assert_eq!(unnamed(&named(name, b"x")), ("input", &b"x"[..]), "{name:?}");
        }
        assert_eq!(unnamed(b"\xff\nx"), ("input", &b"x"[..]));
        assert_eq!(unnamed(b"only"), ("only", &b""[..]));
        assert_eq!(expand_file(&["-i{in}", "x"], "/in/a"), ["-i/in/a", "x"]);
    }
}
