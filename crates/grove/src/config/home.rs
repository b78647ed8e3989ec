//! The folder of this machine's node: where its token lies and how its hub is found. Only its owner may look inside.
//!
//! It does not know the store, which has its own business in the same folder.

use super::group::{Group, Neighbours};
use crate::address::Address;
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
    /// The fingerprint of the key that answers there, where TLS is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The hub that this machine has joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    pub v: u32,
    /// The fingerprint of its key.
    pub key: String,
    /// Where its API answers, the best first.
    pub api: Vec<Address>,
    /// The port on which it hears nodes.
    pub link_port: u16,
    /// Whose machine this is there.
    pub person: String,
}

/// A login with a password at the hub that this folder names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub v: u32,
    pub person: String,
    pub token: String,
    /// Whose token this is, where the folder itself names no hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<Known>,
}

/// A hub that is known by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The fingerprint of its key.
    pub key: String,
    pub api: Address,
}

/// What can go wrong with the folder.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("cannot {doing} {}: {source}\nhint: check the folder and its rights, or choose another with --home", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("no hub has been started here: {} is missing\nhint: start one with `grove up`, come into one with `grove join`, or name one with --hub", path.display())]
    NoHub { path: PathBuf },
    #[error("there is no token in {}\nhint: start a hub with `grove up`, or copy the token of yours there", path.display())]
    NoToken { path: PathBuf },
    #[error("{} is not what Grove writes there\nhint: remove it and start the hub again", path.display())]
    Damaged { path: PathBuf },
    #[error("others may read {}\nhint: chmod 600 {}", path.display(), path.display())]
    TokenIsOpen { path: PathBuf },
    #[error("this machine has joined no hub: {} is missing\nhint: ask for an invitation, then `grove join <invitation>`", path.display())]
    NotJoined { path: PathBuf },
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
        let Some(token) = self.secret(path.clone())? else { return Err(HomeError::NoToken { path }) };
        let sound = token.len() == 2 * TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        if sound { Ok(token) } else { Err(HomeError::Damaged { path }) }
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
        self.keep(&self.hub_path(), hub)
    }

    /// The hub of this folder stops.
    pub fn withdraw(&self) -> Result<(), HomeError> {
        self.remove(&self.hub_path())
    }

    /// Compiled tools: all nodes of one home share them, so that each tool is compiled once.
    pub fn cache_path(&self) -> PathBuf {
        self.path.join("cache")
    }

    pub fn key_path(&self) -> PathBuf {
        self.path.join("device.key")
    }

    pub fn joined_path(&self) -> PathBuf {
        self.path.join("joined.json")
    }

    pub fn session_path(&self) -> PathBuf {
        self.path.join("session.json")
    }

    /// This machine's key as it was written down.
    pub fn key(&self) -> Result<Option<String>, HomeError> {
        self.secret(self.key_path())
    }

    /// Keeps a new key, and says which one counts.
    pub fn keep_key(&self, written: &str) -> Result<String, HomeError> {
        self.create()?;
        self.replace(&self.key_path(), written.as_bytes())?;
        Ok(written.to_owned())
    }

    /// The hub that this machine has joined.
    pub fn joined(&self) -> Result<Joined, HomeError> {
        let path = self.joined_path();
        match self.secret(path.clone())? {
            Some(text) => serde_json::from_str(&text).map_err(|_| HomeError::Damaged { path }),
            None => Err(HomeError::NotJoined { path }),
        }
    }

    pub fn keep_joined(&self, joined: &Joined) -> Result<(), HomeError> {
        self.keep(&self.joined_path(), joined)
    }

    /// The login that holds here, if somebody has logged in.
    pub fn session(&self) -> Result<Option<Session>, HomeError> {
        let path = self.session_path();
        let text = self.secret(path.clone())?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| HomeError::Damaged { path })).transpose()
    }

    pub fn keep_session(&self, session: &Session) -> Result<(), HomeError> {
        self.keep(&self.session_path(), session)
    }

    /// Where a node that meets free peers has its own books, token and key, apart from those of hub and circle.
    #[must_use]
    pub fn of_peers(&self) -> Home {
        Home { path: self.path.join("peer") }
    }

    /// The group of peers of this folder, if it has one.
    pub fn group(&self) -> Result<Option<Group>, HomeError> {
        let path = self.path.join("group.json");
        let text = self.secret(path.clone())?;
        text.map(|text| serde_json::from_str(&text).map_err(|_| HomeError::Damaged { path })).transpose()
    }

    pub fn keep_group(&self, group: &Group) -> Result<(), HomeError> {
        self.keep(&self.path.join("group.json"), group)
    }

    /// The peers that were met in an earlier life.
    pub fn neighbours(&self) -> Result<Neighbours, HomeError> {
        let path = self.path.join("neighbours.json");
        let text = self.secret(path.clone())?;
        let read = text.map(|text| serde_json::from_str(&text).map_err(|_| HomeError::Damaged { path }));
        read.transpose().map(Option::unwrap_or_default)
    }

    pub fn keep_neighbours(&self, neighbours: &Neighbours) -> Result<(), HomeError> {
        self.keep(&self.path.join("neighbours.json"), neighbours)
    }

    /// Whether this is the first time that somebody is told this here; from now on it is not. Where nothing can be kept
    /// it is told again.
    pub fn is_first(&self, what: &str) -> bool {
        let path = self.path.join(format!("told-{what}"));
        // Only whoever makes the file is the first.
        match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) => error.kind() != io::ErrorKind::AlreadyExists,
            Ok(_) => true,
        }
    }

    /// Takes a file of this folder away, if it is there.
    pub fn remove(&self, path: &Path) -> Result<(), HomeError> {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(HomeError::Io { doing: "remove", path: path.to_owned(), source })
            }
            _ => Ok(()),
        }
    }

    /// Takes everything away: keys, books, blobs.
    pub fn purge(&self) -> Result<(), HomeError> {
        match std::fs::remove_dir_all(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(HomeError::Io { doing: "remove", path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }

    fn keep(&self, path: &Path, what: &impl Serialize) -> Result<(), HomeError> {
        let text = serde_json::to_string(what).map_err(|_| HomeError::Damaged { path: path.to_owned() })?;
        self.create()?;
        self.replace(path, text.as_bytes())
    }

    /// What a file says that is the owner's alone.
    fn secret(&self, path: PathBuf) -> Result<Option<String>, HomeError> {
        match is_private(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(HomeError::Io { doing: "look at", path, source }),
            Ok(false) => return Err(HomeError::TokenIsOpen { path }),
            Ok(true) => {}
        }
        let text = read_short(&path).map_err(io_error("read", &path))?;
        Ok(Some(text.trim().to_owned()))
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
        let hub = Hub { v: 1, api: ([127, 0, 0, 1], 1).into(), link: ([127, 0, 0, 1], 2).into(), pid: 3, key: None };
        home.announce(&hub).unwrap();
        assert_eq!(home.hub().unwrap(), hub);
        home.withdraw().unwrap();
        home.withdraw().unwrap();
        assert!(matches!(home.hub(), Err(HomeError::NoHub { .. })));
    }
}
