//! The folder of this machine's node: where its token lies and how its hub is found. Only its owner may look inside.
//!
//! It does not know the store, which has its own business in the same folder.

use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Bytes of chance in a token: nobody guesses 256 bits.
const TOKEN_BYTES: usize = 32;
/// Both files are a line or two; whatever is longer is something else.
const FILE_BYTES_MAX: u64 = 4_096;

/// The folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

/// How the running hub is reached, for whoever may read this folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hub {
    pub v: u32,
    /// The people's API.
    pub api: SocketAddr,
    /// Where other nodes are heard.
    pub link: SocketAddr,
    pub pid: u32,
}

/// What can go wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("cannot {doing} {}: {source}\nhint: check the folder and its rights, or choose another with --home", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("no hub has been started here: {} is missing\nhint: start one with `grove up`, or name one with --hub", path.display())]
    NoHub { path: PathBuf },
    #[error("there is no token in {}\nhint: start a hub with `grove up`, or copy the token of yours there", path.display())]
    NoToken { path: PathBuf },
    #[error("{} is not what Grove writes there\nhint: remove it and start the hub again", path.display())]
    Damaged { path: PathBuf },
    #[error("others may read {}\nhint: chmod 600 {}", path.display(), path.display())]
    TokenIsOpen { path: PathBuf },
    #[error("the system gives no randomness: {source}")]
    NoChance { source: getrandom::Error },
}

impl Home {
    pub fn at(path: PathBuf) -> Home {
        Home { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the owner-only token lies.
    pub fn token_path(&self) -> PathBuf {
        self.path.join("token")
    }

    pub fn hub_path(&self) -> PathBuf {
        self.path.join("hub.json")
    }

    /// Creates the folder, closed to others.
    pub fn create(&self) -> Result<(), HomeError> {
        private_folder(&self.path).map_err(io_error("create", &self.path))
    }

    /// The token that opens this node.
    pub fn token(&self) -> Result<String, HomeError> {
        let path = self.token_path();
        match is_private(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(HomeError::NoToken { path }),
            Err(source) => {
                return Err(HomeError::Io { doing: "look at", path, source });
            }
            Ok(false) => return Err(HomeError::TokenIsOpen { path }),
            Ok(true) => {}
        }
        let text = read_short(&path).map_err(io_error("read", &path))?;
        let token = text.trim();
        let sound = token.len() == 2 * TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        if sound { Ok(token.to_owned()) } else { Err(HomeError::Damaged { path }) }
    }

    /// The token that opens this node, made now if there is none.
    pub fn token_or_new(&self) -> Result<String, HomeError> {
        match self.token() {
            Err(HomeError::NoToken { .. }) => {}
            other => return other,
        }
        let mut chance = [0; TOKEN_BYTES];
        getrandom::fill(&mut chance).map_err(|source| HomeError::NoChance { source })?;
        let token: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
        self.create()?;
        self.replace(&self.token_path(), token.as_bytes())?;
        Ok(token)
    }

    /// The hub that was last started here. Whether it still runs is only known by asking it.
    pub fn hub(&self) -> Result<Hub, HomeError> {
        let path = self.hub_path();
        match read_short(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(HomeError::NoHub { path }),
            Err(source) => Err(HomeError::Io { doing: "read", path, source }),
            Ok(text) => serde_json::from_str(&text).map_err(|_| HomeError::Damaged { path }),
        }
    }

    /// Says where the hub of this folder is reached.
    pub fn announce(&self, hub: &Hub) -> Result<(), HomeError> {
        let text = serde_json::to_string(hub).map_err(|_| HomeError::Damaged { path: self.hub_path() })?;
        self.create()?;
        self.replace(&self.hub_path(), text.as_bytes())
    }

    /// The hub of this folder stops.
    pub fn withdraw(&self) -> Result<(), HomeError> {
        let path = self.hub_path();
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(HomeError::Io { doing: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    /// Whole or not at all: nobody reads half a token.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), HomeError> {
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let write = || {
            let mut file = private_file(&draft)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&draft, path)
        };
        write().map_err(io_error("write", path))
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HomeError {
    move |source| HomeError::Io { doing, path: path.to_owned(), source }
}

fn read_short(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg_attr(unix, path = "home/system_unix.rs")]
#[cfg_attr(not(unix), path = "home/system_other.rs")]
mod system;

use system::{is_private, private_file, private_folder};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("grove"));
        assert!(matches!(home.token(), Err(HomeError::NoToken { .. })));
        let token = home.token_or_new().unwrap();
        assert_eq!((token.len(), home.token_or_new().unwrap()), (64, token.clone()));
        assert_eq!(home.token().unwrap(), token);
        std::fs::write(home.token_path(), "short").unwrap();
        assert!(matches!(home.token(), Err(HomeError::Damaged { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        home.token_or_new().unwrap();
        std::fs::set_permissions(home.token_path(), std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = home.token().unwrap_err();
        assert!(matches!(error, HomeError::TokenIsOpen { .. }), "{error}");
    }

    #[test]
    fn a_hub_is_found_until_it_withdraws() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        assert!(matches!(home.hub(), Err(HomeError::NoHub { .. })));
        let hub = Hub { v: 1, api: ([127, 0, 0, 1], 1).into(), link: ([127, 0, 0, 1], 2).into(), pid: 3 };
        home.announce(&hub).unwrap();
        assert_eq!(home.hub().unwrap(), hub);
        home.withdraw().unwrap();
        home.withdraw().unwrap();
        assert!(matches!(home.hub(), Err(HomeError::NoHub { .. })));
    }
}
