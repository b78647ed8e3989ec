//! What a runner remembers of a job: what its inputs are called, where their results go, and which files they were. It
//! lies in the home folder of whoever submitted, since a hub need not learn the names of files.

use super::names::Names;
use crate::config::Home;
use crate::shape::{SourceShape, Submit, V};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Below the home folder.
const FOLDER: &str = "runs";
/// Jobs that are remembered; the oldest go first.
const JOBS_MAX: usize = 200;
/// Ten thousand inputs with long names stay far below.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Kept {
    v: u32,
    /// As it was submitted, but for its inputs.
    pub(in crate::cli) submit: Submit,
    /// The folder of its results.
    pub(in crate::cli) out: Option<PathBuf>,
    /// What the script is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) script: Option<String>,
    /// The mark of the program and of how it was called; empty where an older version of this program ran it.
    #[serde(default)]
    pub(in crate::cli) made_by: String,
    inputs: Vec<Noted>,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Noted {
    label: String,
    /// Where its result goes in a folder.
    place: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<NotedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NotedFile {
    path: String,
    /// It travels behind its name.
    named: bool,
    /// Its length, and when it was last changed.
    stamp: (u64, u64),
}

/// An input whose file is another one now: what it is called, where its result goes, the file, and whether that travels
/// behind its name.
pub(in crate::cli) type Changed = (String, String, PathBuf, bool);

impl Noted {
    pub(super) fn of(label: &str, place: &str, path: Option<&Path>, named: bool) -> Noted {
        let file = path.and_then(|path| {
            let whole = std::path::absolute(path).ok()?;
            let stamp = stamp_of(path)?;
            // Where a name is no text, its contents are still at the hub.
            Some(NotedFile { path: whole.to_str()?.to_owned(), named, stamp })
        });
        Noted { label: label.to_owned(), place: place.to_owned(), file }
    }

    /// Where its result goes in a folder.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Whether the tool would be given the same, as far as can be told without reading.
    pub(super) fn is_same(&self, other: &Noted) -> bool {
        match (&self.file, &other.file) {
            (Some(then), Some(now)) => then.stamp == now.stamp,
            (None, None) => self.label == other.label,
            _ => false,
        }
    }

    fn changed(&self) -> Option<Changed> {
        let file = self.file.as_ref()?;
        let now = stamp_of(Path::new(&file.path))?;
        (now != file.stamp).then(|| (self.label.clone(), self.place.clone(), PathBuf::from(&file.path), file.named))
    }
}

/// The length of a file, and when it was last changed.
pub(super) fn stamp_of(path: &Path) -> Option<(u64, u64)> {
    let about = std::fs::metadata(path).ok()?;
    let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Some((about.len(), u64::try_from(changed.as_nanos()).unwrap_or(u64::MAX)))
}

impl Kept {
    pub(in crate::cli) fn new(
        submit: &Submit,
        out: Option<&Path>,
        script: Option<&str>,
        made_by: &str,
        inputs: Vec<Noted>,
    ) -> Kept {
        let out = out.and_then(|out| std::path::absolute(out).ok());
        let submit = Submit { source: SourceShape::Inputs(Vec::new()), ..submit.clone() };
        Kept { v: V, submit, out, script: script.map(str::to_owned), made_by: made_by.to_owned(), inputs }
    }

    /// What is remembered of a job. It is a convenience: what cannot be read is not there.
    pub(in crate::cli) fn of(home: &Home, job: &str) -> Option<Kept> {
        let path = path(home, job);
        if std::fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// The jobs whose results go into that folder and which are remembered, the newest first, with their ids.
    pub(super) fn into_folder(home: &Home, folder: &Path) -> Vec<(SystemTime, String, Kept)> {
        let Ok(folder) = std::path::absolute(folder) else { return Vec::new() };
        let read = |(at, path): (SystemTime, PathBuf)| {
            let job = path.file_stem()?.to_str()?;
            let kept = Kept::of(home, job).filter(|kept| kept.out.as_ref() == Some(&folder))?;
            Some((at, job.to_owned(), kept))
        };
        // None is remembered where none can be.
        all(home).unwrap_or_default().into_iter().filter_map(read).collect()
    }

    /// Remembers it, and forgets the oldest. Where nothing can be kept, results are called by their numbers.
    pub(in crate::cli) fn keep(&self, home: &Home, job: &str) {
        if let Err(error) = self.write(home, job) {
            tracing::debug!("names of inputs are not kept: {error}");
        }
    }

    fn write(&self, home: &Home, job: &str) -> io::Result<()> {
        let folder = home.path().join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        let path = path(home, job);
        let draft = path.with_extension("new");
        std::fs::write(&draft, serde_json::to_vec(self)?)?;
        std::fs::rename(draft, path)?;
        all(home)?.iter().skip(JOBS_MAX).try_for_each(|(_, path)| std::fs::remove_file(path))
    }

    /// Whether it ran that program, and so called; of an old one nobody knows.
    pub(super) fn is_made_by(&self, mark: &str) -> bool {
        self.made_by.is_empty() || self.made_by == mark
    }

    /// The inputs, by where their results go.
    pub(super) fn by_place(&self) -> BTreeMap<&str, &Noted> {
        self.inputs.iter().map(|one| (one.place(), one)).collect()
    }

    /// Inputs that were added to an open job.
    pub(in crate::cli) fn extend(mut self, home: &Home, job: &str, from: u64, added: Vec<Noted>) {
        if self.inputs.len() as u64 == from && !added.is_empty() {
            self.inputs.extend(added);
            self.keep(home, job);
        }
    }

    /// What the inputs are called; nothing where they were not given one by one.
    pub(in crate::cli) fn names(&self) -> Option<Names> {
        if self.inputs.is_empty() || self.submit.merge {
            return None;
        }
        let of = |what: fn(&Noted) -> &String| self.inputs.iter().map(|one| what(one).clone()).collect();
        Some(Names::listed(of(|one| &one.label), of(|one| &one.place)))
    }

    /// An input whose file has changed since it was sent.
    pub(in crate::cli) fn changed(&self, item: u64) -> Option<Changed> {
        self.inputs.get(usize::try_from(item).ok()?)?.changed()
    }
}

/// Files of remembered jobs with when they were written, the newest first.
fn all(home: &Home) -> io::Result<Vec<(SystemTime, PathBuf)>> {
    let written = |entry: DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut all: Vec<_> = std::fs::read_dir(home.path().join(FOLDER))?.flatten().filter_map(written).collect();
    all.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    Ok(all)
}

fn path(home: &Home, job: &str) -> PathBuf {
    // Ids are letters and digits; whatever else a hub calls a job leads nowhere.
    let safe: String = job.chars().filter(char::is_ascii_alphanumeric).collect();
    home.path().join(FOLDER).join(format!("{safe}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{ChunkShape, ToolShape};

    fn submit() -> Submit {
        let tool = ToolShape {
            module: "m".into(),
            args: Vec::new(),
            stdin: true,
            uncut: false,
            real_time: false,
            caps: crate::shape::CapsShape::default(),
        };
        let source = SourceShape::Inputs(Vec::new());
        let (id, name, chunk) = ("a1".into(), "n".into(), ChunkShape::Items(1));
        let (check, budget, fails_max) = (None, None, None);
        Submit { v: V, id, name, tool, source, chunk, check, merge: false, open: false, budget, fails_max }
    }

    #[test]
    fn names_are_kept_and_mended_files_are_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        let file = dir.path().join("a \u{1f600}\n.csv");
        std::fs::write(&file, "bad").unwrap();
        let noted = vec![Noted::of("a.csv", "a.csv", Some(&file), true), Noted::of("word", "word", None, false)];
        Kept::new(&submit(), Some(Path::new("out")), Some("own.py"), "m", noted).keep(&home, "a1");
        let kept = Kept::of(&home, "a1").unwrap();
        assert_eq!(kept.script.as_deref(), Some("own.py"));
        assert!(kept.names().is_some() && kept.out.as_ref().unwrap().is_absolute());
        assert_eq!((kept.changed(0), kept.changed(1), kept.changed(2)), (None, None, None));
        std::fs::write(&file, "mended").unwrap();
        assert_eq!(kept.changed(0), Some(("a.csv".into(), "a.csv".into(), file, true)));
        kept.extend(&home, "a1", 2, vec![Noted::of("more", "more", None, false)]);
        assert_eq!(Kept::of(&home, "a1").unwrap().inputs.len(), 3);
        assert!(Kept::of(&home, "../a2").is_none());
    }

    #[test]
    fn only_the_latest_jobs_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().to_owned());
        let kept = Kept::new(&submit(), None, None, "", Vec::new());
        (0..JOBS_MAX + 3).for_each(|nth| kept.keep(&home, &format!("job{nth}")));
        assert_eq!(std::fs::read_dir(dir.path().join(FOLDER)).unwrap().count(), JOBS_MAX);
    }
}
