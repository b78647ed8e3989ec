//! What is said of bytes that somebody calls a tool.

use grove_sandbox::{CompileOptions, Engine, NotATool, Tool, ToolError, inspect};

use crate::support::command;

const EMPTY_MAIN: &str = r#"(func (export "_start"))"#;

#[test]
fn a_command_is_a_tool_and_declares_its_abilities() {
    let wasm =
        command("path_open", &format!("{EMPTY_MAIN} (@custom \"grove\" \"abilities: split merge\\ncolour: red\\n\")"));
    let inspection = inspect(&wasm).expect("a tool");
    assert_eq!(inspection.abilities, ["split", "merge"]);
    assert!(inspection.folders);
    assert_eq!(inspection.missing, [] as [String; 0]);
}

#[test]
fn what_is_not_a_tool_is_told_apart() {
    let check = |bytes: &[u8], expected: &str| {
        let error = inspect(bytes).expect_err("not a tool");
        let text = error.to_string();
        assert!(text.contains(expected), "{text}");
        assert!(text.lines().last().is_some_and(|line| line.starts_with("hint: ")), "{text}");
    };
    check(b"", "empty");
    check(b"#!/bin/sh\n", "not a WebAssembly module");
    check(b"\x7fELF\x02", "not a WebAssembly module");
    check(b" (module)", "text");
    check(b"\0asm\x0d\0\x01\0", "component");
    check(b"\0asm\x01\0\0\0\xff\xff\xff", "damaged");
    check(b"\0asm\x01\0\0\0", "no `_start`");
    let mut large = command("", EMPTY_MAIN);
    large.resize(65 << 20, 0);
    check(&large, "limit");
}

#[test]
fn a_missing_import_is_named_and_refused() {
    let wasm = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "sock_open" (func (param i32) (result i32)))
            (import "env" "memory" (memory 1)) (export "memory" (memory 0)) (func (export "_start")))"#,
    )
    .expect("wat");
    assert_eq!(inspect(&wasm).expect("readable").missing, ["wasi_snapshot_preview1.sock_open", "env.memory"]);
    let engine = Engine::new(CompileOptions::default(), 1).expect("engine");
    let error = Tool::build(&engine, &wasm).expect_err("refused");
    assert!(error.to_string().contains("sock_open"), "{error}");
    assert!(matches!(engine.compile(&wasm), Err(ToolError::Missing(_))));
}

#[test]
fn a_call_with_another_signature_is_refused_when_loaded() {
    let wasm = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64)))
            (memory (export "memory") 1) (func (export "_start")))"#,
    )
    .expect("wat");
    let engine = Engine::new(CompileOptions::default(), 1).expect("engine");
    assert!(matches!(Tool::build(&engine, &wasm), Err(ToolError::Load(_))));
}

#[test]
fn invalid_code_is_refused_before_it_is_compiled() {
    let mut wasm = command("", r#"(func (export "_start") (drop (i32.const 77)))"#);
    let at = wasm.windows(2).position(|pair| pair == [0x41, 0xcd]).expect("i32.const 77");
    wasm[at] = 0x42;
    let engine = Engine::new(CompileOptions::default(), 1).expect("engine");
    assert!(engine.compile(&wasm).is_ok(), "i64.const can be dropped as well");
    wasm[at] = 0x7c;
    assert!(matches!(engine.compile(&wasm), Err(ToolError::Compile(_))));
    assert!(matches!(inspect(&wasm[..wasm.len() - 3]), Err(NotATool::Damaged { .. })));
}
