//! Passwords: hashed slowly, a few at a time, and guessed more slowly still.
//!
//! Whoever guesses wrong waits longer each time, by account and by where the guess came from, so that an owner
//! elsewhere is not locked out by somebody else's guesses. A machine's key gets in whatever happens here.

use crate::doorstep::network;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use grove_core::limits;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Memory of one hash, passes over it, and lanes: what OWASP advises, some tens of milliseconds of one core.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// Hashes that are made at one time, so that logins take one core at the most of a small machine.
const AT_ONCE: usize = 2;
/// ... and logins that are heard at one time, those that wait for it included; more are turned away.
const HEARD_MAX: usize = 16;
/// Passwords are words; what is longer is an attempt to keep the hasher busy.
pub(super) const PASSWORD_MAX: usize = 256;
/// A person chooses no fewer letters.
pub(super) const PASSWORD_LEAST: usize = 8;
/// Accounts and places of which wrong guesses are remembered.
const REMEMBERED_MAX: usize = 10_000;
/// After the first wrong guesses, which are typing errors, each one doubles the wait.
const FREE_GUESSES: u32 = 3;
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MOST: Duration = Duration::from_secs(15 * 60);
/// Wrong guesses at one account from everywhere together, in the time after which they are forgotten.
const GUESSES_MAX: u32 = 100;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

/// Why a password was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotHeard {
    /// Too many log in just now.
    Busy,
    /// There were too many wrong guesses.
    Wait { secs: u64 },
}

/// Where nobody knows where a guess comes from.
const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// Where guesses come from: an account's name in any spelling, and the network if only that place is meant.
type Place = (String, Option<IpAddr>);

#[derive(Debug, Clone, Default)]
pub(super) struct Passwords(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    hashing: Semaphore,
    heard: Semaphore,
    guesses: Mutex<BTreeMap<Place, Guesses>>,
}

impl Default for Inner {
    fn default() -> Inner {
        Inner { hashing: Semaphore::new(AT_ONCE), heard: Semaphore::new(HEARD_MAX), guesses: Mutex::default() }
    }
}

/// Wrong guesses at one account from one place, or from all of them.
#[derive(Debug, Clone, Copy)]
struct Guesses {
    wrong: u32,
    last: Instant,
}

impl Passwords {
    /// The hash of a new password.
    pub(super) async fn hash(&self, password: String) -> Result<String, NotHeard> {
        self.hashed(move || salted(&password).unwrap_or_default()).await
    }

    /// Whether this is the password of that hash. Where there is no such account it takes as long.
    pub(super) async fn is_right(
        &self,
        name: &str,
        from: Option<IpAddr>,
        password: String,
        hash: Option<Arc<str>>,
    ) -> Result<bool, NotHeard> {
        let places = places(name, from);
        self.may_guess(&places)?;
        let right = self
            .hashed(move || {
                let Some(slow) = slow() else { return false };
                match hash.filter(|hash| !hash.is_empty()) {
                    Some(hash) => slow.verify_password(password.as_bytes(), &*hash).is_ok(),
                    None => salted(&password).is_none(),
                }
            })
            .await?;
        self.note(&places, right);
        Ok(right)
    }

    async fn hashed<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NotHeard> {
        let _heard = self.0.heard.try_acquire().map_err(|_| NotHeard::Busy)?;
        let _turn = self.0.hashing.acquire().await.map_err(|_| NotHeard::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| NotHeard::Busy)
    }

    fn may_guess(&self, places: &[Place; 2]) -> Result<(), NotHeard> {
        let guesses = self.lock();
        let [here, everywhere] = places.each_ref().map(|place| guesses.get(place).copied());
        let patience = here.map_or(Duration::ZERO, |here| wait_after(here.wrong).saturating_sub(here.last.elapsed()));
        let too_many = everywhere.filter(|all| all.wrong >= GUESSES_MAX);
        let patience =
            patience.max(too_many.map_or(Duration::ZERO, |all| FORGOTTEN_AFTER.saturating_sub(all.last.elapsed())));
        if patience.is_zero() { Ok(()) } else { Err(NotHeard::Wait { secs: patience.as_secs() + 1 }) }
    }

    fn note(&self, places: &[Place; 2], right: bool) {
        let mut guesses = self.lock();
        if right {
            guesses.remove(&places[0]);
            return;
        }
        if guesses.len() + 2 > REMEMBERED_MAX {
            guesses.retain(|_, one| one.last.elapsed() < FORGOTTEN_AFTER);
        }
        while guesses.len() + 2 > REMEMBERED_MAX {
            // Whoever fills this cannot make it forget what was guessed a moment ago.
            let oldest = guesses.iter().min_by_key(|(_, one)| one.last).map(|(place, _)| place.clone());
            oldest.and_then(|place| guesses.remove(&place));
        }
        for place in places {
            let one = guesses.entry(place.clone()).or_insert_with(|| Guesses { wrong: 0, last: Instant::now() });
            let wrong = if one.last.elapsed() > FORGOTTEN_AFTER { 0 } else { one.wrong };
            *one = Guesses { wrong: wrong + 1, last: Instant::now() };
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, Guesses>> {
        self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait_after(wrong: u32) -> Duration {
    match wrong.checked_sub(FREE_GUESSES) {
        None => Duration::ZERO,
        Some(more) => WAIT_FIRST.saturating_mul(1 << more.min(16)).min(WAIT_MOST),
    }
}

fn places(name: &str, from: Option<IpAddr>) -> [Place; 2] {
    // No account has a longer name: they all are one that is guessed at.
    let name = if name.len() > limits::NAME_MAX { String::new() } else { name.to_lowercase() };
    [(name.clone(), Some(network(from.unwrap_or(NOWHERE)))), (name, None)]
}

/// In the form that everybody reads, with a salt of its own.
fn salted(password: &str) -> Option<String> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).ok()?;
    let hash = slow()?.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

fn slow() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let passwords = Passwords::default();
        let hash: Arc<str> = passwords.hash("correct horse".to_owned()).await.unwrap().into();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check = |word: &str, hash| {
            let (passwords, word) = (passwords.clone(), word.to_owned());
            async move { passwords.is_right("Ann", None, word, hash).await }
        };
        assert_eq!(check("correct horse", Some(Arc::clone(&hash))).await, Ok(true));
        assert_eq!(check("correct  horse", Some(hash)).await, Ok(false));
        assert_eq!(check("", None).await, Ok(false), "no such account");
        assert_eq!(check("", Some("".into())).await, Ok(false), "no password was set");
    }

    #[test]
    fn guessing_slows_whoever_guesses_and_not_the_owner_elsewhere() {
        let passwords = Passwords::default();
        let [thief, owner] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|ip| places("Ann", Some(IpAddr::from(ip))));
        (0..FREE_GUESSES).for_each(|_| passwords.note(&thief, false));
        let more = (0..4).map(|_| {
            passwords.note(&thief, false);
            passwords.may_guess(&thief)
        });
        let waits: Vec<_> = more.collect();
        assert_eq!(waits, [2, 4, 8, 16].map(|secs| Err(NotHeard::Wait { secs })));
        assert_eq!(passwords.may_guess(&owner), Ok(()));
        (0..GUESSES_MAX).for_each(|n| passwords.note(&places("ANN", Some(IpAddr::from(n.to_be_bytes()))), false));
        assert!(passwords.may_guess(&owner).is_err(), "only a machine's key comes in for a while");
    }

    #[test]
    fn what_is_remembered_of_guesses_is_bounded() {
        let passwords = Passwords::default();
        (0..REMEMBERED_MAX).for_each(|n| passwords.note(&places(&format!("nobody {n}"), None), false));
        assert!(passwords.lock().len() <= REMEMBERED_MAX);
    }
}
