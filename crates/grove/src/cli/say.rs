//! What a person reads. Strangers' text never reaches a terminal raw: a tool's output could otherwise move the cursor,
//! rename the window, or show words in another order than they are in.

use super::{Exit, Failure};
use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

/// A line of talk, on standard error.
pub(crate) fn talk(text: &str) {
    // Nobody is left to be told that nobody listens.
    let _ = writeln!(io::stderr().lock(), "{}", safe(text));
}

/// A line of data, on standard output.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let text = if io::stdout().is_terminal() { safe(text) } else { Cow::Borrowed(text) };
    writeln!(io::stdout().lock(), "{text}").map_err(|error| closed(&error))
}

/// A value as one line of JSON, on standard output.
pub(super) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = serde_json::to_writer(&mut out, value).map_err(io::Error::from).and_then(|()| out.write_all(b"\n"));
    Ok(written.map_err(|error| closed(&error))?)
}

/// Standard output takes no more. Whoever stops reading, as `head` does, has what was wanted: then all is well.
pub(super) fn closed(error: &io::Error) -> Failure {
    let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Done } else { Exit::Error };
    Failure::new(exit, format!("cannot write to standard output: {error}"))
        .hint("is the disk full, or the device? nothing is lost: say the same again")
}

/// Text that changes nothing but the line it is in: control and direction characters are written out.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// As [`safe`], for bytes that may be no text at all.
pub(super) fn safe_bytes(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    safe(&text).into_owned()
}

/// Control characters but for newline and tab, and those that turn the direction of text or hide.
pub(super) fn is_unsafe(c: char) -> bool {
    let control = c.is_control() && c != '\n' && c != '\t';
    control
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{61c}' | '\u{feff}')
}

/// The first line of a text, cut to so many characters.
pub(super) fn short(text: &str, most: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

/// How much of an id people need: enough that two jobs hardly ever share it.
pub(super) fn short_id(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// `1 part`, `2 parts`.
pub(super) fn many(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Columns under their headings, two spaces apart; columns of numbers are right-aligned.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let number = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .all(|cell| cell.bytes().all(|b| b.is_ascii_digit() || b"-./".contains(&b)))
    };
    let right: Vec<bool> = (0..headings.len()).map(|column| !rows.is_empty() && number(column)).collect();
    let row = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for (column, cell) in cells.enumerate() {
            let pad = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
            let gap = if column == 0 { "" } else { "  " };
            out += &if right[column] { format!("{gap}{pad}{cell}") } else { format!("{gap}{cell}{pad}") };
        }
        out.trim_end().to_owned()
    };
    let head = row(&mut headings.iter().copied());
    let body = rows.iter().map(|cells| row(&mut cells.iter().map(String::as_str)));
    std::iter::once(head).chain(body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_terminal_gets_through() {
        assert_eq!(safe("plain ä\tü\n"), "plain ä\tü\n");
        assert_eq!(safe("\u{1b}[2J"), "\\u{1b}[2J");
        assert_eq!(safe("a\r\u{9b}31m\u{202e}b\u{7f}\u{200b}"), "a\\u{d}\\u{9b}31m\\u{202e}b\\u{7f}\\u{200b}");
        assert_eq!(safe_bytes(b"\xff\x07"), "\u{fffd}\\u{7}");
    }

    #[test]
    fn tables_line_up() {
        let rows = [vec!["ab".to_owned(), "1".to_owned()], vec!["a".to_owned(), "100".to_owned()]];
        assert_eq!(table(&["NAME", "N"], &rows), ["NAME    N", "ab      1", "a     100"]);
        assert_eq!((short("a long line\nmore", 6).as_str(), many(1, "part")), ("a long…", "1 part".to_owned()));
    }
}
