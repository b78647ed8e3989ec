//! Words that have no place in the sources.

use std::fs;

use crate::sources;

#[test]
fn no_test_is_switched_off_and_nothing_is_left_for_later() {
    // Put together here, so that this file does not hold them.
    let banned = [
        (concat!("#[", "ignore"), "a test that does not run proves nothing"),
        (concat!("#[should", "_panic"), "assert on a value instead"),
        (concat!("#[", "allow("), "use #[expect(.., reason = \"..\")]"),
        (concat!("#![", "allow("), "use #![expect(.., reason = \"..\")]"),
        (concat!("TO", "DO"), "do it, or open an issue"),
        (concat!("FIX", "ME"), "do it, or open an issue"),
        (concat!("unimplemented", "!("), "nothing unfinished is merged"),
    ];
    let mut violations = Vec::new();
    for source in sources::rust().iter().filter(|source| !source.is_generated()) {
        for (at, line) in source.text.lines().enumerate() {
            let found = banned.iter().filter(|(word, _)| line.contains(word));
            violations.extend(found.map(|(word, why)| format!("{}:{}: {word}: {why}", source.path, at + 1)));
        }
    }
    sources::none(violations);
}

#[test]
fn a_file_begins_by_saying_what_it_is() {
    let silent = sources::rust().into_iter().filter(|source| !source.text.starts_with("//! "));
    let silent = silent.filter(|source| !source.is_generated());
    sources::none(silent.map(|source| format!("{}: begins without //!", source.path)).collect());
}

#[test]
fn the_core_knows_no_floats_and_no_world() {
    let banned = [
        ("f32", "integers only: estimates are fixed point"),
        ("f64", "integers only: estimates are fixed point"),
        ("std::fs", "ask for it with an Action"),
        ("std::net", "ask for it with an Action"),
        ("std::process", "ask for it with an Action"),
        ("std::io", "ask for it with an Action"),
        ("std::env", "hand it in"),
        ("std::time", "use units::Millis"),
        ("std::thread", "the core has one thread"),
        ("std::sync::Mutex", "the core has one thread"),
        ("std::sync::atomic", "the core has one thread"),
        ("HashMap", "use BTreeMap"),
        ("HashSet", "use BTreeSet"),
        ("async", "return an Action"),
        ("rand", "draw with verify::mix"),
    ];
    let mut violations = Vec::new();
    for source in sources::rust().iter().filter(|source| source.path.starts_with("crates/core/src/")) {
        for (at, line) in source.code() {
            let found = banned.iter().filter(|(word, _)| has_word(line, word));
            violations.extend(found.map(|(word, why)| format!("{}:{at}: {word}: {why}", source.path)));
        }
    }
    sources::none(violations);
}

/// Whether the word stands there by itself, and not within a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(inner) && !line[at + word.len()..].starts_with(inner))
}

#[test]
fn words_are_whole_words() {
    assert!(has_word("let x: f64 = 1.0;", "f64") && has_word("rand::random()", "rand"));
    assert!(!has_word("operand", "rand") && !has_word("random", "rand"));
}

#[test]
fn the_core_depends_on_serde_only() {
    let manifest = fs::read_to_string(sources::root().join("crates/core/Cargo.toml")).expect("the core has a manifest");
    let section = manifest.split("[dependencies]").nth(1).expect("with dependencies");
    let section = section.split("\n[").next().expect("split gives one at least");
    let lines: Vec<&str> = section.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(lines, ["serde.workspace = true"]);
}
