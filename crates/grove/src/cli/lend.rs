//! `grove lend`: lend this machine to a hub.

use super::{Exit, Place, node, say};
use crate::config::{Layer, Settings};
use crate::shell::{self, HostError, Hosted, Plan, Role, ShellError};
use crate::store::StoreError;
use super::demo::Pretender;
use clap::Args;
use std::sync::Arc;

/// Below the state folder: the books of each process that lends from here.
const BOOKS: &str = "lend";
/// Processes that lend from one state folder; for tests and demonstrations, since one uses all cores.
const LENDERS_MAX: usize = 1_024;

#[derive(Debug, Args)]
pub struct Lend {
    /// Parts that this machine runs at one time [default: one for each core]
    #[arg(long, value_name = "N")]
    slots: Option<u32>,
    /// Answer without working: what the demonstration shows to be found out
    #[arg(long, hide = true)]
    pretend: bool,
}

impl Lend {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let settings = place.settings_with(Layer {
            slots: self.slots,
            ..Layer::default()
        })?;
        node::run(&settings, lend(&settings, self.pretend))
    }
}

async fn lend(settings: &Settings, pretend: bool) -> anyhow::Result<Exit> {
    let token = settings.home.token()?;
    let hub = match &settings.hub {
        Some(hub) => hub.clone(),
        None => settings.home.hub()?.link.to_string(),
    };
    let mut hosted = start(settings, &hub, &token, pretend).await?;
    if let Err(error) = &hosted.walls {
        let failure = super::Failure::caused(Exit::Error, error);
        hosted.stop().await.map_err(|error| node::end_failure(&error))?;
        return Err(failure.into());
    }
    say::talk(&format!("lending {} slots to {hub}", settings.slots));
    tokio::select! {
        ended = hosted.ended() => {
            ended.map_err(|error| node::end_failure(&error))?;
        }
        stopped = node::told_to_stop() => {
            stopped?;
            hosted.stop().await.map_err(|error| node::end_failure(&error))?;
        }
    }
    Ok(Exit::Done)
}

/// Starts on the first books that no other process has open.
async fn start(settings: &Settings, hub: &str, token: &str, pretend: bool) -> anyhow::Result<Hosted> {
    let mut number = 1;
    loop {
        let plan = Plan {
            folder: settings.home.path().join(BOOKS).join(number.to_string()),
            role: Role {
                slots: settings.slots,
                hub: false,
                keep: settings.keep,
                disk_bytes: settings.disk_bytes,
                ..Role::default()
            },
            token: node::link_token(token)?,
            listen: None,
            call: Some(hub.to_owned()),
            runs: pretend.then(|| Arc::new(Pretender) as _),
        };
        match shell::host(plan).await {
            Err(HostError::Shell(ShellError::Store(StoreError::InUse { .. }))) if number < LENDERS_MAX => number += 1,
            hosted => return hosted.map_err(|error| node::host_failure(&error).into()),
        }
    }
}
