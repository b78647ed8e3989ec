//! Files are found by their names, and test files are not forgotten.

use std::path::Path;

use crate::sources;

/// Drawers without a name: they fill.
const DRAWERS: [&str; 9] = ["util", "utils", "common", "types", "helper", "helpers", "misc", "manager", "mod"];

#[test]
fn no_file_is_named_for_nothing() {
    let nameless = |path: &String| {
        let mut words = path.trim_end_matches(".rs").split(['/', '_']);
        words.any(|word| DRAWERS.contains(&word)).then(|| format!("{path}: name it for what it is about"))
    };
    let sources = sources::rust();
    sources::none(sources.iter().filter_map(|source| nameless(&source.path)).collect());
}

#[test]
fn every_test_file_is_run() {
    let sources = sources::rust();
    let mut violations = Vec::new();
    for source in &sources {
        let Some((krate, file)) = source.path.split_once("/tests/") else {
            continue;
        };
        if file == "main.rs" || krate.contains("/src") {
            continue;
        }
        let module = Path::new(file).file_stem().and_then(|stem| stem.to_str()).expect("a file has a name");
        let parent = match file.rsplit_once('/') {
            Some((folder, _)) => format!("{krate}/tests/{folder}.rs"),
            None => format!("{krate}/tests/main.rs"),
        };
        let named = sources
            .iter()
            .find(|source| source.path == parent)
            .is_some_and(|parent| parent.text.lines().any(|line| line.trim_end().ends_with(&format!("mod {module};"))));
        if !named {
            violations.push(format!("{}: {parent} does not name it, so it is never run", source.path));
        }
    }
    sources::none(violations);
}

#[test]
fn a_crate_has_one_test_binary() {
    let paths = sources::all_paths();
    let with_tests = paths.iter().filter_map(|path| path.strip_suffix("/tests/main.rs"));
    let links_more = |krate: &str| {
        let manifest =
            std::fs::read_to_string(sources::root().join(krate).join("Cargo.toml")).expect("a crate has a manifest");
        (!manifest.contains("autotests = false")).then(|| format!("{krate}/Cargo.toml: add `autotests = false`"))
    };
    sources::none(with_tests.filter_map(links_more).collect());
}
