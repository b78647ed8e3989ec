//! `grove up`: a hub that also lends this machine.

use super::{Exit, Failure, Place, node, say};
use crate::api::{self, About};
use crate::config::{Hub, Layer, Settings};
use crate::link::Token;
use crate::shape::V;
use crate::shell::{self, Plan, Role};
use clap::Args;
use grove_core::id::PersonId;
use serde::Serialize;
use std::net::SocketAddr;
use tokio::sync::watch;

/// Whose hub it is: there are no accounts yet, and whoever has the token is the owner.
const OWNER: PersonId = PersonId(1);

#[derive(Debug, Args)]
pub struct Up {
    /// Where the API listens; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where other nodes are heard; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    link: Option<String>,
    /// Parts that this machine runs at one time [default: one for each core]
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// Hand out work only
    #[arg(long, conflicts_with = "slots")]
    no_lend: bool,
    /// When it is ready, print where it is as one JSON object
    #[arg(long)]
    json: bool,
}

/// What programs are told when the hub is ready.
#[derive(Debug, Serialize)]
struct Ready {
    v: u32,
    api: SocketAddr,
    link: SocketAddr,
    pid: u32,
    slots: u32,
}

impl Up {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let flags =
            Layer { listen: self.listen.clone(), link: self.link.clone(), slots: self.slots, ..Layer::default() };
        let settings = place.settings_with(flags)?;
        node::log(&settings)?;
        node::live(self.live(settings))
    }

    async fn live(&self, settings: Settings) -> anyhow::Result<Exit> {
        let home = &settings.home;
        home.create()?;
        let token = home.token_or_new()?;
        let slots = if self.no_lend { 0 } else { settings.slots };
        let listener = api::bind(settings.listen).await?;
        let hosted = shell::host(Plan {
            folder: home.path().to_owned(),
            role: Role { slots, keep: settings.keep, disk_bytes: settings.disk_bytes, ..Role::default() },
            token: token.parse::<Token>()?,
            listen: Some(settings.link),
            call: None,
            runs: None,
        })
        .await?;
        let link = hosted.link.unwrap_or(settings.link);
        let about = About { walls: node::walls(&hosted), owner: OWNER, link };
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(api::serve(listener, api::router(hosted.door.clone(), &token, about), stopped));
        home.announce(&Hub { v: V, api: address, link, pid: std::process::id() })?;
        self.say_ready(&settings, Ready { v: V, api: address, link, pid: std::process::id(), slots }, &hosted)?;
        let ended = node::until_stopped(hosted).await;
        stop.send_replace(true);
        // It stops taking connections at once; those that are open end with the process.
        let _ = served.await;
        home.withdraw()?;
        ended.map(|()| Exit::Done)
    }

    fn say_ready(&self, settings: &Settings, ready: Ready, hosted: &shell::Hosted) -> anyhow::Result<()> {
        if self.json {
            return say::json(&ready);
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let lends = match (&hosted.walls, ready.slots) {
            (Err(error), _) => format!("this machine lends nothing: {}", Failure::caused(Exit::Error, error)),
            (Ok(_), 0) => "this machine lends nothing".to_owned(),
            (Ok(_), slots) => format!("this machine lends {slots} of {cores} cores"),
        };
        let home = match settings.home.path() {
            path if std::env::var_os("GROVE_HOME").is_none() && super::is_usual_home(path) => String::new(),
            path => format!(" --home {}", path.display()),
        };
        say::talk(&format!(
            "grove {}  hub is ready  http://{}\n{lends}; Ctrl-C stops it\n\
             next:  grove{home} run tool.wasm {{}} ::: a b c   run a tool on three inputs\n\
             \x20      grove{home} lend                         lend with one more process\n\
             \x20      grove{home} status                       look at it",
            env!("CARGO_PKG_VERSION"),
            ready.api,
        ));
        Ok(())
    }
}
