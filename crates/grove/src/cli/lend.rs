//! `grove lend`: lend this machine to a hub.

use super::demo::Pretender;
use super::heed::Heeding;
use super::hub::{Hub, Way};
use super::{Exit, Failure, Place, node, promise, say};
use crate::address::{Address, reached};
use crate::amount::time_text;
use crate::config::{Home, Layer, Settings};
use crate::device::Speech;
use crate::link::Token;
use crate::owner::{self, Pause, Rules, Setup, Watch};
use crate::shape::{Me, Status, V};
use crate::shell::{self, HostError, Hosted, Plan, Role};
use clap::Args;
use serde::Serialize;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Lenders on one machine, each with a folder of its own; for tests and demonstrations, since one uses all cores.
const LENDERS_MAX: u32 = 1_024;
/// Whoever hears says so at once; a network that swallows everything does not.
const KNOCK_TIME: Duration = Duration::from_secs(2);
/// Below the home folder.
const FOLDER: &str = "lend";

#[derive(Debug, Args)]
pub struct Lend {
    /// Parts that this process runs at one time [default: one for each core]
    #[arg(long, visible_alias = "cpus", value_name = "N", value_parser = node::parse_slots, allow_negative_numbers = true)]
    slots: Option<u32>,
    #[command(flatten)]
    terms: Terms,
    /// When it is ready, print who it is as one JSON object
    #[arg(long)]
    json: bool,
    /// Answer without working: what the demonstration shows to be found out
    #[arg(long, hide = true)]
    pretend: bool,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    until_eof: bool,
}

/// When this machine may be used; each is a setting, too.
#[derive(Debug, Args)]
#[command(next_help_heading = "When")]
pub(super) struct Terms {
    /// Also while you use this machine, and while it is busy with other work
    #[arg(long)]
    always: bool,
    /// After so long without a key or a movement of the mouse you are away [default: 5m]
    #[arg(long, value_name = "TIME")]
    idle_after: Option<String>,
    /// Only in these hours of the day, such as 22-7
    #[arg(long, value_name = "HOURS")]
    hours: Option<String>,
    /// Whether to lend on battery [default: no]
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    on_battery: Option<bool>,
    /// Whether to lend where every byte costs [default: no]
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    on_metered: Option<bool>,
    /// Not when other work takes more than so many per cent of all cores [default: 30]
    #[arg(long, value_name = "PERCENT")]
    load: Option<u32>,
    /// Not when the hottest sensor shows more degrees Celsius [default: 85]
    #[arg(long, value_name = "CELSIUS")]
    temperature: Option<u32>,
    /// Not while this program runs; may be said several times
    #[arg(long, value_name = "PROGRAM")]
    unless: Vec<String>,
    /// The most that may be kept on this machine's disk [default: 20GiB]
    #[arg(long, value_name = "SIZE")]
    disk: Option<String>,
    /// The most memory that all parts together may take [default: as much as jobs allow]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Whenever this file is changed, the owner has touched the machine
    #[arg(long, hide = true, value_name = "FILE")]
    pub(super) fake_owner: Option<PathBuf>,
}

impl Terms {
    pub(super) fn layer(&self) -> Layer {
        Layer {
            always: self.always.then_some(true),
            idle_after: self.idle_after.clone(),
            hours: self.hours.clone(),
            on_battery: self.on_battery,
            on_metered: self.on_metered,
            load: self.load,
            temperature: self.temperature,
            unless: (!self.unless.is_empty()).then(|| self.unless.join(",")),
            disk: self.disk.clone(),
            memory: self.memory.clone(),
            ..Layer::default()
        }
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("it is yes or no".to_owned()),
    }
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
        let flags = Layer { slots: self.slots, ..self.terms.layer() };
        let settings = place.settings_with(flags.clone())?;
        node::log(&settings)?;
        let way = to_hub(place, &settings)?;
        let hub = way.address.clone();
        promise::to_a_lender(&settings.home);
        node::live(async move {
            let (hosted, folder) = start(&settings, &way, self.pretend).await?;
            if let Err(error) = &hosted.walls {
                let failure = Failure::caused(Exit::Error, error);
                hosted.stop().await?;
                let message = format!("this machine cannot lend: {}", failure.message);
                return Err(Failure { message, ..failure }.into());
            }
            let slots = settings.lent_slots();
            let stop = node::asked_to_stop(self.until_eof)?;
            let setup = Setup {
                rules: settings.rules.clone(),
                is_hub: false,
                slots,
                limits: node::limits(&settings, slots, settings.memory_of_a_part()),
                home: settings.home.path().to_owned(),
                folder,
                fake: self.terms.fake_owner.clone(),
            };
            let (watch, pause) = Watch::start(setup, hosted.reins(false)).await?;
            hosted.compile_ahead();
            if self.json {
                say::json(&Ready { v: V, hub: &hub, pid: std::process::id(), slots })?;
            } else {
                lent(&hub, slots, &settings.rules, pause.as_ref()).iter().for_each(|line| say::talk(line));
            }
            let (door, rules) = (hosted.door.clone(), Some(watch.rules()));
            let heeding = Heeding { place: place.clone(), flags, door, rules };
            tokio::spawn(heeding.go(settings.clone()));
            let ended = node::until_stopped(hosted, stop).await;
            // A node that has stopped has nothing to be watched.
            drop(watch);
            ended.map(|()| Exit::Done)
        })
    }
}

/// What is lent, and when.
fn lent(hub: &str, slots: u32, rules: &Rules, pause: Option<&Pause>) -> Vec<String> {
    let when = if rules.heeds_owner {
        format!("while you are away for {}", time_text(rules.idle_after))
    } else {
        "also while you use this machine (--always)".to_owned()
    };
    let slots = say::many(slots.into(), "slot");
    let mut lines = vec![format!("{slots} lent to the hub at {hub} {when}; Ctrl-C takes it back, `grove pause` rests")];
    if let Some(pause) = pause {
        lines.push(format!("not yet: {}; {}", pause.text(owner::now()), pause.until_text(owner::now())));
        lines.push(format!("hint: {}", pause.hint()));
    }
    lines
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
        Some(link) if way.token.is_none() => link_now(&way, home, &link).unwrap_or(link),
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

/// Where the hub hears nodes now, if nobody hears where it did when this machine joined. That goes first: behind a
/// forwarded port the hub itself does not know where it is reached.
fn link_now(way: &Way, home: &Home, before: &str) -> Option<String> {
    let mut places = before.to_socket_addrs().into_iter().flatten();
    if places.any(|at| TcpStream::connect_timeout(&at, KNOCK_TIME).is_ok()) {
        return None;
    }
    let said: Status = Hub::at(way, home, None).ok()?.get("/v1/status").ok()?;
    let (before, link): (Address, SocketAddr) = (before.parse().ok()?, said.link.parse().ok()?);
    Some(before.at_port(link.port()).to_string())
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
async fn start(settings: &Settings, hub: &ToHub, pretend: bool) -> Result<(Hosted, PathBuf), HostError> {
    let mut number = 1;
    loop {
        let folder = folder(settings, number);
        let plan = Plan {
            folder: folder.clone(),
            cache: settings.home.cache_path(),
            role: Role {
                slots: settings.lent_slots(),
                memory: settings.memory_of_a_part(),
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
            waits_for_owner: true,
            gentle: settings.rules.heeds_owner,
            peers: None,
            runs: pretend.then(|| Arc::new(Pretender) as _),
        };
        match shell::host(plan).await {
            Err(error) if node::is_taken(&error) && number < LENDERS_MAX => number += 1,
            other => return other.map(|hosted| (hosted, folder)),
        }
    }
}

fn folder(settings: &Settings, number: u32) -> PathBuf {
    settings.home.path().join(FOLDER).join(number.to_string())
}
