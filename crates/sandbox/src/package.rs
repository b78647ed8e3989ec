//! What a script travels in: its own files, the name of the interpreter's image, and what the script can do. A package
//! is given wherever a module is; it is told apart by its first bytes.

use serde::{Deserialize, Serialize};

use crate::limits::{PACKAGE_FILES_MAX, TOOL_BYTES_MAX};
use crate::part::Bytes;

/// How a package begins; the image's hash follows.
const MAGIC: &[u8; 8] = b"\0grvpkg1";
/// Up to where it says which image it needs.
pub const HEAD_BYTES: usize = MAGIC.len() + 32;

/// A script with all that it brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The interpreter, by the hash of its image.
    pub image: [u8; 32],
    /// What is to be done, in the interpreter's own words: its first argument.
    pub head: String,
    /// What the script can do besides running.
    pub abilities: Vec<String>,
    /// Files below `/job`.
    pub files: Vec<(String, Bytes)>,
}

/// Why some bytes are not a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPackage {
    /// It breaks off, or was made by another version.
    #[error("the script's package is damaged\nhint: run it again with the same version of grove as the hub's")]
    Damaged,
    /// More than the limit.
    #[error("the script's package has {0} files, the limit is {PACKAGE_FILES_MAX}\nhint: bring along less with --with")]
    TooManyFiles(usize),
    /// More than the limit.
    #[error("the script's package has {0} bytes, the limit is {TOOL_BYTES_MAX}\nhint: bring along less with --with")]
    TooLarge(usize),
}

#[derive(Serialize, Deserialize)]
struct Body {
    head: String,
    abilities: Vec<String>,
    files: Vec<(String, Bytes)>,
}

impl Package {
    /// Whether these are the first bytes of a package.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// The image that the package beginning with these bytes needs; `HEAD_BYTES` of them are enough.
    #[must_use]
    pub fn image_of(bytes: &[u8]) -> Option<[u8; 32]> {
        bytes.strip_prefix(MAGIC)?.first_chunk().copied()
    }

    /// Reads a package.
    ///
    /// # Errors
    /// When it is none, or beyond the limits.
    pub fn read(bytes: &[u8]) -> Result<Package, BadPackage> {
        if bytes.len() > TOOL_BYTES_MAX {
            return Err(BadPackage::TooLarge(bytes.len()));
        }
        let image = Package::image_of(bytes).ok_or(BadPackage::Damaged)?;
        let body = postcard::from_bytes(&bytes[HEAD_BYTES..]).map_err(|_| BadPackage::Damaged)?;
        let Body { head, abilities, files } = body;
        if files.len() > PACKAGE_FILES_MAX {
            return Err(BadPackage::TooManyFiles(files.len()));
        }
        Ok(Package { image, head, abilities, files })
    }

    /// The package as bytes; equal packages are equal bytes.
    ///
    /// # Errors
    /// When it is beyond the limits.
    pub fn write(self) -> Result<Vec<u8>, BadPackage> {
        if self.files.len() > PACKAGE_FILES_MAX {
            return Err(BadPackage::TooManyFiles(self.files.len()));
        }
        let Package { image, head, abilities, mut files } = self;
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let begun = [&MAGIC[..], &image[..]].concat();
        let bytes = postcard::to_extend(&Body { head, abilities, files }, begun).map_err(|_| BadPackage::Damaged)?;
        if bytes.len() > TOOL_BYTES_MAX { Err(BadPackage::TooLarge(bytes.len())) } else { Ok(bytes) }
    }
}
