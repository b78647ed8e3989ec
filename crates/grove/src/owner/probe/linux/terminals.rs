//! Whoever types at a terminal, here or from afar, changes the time at which its file was last read. The kernel notes
//! that to eight seconds, but the first key after a pause at once.

use super::super::{NoSight, Probe};
use crate::owner::{Soon, since_epoch};
use grove_core::units::Millis;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

const CONSOLES: &str = "/dev";
const REMOTE: &str = "/dev/pts";

#[derive(Debug)]
pub(super) struct Terminals;

impl Probe for Terminals {
    fn name(&self) -> &'static str {
        "terminals"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        Box::pin(std::future::ready(typed().ok_or(NoSight::Nothing)))
    }
}

fn typed() -> Option<Millis> {
    let consoles = numbered(Path::new(CONSOLES), "tty");
    consoles.into_iter().chain(numbered(Path::new(REMOTE), "")).filter_map(|path| read_at(&path)).max()
}

/// Devices whose names are a word and a number from 1 on; the first of all is whichever is shown now.
fn numbered(folder: &Path, word: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is = |name: &str| {
        let number =
            name.strip_prefix(word).filter(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
        number.is_some_and(|number| word.is_empty() || number != "0")
    };
    files.filter(|file| file.file_name().to_str().is_some_and(is)).map(|file| file.path()).collect()
}

fn read_at(path: &Path) -> Option<Millis> {
    let found = std::fs::metadata(path).ok()?;
    if !found.file_type().is_char_device() {
        return None;
    }
    found.accessed().ok().map(since_epoch)
}
