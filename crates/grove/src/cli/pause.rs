//! `grove pause` and `grove resume`: nothing is lent from this folder for a while.

use super::{Exit, Failure, Place, say};
use crate::amount::{parse_millis, time_text};
use crate::owner;
use clap::Args;
use grove_core::units::Millis;

#[derive(Debug, Args)]
pub struct Pause {
    /// For how long, such as 2h; without it until `grove resume`
    #[arg(value_name = "TIME", value_parser = parse_millis)]
    time: Option<Millis>,
}

#[derive(Debug, Args)]
pub struct Resume {}

impl Pause {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        home.create()?;
        let until = self.time.map(|time| owner::now().plus(time));
        owner::pause(home.path(), until).map_err(|error| Failure::caused(Exit::Error, &error))?;
        let long =
            self.time.map_or_else(|| "until `grove resume`".to_owned(), |time| format!("for {}", time_text(time)));
        say::talk(&match owner::notes(home.path()).len() {
            0 => format!("paused {long}; nothing is lent from here now anyway"),
            _ => format!("paused {long}: what ran here goes to others"),
        });
        Ok(Exit::Done)
    }
}

impl Resume {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        let was = owner::resume(home.path()).map_err(|error| Failure::caused(Exit::Error, &error))?;
        say::talk(match (was, owner::notes(home.path()).is_empty()) {
            (false, _) => "there was no pause; `grove why` says why nothing is lent",
            (true, true) => "the pause is over; `grove lend` lends this machine",
            (true, false) => "the pause is over; lending goes on as agreed",
        });
        Ok(Exit::Done)
    }
}
