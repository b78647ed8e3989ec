//! `grove up`: a hub that also lends this machine.

use super::{Exit, Failure, Place, node, say};
use crate::api::{self, About};
use crate::config::{Hub, Layer, Settings};
use crate::shape::V;
use crate::shell::{self, Hosted, Plan, Role};
use clap::Args;
use grove_core::id::PersonId;
use std::net::SocketAddr;
use tokio::sync::watch;

/// Whose credits pay for jobs that come in by the API, until there are accounts.
const OWNER: PersonId = PersonId(1);

#[derive(Debug, Args)]
pub struct Up {
    /// Where the API listens; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where other nodes are heard
    #[arg(long, value_name = "ADDRESS")]
    link: Option<String>,
    /// Parts that this machine runs at one time [default: one for each core]
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// Hand out work only
    #[arg(long)]
    no_lend: bool,
}

impl Up {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let flags = Layer {
            listen: self.listen.clone(),
            link: self.link.clone(),
            slots: self.slots,
            ..Layer::default()
        };
        let settings = place.settings_with(flags)?;
        let slots = if self.no_lend { 0 } else { settings.slots };
        node::run(&settings, up(&settings, slots))
    }
}

async fn up(settings: &Settings, slots: u32) -> anyhow::Result<Exit> {
    settings.home.create()?;
    let token = settings.home.token_or_new()?;
    let listener = api::bind(settings.listen).await?;
    let plan = Plan {
        folder: settings.home.path().to_owned(),
        role: Role {
            slots,
            keep: settings.keep,
            disk_bytes: settings.disk_bytes,
            ..Role::default()
        },
        token: node::link_token(&token)?,
        listen: Some(settings.link),
        call: None,
        runs: None,
    };
    let hosted = shell::host(plan).await.map_err(|error| node::host_failure(&error))?;
    let (stop, stopped) = watch::channel(false);
    let router = api::router(hosted.door.clone(), &token, about(&hosted));
    let (api, link) = (listener.local_addr()?, hosted.link.unwrap_or(settings.link));
    let serving = tokio::spawn(api::serve(listener, router, stopped));
    let ended = serve(settings, hosted, api, link, slots).await;
    // Requests that are being answered get their answer, as far as there is time.
    stop.send_replace(true);
    serving.abort();
    settings.home.withdraw()?;
    ended
}

/// From the first word to the last.
async fn serve(
    settings: &Settings,
    mut hosted: Hosted,
    api: SocketAddr,
    link: SocketAddr,
    slots: u32,
) -> anyhow::Result<Exit> {
    let pid = std::process::id();
    settings.home.announce(&Hub { v: V, api, link, pid })?;
    let lends = match (&hosted.walls, slots) {
        (Err(error), 1..) => {
            let failure = Failure::caused(Exit::Error, error);
            say::talk(&format!("warning: this machine lends nothing: {failure}"));
            0
        }
        _ => slots,
    };
    say::talk(&format!(
        "the hub is up at http://{api}, links at {link}, {lends} slots on this machine"
    ));
    tokio::select! {
        ended = hosted.ended() => {
            ended.map_err(|error| node::end_failure(&error))?;
            Ok(Exit::Done)
        }
        stopped = node::told_to_stop() => {
            stopped?;
            hosted.stop().await.map_err(|error| node::end_failure(&error))?;
            Ok(Exit::Done)
        }
    }
}

fn about(hosted: &Hosted) -> About {
    let walls = match &hosted.walls {
        Ok(walls) => walls
            .iter()
            .filter(|wall| wall.stands)
            .map(|wall| wall.name.to_string())
            .collect(),
        Err(_) => Vec::new(),
    };
    About { walls, owner: OWNER }
}
