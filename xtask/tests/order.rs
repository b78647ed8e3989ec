//! The core is read from top to bottom: a module imports only those listed above it in `lib.rs`.

use crate::sources::{self, Source};

#[test]
fn core_modules_import_only_those_above_them() {
    let core: Vec<Source> = sources::rust().into_iter().filter(|source| source.path.starts_with(CORE)).collect();
    let lib = core.iter().find(|source| source.path == format!("{CORE}lib.rs")).expect("the core has a lib.rs");
    let order: Vec<&str> =
        lib.code().filter_map(|(_, line)| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(order.len() > 10, "lib.rs lists the modules: {order:?}");
    let place = |module: &str| order.iter().position(|listed| *listed == module);
    let mut violations = Vec::new();
    for source in core.iter().filter(|source| source.path != lib.path && !source.is_test()) {
        let own = module_of(&source.path);
        let Some(here) = place(own) else {
            violations.push(format!("{}: {own} is not listed in lib.rs", source.path));
            continue;
        };
        for (line, code) in source.code() {
            for imported in imports(code) {
                if place(imported).is_none_or(|there| there > here) {
                    violations.push(format!("{}:{line}: {own} stands above {imported} in lib.rs", source.path));
                }
            }
        }
    }
    sources::none(violations);
}

const CORE: &str = "crates/core/src/";

/// A sub-module belongs to its parent.
fn module_of(path: &str) -> &str {
    let inside = path.trim_start_matches(CORE).trim_end_matches(".rs");
    inside.split('/').next().expect("split gives one at least")
}

fn imports(code: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    code.split("crate::").skip(1).filter_map(move |rest| rest.split(ends).next()).filter(|name| !name.is_empty())
}

#[test]
fn parts_of_the_program_do_not_import_one_another() {
    let mut violations = Vec::new();
    for source in sources::rust().iter().filter(|source| source.path.starts_with(PROGRAM) && !source.is_test()) {
        let own = source.path.trim_start_matches(PROGRAM).split(['/', '.']).next().unwrap_or_default();
        if !PARTS.contains(&own) || STARTERS.iter().any(|starter| source.path.starts_with(starter)) {
            continue;
        }
        for (line, code) in source.code() {
            let others = imports(code).filter(|name| PARTS.contains(name) && *name != own);
            violations.extend(others.map(|other| format!("{}:{line}: {own} must not know {other}", source.path)));
        }
    }
    sources::none(violations);
}

const PROGRAM: &str = "crates/grove/src/";
/// Only the loop, and the commands that start a node, know them all.
const PARTS: [&str; 5] = ["api", "cli", "executor", "link", "store"];
const STARTERS: [&str; 4] = [
    "crates/grove/src/cli/lend.rs",
    "crates/grove/src/cli/node.rs",
    "crates/grove/src/cli/peer.rs",
    "crates/grove/src/cli/up.rs",
];

#[test]
fn imports_are_seen_wherever_they_stand() {
    let names: Vec<&str> =
        imports("use crate::id::{JobId}; fn a(b: crate::task::Span) -> crate::units::Fuel").collect();
    assert_eq!(names, ["id", "task", "units"]);
    assert_eq!(module_of("crates/core/src/task/parts.rs"), "task");
}
