//! The guides, followed: every command in them is run, in its order, as a newcomer would.
//!
//! A block `sh` is commands, one a line; `# exit code N` behind one says how it ends. A block with a file's name is that
//! file. What goes on until it is stopped (`grove up`, `grove lend`) runs beside the rest.

use super::node::{Process, home};
use super::python::image;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const README: &str = include_str!("../../../../README.md");
const FIRST: &str = include_str!("../../../../docs/guide/first-script.md");
const LENDING: &str = include_str!("../../../../docs/guide/lending.md");
const TOOLS: &str = include_str!("../../../../docs/guide/tools.md");

/// Somebody with a folder, at a shell.
struct Reader {
    _dir: tempfile::TempDir,
    home: PathBuf,
    hub: Option<Process>,
    ran: Vec<String>,
}

impl Reader {
    fn new() -> Reader {
        let (dir, home) = home();
        std::fs::create_dir_all(dir.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_grove"), dir.path().join("bin/grove")).unwrap();
        Reader { _dir: dir, home, hub: None, ran: Vec::new() }
    }

    fn folder(&self) -> &Path {
        self.home.parent().unwrap()
    }

    /// Does all that a guide says; what it prints.
    fn follow(&mut self, guide: &str) -> String {
        let mut said = String::new();
        for block in guide.split("\n```").skip(1).step_by(2) {
            let (head, body) = block.split_once('\n').unwrap();
            match head.split_once(' ') {
                Some((_, file)) => std::fs::write(self.folder().join(file), body).unwrap(),
                None if head == "sh" => body.lines().for_each(|line| said.push_str(&self.line(line))),
                None => {}
            }
        }
        said
    }

    fn line(&mut self, line: &str) -> String {
        let (command, note) = line.split_once(" #").unwrap_or((line, ""));
        let command = command.trim();
        self.ran.push(command.to_owned());
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["grove", "up", ..] => {
                let listens = ["--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
                self.hub = Some(Process::start(&self.home, &[&words[1..], &listens].concat()));
            }
            ["grove", "lend", ..] => {
                let lender = Process::start(&self.home, &words[1..]);
                assert_eq!(lender.stop(), Some(0), "{command}");
            }
            _ => {
                let expected: i32 = note.split_once("exit code ").map_or(0, |(_, code)| code[..1].parse().unwrap());
                let ran = self.shell(command);
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (out, err) = (text(&ran.stdout), text(&ran.stderr));
                assert_eq!(ran.status.code(), Some(expected), "{command}\n{out}{err}");
                return format!("$ {command}\n{out}{err}");
            }
        }
        String::new()
    }

    fn shell(&self, command: &str) -> Output {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.folder()).stdin(Stdio::null());
        shell.env("PATH", format!("{}:/usr/bin:/bin", self.folder().join("bin").display()));
        shell.env("GROVE_HOME", &self.home).env("XDG_CONFIG_HOME", self.folder()).output().unwrap()
    }
}

#[test]
fn the_guide_to_a_first_script_is_true() {
    let Some(_image) = image() else { return };
    let mut reader = Reader::new();
    let said = reader.follow(FIRST);
    assert!(said.contains("hello, Ann\nhello, Bob\nhello, Eve\n"), "{said}");
    assert!(said.contains("$ cat totals/b.txt.txt\n12502500.0\n") && said.contains("could not convert"), "{said}");
    assert!(said.contains("$ cat totals/c.txt.txt\n1.0\n"), "{said}");
    assert!(said.contains("parts    3 parts") && said.contains("sampled  3 parts"), "{said}");
    assert!(said.contains("false\ntrue\ntrue\nfalse\ntrue\n"), "{said}");
    assert!(reader.ran.len() > 15, "{:?}", reader.ran);
}

/// What is in a fresh clone, and nothing else.
#[test]
fn what_the_readme_runs_is_there_and_runs() {
    let reader = Reader::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["tools", "docs"] {
        std::os::unix::fs::symlink(root.join(name), reader.folder().join(name)).unwrap();
    }
    let _hub = Process::hub(&reader.home, "2");
    let code = README.split("```").skip(1).step_by(2).flat_map(str::lines);
    let runs: Vec<&str> = code.filter(|line| line.contains("grove run ")).collect();
    let mut said = String::new();
    for line in &runs {
        let command = line.split(" #").next().unwrap_or(line);
        let ran = reader.shell(command);
        assert!(ran.status.success(), "{command}\n{ran:?}");
        said += &String::from_utf8(ran.stdout).unwrap();
    }
    assert!(runs.len() > 4 && said.contains("8051 = 83 * 97\n") && said.contains("1000003 = 1000003\n"), "{said}");
    let counted = std::fs::read_to_string(reader.folder().join("out/lending.md.txt")).unwrap();
    assert!(counted.contains("\nlend "), "{counted}");
}

#[test]
fn the_guide_to_writing_a_tool_is_true() {
    let Some(_image) = image() else { return };
    let mut reader = Reader::new();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools");
    std::os::unix::fs::symlink(tools, reader.folder().join("tools")).unwrap();
    let said = reader.follow(TOOLS);
    assert!(said.contains("2 2 2 3 3 5\n7 11 13\n1000000007\n"), "{said}");
    assert!(said.contains("text.txt\n20000") && said.contains("\n19999 1\n"), "{said}");
    assert!(reader.ran.len() > 8, "{:?}", reader.ran);
}

#[test]
fn the_guide_to_lending_is_true() {
    let mut reader = Reader::new();
    let other = Reader::new();
    let opens = ["up", "--tls", "--admin", "Root", "--no-lend", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
    let _hub = Process::start(&other.home, &opens);
    let invited = other.shell("grove invite --role lend,run");
    let invited = String::from_utf8(invited.stdout).unwrap();
    let word = invited.trim().strip_prefix("grove join ").unwrap_or_else(|| panic!("{invited}"));
    // `doctor` may find something amiss on this machine; that it looks is what counts.
    let guide = LENDING.replace("INVITATION", word).replace("\ngrove doctor ", "\ngrove doctor || true ");
    let said = reader.follow(&guide);
    assert!(said.contains("joined") || said.contains("Root"), "{said}");
    assert!(reader.ran.len() > 17, "{:?}", reader.ran);
    assert!(!reader.home.exists(), "--purge leaves nothing");
}

/// A thousand files through two lenders, of whom one's owner comes back in the middle; then what was bad is mended.
#[test]
fn a_thousand_files_come_out_as_they_do_locally() {
    let Some(_image) = image() else { return };
    let reader = Reader::new();
    let folder = reader.folder().to_owned();
    let script = "import sys\nname = sys.argv[1]\nwith open(name) as file:\n    numbers = [int(line) for line in file]\n\
                  print(name.rsplit('/', 1)[-1], sum(numbers), sorted(numbers)[-1])\n";
    std::fs::write(folder.join("sums.py"), script).unwrap();
    std::fs::create_dir_all(folder.join("in/deep er")).unwrap();
    let name = |nth: u64| match nth % 3 {
        0 => format!("in/{nth:04}.txt"),
        1 => format!("in/deep er/\u{1f600} {nth:04}.txt"),
        _ => format!("in/deep er/{nth:04}"),
    };
    let good =
        |nth: u64| (0..50).map(|line| format!("{}\n", (nth * 7_919 + line * 104_729) % 1_000)).collect::<String>();
    let bad = [7, 400, 998];
    for nth in 0..1_000 {
        let text = if bad.contains(&nth) { "none\n".to_owned() } else { good(nth) };
        std::fs::write(folder.join(name(nth)), text).unwrap();
    }
    let opens = ["up", "--no-lend", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
    let _hub = Process::start(&reader.home, &opens);
    let _stays = Process::start(&reader.home, &["lend", "--always", "--slots", "1"]);
    // The second one need not compile Python too: what one node of a home has compiled is there for all.
    assert!(reader.shell("grove run sums.py ::: in/0000.txt").status.success());
    let owner = folder.join("owner");
    let touch = |ago: Duration| {
        let file = std::fs::File::options().create(true).append(true).open(&owner).unwrap();
        file.set_modified(std::time::SystemTime::now() - ago).unwrap();
    };
    touch(Duration::from_secs(3_600));
    let words =
        ["lend", "--slots", "1", "--load", "100", "--temperature", "120", "--fake-owner", owner.to_str().unwrap()];
    let _goes = Process::start(&reader.home, &words);
    let submitted = reader.shell("grove run --detach -o out sums.py ::: in");
    assert!(submitted.status.success(), "{submitted:?}");
    let job = String::from_utf8(submitted.stdout).unwrap();
    let begun = Instant::now();
    let done = || -> u64 {
        let why: serde_json::Value = serde_json::from_slice(&reader.shell("grove why last --json").stdout).unwrap();
        why["job"]["done"].as_u64().unwrap()
    };
    while done() < 200 {
        assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", reader.shell("grove why last"));
        std::thread::sleep(Duration::from_millis(5));
    }
    touch(Duration::ZERO);
    let followed = reader.shell(&format!("grove get --wait -o out {job}"));
    assert_eq!(followed.status.code(), Some(3), "{followed:?}");
    local(&folder, 997);
    for nth in bad {
        std::fs::write(folder.join(name(nth)), good(nth)).unwrap();
    }
    let again = reader.shell(&format!("grove retry --failed {job}"));
    assert!(again.status.success(), "{again:?}");
    local(&folder, 1_000);
    let kept = reader.shell(&format!("grove get -o kept {job}; find kept -name 'input *'"));
    assert!(kept.stdout.is_empty() && folder.join("kept/0000.txt.txt").exists(), "{kept:?}");
}

/// The script on this machine's own Python, file by file: what it prints is what lies in `out`, for so many files.
fn local(folder: &Path, expected: usize) {
    let script = "import contextlib, io, os, runpy, sys\n\
        same = 0\n\
        for place, _, names in os.walk('in'):\n\
        \x20   for name in names:\n\
        \x20       path, out = os.path.join(place, name), io.StringIO()\n\
        \x20       sys.argv = ['sums.py', path]\n\
        \x20       try:\n\
        \x20           with contextlib.redirect_stdout(out): runpy.run_path('sums.py')\n\
        \x20       except ValueError: continue\n\
        \x20       with open(os.path.join('out', os.path.relpath(path, 'in') + '.txt')) as file:\n\
        \x20           same += file.read() == out.getvalue()\n\
        print(same)\n";
    let ran = Command::new("python3").args(["-c", script]).current_dir(folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout).trim(), expected.to_string(), "{ran:?}");
}
