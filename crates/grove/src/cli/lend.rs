//! `grove lend`: lend this machine to a hub.

use super::demo::Pretender;
use super::hub::{Hub, Way};
use super::{Exit, Failure, Place, node, promise, say};
use crate::address::reached;
use crate::config::{Home, Layer, Settings};
use crate::device::Speech;
use crate::link::Token;
use crate::shape::{Me, Status, V};
use crate::shell::{self, HostError, Hosted, Plan, Role};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Lenders on one machine, each with a folder of its own; for tests and demonstrations, since one uses all cores.
const LENDERS_MAX: u32 = 1_024;
/// Below the home folder.
const FOLDER: &str = "lend";

#[derive(Debug, Args)]
pub struct Lend {
    /// Parts that this process runs at one time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = node::parse_slots, allow_negative_numbers = true)]
    slots: Option<u32>,
    /// When it is ready, print who it is as one JSON object
    #[arg(long)]
    json: bool,
    /// Answer without working: what the demonstration shows to be found out
    #[arg(long, hide = true)]
    pretend: bool,
}

/// What programs are told when the lender is ready.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    v: u32,
    hub: &'a str,
    pid: u32,
    slots: u32,
}

impl Lend {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let settings = place.settings_with(Layer { slots: self.slots, ..Layer::default() })?;
        node::log(&settings)?;
        let way = to_hub(place, &settings)?;
        let hub = way.address.clone();
        promise::to_a_lender(&settings.home);
        node::live(async move {
            let hosted = start(&settings, &way, self.pretend).await?;
            if let Err(error) = &hosted.walls {
                let failure = Failure::caused(Exit::Error, error);
                hosted.stop().await?;
                let message = format!("this machine cannot lend: {}", failure.message);
                return Err(Failure { message, ..failure }.into());
            }
            let slots = settings.slots;
            let stop = node::asked_to_stop()?;
            if self.json {
                say::json(&Ready { v: V, hub: &hub, pid: std::process::id(), slots })?;
            } else {
                say::talk(&format!(
                    "{} lent to the hub at {hub}; Ctrl-C takes it back",
                    say::many(slots.into(), "slot")
                ));
            }
            node::until_stopped(hosted, stop).await.map(|()| Exit::Done)
        })
    }
}

/// Where the hub hears nodes, and what it is shown.
struct ToHub {
    address: String,
    token: Option<Token>,
    calls: Option<Arc<rustls::ClientConfig>>,
}

fn to_hub(place: &Place, settings: &Settings) -> anyhow::Result<ToHub> {
    let home = &settings.home;
    let way = Way::find(settings)?;
    if way.token.is_none() {
        may_lend(&way, home)?;
    }
    let address = match way.link.clone() {
        Some(link) => link,
        // Where it hears nodes, only the hub knows.
        None => {
            let said = Hub::find(place)?.get::<Status>("/v1/status")?.link;
            said.parse().map(|link| reached(link).to_string()).unwrap_or(said)
        }
    };
    let token = way.token.as_deref().map(str::parse).transpose()?;
    Ok(ToHub { address, token, calls: way.tls(home, Speech::Nodes)? })
}

/// A machine that may not lend is told so at once, and what to do about it.
fn may_lend(way: &Way, home: &Home) -> Result<(), Failure> {
    if way.link.is_none() {
        return Err(Failure::new(
            Exit::NotAuthorised,
            "only a machine that has joined can lend; here somebody is logged in",
        )
        .hint("`grove invite --own` here prints an invitation for this machine: `grove join` takes it"));
    }
    // With the machine's own key, whoever is logged in.
    match Hub::at(way, home, None)?.get::<Me>("/v1/me") {
        Ok(me) if me.roles.lend => Ok(()),
        Ok(_) => Err(Failure::new(Exit::NotAuthorised, "this machine has joined to run jobs, not to lend")
            .hint("ask for an invitation with `--role lend,run`, then `grove leave` and `grove join <invitation>`")),
        // It calls until the hub is there.
        Err(failure) if failure.exit == Exit::Unreachable => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// In the first folder that no other lender has.
async fn start(settings: &Settings, hub: &ToHub, pretend: bool) -> Result<Hosted, HostError> {
    let mut number = 1;
    loop {
        let plan = Plan {
            folder: folder(settings, number),
            role: Role {
                slots: settings.slots,
                hub: false,
                keep: settings.keep,
                disk_bytes: settings.disk_bytes,
                ..Role::default()
            },
            token: hub.token.clone(),
            listen: None,
            hears: None,
            call: Some(hub.address.clone()),
            calls: hub.calls.clone(),
            founder: None,
            is_open: false,
            runs: pretend.then(|| Arc::new(Pretender) as _),
        };
        match shell::host(plan).await {
            Err(error) if node::is_taken(&error) && number < LENDERS_MAX => number += 1,
            other => return other,
        }
    }
}

fn folder(settings: &Settings, number: u32) -> PathBuf {
    settings.home.path().join(FOLDER).join(number.to_string())
}
