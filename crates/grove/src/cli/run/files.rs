//! Inputs that are files: those in folders, those cut out of a larger one, and where their results go. Results lie below
//! their folder as the inputs lie below the folder that they have in common.

use super::names::FileNames;
use super::spool::unreadable;
use crate::cli::Failure;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// Folders below each other: a loop of mounts is no folder of inputs.
const DEPTH_MAX: usize = 64;
/// What is left out of a folder is named so far, and counted.
const NAMES_SHOWN: usize = 3;

/// What is in a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// With their sizes.
    pub(super) files: Vec<(PathBuf, u64)>,
    /// What cannot be read as a file, and why.
    left_out: Vec<(PathBuf, &'static str)>,
}

impl Found {
    /// What of the folder does not travel, for people.
    pub(super) fn left_out(&self, folder: &Path) -> Option<String> {
        let more = self.left_out.len().saturating_sub(NAMES_SHOWN);
        let named = |(path, why): &(PathBuf, &str)| format!("{} ({why})", path.display());
        let names: Vec<String> = self.left_out.iter().take(NAMES_SHOWN).map(named).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text = || format!("{} left out of {}: {}{more}", self.left_out.len(), folder.display(), names.join(", "));
        (!names.is_empty()).then(text)
    }
}

/// All files in a folder and the folders below it, in the order of their names. Links are followed to files and not to
/// folders.
pub(super) fn below(folder: &Path, most: usize) -> Result<Found, Failure> {
    let mut found = Found::default();
    walk(folder, most, DEPTH_MAX, &mut found)?;
    Ok(found)
}

fn walk(folder: &Path, most: usize, depth: usize, found: &mut Found) -> Result<(), Failure> {
    let fails = |error: io::Error| unreadable(&folder.display().to_string(), &error);
    let mut entries = std::fs::read_dir(folder).map_err(fails)?.collect::<Result<Vec<_>, _>>().map_err(fails)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().map_err(fails)?.is_dir() {
            if depth == 0 {
                return Err(Failure::usage(format!("{} lies too deep", path.display()))
                    .hint(format!("name the folders that are meant; {DEPTH_MAX} below each other are taken")));
            }
            walk(&path, most, depth - 1, found)?;
            continue;
        }
        let (len, why) = match std::fs::metadata(&path) {
            Ok(file) if file.is_file() => (file.len(), None),
            Ok(folder) if folder.is_dir() => (0, Some("a link to a folder: name that folder itself")),
            Ok(_) => (0, Some("a pipe, a socket or a device")),
            Err(_) => (0, Some("a link that leads nowhere")),
        };
        if let Some(why) = why {
            found.left_out.push((path, why));
            continue;
        }
        if found.files.len() == most {
            return Err(Failure::usage(format!("more than {most} files are in {}", folder.display()))
                .hint("send them some at a time: `grove run --open`, then `grove send`"));
        }
        found.files.push((path, len));
    }
    Ok(())
}

/// Where the results of inputs go in a folder: as the inputs lie, if all of them are files, else by their last names.
pub(super) fn places<'a>(paths: &[Option<&Path>], labels: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names = FileNames::default();
    let all: Option<Vec<&Path>> = paths.iter().copied().collect();
    match all.as_deref().filter(|paths| !paths.is_empty()) {
        Some(paths) => {
            let shared = shared_folder(paths);
            let steps = |path: &Path| -> Vec<String> { steps(path).skip(shared).collect() };
            paths.iter().map(|path| names.fresh_below(steps(path).iter().map(String::as_str))).collect()
        }
        None => labels.map(|label| names.fresh(label)).collect(),
    }
}

/// How many steps from the start all of these have in common, without their last.
fn shared_folder(paths: &[&Path]) -> usize {
    let folder = |path: &Path| -> Vec<String> { path.parent().map(|path| steps(path).collect()).unwrap_or_default() };
    let Some((first, rest)) = paths.split_first() else { return 0 };
    let first = folder(first);
    rest.iter().fold(first.len(), |shared, path| {
        folder(path).iter().zip(&first).take(shared).take_while(|(one, other)| one == other).count()
    })
}

fn steps(path: &Path) -> impl Iterator<Item = String> + '_ {
    path.components().filter(|step| *step != Component::CurDir).map(|step| match step {
        // Never to be climbed: a place is always below its folder.
        Component::ParentDir => "_".to_owned(),
        step => step.as_os_str().to_string_lossy().into_owned(),
    })
}

/// Whether all of a result lies there.
pub(super) fn is_kept(folder: &Path, file: &str) -> bool {
    let lies = folder.join(format!("{file}.txt")).is_file() || folder.join(file).is_dir();
    lies && !unfinished(folder, file).exists()
}

/// When a result that is kept there was written.
pub(super) fn written(folder: &Path, file: &str) -> Option<SystemTime> {
    let at = |path: PathBuf| std::fs::metadata(path).ok()?.modified().ok();
    at(folder.join(format!("{file}.txt"))).max(at(folder.join(file)))
}

/// Lies there while the files of a result are being written.
pub(super) fn unfinished(folder: &Path, file: &str) -> PathBuf {
    folder.join(format!("{file}.unfinished"))
}

/// What a piece of a file is called: `big.csv`, third of twenty, is `big.03.csv`.
pub(super) fn numbered(path: &Path, nth: usize, of: usize) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let (stem, ending) = (text(path.file_stem()), text(path.extension()));
    let width = of.to_string().len();
    match ending.is_empty() {
        true => format!("{stem}.{nth:0width$}"),
        false => format!("{stem}.{nth:0width$}.{ending}"),
    }
}

/// Parts of a file, one behind the other.
pub(super) fn read_parts(path: &Path, parts: [&Range<u64>; 2]) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    for part in parts {
        file.seek(SeekFrom::Start(part.start))?;
        let len = part.end - part.start;
        if (&mut file).take(len).read_to_end(&mut bytes)? as u64 != len {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter meanwhile"));
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places_of(paths: &[&str]) -> Vec<String> {
        let paths: Vec<Option<&Path>> = paths.iter().map(|path| Some(Path::new(*path))).collect();
        places(&paths, std::iter::empty())
    }

    #[test]
    fn results_lie_as_their_inputs_lie() {
        assert_eq!(places_of(&["/data/in/a.csv", "/data/in/b.csv"]), ["a.csv", "b.csv"]);
        assert_eq!(places_of(&["in/a/x.csv", "./in/b/x.csv"]), ["a/x.csv", "b/x.csv"]);
        assert_eq!(places_of(&["../../x", "y/z"]), ["_/_/x", "y/z"]);
        assert_eq!(places_of(&["a/con/x", "b/A:"]), ["a/_con/x", "b/A_"]);
        assert_eq!(places_of(&["d/x", "d/X"]), ["x", "X-2"], "one file where case does not count");
        let mixed = [Some(Path::new("a/x")), None];
        assert_eq!(places(&mixed, ["a/x", "word"].into_iter()), ["x", "word"]);
    }

    #[test]
    fn a_folder_is_all_the_files_in_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("b/c")).unwrap();
        for name in ["b/c/2", "b/1", "a \n\u{1f600}"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let found = below(dir.path(), 3).unwrap().files;
        let paths: Vec<_> = found.iter().map(|(path, _)| path.strip_prefix(dir.path()).unwrap()).collect();
        assert_eq!(paths, ["a \n\u{1f600}", "b/1", "b/c/2"].map(Path::new));
        assert_eq!(found[1].1, 3);
        assert!(below(dir.path(), 2).unwrap_err().message.contains("more than 2 files"));
        assert!(below(&dir.path().join("none"), 2).unwrap_err().message.contains("none"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_left_out_and_named() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "x").unwrap();
        symlink("file", path("good")).unwrap();
        assert_eq!(below(dir.path(), 9).unwrap().left_out(Path::new("in")), None);
        symlink("/nonexist", path("dangle")).unwrap();
        symlink("..", path("up")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("talk")).unwrap();
        let found = below(dir.path(), 9).unwrap();
        assert_eq!(found.files.len(), 2);
        let text = found.left_out(Path::new("in")).unwrap();
        assert!(
            text.starts_with("3 left out of in: ") && text.contains("dangle (a link that leads nowhere), "),
            "{text}"
        );
        assert!(text.contains("talk (a pipe, a socket") && text.contains("up (a link to a folder"), "{text}");
        symlink("..", path("zz")).unwrap();
        assert!(below(dir.path(), 9).unwrap().left_out(Path::new("in")).unwrap().ends_with(" and 1 more"));
    }

    #[test]
    fn pieces_are_numbered_in_the_order_of_their_names() {
        assert_eq!(numbered(Path::new("in/big.csv"), 3, 20), "big.03.csv");
        assert_eq!(numbered(Path::new("log"), 3, 3), "log.3");
    }
}
