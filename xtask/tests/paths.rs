//! ARCHITECTURE.md speaks of what is there.

use std::fs;

use crate::sources;

const LINES_MAX: usize = 400;

#[test]
fn every_path_that_the_architecture_names_exists() {
    let text = fs::read_to_string(sources::root().join("ARCHITECTURE.md")).expect("there is an ARCHITECTURE.md");
    assert!(text.lines().count() <= LINES_MAX, "longer than {LINES_MAX} lines: nobody would read it");
    let named: Vec<&str> = quoted(&text).into_iter().filter(|word| is_path(word)).collect();
    assert!(named.len() > 10, "a code map names files: {named:?}");
    let missing = named.into_iter().filter(|path| !sources::root().join(path).exists());
    sources::none(missing.map(|path| format!("ARCHITECTURE.md: {path} does not exist")).collect());
}

fn quoted(text: &str) -> Vec<&str> {
    // A fence is three marks, so what stands in one is quoted by an even count too; such lines hold no paths.
    let lines = text.lines().filter(|line| !line.starts_with("```"));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// With a folder or an ending, without a blank, and not a path inside a tool's world or of the API.
fn is_path(word: &str) -> bool {
    let endings = [".rs", ".md", ".toml", ".proto"];
    let shaped = word.contains('/') || endings.iter().any(|ending| word.ends_with(ending));
    shaped && !word.starts_with('/') && !word.contains([' ', '*', '<', '{', ':', '$'])
}

#[test]
fn paths_are_told_from_other_words() {
    let words = quoted("see `crates/core/src` and `Node::handle`, `/out`, `README.md`, `cargo run`");
    let paths: Vec<&str> = words.into_iter().filter(|word| is_path(word)).collect();
    assert_eq!(paths, ["crates/core/src", "README.md"]);
}
