//! Nothing grows without end: files and functions have a size. Tests may tell long stories.

use crate::sources::{self, Source};

/// Lines of a file, its tests not counted.
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn files_are_short() {
    let long = |source: &Source| {
        let lines = source.product().lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines, {FILE_LINES_MAX} at most: split it", source.path))
    };
    let product = sources::rust().into_iter().filter(|source| !source.is_test() && !source.is_generated());
    sources::none(product.filter_map(|source| long(&source)).collect());
}

#[test]
fn functions_are_short() {
    let written = sources::rust().into_iter().filter(|source| !source.is_test() && !source.is_generated());
    let long = |source: Source| {
        let functions = functions(source.product()).into_iter();
        let long = functions.filter(|(_, lines)| *lines > FUNCTION_LINES_MAX);
        let told = long.map(|(line, lines)| {
            format!("{}:{line}: a function of {lines} lines, {FUNCTION_LINES_MAX} at most: split it", source.path)
        });
        told.collect::<Vec<String>>()
    };
    sources::none(written.flat_map(long).collect());
}

/// Where each function begins and how many lines it has. The formatter closes a body at the indent of its `fn`.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |(at, line): (usize, &&str)| {
        let code = line.trim_start();
        let head = code.split('(').next().unwrap_or_default();
        let is_fn =
            head.starts_with("fn ") || head.contains(" fn ") && !code.starts_with("//") && !head.contains(['"', '=']);
        (is_fn && !code.ends_with(';')).then_some(at)
    };
    let length = |at: usize| {
        let indent = lines[at].len() - lines[at].trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let one_line = lines[at].trim_end().ends_with('}');
        let lasts = lines[at..].iter().position(|line| *line == end).filter(|_| !one_line);
        (at + 1, lasts.map_or(1, |lasts| lasts + 1))
    };
    lines.iter().enumerate().filter_map(begins).map(length).collect()
}

#[test]
fn functions_are_measured_to_their_last_brace() {
    let text = "impl A {\n    pub fn one(&self) {\n        if true {\n        }\n    }\n\n    fn two() {}\n}\n\nasync fn three(\n    a: u8,\n) {\n    a\n}\n";
    assert_eq!(functions(text), [(2, 4), (7, 1), (10, 5)]);
}
