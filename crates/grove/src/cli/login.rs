//! `grove login`, `grove logout` and `grove password`: an account from whatever machine. Passwords come from standard
//! input, never from the command line, which others on the machine can read.

#[cfg_attr(unix, path = "login/system_unix.rs")]
#[cfg_attr(not(unix), path = "login/system_other.rs")]
mod system;

use super::hub::{Hub, Way, answering, knock, nearby_with, tls};
use super::{Exit, Failure, Place, say};
use crate::address::Address;
use crate::config::{Known, Session, Settings};
use crate::device::{Pin, Speech};
use crate::invite::Invite;
use crate::shape::{LogIn as Wish, LoggedIn, Me, PasswordShape, Told, V};
use crate::words::Words;
use clap::Args;
use grove_core::id::Digest;
use std::io::{BufRead, IsTerminal, Read};

/// A password is a line; whatever is longer is something else.
const LINE_MAX: u64 = 1_024;

#[derive(Debug, Args)]
pub struct LogIn {
    /// The account's name
    #[arg(value_name = "NAME")]
    name: String,
    /// The key of a hub that this machine has not joined: its six words, its fingerprint, or an invitation
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl LogIn {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let settings = place.settings()?;
        let home = &settings.home;
        let known = self.key.as_deref().map(|key| meet(key, &settings)).transpose()?;
        let way = match &known {
            Some(known) => Way::known(known)?,
            None => Way::find(&settings).map_err(unknown)?,
        };
        let hub = Hub::at(&way, home, None)?;
        let wish = Wish { name: self.name.clone(), password: secret("password: ")? };
        let told: LoggedIn = hub.post("/v1/login", &wish)?;
        home.keep_session(&Session { v: V, person: told.person.clone(), token: told.token, hub: known })?;
        say::talk(&format!(
            "logged in as {} at {}\n\
             next:  grove run tool.wasm {{}} ::: a b c   run a tool on three inputs\n\
             \x20      grove invite --own               an invitation for this machine, to lend it too\n\
             \x20      grove logout                     end it",
            told.person, way.api
        ));
        Ok(Exit::Done)
    }
}

fn unknown(failure: Failure) -> Failure {
    match failure.exit {
        Exit::Unreachable => failure.hint(
            "on a machine that has not joined, say which hub it is: `grove login NAME --hub ADDRESS --key WORDS`; \
             `grove status` on one that has shows both",
        ),
        _ => failure,
    }
}

/// The hub of that key, before anything else is said to it: only whoever has the key gets the password.
fn meet(key: &str, settings: &Settings) -> Result<Known, Failure> {
    let home = &settings.home;
    if home.hub().is_ok() || home.joined().is_ok() {
        return Err(Failure::usage("this folder knows its hub already").hint("leave --key out, or use another --home"));
    }
    let (pin, mut places) = pinned(key)?;
    if let Some(named) = &settings.hub {
        places = vec![named.parse().map_err(|error| Failure::caused(Exit::Usage, &error))?];
    }
    let (api, at) = match &places[..] {
        [] => nearby_with(pin).map(|at| (Address::Ip(at), at))?,
        some => answering(some)?,
    };
    home.create().map_err(|error| Failure::caused(Exit::Error, &error))?;
    let key = knock(at, tls(home, Speech::People, pin)?).map_err(|error| Failure::caused(Exit::Unreachable, &error))?;
    Ok(Known { key: key.to_string(), api })
}

/// By what a key is known that somebody has said, and where the hub is, if that was said too.
fn pinned(key: &str) -> Result<(Pin, Vec<Address>), Failure> {
    if let Ok(invite) = key.parse::<Invite>() {
        return Ok((Pin::Key(invite.key), invite.api));
    }
    if let Ok(hash) = blake3::Hash::from_hex(key.trim()) {
        return Ok((Pin::Key(Digest(*hash.as_bytes())), Vec::new()));
    }
    let words: Words = key.parse().map_err(|error| Failure::caused(Exit::Usage, &error))?;
    Ok((Pin::Words(words), Vec::new()))
}

#[derive(Debug, Args)]
pub struct LogOut {}

impl LogOut {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        if home.session()?.is_none() {
            return Err(Failure::usage("nobody is logged in here").hint("`grove login NAME` does that").into());
        }
        let told = Hub::find(place).and_then(|hub| hub.post::<Told>("/v1/logout", &serde_json::json!({})));
        home.remove(&home.session_path())?;
        match told {
            Ok(_) => say::talk("logged out"),
            // It was over before.
            Err(failure) if failure.exit == Exit::NotAuthorised => say::talk("logged out"),
            Err(failure) => say::talk(&format!("logged out here; the hub was not told: {}", failure.message)),
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub struct Password {}

impl Password {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let me: Me = hub.get("/v1/me")?;
        let old = if me.by == "session" { Some(secret("the password so far: ")?) } else { None };
        let new = secret(&format!("new password of {}: ", me.person))?;
        if std::io::stdin().is_terminal() && secret("once more: ")? != new {
            return Err(Failure::usage("the two are not the same").into());
        }
        let told: Told = hub.post("/v1/password", &PasswordShape { old, new })?;
        if me.by == "session" {
            let home = place.settings()?.home;
            home.remove(&home.session_path())?;
        }
        say::talk(&told.text);
        Ok(Exit::Done)
    }
}

/// One line of standard input, which a terminal does not show.
fn secret(question: &str) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let asks = stdin.is_terminal();
    if asks {
        eprint!("{}", say::safe(question));
    }
    let hidden = if asks { Some(system::Hidden::begin()?) } else { None };
    let mut line = String::new();
    stdin.lock().take(LINE_MAX).read_line(&mut line)?;
    if hidden.is_some() {
        drop(hidden);
        say::talk("");
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
