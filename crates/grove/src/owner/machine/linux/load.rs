//! How busy the processors are with other work than Grove's.

use std::path::Path;

const ALL: &str = "/proc/stat";
const PROCESSES: &str = "/proc";
/// A program has this name where Grove starts itself again: as the file that the kernel was told to run.
const OWN: [&str; 2] = ["grove", "exe"];
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

/// Whether a program of that name runs.
pub(in crate::owner::machine) fn runs(name: &str) -> bool {
    processes().any(|(found, _)| found == name)
}

/// Names and ticks of all processes.
fn processes() -> impl Iterator<Item = (String, u64)> {
    let all = std::fs::read_dir(Path::new(PROCESSES)).into_iter().flatten().flatten();
    let numbered =
        |name: &std::ffi::OsString| name.to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()));
    let stats = all.filter(move |entry| numbered(&entry.file_name())).map(|entry| entry.path().join("stat"));
    stats.filter_map(|stat| process(&std::fs::read_to_string(stat).ok()?))
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
}
