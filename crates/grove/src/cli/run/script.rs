//! A Python script as a tool: what it can do, what it brings along, and the image that runs it. Nothing of it runs
//! here.

use crate::cli::{Exit, Failure, say};
use crate::shape::ResultShape;
use grove_core::job::Abilities;
use grove_sandbox::Bytes;
use grove_sandbox::package::Package;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every script is called where it runs: its own name is nothing that a lender need know.
const NAME: &str = "script.py";
/// Between a script and one of its functions.
const FUNCTION_MARK: &str = "::";
/// The function that does a part's work, where a script has one.
const WORK: &str = "work";
/// Functions that give a script a tool's abilities.
const ABILITIES: [&str; 3] = ["split", "merge", "check"];
/// Compiled code and what installers note: it does not travel, since the sandbox can use none of it.
const LEFT_OUT: [&str; 6] = ["__pycache__", ".git", ".venv", "venv", "node_modules", "bin"];
/// A script longer than this is something else.
const SCRIPT_BYTES_MAX: u64 = 16 << 20;
/// Endings of compiled code for some machine.
const COMPILED: [&str; 4] = ["so", "pyd", "dylib", "dll"];
/// A script, and which of its functions is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    path: PathBuf,
    function: Option<String>,
}

impl Script {
    /// Whether a tool is a script: `file.py` or `file.py::function`.
    pub(super) fn named(tool: &Path) -> Option<Script> {
        let name = tool.to_str()?;
        let (path, function) = match name.rsplit_once(FUNCTION_MARK) {
            Some((path, function)) => (path, Some(function.to_owned())),
            None => (name, None),
        };
        let is_python = Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("py"));
        is_python.then(|| Script { path: path.into(), function })
    }

    /// What the script can do, by the functions at its outermost level. A function that is asked for by name is called
    /// and nothing else.
    pub(super) fn abilities(source: &str) -> Abilities {
        let has = |name: &str| defines(source, name);
        let [split, merge, check] = ABILITIES.map(has);
        Abilities { split, merge, check, first: false }
    }

    /// The package that travels, for no image yet, and what it can do.
    pub(super) fn pack(&self, brought: Brought<'_>, stdin: bool) -> Result<(Package, Abilities), Failure> {
        let source = self.read()?;
        let text = String::from_utf8_lossy(&source).into_owned();
        let abilities = if self.function.is_some() { Abilities::default() } else { Script::abilities(&text) };
        let verbs = abilities != Abilities::default();
        let works = defines(&text, WORK);
        if verbs && !works {
            let message = format!("{} has split, merge or check, but no function work", self.path.display());
            return Err(Failure::new(Exit::Error, message).hint("def work(input): … does the work of one piece"));
        }
        if let Some(function) = self.function.as_deref().filter(|name| !defines(&text, name) && !assigns(&text, name)) {
            let message = format!("{} defines no function {function:?}", self.path.display());
            return Err(Failure::new(Exit::Error, message).hint("name one that stands at the script's outermost level"));
        }
        let function = self.function.clone().or_else(|| works.then(|| WORK.to_owned()));
        let head = serde_json::json!({"script": NAME, "function": function, "verbs": verbs, "stdin": stdin});
        let mut files = vec![(NAME.to_owned(), Bytes(source.into()))];
        brought.gather(&mut files)?;
        let words = ABILITIES.iter().filter(|ability| !self.is_one() && defines(&text, ability));
        let package = Package {
            image: [0; 32],
            head: head.to_string(),
            abilities: words.map(|word| (*word).to_owned()).collect(),
            files,
        };
        Ok((package, abilities))
    }

    /// What is no text Python cannot read either, unless the script says what it is.
    fn read(&self) -> Result<Vec<u8>, Failure> {
        let found = std::fs::metadata(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        if !found.is_file() || found.len() > SCRIPT_BYTES_MAX {
            let message =
                format!("{} is no script: it is a folder, a device, or longer than 16 MiB", self.path.display());
            return Err(Failure::new(Exit::Error, message).hint("data goes to a script as its inputs"));
        }
        let source = std::fs::read(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        if source.iter().all(u8::is_ascii_whitespace) {
            return Err(Failure::new(Exit::Error, format!("{} is empty", self.path.display()))
                .hint("was it saved? a script of one line: print('hello')"));
        }
        Ok(source)
    }

    /// What its owner calls it.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether one function is asked for by name.
    fn is_one(&self) -> bool {
        self.function.is_some()
    }

    /// What the job is called.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a script said of itself, under its own name again; nothing where that changes nothing.
pub(super) fn under_its_name(result: &ResultShape, own: &str) -> Option<ResultShape> {
    let note = renamed(&result.note, own);
    (note != result.note).then(|| ResultShape { note, ..result.clone() })
}

/// Only whole names: `transcript.py` is another.
fn renamed(text: &str, own: &str) -> String {
    let (mut said, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(NAME) {
        let (before, after) = (&rest[..at], &rest[at + NAME.len()..]);
        let goes_on = |c: char| c.is_alphanumeric() || c == '_';
        let whole = !before.ends_with(goes_on) && !after.starts_with(goes_on);
        said.extend([before, if whole { own } else { NAME }]);
        rest = after;
    }
    said + rest
}

/// Whether a function stands at the outermost level of a script.
fn defines(source: &str, name: &str) -> bool {
    source.lines().any(|line| {
        let defined = line.strip_prefix("async ").map_or(line, str::trim_start).strip_prefix("def ");
        let rest = defined.and_then(|rest| rest.trim_start().strip_prefix(name));
        rest.is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}

/// Whether a name stands for something there, such as a lambda, or a function that another one makes.
fn assigns(source: &str, name: &str) -> bool {
    let rests = source.lines().filter_map(|line| Some(line.strip_prefix(name)?.trim_start()));
    rests.into_iter().any(|rest| rest.starts_with(':') || rest.starts_with('=') && !rest.starts_with("=="))
}

/// Whether a function of the script is called with each input, rather than the script run.
pub(super) fn calls_a_function(package: &Package) -> bool {
    let head: serde_json::Value = serde_json::from_str(&package.head).unwrap_or_default();
    !head["function"].is_null()
}

/// What a script brings along besides itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brought<'a> {
    /// Modules and packages, by their paths.
    pub(super) with: &'a [PathBuf],
    /// Files that name packages, one a line, as pip reads them.
    pub(super) requirements: &'a [PathBuf],
}

impl Brought<'_> {
    pub(super) fn is_nothing(self) -> bool {
        self.with.is_empty() && self.requirements.is_empty()
    }

    fn gather(self, files: &mut Vec<(String, Bytes)>) -> Result<(), Failure> {
        for path in self.with {
            let name = path.canonicalize().map_err(|error| unreadable(path, &error))?;
            let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let before = files.len();
            take(path, &name, files)?;
            if !files[before..].iter().any(|(name, _)| name.ends_with(".py")) {
                let message = format!("{} is no Python: it can not be imported", path.display());
                return Err(Failure::usage(message).hint(
                    "--with takes a module (NAME.py) or the folder of a package; wheels and names of packages stand in \
                     a file for --requirements, and data goes to a script as its inputs",
                ));
            }
        }
        if self.requirements.is_empty() {
            return Ok(());
        }
        for file in self.requirements {
            std::fs::metadata(file).map_err(|error| unreadable(file, &error))?;
        }
        let folder = tempfile::tempdir().map_err(|error| unreadable(Path::new("a temporary folder"), &error))?;
        fetch(self.requirements, folder.path())?;
        entries(folder.path())?
            .iter()
            .try_for_each(|entry| take(&entry.path(), &entry.file_name().to_string_lossy(), files))
    }
}

/// What is in a folder, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<DirEntry>, Failure> {
    let unreadable = |error| unreadable(folder, &error);
    let mut all = std::fs::read_dir(folder).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    all.sort_by_key(DirEntry::file_name);
    Ok(all)
}

/// A file, or a folder with all that is in it.
fn take(path: &Path, name: &str, files: &mut Vec<(String, Bytes)>) -> Result<(), Failure> {
    let last = name.rsplit('/').next().unwrap_or_default();
    if LEFT_OUT.contains(&last) {
        return Ok(());
    }
    if path.is_dir() {
        return entries(path)?.iter().try_for_each(|entry| {
            take(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()), files)
        });
    }
    if Path::new(last).extension().and_then(|ending| ending.to_str()).is_some_and(|ending| COMPILED.contains(&ending)) {
        let message = format!("{name} is compiled code for one kind of machine, which the sandbox cannot load");
        return Err(Failure::new(Exit::Error, message)
            .hint("bring pure-Python packages along, or use a tool in Rust or C for this"));
    }
    if files.iter().any(|(taken, _)| taken == name) {
        let message = format!("two files would be called {name}");
        return Err(Failure::new(Exit::Error, message).hint("give one of them another name, or a folder of its own"));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    files.push((name.to_owned(), Bytes(bytes.into())));
    Ok(())
}

/// Has pip put packages into a folder: those that are pure Python.
fn fetch(requirements: &[PathBuf], folder: &Path) -> Result<(), Failure> {
    say::talk("fetching packages with pip");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]);
    // Wheels for no system in particular, for the image's Python: others could not be used.
    pip.args(["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none", "--python-version=3.14"]);
    pip.arg("--target").arg(folder);
    for file in requirements {
        pip.arg("-r").arg(file);
    }
    let failed = |why: String| {
        Failure::new(Exit::Error, format!("pip cannot fetch the packages: {why}"))
            .hint("the sandbox takes pure-Python packages only: numpy and its like are compiled code")
    };
    let output = pip.output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let none = said.lines().find_map(|line| line.rsplit_once("No matching distribution found for "));
    if let Some((_, name)) = none {
        let name = name.split_whitespace().next().unwrap_or(name);
        let message = format!("{name} has no pure-Python wheel for Python 3.14, or there is no such package");
        return Err(Failure::new(Exit::Error, message)
            .hint("the sandbox takes pure-Python packages only: numpy and its like are compiled code"));
    }
    let why = said.lines().rev().find(|line| line.starts_with("ERROR: ")).unwrap_or("see pip install -r");
    Err(failed(why.trim_start_matches("ERROR: ").to_owned()))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Error, format!("cannot read {}: {error}", path.display())).hint("check its name and its rights")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_their_functions_are_told_from_modules() {
        let named = |tool: &str| Script::named(Path::new(tool));
        let script = |path: &str, function: Option<&str>| {
            Some(Script { path: path.into(), function: function.map(str::to_owned) })
        };
        assert_eq!(named("a/b.py"), script("a/b.py", None));
        assert_eq!(named("a/b.py::f"), script("a/b.py", Some("f")));
        assert_eq!(named("tool.wasm"), None);
        assert_eq!(named("tool.wasm::f"), None);
        assert_eq!(named("py"), None);
    }

    #[test]
    fn abilities_are_functions_at_the_outermost_level() {
        let source = "def work(n):\n    def merge(x): pass\nasync def split (n, ways): pass\n# def check(a, b)\ndef checks(): 0\n";
        let found = Script::abilities(source);
        assert_eq!(found, Abilities { split: true, ..Abilities::default() });
        assert!(defines(source, "work") && !defines(source, "check"));
        let source = "f = lambda n: n\ng: object = f\nhh == f\n  k = f\n";
        assert_eq!(["f", "g", "h", "hh", "k"].map(|name| assigns(source, name)), [true, true, false, false, false]);
    }

    #[test]
    fn a_script_travels_without_its_name_and_is_called_by_it_here() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("canary-of-ann.py");
        std::fs::write(&path, "raise SystemExit(1)\n").unwrap();
        let script = Script::named(&path).unwrap();
        let nothing = Brought { with: &[], requirements: &[] };
        let (package, _) = script.pack(nothing, false).unwrap();
        let bytes = package.write().unwrap();
        let holds = |word: &str| bytes.windows(word.len()).any(|some| some == word.as_bytes());
        assert!(holds("SystemExit") && holds(NAME) && !holds("canary"));
        let said = "File \"script.py\", line 1\n/job/script.py transcript.py script.pyc";
        let own = "File \"canary-of-ann.py\", line 1\n/job/canary-of-ann.py transcript.py script.pyc";
        assert_eq!(renamed(said, &script.name()), own);
    }

    #[test]
    fn what_is_compiled_does_not_travel() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        write("pkg/__init__.py");
        write("pkg/deep/data.txt");
        write("pkg/__pycache__/a.pyc");
        let mut files = Vec::new();
        take(&folder.path().join("pkg"), "pkg", &mut files).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["pkg/__init__.py", "pkg/deep/data.txt"]);
        write("pkg/fast.so");
        let failure = take(&folder.path().join("pkg"), "other", &mut files).unwrap_err();
        assert!(failure.message.contains("other/fast.so is compiled"), "{failure}");
    }
}
