//! `grove pause` and `grove resume`: a file in the home folder that every lender of that folder heeds. Lenders listen
//! nowhere, so there is nobody to talk to.

use super::rules::Asked;
use grove_core::units::Millis;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "pause.json";

/// Why a pause cannot be asked for, or be ended.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}\nhint: check the folder and its rights; Ctrl-C at the lender stops it too", path.display())]
pub struct AskedError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Nothing is lent from this folder until then, or until [`resume`].
pub fn pause(home: &Path, until: Option<Millis>) -> Result<(), AskedError> {
    let path = home.join(FILE);
    let failed = |source| AskedError { doing: "write", path: path.clone(), source };
    let text = serde_json::to_string(&Asked { until }).map_err(|error| failed(io::Error::other(error)))?;
    let draft = path.with_extension("new");
    std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, &path)).map_err(failed)
}

/// Whether there was a pause.
pub fn resume(home: &Path) -> Result<bool, AskedError> {
    let path = home.join(FILE);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(AskedError { doing: "remove", path, source }),
    }
}

/// What was asked for. A file that cannot be read is a pause all the same: somebody wanted one.
pub(super) fn asked(home: &Path) -> Option<Asked> {
    match std::fs::read(home.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Asked { until: None })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_kept_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(asked(dir.path()), None);
        pause(dir.path(), Some(Millis(7))).unwrap();
        assert_eq!(asked(dir.path()), Some(Asked { until: Some(Millis(7)) }));
        std::fs::write(dir.path().join(FILE), "?").unwrap();
        assert_eq!(asked(dir.path()), Some(Asked { until: None }), "in doubt it is a pause");
        assert!(resume(dir.path()).unwrap() && !resume(dir.path()).unwrap());
        let error = pause(&dir.path().join("gone"), None).unwrap_err().to_string();
        assert!(error.contains("pause.json") && error.contains("\nhint: "), "{error}");
    }
}
