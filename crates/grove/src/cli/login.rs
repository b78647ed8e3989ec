//! `grove login`, `grove logout` and `grove password`: an account from whatever machine. Passwords come from standard
//! input, never from the command line, which others on the machine can read.

#[cfg_attr(unix, path = "login/system_unix.rs")]
#[cfg_attr(not(unix), path = "login/system_other.rs")]
mod system;

use super::hub::{Hub, Way};
use super::{Exit, Failure, Place, say};
use crate::config::Session;
use crate::shape::{LogIn as Wish, LoggedIn, Me, PasswordShape, Told, V};
use clap::Args;
use std::io::{BufRead, IsTerminal, Read};

/// A password is a line; whatever is longer is something else.
const LINE_MAX: u64 = 1_024;

#[derive(Debug, Args)]
pub struct LogIn {
    /// The account's name
    #[arg(value_name = "NAME")]
    name: String,
}

impl LogIn {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        let hub = Hub::at(&Way::find(&place.settings()?)?, &home, None)?;
        let wish = Wish { name: self.name.clone(), password: secret("password: ")? };
        let told: LoggedIn = hub.post("/v1/login", &wish)?;
        home.keep_session(&Session { v: V, person: told.person.clone(), token: told.token })?;
        say::talk(&format!("logged in as {}; `grove logout` ends it", told.person));
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub struct LogOut {}

impl LogOut {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        if home.session()?.is_none() {
            return Err(Failure::usage("nobody is logged in here").into());
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
