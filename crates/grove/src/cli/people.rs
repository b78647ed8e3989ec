//! `grove people`, `grove machines`, `grove revoke` and `grove pay`: who belongs, with what, and who does not any more.

use super::hub::Hub;
use super::invite::words;
use super::{Exit, Failure, Place, say};
use crate::amount::{bytes_text, credits_text, parse_credits};
use crate::shape::{Big, MachineShape, Machines as MachineList, PayShape, People as PersonList, RevokeShape, Told};
use clap::Args;

#[derive(Debug, Args)]
pub struct People {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl People {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let list: PersonList = Hub::find(place)?.get("/v1/people")?;
        if self.json {
            say::json(&list)?;
            return Ok(Exit::Done);
        }
        if list.people.is_empty() {
            say::talk("nobody yet: `grove up --admin NAME` makes the first account");
        }
        for person in &list.people {
            let out = if person.revoked { "  revoked" } else { "" };
            let machines = say::many(person.machines, "machine");
            let credits = credits_text(i128::from(person.available.0));
            let jobs = format!("{} of {} jobs", person.jobs, person.jobs_most);
            let kept = format!("{} of {} kept", bytes_text(person.bytes), bytes_text(person.bytes_most));
            let what = format!(
                "{:<20} {:<14} {machines}  {credits} credits  {jobs}  {kept}",
                person.name,
                words(person.roles)
            );
            say::line(&format!("{what}{out}"))?;
        }
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub struct Machines {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Machines {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let list: MachineList = Hub::find(place)?.get("/v1/machines")?;
        if self.json {
            say::json(&list)?;
            return Ok(Exit::Done);
        }
        if list.machines.is_empty() {
            say::talk("no machine has joined yet: `grove invite` lets one in");
        }
        list.machines.iter().try_for_each(|machine| say::line(&line(machine)))?;
        Ok(Exit::Done)
    }
}

fn line(machine: &MachineShape) -> String {
    let state = match (machine.revoked, machine.lenders) {
        (true, _) => "revoked".to_owned(),
        (false, 0) => "does not lend now".to_owned(),
        (false, _) => format!("lends {}", say::many(machine.slots, "slot")),
    };
    format!("{}  {:<20} of {:<14} {:<14} {state}", machine.key, machine.name, machine.person, words(machine.roles))
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// A person, a machine (by name or the beginning of its fingerprint) or an invitation
    #[arg(value_name = "WHAT")]
    what: String,
}

impl Revoke {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let told: Told = Hub::find(place)?.post("/v1/revoke", &RevokeShape { what: self.what.clone() })?;
        say::talk(&told.text);
        Ok(Exit::Done)
    }
}

#[derive(Debug, Args)]
pub struct Pay {
    /// Somebody by name
    #[arg(value_name = "NAME")]
    to: String,
    /// How much they get of what you have
    #[arg(value_name = "CREDITS")]
    amount: String,
}

impl Pay {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let amount = parse_credits(&self.amount).map_err(|error| Failure::caused(Exit::Usage, &error))?;
        let wish = PayShape { to: self.to.clone(), amount: Big(amount.0) };
        let told: Told = Hub::find(place)?.post("/v1/pay", &wish)?;
        say::talk(&told.text);
        Ok(Exit::Done)
    }
}
