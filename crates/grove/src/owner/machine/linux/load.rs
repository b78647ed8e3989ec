//! How busy the processors are with other work than Grove's.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const ALL: &str = "/proc/stat";
const PROCESSES: &str = "/proc";
/// A program has this name where Grove starts itself again: as the file that the kernel was told to run.
const OWN: [&str; 2] = ["grove", "exe"];
/// The kernel cuts the name of a program behind so many bytes.
const NAME_BYTES: usize = 15;
/// What it adds to the file of a program that was replaced while it ran.
const REPLACED: &str = " (deleted)";
/// Below this nobody asks whose it is.
const LITTLE_PERCENT: u64 = 10;

/// Processor time until the last look, in the kernel's ticks.
#[derive(Debug, Default)]
pub(in crate::owner::machine) struct Load {
    before: Option<Ticks>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    all: u64,
    busy: u64,
    /// Not asked for while the machine is idle: that takes a look at every process.
    own: Option<u64>,
}

impl Load {
    /// Per cent of all processors that other work took since the last look.
    pub(in crate::owner::machine) fn foreign(&mut self) -> Option<u32> {
        let (all, busy) = processors(&std::fs::read_to_string(ALL).ok()?)?;
        let before = self.before.replace(Ticks { all, busy, own: None })?;
        let (all, busy) = (all.saturating_sub(before.all), busy.saturating_sub(before.busy));
        let percent = |ticks: u64| Some(u32::try_from(ticks * 100 / all.max(1)).unwrap_or(100));
        if busy * 100 < LITTLE_PERCENT * all {
            return percent(busy);
        }
        let own = own();
        self.before.as_mut()?.own = Some(own);
        // Whose the first moments of work are, the next look tells. Grove's own that ended in between count as other
        // work for one look; that is on the safe side.
        before.own.map_or(Some(0), |before| percent(busy.saturating_sub(own.saturating_sub(before))))
    }
}

/// Ticks of all kinds, and those that were not idle.
fn processors(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    // The time of guests is among that of users already.
    let kinds: Vec<u64> = line.split_ascii_whitespace().take(8).filter_map(|kind| kind.parse().ok()).collect();
    let [_, _, _, idle, waits, ..] = kinds[..] else { return None };
    let all: u64 = kinds.iter().sum();
    Some((all, all.saturating_sub(idle + waits)))
}

/// Ticks of all nodes and executors on this machine, whosever they are: two lenders must not take turns at stopping.
fn own() -> u64 {
    processes().filter(|(name, ..)| OWN.contains(&name.as_str())).map(|(_, ticks)| ticks).sum()
}

/// Whether a program of that name runs: what the kernel calls it, the file that it is, or what it was started as.
pub(in crate::owner::machine) fn runs(name: &str) -> bool {
    folders().any(|folder| is_called(&folder, name))
}

fn is_called(folder: &Path, name: &str) -> bool {
    let Some((short, _)) = stat(folder) else { return false };
    let is = |path: &Path| path.file_name().is_some_and(|last| last == name);
    let file = || std::fs::read_link(folder.join("exe")).ok();
    let is_file = |file: PathBuf| is(&file) || is(Path::new(file.to_string_lossy().trim_end_matches(REPLACED)));
    if short == name || file().is_some_and(is_file) {
        return true;
    }
    let line = std::fs::read(folder.join("cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0).map(|word| Path::new(OsStr::from_bytes(word)));
    // A script stands behind its interpreter, and the kernel has the first letters of its name.
    let may_be_script =
        || name.as_bytes().get(..NAME_BYTES).is_some_and(|first| short == String::from_utf8_lossy(first));
    words.next().is_some_and(is) || may_be_script() && words.next().is_some_and(is)
}

/// Names and ticks of all processes.
fn processes() -> impl Iterator<Item = (String, u64)> {
    folders().filter_map(|folder| stat(&folder))
}

/// One for each process.
fn folders() -> impl Iterator<Item = PathBuf> {
    let all = std::fs::read_dir(Path::new(PROCESSES)).into_iter().flatten().flatten();
    let numbered =
        |name: &std::ffi::OsString| name.to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
    all.filter(move |entry| numbered(&entry.file_name())).map(|entry| entry.path())
}

fn stat(folder: &Path) -> Option<(String, u64)> {
    // A name that was cut need not end with a whole letter.
    process(&String::from_utf8_lossy(&std::fs::read(folder.join("stat")).ok()?))
}

/// The name stands in brackets and may hold any.
fn process(stat: &str) -> Option<(String, u64)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    // Of its own threads, and of the children that it has seen end.
    let ticks = rest.split_ascii_whitespace().skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some((name.to_owned(), ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        assert_eq!(processors("cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 2"), Some((531, 81)));
        assert_eq!(processors("intr 1 2 3"), None);
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 100 0 0 0 11 22 3 4 20 0 1 0 100 1 1";
        assert_eq!(process(stat), Some(("a) b (c".to_owned(), 40)));
        assert_eq!(process("77 S"), None);
    }

    #[test]
    fn this_process_is_found_and_the_machine_is_looked_at() {
        let name = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert!(runs(name.trim()) && !runs("no such program"));
        let mut load = Load::default();
        assert_eq!(load.foreign(), None, "one look tells nothing");
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(load.foreign().is_some_and(|percent| percent <= 100));
    }

    #[test]
    fn programs_with_long_names_are_found_by_all_of_it() {
        use std::process::{Command, Stdio};
        let dir = tempfile::tempdir().unwrap();
        let [program, script] = ["a-program-of-long-name", "a-script-of-a-long-name"].map(|name| dir.path().join(name));
        std::fs::copy("/bin/sleep", &program).unwrap();
        std::fs::write(&script, "#!/bin/sh\nread line\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let start = |path: &Path| {
            Command::new(path)
                .arg("60")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        let mut both = [start(&program), start(&script)];
        let found = ["a-program-of-long-name", "a-script-of-a-long-name", "a-program-of-lo"].map(runs);
        let others = ["a-program-of-long-names", "a-program-of-long-nome", "a-script-of-a-long-nome", "60"].map(runs);
        for child in &mut both {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!((found, others), ([true; 3], [false; 4]));
        assert!(!runs("a-program-of-long-name"), "it has ended");
    }
}
