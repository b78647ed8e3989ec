//! The image that runs Python scripts, as `cargo xtask python` left it on this machine. It knows no script and no node.

use etcetera::BaseStrategy;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Names an image that lies elsewhere than in this user's caches.
const VARIABLE: &str = "GROVE_PYTHON";
const FILE: &str = "grove/python.wasm";

/// An image on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub path: PathBuf,
    pub hash: [u8; 32],
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("this user has no folder for caches: {0}")]
    NoCaches(String),
    #[error("there is no Python on this machine ({}: {source})", path.display())]
    Missing { path: PathBuf, source: io::Error },
}

/// The image of this machine. Its 37 MB are read only when they are not those of the last time.
pub fn image() -> Result<Image, ImageError> {
    let path = path()?;
    let hash = hash(&path).map_err(|source| ImageError::Missing { path: path.clone(), source })?;
    Ok(Image { path, hash })
}

fn path() -> Result<PathBuf, ImageError> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Ok(named.into());
    }
    let places = etcetera::choose_base_strategy().map_err(|error| ImageError::NoCaches(error.to_string()))?;
    Ok(places.cache_dir().join(FILE))
}

fn hash(path: &Path) -> io::Result<[u8; 32]> {
    let file = File::open(path)?;
    let (about, note) = (file.metadata()?, note(path));
    if let Some(known) = std::fs::read_to_string(&note).ok().and_then(|text| known(&text, &about)) {
        return Ok(known);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    let hash = hasher.finalize();
    // Where it cannot be kept, it is computed again the next time.
    let _ = std::fs::write(note, format!("{} {}\n", stamp(&about), hash.to_hex()));
    Ok(*hash.as_bytes())
}

/// Beside the image: what it hashes to, and when that was so.
fn note(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".blake3");
    name.into()
}

/// What changes whenever the file does.
fn stamp(about: &Metadata) -> String {
    let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{} {}", about.len(), changed.as_nanos())
}

fn known(text: &str, about: &Metadata) -> Option<[u8; 32]> {
    let (stamped, hash) = text.trim_end().rsplit_once(' ')?;
    (stamped == stamp(about)).then_some(())?;
    Some(*blake3::Hash::from_hex(hash).ok()?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_changed_is_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("python.wasm");
        std::fs::write(&path, "one").unwrap();
        let first = hash(&path).unwrap();
        assert_eq!(first, *blake3::hash(b"one").as_bytes());
        let kept = std::fs::read_to_string(note(&path)).unwrap();
        let other = blake3::hash(b"other").to_hex();
        std::fs::write(note(&path), kept.replace(blake3::hash(b"one").to_hex().as_str(), &other)).unwrap();
        assert_eq!(hash(&path).unwrap(), *blake3::hash(b"other").as_bytes(), "it believed what it had noted");
        std::fs::write(&path, "three").unwrap();
        assert_eq!(hash(&path).unwrap(), *blake3::hash(b"three").as_bytes());
        std::fs::write(note(&path), "nonsense").unwrap();
        assert_eq!(hash(&path).unwrap(), *blake3::hash(b"three").as_bytes());
    }
}
