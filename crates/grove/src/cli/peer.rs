//! `grove peer`: one of several that work for one another without a hub. People's API of this machine is the same.

use super::lend::Terms;
use super::{Exit, Place, node, promise, say};
use crate::address::reached;
use crate::amount::time_text;
use crate::api::{self, About, ListenError};
use crate::config::{Group, Home, Hub, Layer, Settings};
use crate::device::Device;
use crate::link::{Acquaintance, Mesh, Secret, Token, key_of, node_of};
use crate::owner::{Setup, Watch};
use crate::peers::{self, NotATicket, Ticket, Way};
use crate::shape::V;
use crate::shell::{self, Hosted, Plan, Role};
use clap::Args;
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Where peers are heard, unless somebody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 7422);

#[derive(Debug, Args)]
pub struct Peer {
    /// Come into the group of this ticket, as `grove peer` prints it on a machine of the group; may be said several times
    #[arg(long, value_name = "TICKET")]
    join: Vec<Ticket>,
    /// Parts that this machine runs at one time [default: one for each core]
    #[arg(long, visible_alias = "cpus", value_name = "N", value_parser = node::parse_slots, allow_negative_numbers = true)]
    slots: Option<u32>,
    /// Where the API listens, for people and programs of this machine; port 0 takes any free one [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where peers are heard, over UDP; port 0 takes any free one [default: 0.0.0.0:7422]
    #[arg(long, value_name = "ADDRESS")]
    link: Option<SocketAddr>,
    /// Neither look for peers on the local network nor be found there
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    terms: Terms,
    /// When it is ready, print who and where it is as one JSON object
    #[arg(long)]
    json: bool,
}

/// What programs are told when the peer is ready.
#[derive(Debug, Serialize)]
struct Ready {
    v: u32,
    api: SocketAddr,
    /// Where peers are heard.
    link: SocketAddr,
    pid: u32,
    slots: u32,
    node: String,
    /// What lets another machine into the group.
    ticket: String,
}

/// Why this machine does not go among peers.
#[derive(Debug, thiserror::Error)]
enum PeerError {
    #[error(
        "these tickets are of different groups\nhint: a peer belongs to one group; another folder (--home) can belong to another"
    )]
    SeveralGroups,
    #[error(
        "the key of this folder cannot be used among peers\nhint: remove device.key in it; the peer is then a new one"
    )]
    NoSeed,
    #[error(
        "the secret of the group is damaged\nhint: remove group.json in {folder}, and join the group again by a ticket"
    )]
    NoSecret { folder: String },
    #[error("the system gives no randomness: {source}")]
    NoChance { source: getrandom::Error },
    #[error("this peer hears nobody\nhint: this is a defect; please report it")]
    Deaf,
}

impl Peer {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let flags = Layer { slots: self.slots, listen: self.listen.clone(), ..self.terms.layer() };
        let settings = place.settings_with(flags)?;
        node::log(&settings)?;
        node::live(self.live(settings))
    }

    async fn live(&self, settings: Settings) -> anyhow::Result<Exit> {
        let home = settings.home.of_peers();
        home.create()?;
        let token = home.token_or_new()?;
        let setup = self.setup(&settings, &home)?;
        let (key, group) = (setup.key, setup.group);
        let listener = self.bind(&settings).await?;
        let hosted = self.host(&settings, &home, &token, setup).await?;
        let mesh = hosted.mesh.clone().ok_or(PeerError::Deaf)?;
        let ticket = ticket(&mesh, group).await;
        let address = listener.local_addr()?;
        let link = mesh.bound().first().copied().ok_or(PeerError::Deaf)?;
        let near = Some(Arc::clone(&hosted.near));
        let about = About { walls: node::walls(&hosted), link, reach: None, near };
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(api::serve(listener, api::router(hosted.door.clone(), &token, about), stopped));
        let (api, pid, slots) = (reached(address), std::process::id(), settings.lent_slots());
        home.announce(&Hub { v: V, api, link, pid, key: None })?;
        let stop_asked = node::asked_to_stop(false)?;
        let setup = Setup {
            rules: settings.rules.clone(),
            is_hub: false,
            slots,
            limits: node::limits(&settings, slots, settings.memory_of_a_part()),
            home: settings.home.path().to_owned(),
            folder: home.path().to_owned(),
            fake: self.terms.fake_owner.clone(),
        };
        // Its own jobs go on while the owner is here: they are the owner's.
        let watch = match &hosted.walls {
            Ok(_) => Some(Watch::start(setup, hosted.reins(true)).await?.0),
            Err(_) => None,
        };
        let node = format!("{:016x}", node_of(&key).0);
        self.say_ready(&settings, &hosted, Ready { v: V, api: address, link, pid, slots, node, ticket })?;
        let ended = node::until_stopped(hosted, stop_asked).await;
        drop(watch);
        stop.send_replace(true);
        // It stops taking connections at once; those that are open end with the process.
        let _ = served.await;
        home.withdraw()?;
        ended.map(|()| Exit::Done)
    }

    /// Who this peer is, to which group it belongs, and whom it knows from the start.
    fn setup(&self, settings: &Settings, home: &Home) -> anyhow::Result<peers::Setup> {
        let seed = Device::of(home)?.seed().ok_or(PeerError::NoSeed)?;
        let mut groups = self.join.iter().map(|ticket| ticket.group);
        let joined = groups.next();
        if groups.any(|other| Some(other) != joined) {
            return Err(PeerError::SeveralGroups.into());
        }
        let folder = home.path().display().to_string();
        let own =
            home.group()?.map(|group| group.secret().ok_or(PeerError::NoSecret { folder })).transpose()?.map(Secret);
        let group = match joined.or(own) {
            Some(group) => group,
            None => new_group()?,
        };
        let mut known: Vec<(Way, Acquaintance)> =
            self.join.iter().map(|ticket| (Way::Ticket, ticket.peer.clone())).collect();
        if own == Some(group) {
            let before = home.neighbours()?;
            known.extend(before.all().map(|(key, addresses)| (Way::Before, Acquaintance { key, addresses })));
        } else {
            home.keep_group(&Group::of(&group.0))?;
        }
        let listen = self.link.unwrap_or(LISTEN);
        let announce = settings.announce && !self.quiet;
        Ok(peers::Setup { key: key_of(&seed), seed, group, listen, known, announce })
    }

    /// Beside a hub on the same machine, any free port does.
    async fn bind(&self, settings: &Settings) -> Result<TcpListener, ListenError> {
        match api::bind(settings.listen).await {
            Err(ListenError::InUse { .. }) if self.listen.is_none() => {
                api::bind(SocketAddr::new(settings.listen.ip(), 0)).await
            }
            bound => bound,
        }
    }

    async fn host(&self, settings: &Settings, home: &Home, token: &str, setup: peers::Setup) -> anyhow::Result<Hosted> {
        let role = Role {
            slots: settings.lent_slots(),
            memory: settings.memory_of_a_part(),
            solves: true,
            keep: settings.keep,
            disk_bytes: settings.disk_bytes,
            id: Some(node_of(&setup.key)),
            ..Role::default()
        };
        let plan = |setup| -> anyhow::Result<Plan> {
            Ok(Plan {
                folder: home.path().to_owned(),
                cache: home.cache_path(),
                role,
                token: Some(token.parse::<Token>()?),
                listen: None,
                hears: None,
                call: None,
                calls: None,
                founder: None,
                is_open: false,
                waits_for_owner: true,
                gentle: settings.rules.heeds_owner,
                peers: Some(setup),
                runs: None,
            })
        };
        let anywhere = SocketAddr::new(setup.listen.ip(), 0);
        // Where the usual port is somebody else's, any free one does.
        let taken = self.link.is_none() && std::net::UdpSocket::bind(setup.listen).is_err();
        let setup = if taken { peers::Setup { listen: anywhere, ..setup } } else { setup };
        Ok(shell::host(plan(setup)?).await?)
    }

    fn say_ready(&self, settings: &Settings, hosted: &Hosted, ready: Ready) -> anyhow::Result<()> {
        if self.json {
            return say::json(&ready);
        }
        promise::to_a_lender(&settings.home);
        let lends = match (&hosted.walls, settings.rules.heeds_owner) {
            (Err(error), _) => format!("this machine lends nothing: {error}"),
            (Ok(_), true) => {
                let away = time_text(settings.rules.idle_after);
                format!("this machine lends {} while you are away for {away}", say::many(ready.slots.into(), "slot"))
            }
            (Ok(_), false) => format!("this machine lends {}", say::many(ready.slots.into(), "slot")),
        };
        say::talk(&format!(
            "grove {}  peer {} is ready  http://{}\n{lends}; Ctrl-C stops it\n\
             next:  grove run tool.wasm {{}} ::: a b c   run a tool on three inputs\n\
             \x20      grove peers                        who is near\n\
             \x20      grove peer --join TICKET           on another machine, with this ticket: whoever has it\n\
             \x20                                         belongs to the group, so give it to nobody else",
            env!("CARGO_PKG_VERSION"),
            say::short_id(&ready.node),
            ready.api,
        ));
        Ok(say::line(&ready.ticket)?)
    }
}

async fn ticket(mesh: &Mesh, group: Secret) -> String {
    Ticket { group, peer: Acquaintance { key: mesh.key(), addresses: mesh.addresses().await } }.to_string()
}

fn new_group() -> Result<Secret, PeerError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|source| PeerError::NoChance { source })?;
    Ok(Secret(secret))
}

/// Only whoever parses tickets on the command line needs to know that they can be wrong.
impl From<NotATicket> for super::Failure {
    fn from(error: NotATicket) -> super::Failure {
        super::Failure::caused(Exit::Usage, &error)
    }
}
