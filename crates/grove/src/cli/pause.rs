//! `grove pause` and `grove resume`: nothing is lent from this folder for a while.

use super::{Exit, Failure, Place, say};
use crate::amount::{parse_millis, time_text};
use crate::owner::{self, Note, rules::Why};
use clap::Args;
use grove_core::units::Millis;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{Duration, Instant};

/// Less is over before anybody notices; more is for ever, which is said without a time.
const PAUSES: RangeInclusive<Millis> = Millis(1_000)..=Millis(366 * 86_400_000);
/// A lender that does nothing looks once a second.
const HEEDED_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub struct Pause {
    /// For how long, such as 2h; without it until `grove resume`
    #[arg(value_name = "TIME")]
    time: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Resume {}

impl Pause {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let time = self.time()?;
        let home = place.settings()?.home;
        home.create()?;
        let until = time.map(|time| owner::now().plus(time));
        owner::pause(home.path(), until).map_err(|error| Failure::caused(Exit::Error, &error))?;
        let long = time.map_or_else(|| "until `grove resume`".to_owned(), |time| format!("for {}", time_text(time)));
        let heeded = is_heeded(home.path(), true);
        say::talk(&match owner::notes(home.path()).len() {
            0 => format!("paused {long}; nothing is lent from here now anyway"),
            _ if heeded => format!("paused {long}: what ran here goes to others"),
            _ => format!("paused {long}: what runs here is still being given back; `grove why` says how far that is"),
        });
        Ok(Exit::Done)
    }

    fn time(&self) -> Result<Option<Millis>, Failure> {
        if self.time.is_empty() {
            return Ok(None);
        }
        let hint = "for instance 90min, 2h or 1d; without a time it lasts until `grove resume`";
        let wrong = |message: String| Failure::usage(message).hint(hint);
        let time = parse_millis(&self.time.join(" ")).map_err(|error| wrong(error.to_string()))?;
        if PAUSES.contains(&time) {
            return Ok(Some(time));
        }
        Err(wrong(format!(
            "a pause of {} cannot be: it is a second at the least, and a year at the most",
            time_text(time)
        )))
    }
}

impl Resume {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        let was = owner::resume(home.path()).map_err(|error| Failure::caused(Exit::Error, &error))?;
        is_heeded(home.path(), false);
        say::talk(match (was, owner::notes(home.path()).is_empty()) {
            (false, _) => "there was no pause; `grove why` says why nothing is lent",
            (true, true) => "the pause is over; `grove lend` lends this machine",
            (true, false) => "the pause is over; lending goes on as agreed",
        });
        Ok(Exit::Done)
    }
}

/// Waits until every lender of the folder pauses because that was asked for, or none does any more: whoever looks after
/// the command sees what it did.
fn is_heeded(home: &Path, asked: bool) -> bool {
    let begun = Instant::now();
    let pauses = |note: &Note| note.pause.as_ref().is_some_and(|pause| pause.why == Why::Asked);
    while !owner::notes(home).iter().all(|note| pauses(note) == asked) {
        if begun.elapsed() > HEEDED_WITHIN {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}
