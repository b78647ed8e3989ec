//! `grove invite`: one word that lets another machine, or somebody else, into the circle.

use super::hub::Hub;
use super::{Exit, Failure, Place, say, terminal};
use crate::address::Address;
use crate::amount::{parse_credits, parse_millis};
use crate::invite::Invite as Word;
use crate::shape::{Big, Invitations, Invite as Wish, InvitedShape, RolesShape};
use clap::Args;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use std::io::IsTerminal;

#[derive(Debug, Args)]
pub struct Invite {
    /// What whoever comes in may do: lend, run, admin
    #[arg(long, value_name = "ROLES", default_value = "lend,run")]
    role: String,
    /// How many it lets in
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u32,
    /// How long it holds
    #[arg(long, value_name = "TIME", default_value = "7d")]
    expires: String,
    /// For another machine of your own; its credits are yours
    #[arg(long)]
    own: bool,
    /// Leave out where the hub is: whoever joins must be on the same local network
    #[arg(long)]
    nearby: bool,
    /// Credits that a new account begins with
    #[arg(long, value_name = "CREDITS", conflicts_with = "own")]
    grant: Option<String>,
    /// List the invitations that are open
    #[arg(long)]
    list: bool,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Invite {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        if self.list {
            return list(&hub, self.json);
        }
        let (roles, lasts) = (roles(&self.role)?, parse_millis(&self.expires).map_err(wrong("--expires"))?);
        let grant = self.grant.as_deref().map(parse_credits).transpose().map_err(wrong("--grant"))?;
        let grant = grant.map(|grant| Big(grant.0));
        let wish = Wish { roles, uses: self.uses, lasts_ms: lasts.0, own: self.own, nearby: self.nearby, grant };
        let invited: InvitedShape = hub.post("/v1/invitations", &wish)?;
        if self.json {
            say::json(&invited)?;
            return Ok(Exit::Done);
        }
        let line = format!("grove join {}", invited.invitation);
        // Letters of one height make a smaller picture.
        let drawn = QrCode::new(invited.invitation.to_uppercase()).ok().filter(|_| std::io::stderr().is_terminal());
        if let Some(code) = drawn {
            // With four empty columns on both sides; broken lines are no picture.
            let wide = code.width() + 8;
            match terminal::columns(std::io::stderr()) {
                Some(columns) if columns < wide => {
                    say::talk(&format!("(a terminal of {wide} columns shows it as a QR code, too)"))
                }
                _ => say::talk(&code.render::<Dense1x2>().build()),
            }
        }
        say::line(&line)?;
        if !self.nearby && invited.invitation.parse().is_ok_and(|word: Word| word.api.iter().all(Address::is_here)) {
            say::talk("it lets in other folders (--home) of this machine only: the hub is heard nowhere else");
        }
        say::talk(&format!("holds for {}; to take it back: grove revoke {}", self.expires, invited.id));
        Ok(Exit::Done)
    }
}

fn list(hub: &Hub, json: bool) -> anyhow::Result<Exit> {
    let open: Invitations = hub.get("/v1/invitations")?;
    if json {
        say::json(&open)?;
        return Ok(Exit::Done);
    }
    for one in &open.invitations {
        let of = if one.own { "own machine" } else { "new account" };
        let uses = say::many(one.uses_left.into(), "use");
        say::line(&format!("{}  {uses} left  {}  {of}  by {}", one.id, words(one.roles), one.by))?;
    }
    Ok(Exit::Done)
}

fn wrong<E: std::error::Error>(flag: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure::usage(format!("{flag}: {error}"))
}

fn roles(text: &str) -> Result<RolesShape, Failure> {
    let mut roles = RolesShape::default();
    for word in text.split(',') {
        match word.trim() {
            "lend" => roles.lend = true,
            "run" => roles.run = true,
            "admin" => roles.admin = true,
            other => {
                return Err(
                    Failure::usage(format!("--role: {other:?} is no role")).hint("lend, run, admin, or several")
                );
            }
        }
    }
    Ok(roles)
}

/// Roles as they are written.
pub(super) fn words(roles: RolesShape) -> String {
    let all = [(roles.lend, "lend"), (roles.run, "run"), (roles.admin, "admin")];
    let held: Vec<&str> = all.iter().filter(|(held, _)| *held).map(|(_, word)| *word).collect();
    if held.is_empty() { "look".to_owned() } else { held.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        for text in ["lend", "run", "lend,run", "lend,run,admin"] {
            assert_eq!(words(roles(text).unwrap()), text);
        }
        assert_eq!(roles("lend,rum").unwrap_err().exit, Exit::Usage);
    }
}
