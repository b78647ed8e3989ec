//! Microseconds for one part of a tool, in this process: `cargo run --release -p grove-sandbox --example speed [tool.wasm]`.

use grove_sandbox::{CompileOptions, Engine, Part, Status, Terms, Tool};
use std::time::Instant;

const PARTS: u32 = 100_000;
const EMPTY: &str = r#"(module (memory (export "memory") 17) (data (i32.const 1024) "hello") (func (export "_start")))"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wasm = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => wat::parse_str(EMPTY)?,
    };
    let tool = Tool::build(&Engine::new(CompileOptions::default(), 1)?, &wasm)?;
    let part = Part {
        args: vec!["1".into()],
        ..Part::default()
    };
    let begun = Instant::now();
    let ended = (0..PARTS).filter(|_| tool.run(&part, &Terms::default()).status == Status::Exit(0)).count();
    println!("{:.2} us for each of {ended} parts", begun.elapsed().as_secs_f64() * 1e6 / f64::from(PARTS));
    Ok(())
}
