//! `grove join` and `grove leave`: this machine comes into a circle, and goes.

use super::hub::{Hub, LISTEN, Way};
use super::invite::words;
use super::{Exit, Failure, Place, say};
use crate::config::{Home, HomeError, Joined};
use crate::device::Device;
use crate::invite::Invite;
use crate::nearby::{self, Nearby};
use crate::shape::{Join as Wish, JoinedShape, RevokeShape, Told, V};
use crate::words::Words;
use clap::Args;
use serde::Serialize;
use std::net::SocketAddr;

#[derive(Debug, Args)]
pub struct Join {
    /// The word that `grove invite` printed; without it, the hubs of the local network are listed
    #[arg(value_name = "INVITATION")]
    invitation: Option<String>,
    /// How you are called there, where the invitation makes a new account [default: your name on this machine]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How this machine is called there
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

impl Join {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        let Some(word) = &self.invitation else { return list(self.json) };
        let invite: Invite = word.parse().map_err(|error| Failure::caused(Exit::Usage, &error))?;
        if let Ok(joined) = home.joined() {
            let at = joined.api.first().map(|api| format!(" at {api}")).unwrap_or_default();
            return Err(Failure::usage(format!("this machine has joined the hub{at} already, as {}", joined.person))
                .hint("`grove leave` comes first; another --home is another machine")
                .into());
        }
        home.create()?;
        let device = Device::of(&home)?;
        let (way, address) = Way::invited(invite.key, &invite.api)?;
        let hub = Hub::at(&way, &home, None)?;
        let wish = Wish {
            secret: invite.secret.iter().map(|byte| format!("{byte:02x}")).collect(),
            name: self.name.clone().unwrap_or_else(own_name),
            machine: self.machine.clone().unwrap_or_else(|| machine_name(&device)),
        };
        // Saying it twice lets in once: the key is the same.
        let told: JoinedShape = hub.insist(|| hub.post("/v1/join", &wish))?;
        let others = invite.api.iter().filter(|other| **other != address).cloned();
        let api = std::iter::once(address.clone()).chain(others).collect();
        let key = invite.key.to_string();
        home.keep_joined(&Joined { v: V, key, api, link_port: told.link_port, person: told.person.clone() })?;
        if self.json {
            say::json(&told)?;
            return Ok(Exit::Done);
        }
        let at = if super::is_usual_home(home.path()) {
            String::new()
        } else {
            format!(" --home {}", home.path().display())
        };
        say::talk(&format!(
            "this machine has joined the hub at {} as {}; it may {}\n\
             next:  grove{at} lend                         lend this machine\n\
             \x20      grove{at} run tool.wasm {{}} ::: a b c   run a tool on three inputs\n\
             \x20      grove{at} leave                        leave again",
            way.api,
            told.person,
            words(told.roles)
        ));
        Ok(Exit::Done)
    }
}

/// A hub of the local network, for programs.
#[derive(Debug, Serialize)]
struct Near {
    words: String,
    /// The fingerprint of its key.
    key: String,
    api: Vec<SocketAddr>,
}

#[derive(Debug, Serialize)]
struct Hubs {
    v: u32,
    hubs: Vec<Near>,
}

/// The hubs that make themselves known. That their keys are theirs is shown only when one is joined.
fn list(json: bool) -> anyhow::Result<Exit> {
    let all = nearby::find(LISTEN, |_| false).map_err(|error| Failure::caused(Exit::Unreachable, &error))?;
    let near = |hub: Nearby| Near { words: Words::of(hub.key).to_string(), key: hub.key.to_string(), api: hub.api };
    let hubs: Vec<Near> = all.into_iter().map(near).collect();
    let exit = if hubs.is_empty() { Exit::Unreachable } else { Exit::Done };
    if json {
        say::json(&Hubs { v: V, hubs })?;
        return Ok(exit);
    }
    if hubs.is_empty() {
        let message = "no hub makes itself known on this network";
        let hint = "it must listen beyond its own machine: `grove up --admin NAME --listen 0.0.0.0:7420`; \
                    elsewhere an invitation says where it is";
        return Err(Failure::new(exit, message).hint(hint).into());
    }
    let at = |hub: &Near| hub.api.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" ");
    let rows: Vec<Vec<String>> = hubs.iter().map(|hub| vec![hub.words.clone(), at(hub)]).collect();
    say::table(&["HUB", "AT"], &rows).iter().try_for_each(|line| say::line(line))?;
    say::talk(
        "next:  whoever looks after one shows the same words (`grove status` there) and invites you: grove invite",
    );
    say::talk("       grove join <invitation>");
    Ok(exit)
}

/// How somebody is called who does not say: as on this machine, if that can be a name.
fn own_name() -> String {
    let named = ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| grove_core::circle::is_name(name)).unwrap_or_else(|| "guest".to_owned())
}

/// The system's own name for the machine is nobody's business.
fn machine_name(device: &Device) -> String {
    format!("machine {}", device.fingerprint().to_string().chars().take(6).collect::<String>())
}

#[derive(Debug, Args)]
pub struct Leave {
    /// Take away everything that Grove keeps in this folder: key, results, settings of the circle
    #[arg(long)]
    purge: bool,
}

impl Leave {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let home = place.settings()?.home;
        if home.hub().is_ok() {
            return Err(Failure::usage("a hub runs here, which others may rely on").hint("stop it first").into());
        }
        match home.joined() {
            Ok(_) => tell(place, &home)?,
            Err(HomeError::NotJoined { .. }) if self.purge => {}
            Err(error) => return Err(super::hub::refused(&error).into()),
        }
        home.remove(&home.session_path())?;
        home.remove(&home.joined_path())?;
        if self.purge {
            home.purge()?;
        }
        say::talk("this machine has left; credits stay with the account");
        Ok(Exit::Done)
    }
}

/// The hub is told, if it can be: what this machine holds is then given to others at once.
fn tell(place: &Place, home: &Home) -> anyhow::Result<()> {
    let key = Device::of(home)?.fingerprint().to_string();
    let told = Hub::find(place).and_then(|hub| hub.post::<Told>("/v1/revoke", &RevokeShape { what: key }));
    match told {
        Ok(_) => {}
        Err(failure) if failure.exit == Exit::Unreachable => {
            say::talk("the hub does not answer and was not told; whoever looks after it can revoke this machine");
        }
        // It was put out before.
        Err(failure) if failure.exit == Exit::NotAuthorised => {}
        Err(failure) => return Err(failure.into()),
    }
    Ok(())
}
