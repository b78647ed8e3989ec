//! What the inputs are called, item by item, and what their files may be called.

use crate::cli::hub::Hub;
use crate::shape::{JobShape, ResultShape, SourceView};
use crate::tokens::COLUMN;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

/// Longer names are cut: file systems allow 255 bytes, and endings are added.
const NAME_BYTES_MAX: usize = 120;
/// A longer line is called by its beginning.
const LABEL_BYTES_MAX: usize = 1 << 10;

/// Names of inputs, asked for in the order of the inputs.
pub(in crate::cli) struct Names {
    kind: Kind,
    /// The item that is the first of these.
    shift: u64,
}

enum Kind {
    /// Labels, and where results go in a folder.
    Listed(Vec<String>, Vec<String>),
    Numbers {
        from: u64,
    },
    Lines {
        reader: Box<dyn BufRead>,
        next: u64,
    },
    /// All answers are one.
    Merged(String),
    Unknown,
}

impl Names {
    pub(super) fn listed(names: Vec<String>, files: Vec<String>) -> Names {
        Names::of(Kind::Listed(names, files))
    }

    pub(super) fn numbers(from: u64) -> Names {
        Names::of(Kind::Numbers { from })
    }

    pub(super) fn lines(reader: Box<dyn Read>) -> Names {
        Names::of(Kind::Lines { reader: Box::new(BufReader::new(reader)), next: 0 })
    }

    pub(in crate::cli) fn unknown() -> Names {
        Names::of(Kind::Unknown)
    }

    /// As the hub knows them: numbers and lines, but not words that were given.
    pub(in crate::cli) fn of_job(hub: &Hub, job: &JobShape) -> Names {
        match &job.source {
            _ if job.merged => Names::of(Kind::Merged(job.name.clone())),
            SourceView::Numbers { from } => Names::numbers(from.0),
            SourceView::Lines { blob } => match hub.open(&format!("/v1/blobs/{blob}")) {
                Ok(body) => Names::lines(Box::new(body.into_reader())),
                // The lines may have expired before the results.
                Err(_) => Names::unknown(),
            },
            SourceView::Inputs => Names::unknown(),
        }
    }

    /// From the first on again; what was read before is asked of the hub.
    pub(super) fn rewind(&mut self, hub: &Hub, job: &JobShape) {
        if matches!(self.kind, Kind::Lines { .. }) {
            *self = Names::of_job(hub, job).shifted(self.shift);
        }
    }

    /// For inputs that were added behind others.
    pub(in crate::cli) fn shifted(self, shift: u64) -> Names {
        Names { shift, ..self }
    }

    fn of(kind: Kind) -> Names {
        Names { kind, shift: 0 }
    }

    /// What the input of a result is called.
    pub(super) fn name(&mut self, result: &ResultShape) -> String {
        let at = result.item.saturating_sub(self.shift);
        let several = result.count > 1;
        let found = match &mut self.kind {
            Kind::Merged(name) => Some(name.clone()),
            Kind::Numbers { from } if several => Some(format!("{}..{}", *from + at, *from + at + result.count)),
            Kind::Numbers { from } => Some((*from + at).to_string()),
            Kind::Listed(names, _) if !several => {
                usize::try_from(at).ok().and_then(|at| names.get(at)).map(|name| name.replace(COLUMN, " "))
            }
            Kind::Lines { reader, next } if !several => line(&mut **reader, next, at),
            Kind::Listed(..) | Kind::Lines { .. } | Kind::Unknown => None,
        };
        found.unwrap_or_else(|| match several {
            true => format!("inputs {}-{}", result.item + 1, result.item + result.count),
            false => format!("input {}", result.item + 1),
        })
    }

    /// Where a result goes in a folder, if that is settled.
    pub(super) fn file(&self, result: &ResultShape) -> Option<&str> {
        match &self.kind {
            Kind::Listed(_, files) if result.count == 1 => {
                let at = usize::try_from(result.item.checked_sub(self.shift)?).ok()?;
                files.get(at).map(String::as_str)
            }
            _ => None,
        }
    }
}

/// Goes on to that line; `None` when it has passed or there is none.
fn line(reader: &mut dyn BufRead, next: &mut u64, wanted: u64) -> Option<String> {
    while *next <= wanted {
        let mut bytes = Vec::new();
        (&mut *reader).take(LABEL_BYTES_MAX as u64).read_until(b'\n', &mut bytes).ok()?;
        if bytes.is_empty() {
            return None;
        }
        if !bytes.ends_with(b"\n") {
            reader.skip_until(b'\n').ok()?;
        }
        *next += 1;
        if *next > wanted {
            return Some(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned());
        }
    }
    None
}

/// What a line is called that is at hand: its beginning.
pub(super) fn label(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(LABEL_BYTES_MAX)]).into_owned()
}

/// Names of files, no two alike on any system.
#[derive(Debug, Default)]
pub(super) struct FileNames {
    /// Hashes of the names that are taken: a name of ten million inputs costs eight bytes, not its letters.
    taken: BTreeSet<u64>,
}

impl FileNames {
    /// A file name for an input: its last part, made safe, and numbered if another input has it.
    pub(super) fn fresh(&mut self, name: &str) -> String {
        let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        self.untaken(safe_name(last))
    }

    /// The same below folders, each of whose names is made safe too.
    pub(super) fn fresh_below<'a>(&mut self, steps: impl Iterator<Item = &'a str>) -> String {
        self.untaken(steps.map(safe_name).collect::<Vec<String>>().join("/"))
    }

    fn untaken(&mut self, base: String) -> String {
        let mut candidate = base.clone();
        let mut number = 1_u64;
        while !self.taken.insert(key(&candidate)) {
            number += 1;
            candidate = format!("{base}-{number}");
        }
        candidate
    }
}

/// Some file systems take upper and lower case for the same.
fn key(name: &str) -> u64 {
    let hash = blake3::hash(name.to_lowercase().as_bytes());
    u64::from_le_bytes(std::array::from_fn(|at| hash.as_bytes()[at]))
}

/// One step of a path that is a plain file name on every system, whatever a stranger called it.
pub fn safe_name(name: &str) -> String {
    const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];
    let odd = |c: char| crate::cli::say::is_unsafe(c) || c.is_control() || r#"/\:*?"<>|"#.contains(c);
    let mut safe = String::new();
    for c in name.chars().map(|c| if odd(c) { '_' } else { c }) {
        if safe.len() + c.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        safe.push(c);
    }
    let trimmed = safe.trim_end_matches(['.', ' ']).len();
    safe.truncate(trimmed);
    let stem = safe.split('.').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase();
    if safe.is_empty() || safe.starts_with(['.', '-']) || DEVICES.contains(&stem.as_str()) {
        safe.insert(0, '_');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(item: u64, count: u64) -> ResultShape {
        ResultShape { item, count, ..ResultShape::default() }
    }

    #[test]
    fn no_input_can_name_a_file_outside_the_folder() {
        let mut files = FileNames::default();
        let check = |name: &str, expect: &str, files: &mut FileNames| assert_eq!(files.fresh(name), expect, "{name:?}");
        check("data/a.csv", "a.csv", &mut files);
        check("other/a.csv", "a.csv-2", &mut files);
        check("A.CSV", "A.CSV-3", &mut files);
        check("../..", "_", &mut files);
        check("/", "_-2", &mut files);
        check(r"..\..\x", "_.._.._x", &mut files);
        check("\u{1b}[2J\u{202e}", "_[2J_", &mut files);
        check("con.txt", "_con.txt", &mut files);
        check("COM1", "_COM1", &mut files);
        check("", "_-3", &mut files);
        assert!(files.fresh(&"ä".repeat(400)).len() <= NAME_BYTES_MAX);
    }

    #[test]
    fn results_are_called_after_their_inputs() {
        let mut lines = Names::lines(Box::new(&b"one\ntwo\nthree"[..]));
        assert_eq!([lines.name(&result(0, 1)), lines.name(&result(2, 1))], ["one", "three"]);
        assert_eq!(lines.name(&result(1, 1)), "input 2", "it has passed");
        assert_eq!(lines.name(&result(3, 1)), "input 4");
        assert_eq!(Names::numbers(10).name(&result(2, 3)), "12..15");
        let mut listed = Names::listed(vec!["a\u{1f}b".into()], vec!["f".into()]).shifted(5);
        assert_eq!([listed.name(&result(5, 1)), listed.name(&result(6, 1))], ["a b", "input 7"]);
        assert_eq!([listed.file(&result(5, 1)), listed.file(&result(4, 1))], [Some("f"), None]);
        assert_eq!(Names::unknown().name(&result(4, 2)), "inputs 5-6");
    }
}
