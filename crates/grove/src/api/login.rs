//! Logging in and out, and passwords.

use super::Api;
use super::error::Problem;
use super::guard::{By, Mine};
use super::passwords::{NotHeard, PASSWORD_LEAST, PASSWORD_MAX};
use super::sent::Short;
use crate::shape::{LogIn, LoggedIn, PasswordShape, Told, V};
use axum::Json;
use axum::http::StatusCode;
use grove_core::circle::Session;
use grove_core::id::{Digest, PersonId};
use grove_core::node::Change;
use grove_core::units::Millis;
use std::sync::Arc;

pub(super) const LOGIN: &str = "/v1/login";

/// Whoever does not come back for so long logs in again.
const SESSION: Millis = Millis(30 * 24 * 3_600_000);
const TOKEN_BYTES: usize = 32;

pub(super) async fn log_in(Mine(api): Mine, Short(sent): Short<LogIn>) -> Result<Json<LoggedIn>, Problem> {
    let circle = api.door.roll().now();
    let known = circle.person_named(&sent.name).map(|(id, person)| (id, Arc::clone(&person.password)));
    let person = known.as_ref().map(|(id, _)| *id);
    let right = is_right(&api, &sent.name, sent.password, known.map(|(_, hash)| hash)).await?;
    let Some(person) = person.filter(|_| right) else {
        return Err(wrong());
    };
    let mut chance = [0; TOKEN_BYTES];
    getrandom::fill(&mut chance).map_err(|error| Problem::internal("no chance", &error))?;
    let token: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
    let expires = super::guard::now().plus(SESSION);
    let hash = Digest(*blake3::hash(token.as_bytes()).as_bytes());
    api.change(Change::LogIn { token: hash, whole: Session { person, expires } }).await?;
    Ok(Json(LoggedIn { v: V, person: name_of(&api, person), token, expires_ms: expires.0 }))
}

async fn is_right(api: &Api, name: &str, password: String, hash: Option<Arc<str>>) -> Result<bool, Problem> {
    if password.len() > PASSWORD_MAX {
        return Ok(false);
    }
    api.passwords.is_right(name, api.from, password, hash).await.map_err(not_heard)
}

pub(super) fn name_of(api: &Api, person: PersonId) -> String {
    let circle = api.door.roll().now();
    circle.people.get(&person).map_or_else(|| "the owner".to_owned(), |person| person.name.to_string())
}

pub(super) async fn log_out(Mine(api): Mine) -> Result<Json<Told>, Problem> {
    if let By::Session(token) = api.who.by {
        api.change(Change::LogOut { token }).await?;
    }
    Ok(Json(Told::new("logged out")))
}

/// A new password. Who is logged in with the old one says it once more; a machine's key is proof enough.
pub(super) async fn password(Mine(api): Mine, Short(sent): Short<PasswordShape>) -> Result<Json<Told>, Problem> {
    if !(PASSWORD_LEAST..=PASSWORD_MAX).contains(&sent.new.len()) {
        let message = format!("a password has between {PASSWORD_LEAST} and {PASSWORD_MAX} bytes");
        return Err(Problem::bad("wrong_password", message).hint("several words are easy to keep in mind"));
    }
    api.speaks_for_the_account()?;
    let circle = api.door.roll().now();
    let person = circle.person(api.who.person).ok_or_else(no_account)?;
    if matches!(api.who.by, By::Session(_)) {
        let hash = Some(Arc::clone(&person.password));
        if !is_right(&api, &person.name, sent.old.unwrap_or_default(), hash).await? {
            return Err(wrong());
        }
    }
    let hash = api.passwords.hash(sent.new).await.map_err(not_heard)?;
    if hash.is_empty() {
        return Err(Problem::internal("a password was not kept", &"it cannot be hashed"));
    }
    api.change(Change::Password { person: api.who.person, hash: hash.into() }).await?;
    Ok(Json(Told::new("the password is changed; whoever was logged in with the old one is logged out")))
}

pub(super) fn no_account() -> Problem {
    Problem::new(StatusCode::CONFLICT, "no_account", "there are no accounts here yet")
        .hint("start the hub once with `grove up --admin NAME`")
}

/// The same whether there is such an account or not.
fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "wrong_password", "the name or the password is wrong")
        .hint("`grove password` on a machine that has joined sets a new one")
}

fn not_heard(why: NotHeard) -> Problem {
    match why {
        NotHeard::Busy => Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", "too many log in just now")
            .hint("try again in a moment"),
        NotHeard::Wait { secs } => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "slow_down", "there were too many wrong guesses")
                .hint(format!("try again in {secs} s, or from a machine that has joined, whose key lets it in"))
        }
    }
}
