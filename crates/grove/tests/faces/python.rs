//! Python scripts from the command line through a hub to a lender and back. Without an image these tests say that they
//! are skipped: `cargo xtask python` makes it.

use super::Ran;
use super::node::{Process, home};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) fn image() -> Option<PathBuf> {
    let named = std::env::var_os("GROVE_PYTHON").map(PathBuf::from);
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let found = named.or_else(|| Some(caches?.join("grove/python.wasm"))).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: there is no Python image\nhint: cargo xtask python");
    }
    found
}

pub(super) fn grove(home: &Path, image: &Path, words: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove"));
    let folder = home.parent().unwrap();
    command.args(words).current_dir(folder).env("GROVE_HOME", home).env("XDG_CONFIG_HOME", folder);
    let output = command.env("GROVE_PYTHON", image).stdin(Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// One test, since the image is compiled once for each lender.
#[test]
fn scripts_run_through_a_hub_on_a_lender() {
    let Some(image) = image() else { return };
    let (_dir, home) = home();
    let folder = home.parent().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let _hub = Process::start(&home, &["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0", "--no-lend"]);
    let _lender = Process::start(&home, &["lend", "--always", "--slots", "2"]);
    let run = |words: &[&str]| grove(&home, &image, &[&["run"], words].concat());

    write(
        "hello.py",
        "import sys\nfrom pkg import word\nprint(word, sys.argv)\nopen('left.txt', 'w').write(sys.argv[-1])\n",
    );
    write("pkg/__init__.py", "word = 'hello'\n");
    let ran = run(&["--with", "pkg", "-o", "out", "hello.py", "-v", ":::", "a", "b c"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    let read = |name: &str| std::fs::read_to_string(folder.join("out").join(name)).unwrap();
    assert_eq!(read("a.txt"), "hello ['script.py', '-v', 'a']\n");
    assert_eq!(read("b c/left.txt"), "b c");

    write(
        "square.py",
        "def square(n): return n * n\ncube = lambda n: n ** 3\n\nif __name__ == '__main__': raise SystemExit('never')\n",
    );
    let ran = run(&["square.py::square", ":::", "1", "2", "30"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1\n4\n900\n"), "{ran:?}");
    let ran = run(&["square.py::cube", ":::", "3"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "27\n"), "{ran:?}");

    write(
        "sum.py",
        "def split(n: range, ways: int):\n    middle = (n.start + n.stop) // 2\n    \
        return [range(n.start, middle), range(middle, n.stop)] if len(n) > 10 else None\n\
        def work(n: range): return sum(n)\ndef merge(sums: list[int]): return sum(sums)\n",
    );
    let ran = run(&["--merge", "--range", "0..100", "--chunk", "100", "sum.py"]);
    assert_eq!((ran.code, ran.out.trim()), (0, "4950"), "{ran:?}");

    write("wrong.py", "import sys\ndef deep(x):\n    import numpy\nif sys.argv[1] == 'bad': deep(1)\nprint('fine')\n");
    let ran = run(&["wrong.py", ":::", "good", "bad"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, "fine\n"), "{ran:?}");
    assert!(ran.err.contains("\"wrong.py\", line 3, in deep") && ran.err.contains("numpy is compiled code"), "{ran:?}");

    write("chance.py", "import random, uuid\nprint(random.random(), uuid.uuid4())\n");
    let once = run(&["chance.py", ":::", "1", "1"]);
    assert_eq!((once.code, &once.out), (0, &run(&["chance.py", ":::", "1", "1"]).out), "the same again: {once:?}");
    let drawn: Vec<&str> = once.out.lines().collect();
    assert!(drawn.len() == 2 && drawn[0] != drawn[1], "each part has its own: {drawn:?}");
    write("ends.py", "import os, sys\nprint('said', flush=True)\nos._exit(7)\n");
    let ran = run(&["ends.py", ":::", "1"]);
    assert!(ran.code == 3 && ran.err.contains("exit code 7") && ran.err.contains("it printed: said"), "{ran:?}");
    write("squares.py", "def squares(n): return (i * i for i in range(n))\ndef nothing(n): return object()\n");
    let ran = run(&["squares.py::squares", ":::", "4"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "[0, 1, 4, 9]\n"), "{ran:?}");
    let ran = run(&["squares.py::nothing", ":::", "4"]);
    assert!(ran.code == 3 && ran.err.contains("not object"), "{ran:?}");
    write("names.py", "open('a\\\\b', 'w').write('x')\n");
    let ran = run(&["-o", "odd", "names.py", ":::", "1"]);
    assert!(ran.code == 0 && folder.join("odd/1/a/b").exists(), "{ran:?}");
    write("crowd.py", "for n in range(300): open(str(n), 'w')\n");
    let ran = run(&["crowd.py", ":::", "1"]);
    assert!(ran.code == 3 && ran.err.contains("more than 256 files and folders"), "{ran:?}");

    let tool = |split: &str, work: &str, merge: &str| {
        format!(
            "def split(n: int, ways: int):\n {split}\ndef work(n: int):\n {work}\ndef merge(all: list):\n {merge}\n"
        )
    };
    let broken = "raise ValueError('like this')";
    for (name, text, said) in [
        ("split.py", tool(broken, "return n", "return 5"), "in split"),
        ("work.py", tool("return [1, 2]", broken, "return 5"), "in work"),
        ("merge.py", tool("return [1, 2]", "return n", broken), "in merge"),
    ] {
        write(name, &text);
        let ran = run(&["--merge", name, ":::", "5", "6"]);
        assert!(
            ran.code == 3 && ran.err.contains("ValueError: like this") && ran.err.contains(said),
            "{name}: {ran:?}"
        );
        let again = grove(&home, &image, &["get", "--failed", "last"]);
        assert!(again.err.contains("ValueError: like this"), "{name}: {again:?}");
    }
}

#[test]
fn what_is_wrong_with_a_script_is_said_before_anything_is_sent() {
    let (_dir, home) = home();
    let folder = home.parent().unwrap();
    std::fs::write(folder.join("half.py"), "def split(n, ways): return None\n").unwrap();
    std::fs::write(folder.join("empty.py"), "\n \n").unwrap();
    let image = Path::new("none.wasm");
    let says = |words: &[&str], expected: &str| {
        let ran = grove(&home, image, &[&["run"], words].concat());
        assert!(ran.code != 0 && ran.err.contains(expected) && ran.err.contains("hint: "), "{ran:?}");
    };
    says(&["half.py", ":::", "1"], "no function work");
    says(&["half.py::nothing", ":::", "1"], "defines no function \"nothing\"");
    says(&["missing.py"], "cannot read missing.py");
    says(&["--with", "pkg", "tool.wasm"], "for Python scripts");
    std::fs::create_dir(folder.join("numbers")).unwrap();
    std::fs::write(folder.join("numbers/a.txt"), "1").unwrap();
    std::fs::write(folder.join("hello.py"), "print('hello')").unwrap();
    says(&["--with", "numbers", "hello.py"], "numbers is no Python");
    says(&["--with", "numbers/a.txt", "hello.py"], "a.txt is no Python");
    says(&["--requirements", "none.txt", "hello.py"], "cannot read none.txt: No such file");
    says(&["empty.py", ":::", "1"], "empty.py is empty");
    says(&[".", ":::", "1"], "cannot read the tool");
}

/// The hub's image serves those who have none; where nobody has one, it is said what to do.
#[test]
fn one_image_serves_a_circle() {
    let (_dir, home) = home();
    let folder = home.parent().unwrap();
    std::fs::write(folder.join("hello.py"), "print('hello')\n").unwrap();
    let up = ["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0", "--no-lend"];
    let nowhere = Path::new("/none.wasm");
    let hub = Process::start_with(&home, &up, &[("GROVE_PYTHON", nowhere)]);
    let ran = grove(&home, nowhere, &["run", "--detach", "hello.py"]);
    assert!(ran.code == 1 && ran.err.contains("no Python on this machine") && ran.err.contains("none on the hub's"));
    assert!(ran.err.contains("hint: `cargo xtask python`"), "{ran:?}");
    assert_eq!(hub.stop(), Some(0));
    // Any module is as good for what is tried here.
    let image = folder.join("image.wasm");
    std::fs::copy(super::noop(), &image).unwrap();
    let _hub = Process::start_with(&home, &up, &[("GROVE_PYTHON", &image)]);
    let ran = grove(&home, nowhere, &["run", "--detach", "hello.py"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let noted = std::fs::read_to_string(folder.join("image.wasm.blake3")).unwrap();
    assert!(noted.contains(blake3::hash(&std::fs::read(&image).unwrap()).to_hex().as_str()), "{noted}");
}

/// A wheel, as pip takes it.
const WHEEL: &str = "import sys, zipfile\n\
    name, tag = sys.argv[1:]\n\
    info = f'{name}-1.0.dist-info'\n\
    with zipfile.ZipFile(f'wheels/{name}-1.0-{tag}.whl', 'w') as out:\n\
    \x20   out.writestr(f'{name}.py', f'word = {name!r}\\n')\n\
    \x20   out.writestr(f'{info}/METADATA', f'Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n')\n\
    \x20   out.writestr(f'{info}/WHEEL', f'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n')\n\
    \x20   out.writestr(f'{info}/RECORD', f'{name}.py,,\\n{info}/METADATA,,\\n{info}/WHEEL,,\\n{info}/RECORD,,\\n')\n";

#[test]
fn pure_packages_travel_and_compiled_ones_are_named() {
    let (_dir, home) = home();
    let folder = home.parent().unwrap();
    std::fs::create_dir(folder.join("wheels")).unwrap();
    for (name, tag) in [("purely", "py3-none-any"), ("fastlib", "cp314-cp314-manylinux_2_17_x86_64")] {
        let made = Command::new("python3").args(["-c", WHEEL, name, tag]).current_dir(folder).status().unwrap();
        assert!(made.success());
        let needs = format!("--no-index\n--find-links wheels\n{name}\n");
        std::fs::write(folder.join(format!("{name}.txt")), needs).unwrap();
    }
    std::fs::write(folder.join("uses.py"), "import purely\nprint(purely.word)\n").unwrap();
    let image = folder.join("image.wasm");
    std::fs::copy(super::noop(), &image).unwrap();
    let _hub = Process::hub(&home, "0");
    let ran = grove(&home, &image, &["run", "--detach", "--requirements", "purely.txt", "uses.py"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = grove(&home, &image, &["run", "--detach", "--requirements", "fastlib.txt", "uses.py"]);
    assert!(ran.code == 1 && ran.err.contains("fastlib has no pure-Python wheel"), "{ran:?}");
    assert!(ran.err.contains("hint: "), "{ran:?}");
    let ran = grove(&home, &image, &["run", "--detach", "--requirements", "gone.txt", "uses.py"]);
    assert!(ran.code == 1 && ran.err.contains("gone.txt"), "{ran:?}");
}
