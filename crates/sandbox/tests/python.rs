//! Scripts on CPython in the sandbox. Without an image, which takes minutes to make, these tests say that they are
//! skipped: `cargo xtask python` makes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use grove_sandbox::package::Package;
use grove_sandbox::{Bytes, CompileOptions, ENGINE, Engine, Outcome, Part, Status, Terms, Tool};

/// Where `cargo xtask python` puts the image, unless a variable says otherwise.
fn image() -> Option<PathBuf> {
    let named = std::env::var_os("GROVE_PYTHON").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    named.or_else(|| Some(cache?.join("grove/python.wasm"))).filter(|path| path.exists())
}

/// The compiled image: compiled once, by whichever test comes first, and kept beside the tests.
fn code() -> Option<&'static (PathBuf, Engine)> {
    static CODE: OnceLock<Option<(PathBuf, Engine)>> = OnceLock::new();
    let made = CODE.get_or_init(|| {
        let wasm = fs::read(image()?).expect("the image");
        let engine = Engine::new(CompileOptions::default(), 4).expect("an engine");
        // Another length is another image: good enough for a cache of tests.
        let name = format!("python-{}-{}", wasm.len(), ENGINE.replace('/', "-"));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        if !path.exists() {
            let part = path.with_extension(std::process::id().to_string());
            fs::write(&part, engine.compile(&wasm).expect("it compiles")).expect("room for code");
            fs::rename(&part, &path).expect("it is kept");
        }
        Some((path, engine))
    });
    if made.is_none() {
        eprintln!("skipped: there is no Python image\nhint: cargo xtask python");
    }
    made.as_ref()
}

/// CPython with a script, called in this way.
#[expect(unsafe_code, reason = "the code was compiled by these tests")]
fn tool(head: &str, script: &str) -> Option<Tool> {
    let (path, engine) = code()?;
    // SAFETY: the file holds what `Engine::compile` made, and is renamed into place whole.
    let tool = unsafe { Tool::load(engine, fs::File::open(path).expect("the code")) }.expect("an image");
    let files = vec![("script.py".to_owned(), Bytes(script.as_bytes().into()))];
    Some(tool.with(Package { image: [0; 32], head: head.to_owned(), abilities: Vec::new(), files }))
}

fn program(script: &str) -> Option<Tool> {
    tool(r#"{"script": "script.py"}"#, script)
}

fn with_args(args: &[&str]) -> Part {
    Part { args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..Part::default() }
}

fn stdout(outcome: &Outcome) -> String {
    let said = String::from_utf8_lossy(&outcome.stderr_tail);
    assert_eq!(outcome.status, Status::Exit(0), "{said}");
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

#[test]
fn a_script_gets_arguments_input_and_files_and_leaves_files() {
    let script = r#"
import sys
print(sys.argv, sys.stdin.read(), open("/in/a/b.txt").read(), "ä😀")
open("made.txt", "w").write("here")
with open("/out/deep.bin", "ab") as file:
    file.write(b"1"); file.write(b"2")
"#;
    let Some(tool) = program(script) else { return };
    let part = Part {
        stdin: b"piped"[..].into(),
        files: vec![("a/b.txt".into(), Bytes(b"given"[..].into()))],
        ..with_args(&["x", "y z"])
    };
    let outcome = tool.run(&part, &Terms::default());
    assert_eq!(stdout(&outcome), "['script.py', 'x', 'y z'] piped given ä😀\n");
    let files: Vec<(&str, &[u8])> = outcome.files.iter().map(|file| (&*file.path, &*file.bytes)).collect();
    assert_eq!(files, [("deep.bin", &b"12"[..]), ("made.txt", &b"here"[..])]);
    eprintln!("fuel {} wall {} us", outcome.fuel, outcome.wall_us);
    for _ in 0..20 {
        let outcome = tool.run(&part, &Terms::default());
        eprintln!("fuel {} wall {} us cpu {}", outcome.fuel, outcome.wall_us, outcome.cpu_us);
    }
}
