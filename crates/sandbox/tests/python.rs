//! Scripts on CPython in the sandbox. Without an image, which takes minutes to make, these tests say that they are
//! skipped: `cargo xtask python` makes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use grove_sandbox::package::Package;
use grove_sandbox::{Bytes, CompileOptions, ENGINE, Engine, Limits, Outcome, Part, Status, Terms, Tool};

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
}

#[test]
fn a_script_that_fails_says_why_and_where() {
    let Some(tool) = program("def inner(x):\n    return 1 / x\n\nprint('before')\ninner(0)\n") else { return };
    let outcome = tool.run(&Part::default(), &Terms::default());
    assert_eq!((&outcome.status, &*outcome.stdout), (&Status::Exit(1), &b"before\n"[..]));
    let said = String::from_utf8_lossy(&outcome.stderr_tail);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines[..3],
        ["Traceback (most recent call last):", "  File \"script.py\", line 5, in <module>", "    inner(0)"]
    );
    assert_eq!(lines.last(), Some(&"ZeroDivisionError: division by zero"), "{said}");
}

#[test]
fn exit_codes_come_back() {
    let Some(tool) = program("import sys\nprint('x')\nsys.exit(int(sys.argv[1]))") else { return };
    for code in [0, 1, 7, 255] {
        let outcome = tool.run(&with_args(&[&code.to_string()]), &Terms::default());
        assert_eq!((outcome.status, &*outcome.stdout), (Status::Exit(code), &b"x\n"[..]));
    }
}

#[test]
fn chance_and_time_are_the_parts_own_and_repeat() {
    let script = "import random, uuid, time, os, secrets, datetime\n\
        print(random.random(), uuid.uuid4(), os.urandom(4).hex(), secrets.token_hex(4), hash('x'))\n\
        begun = time.time(); time.sleep(3600); print(datetime.datetime.now(), time.time() - begun >= 3600)";
    let Some(tool) = program(script) else { return };
    let run = |seed| {
        let outcome = tool.run(&Part { seed, ..Part::default() }, &Terms::default());
        (stdout(&outcome), outcome.fuel)
    };
    let first = run(1);
    assert_eq!(first, run(1), "the same part, the same answer and the same fuel");
    assert_ne!(first.0.lines().next(), run(2).0.lines().next(), "another part, other dice");
    assert!(first.0.contains("2026-01-01") && first.0.ends_with("True\n"), "{}", first.0);
}

#[test]
fn parts_know_nothing_of_one_another() {
    let script = "import os, sys, json\n\
        print(os.path.exists('/tmp/left'), getattr(json, 'left', None), os.listdir('/tmp'), dict(os.environ))\n\
        json.left = 1; open('/tmp/left', 'w').write('x')";
    let Some(tool) = program(script) else { return };
    for _ in 0..3 {
        let outcome = tool.run(&Part::default(), &Terms::default());
        assert_eq!(stdout(&outcome), "False None [] {}\n");
        assert_eq!(outcome.files, [], "/tmp is not kept");
    }
}

#[test]
fn limits_hold() {
    let run = |script: &str, limits| {
        program(script).map(|tool| tool.run(&Part::default(), &Terms { limits, real_time: false }))
    };
    let small = Limits { fuel: 500_000_000, memory_bytes: 64 << 20, stdout_bytes: 1 << 16, ..Limits::default() };
    let ends = |script: &str, status: Status| {
        let Some(outcome) = run(script, small) else { return };
        assert_eq!(outcome.status, status, "{script}: {}", String::from_utf8_lossy(&outcome.stderr_tail));
    };
    ends("while True: pass", Status::OutOfFuel);
    ends("while True: print('x' * 1000)", Status::OutputTooLarge);
    ends("try:\n    x = bytearray(1 << 30)\nexcept MemoryError:\n    print('caught')", Status::Exit(0));
    ends("open('/in/x', 'w')", Status::Exit(1));
    ends("open('/in/../../etc/passwd')", Status::Exit(1));
}

#[test]
fn functions_are_called_with_what_their_parameters_say() {
    let script = r#"
def square(n): return n * n
def typed(a: str, b: float, c: bytes): return [a, b, c.decode()]
async def later(n: int): return {"n": n}
def ranged(numbers: range): return sum(numbers)
def printing(x): print("said", x)
def text(x): return "line\n" + str(x)
"#;
    let call = |function: &str, args: &[&str]| {
        let head = format!(r#"{{"script": "script.py", "function": "{function}"}}"#);
        tool(&head, script).map(|tool| stdout(&tool.run(&with_args(args), &Terms::default())))
    };
    let check = |function: &str, args: &[&str], expected: &str| {
        if let Some(found) = call(function, args) {
            assert_eq!(found, expected, "{function}");
        }
    };
    check("square", &["12"], "144\n");
    check("square", &["1.5"], "2.25\n");
    check("typed", &["07", "3", "x"], "[\"07\", 3.0, \"x\"]\n");
    check("later", &["5"], "{\"n\": 5}\n");
    check("ranged", &["0..5"], "10\n");
    check("printing", &["007"], "said 007\n");
    check("text", &["a"], "line\na\n");
}

#[test]
fn a_script_with_abilities_obeys_the_contract() {
    let script = r#"
def split(numbers: range, ways: int):
    if len(numbers) < 4: return None
    middle = (numbers.start + numbers.stop) // 2
    return [range(numbers.start, middle), range(middle, numbers.stop)]
def work(numbers: range): return sum(numbers)
def merge(sums: list[int]): return sum(sums)
def check(numbers: range, answer: int): return answer == sum(numbers)
"#;
    let Some(tool) = tool(r#"{"script": "script.py", "function": "work", "verbs": true}"#, script) else { return };
    let ask = |args: &[&str], input: &str| {
        let outcome = tool.run(&Part { stdin: input.as_bytes().into(), ..with_args(args) }, &Terms::default());
        (outcome.status, String::from_utf8_lossy(&outcome.stdout).into_owned())
    };
    let said = |code: u32, text: &str| (Status::Exit(code), text.to_owned());
    assert_eq!(ask(&["split", "2"], "0..10"), said(0, "4\n0..55\n5..10"));
    assert_eq!(ask(&["split", "2"], "0..3"), said(0, ""));
    assert_eq!(ask(&["run"], "5..10"), said(0, "35"));
    assert_eq!(ask(&["merge"], "2\n102\n35"), said(0, "45"));
    assert_eq!(ask(&["check"], "4\n0..52\n10"), said(0, ""));
    assert_eq!(ask(&["check"], "4\n0..51\n9"), said(1, ""));
}

#[test]
fn the_library_gives_what_native_python_gives() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/python/tests/same");
    let mut differing = Vec::new();
    for (name, script) in scripts(&folder) {
        let Some(tool) = program(&script) else { return };
        let outcome = tool.run(&Part::default(), &Terms::default());
        let expected = fs::read_to_string(folder.join(&name).with_extension("out")).expect("the native answer");
        let found = String::from_utf8_lossy(&outcome.stdout);
        if outcome.status != Status::Exit(0) || found != expected {
            differing.push(format!(
                "{name}: {:?}\n{found}{}",
                outcome.status,
                String::from_utf8_lossy(&outcome.stderr_tail)
            ));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn what_cannot_work_says_so_and_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/python/tests/fails");
    let mut silent = Vec::new();
    for (name, script) in scripts(&folder) {
        let Some(tool) = program(&script) else { return };
        let reason = script.lines().next().and_then(|line| line.strip_prefix("# fails: ")).expect("a reason");
        let outcome = tool.run(&Part::default(), &Terms::default());
        let said = String::from_utf8_lossy(&outcome.stderr_tail);
        if !said.contains(reason) || outcome.status != Status::Exit(1) {
            silent.push(format!("{name}: {:?}\n{}{said}", outcome.status, String::from_utf8_lossy(&outcome.stdout)));
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

fn scripts(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).expect("scripts").flatten().map(|entry| entry.path());
    let mut scripts: Vec<(String, String)> = entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "py"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a script"))
        })
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 10, "{}", folder.display());
    scripts
}
