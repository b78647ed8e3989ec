//! The files of the repository, as the other checks see them.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Everything before the unit tests, which stand at the end.
    pub(crate) fn product(&self) -> &str {
        let tests = ["#[cfg(test)]\nmod ", "#[cfg(test)]\npub(crate) mod "];
        let end = tests.iter().filter_map(|mark| self.text.find(mark)).min();
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// Lines of code, with their numbers; comments are left out.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.product().lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    pub(crate) fn is_generated(&self) -> bool {
        self.text.lines().take(3).any(|line| line.contains("@generated"))
    }

    /// Whether the whole file is a test or stands in for something in one.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/benches/")
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the repository")
}

/// All Rust files of all crates.
pub(crate) fn rust() -> Vec<Source> {
    let mut paths = Vec::new();
    walk(root(), &mut paths);
    let read =
        |path: PathBuf| Source { path: relative(&path), text: fs::read_to_string(&path).expect("a source is text") };
    let sources: Vec<Source> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")).map(read).collect();
    assert!(sources.iter().any(|source| source.path == "crates/core/src/lib.rs"), "the walk misses the core");
    sources
}

/// Every file of the repository, from its root.
pub(crate) fn all_paths() -> Vec<String> {
    let mut paths = Vec::new();
    walk(root(), &mut paths);
    paths.iter().map(|path| relative(path)).collect()
}

fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("found below the root");
    path.to_str().expect("paths are text").replace('\\', "/")
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("folders can be listed")
        .map(|entry| entry.expect("entries can be read").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are text");
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            walk(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// Fails with all violations at once, each in a line of its own.
pub(crate) fn none(violations: Vec<String>) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}
