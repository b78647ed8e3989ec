//! The core runs on nothing: compiled for a machine without an operating system, it imports nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::sources;

const TARGET: &str = "wasm32-unknown-unknown";

#[test]
fn the_core_compiles_without_a_system_and_imports_nothing() {
    if !is_installed() {
        println!("skipped: {TARGET} is not installed\nhint: rustup target add {TARGET}");
        return;
    }
    let builds = builds();
    let output = Command::new(env!("CARGO"))
        .current_dir(sources::root())
        .args(["rustc", "--quiet", "--locked", "--package", "grove-core", "--lib", "--target", TARGET])
        // Dead code is kept, or a library without exports would be empty and prove nothing.
        .args(["--crate-type", "cdylib", "--", "-Clink-dead-code", "-Clink-arg=--no-gc-sections"])
        .env("CARGO_TARGET_DIR", &builds)
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let module = fs::read(builds.join(TARGET).join("debug/grove_core.wasm")).expect("cargo wrote a module");
    let (imports, functions) = look(&module);
    assert_eq!(imports, Vec::<String>::new());
    assert!(functions > 500, "the module holds the core: {functions} functions");
}

fn is_installed() -> bool {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let output = rustc.args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// Beside what cargo is building now, since it locks that.
fn builds() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare")
}

fn look(module: &[u8]) -> (Vec<String>, u32) {
    use wasmparser::{Parser, Payload};
    let (mut imports, mut functions) = (Vec::new(), 0);
    for payload in Parser::new(0).parse_all(module) {
        match payload.expect("cargo writes valid modules") {
            Payload::ImportSection(section) => imports.extend(section.into_iter().map(|import| format!("{import:?}"))),
            Payload::FunctionSection(section) => functions = section.count(),
            _ => {}
        }
    }
    (imports, functions)
}
