//! Small helpers: a module from text, a run of it.

use grove_sandbox::{CompileOptions, Engine, Limits, Outcome, Part, Terms, Tool};

/// A command with these imports, body and memory of so many pages; `$code` receives every call's answer.
pub(crate) fn command(imports: &str, body: &str) -> Vec<u8> {
    let imports: String = imports
        .split_whitespace()
        .map(|name| format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} {}))", signature(name)))
        .collect();
    let text = format!("(module {imports} (memory (export \"memory\") 2) {body})");
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn signature(name: &str) -> &'static str {
    match name {
        "proc_exit" => "(param i32)",
        "random_get" | "args_get" | "args_sizes_get" | "environ_sizes_get" | "fd_prestat_get" => {
            "(param i32 i32) (result i32)"
        }
        "clock_time_get" => "(param i32 i64 i32) (result i32)",
        "fd_write" | "fd_read" | "poll_oneoff" => "(param i32 i32 i32 i32) (result i32)",
        "fd_close" => "(param i32) (result i32)",
        "path_open" => "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
        "path_symlink" | "path_create_directory_at" => "(param i32 i32 i32 i32 i32) (result i32)",
        "path_create_directory" | "path_unlink_file" => "(param i32 i32 i32) (result i32)",
        "path_rename" => "(param i32 i32 i32 i32 i32 i32) (result i32)",
        "fd_filestat_set_size" => "(param i32 i64) (result i32)",
        "sock_accept" => "(param i32 i32 i32) (result i32)",
        "fd_readdir" => "(param i32 i32 i32 i64 i32) (result i32)",
        other => panic!("no signature for {other}"),
    }
}

pub(crate) fn build(wasm: &[u8]) -> Tool {
    let engine = Engine::new(CompileOptions::default(), 1).expect("engine");
    Tool::build(&engine, wasm).expect("tool")
}

pub(crate) fn run(wasm: &[u8], part: &Part) -> Outcome {
    build(wasm).run(part, &Terms::default())
}

pub(crate) fn run_within(wasm: &[u8], limits: Limits) -> Outcome {
    build(wasm).run(&Part::default(), &Terms { limits, real_time: false })
}

/// An outcome without its times, which differ from run to run.
pub(crate) fn timeless(outcome: Outcome) -> Outcome {
    Outcome { cpu_us: 0, wall_us: 0, ..outcome }
}
