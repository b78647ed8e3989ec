//! `grove up`: a hub that also lends this machine.

use super::heed::Heeding;
use super::{Exit, Failure, Place, node, promise, say};
use crate::address::{Address, reached};
use crate::api::{self, About, Reach};
use crate::config::{Hub, Layer, Settings};
use crate::device::{Device, Speech};
use crate::link::Token;
use crate::nearby::{self, Announced};
use crate::owner::{Setup, Watch};
use crate::shape::V;
use crate::shell::{self, HostError, Hosted, Plan, Role};
use crate::words::Words;
use clap::Args;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Debug, Args)]
pub struct Up {
    /// Where the API listens, for people and programs; port 0 takes any free one [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where other nodes are heard; port 0 takes any free one [default: 127.0.0.1:7421]
    #[arg(long, value_name = "ADDRESS")]
    link: Option<String>,
    /// Parts that this machine runs at one time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = node::parse_slots, allow_negative_numbers = true)]
    slots: Option<u32>,
    /// Hand out work only
    #[arg(long, conflicts_with = "slots")]
    no_lend: bool,
    /// Whose hub it is: this person looks after the circle. Said once, and again to change the name
    #[arg(long, value_name = "NAME")]
    admin: Option<String>,
    /// Speak TLS on this machine too, as is done beyond it
    #[arg(long)]
    tls: bool,
    /// Where others reach this hub, for invitations, when that is not where it listens; may be said several times
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<Address>,
    /// When it is ready, print where it is as one JSON object
    #[arg(long)]
    json: bool,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    until_eof: bool,
    /// Whenever this file is changed, the owner has touched the machine
    #[arg(long, hide = true, value_name = "FILE")]
    fake_owner: Option<PathBuf>,
}

/// What programs are told when the hub is ready.
#[derive(Debug, Serialize)]
struct Ready {
    v: u32,
    api: SocketAddr,
    link: SocketAddr,
    pid: u32,
    slots: u32,
    /// The fingerprint of the hub's key, where it speaks TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The same, as people compare it.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<String>,
}

/// Where the hub is to be heard, and how.
struct Doors {
    listen: SocketAddr,
    link: SocketAddr,
    /// Others than this machine can knock.
    is_open: bool,
    /// Its key, where TLS is spoken.
    device: Option<Device>,
}

impl Doors {
    /// What an invitation says. Where the hub listens everywhere, that is where this machine speaks from.
    fn reach(&self, address: SocketAddr, named: &[Address]) -> Option<Reach> {
        let key = self.device.as_ref()?.fingerprint();
        let api = match named {
            [] if address.ip().is_unspecified() => {
                let ip = own_address(address).unwrap_or_else(|| reached(address).ip());
                vec![SocketAddr::new(ip, address.port()).into()]
            }
            [] => vec![address.into()],
            named => named.to_vec(),
        };
        Some(Reach { key, api })
    }
}

impl Doors {
    /// On the local network, for as long as the answer lives. A hub works without that too.
    fn make_known(&self, api: SocketAddr, settings: &Settings) -> Option<Announced> {
        let device = self.device.as_ref().filter(|_| settings.announce && !api.ip().is_loopback())?;
        let known = nearby::announce(device.fingerprint(), api);
        known.inspect_err(|error| tracing::warn!("this hub is not made known on the local network: {error}")).ok()
    }
}

/// The address from which this machine would speak to the world. Nothing is sent.
fn own_address(listen: SocketAddr) -> Option<IpAddr> {
    // Addresses for documentation: nobody is there.
    let (from, far) = if listen.is_ipv4() { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// What was asked for cannot be: not a failure of this machine.
fn refused(error: HostError) -> anyhow::Error {
    match error {
        HostError::NobodyHere | HostError::WrongFounder { .. } => Failure::caused(Exit::Usage, &error).into(),
        other => other.into(),
    }
}

/// A hub rests when that is asked for, too, and when its machine is too hot. Jobs of others also wait for its owner.
async fn watch(
    settings: &Settings,
    hosted: &Hosted,
    slots: u32,
    fake: Option<PathBuf>,
) -> anyhow::Result<Option<Watch>> {
    if slots == 0 || hosted.walls.is_err() {
        return Ok(None);
    }
    let folder = settings.home.path().to_owned();
    let setup = Setup {
        rules: settings.rules.clone(),
        is_hub: true,
        slots,
        limits: node::limits(settings, slots, 0),
        home: folder.clone(),
        folder,
        fake,
    };
    Ok(Some(Watch::start(setup, hosted.reins(true)).await?.0))
}

impl Up {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let named: Vec<String> = self.address.iter().map(Address::to_string).collect();
        let flags = Layer {
            listen: self.listen.clone(),
            link: self.link.clone(),
            slots: self.slots,
            tls: self.tls.then_some(true),
            address: (!named.is_empty()).then(|| named.join(",")),
            ..Layer::default()
        };
        let settings = place.settings_with(flags.clone())?;
        node::log(&settings)?;
        node::live(self.live(settings, place, flags))
    }

    async fn live(&self, settings: Settings, place: &Place, flags: Layer) -> anyhow::Result<Exit> {
        let home = &settings.home;
        home.create()?;
        let token = home.token_or_new()?;
        let slots = if self.no_lend { 0 } else { settings.slots };
        let doors = self.doors(&settings)?;
        // Beyond this machine nothing is opened before it is known who looks after it.
        let early = if doors.is_open { None } else { Some(api::bind(doors.listen).await?) };
        let hosted = shell::host(Plan {
            folder: home.path().to_owned(),
            cache: home.cache_path(),
            role: Role { slots, keep: settings.keep, disk_bytes: settings.disk_bytes, ..Role::default() },
            token: Some(token.parse::<Token>()?),
            listen: Some(doors.link),
            hears: doors.device.as_ref().map(|device| device.hears(Speech::Nodes)).transpose()?,
            call: None,
            calls: None,
            founder: self.admin.clone(),
            is_open: doors.is_open,
            waits_for_owner: false,
            gentle: false,
            peers: None,
            runs: None,
        })
        .await
        .map_err(refused)?;
        let listener = match early {
            Some(listener) => listener,
            None => api::bind(doors.listen).await?,
        };
        let link = hosted.link.unwrap_or(doors.link);
        let address = listener.local_addr()?;
        let about = About {
            walls: node::walls(&hosted),
            link,
            reach: doors.reach(address, &settings.address),
            near: Some(Arc::clone(&hosted.near)),
        };
        let (stop, stopped) = watch::channel(false);
        let router = api::router(hosted.door.clone(), &token, about);
        let served = match &doors.device {
            None => tokio::spawn(api::serve(listener, router, stopped)),
            Some(device) => tokio::spawn(api::serve_tls(listener, router, device.hears(Speech::People)?, stopped)),
        };
        let key = doors.device.as_ref().map(|device| device.fingerprint().to_string());
        let (api, pid) = (reached(address), std::process::id());
        home.announce(&Hub { v: V, api, link, pid, key: key.clone() })?;
        let _known = doors.make_known(address, &settings);
        let words = doors.device.as_ref().map(|device| Words::of(device.fingerprint()).to_string());
        let stop_asked = node::asked_to_stop(self.until_eof)?;
        self.say_ready(&settings, Ready { v: V, api: address, link, pid, slots, key, words }, &hosted)?;
        let watch = watch(&settings, &hosted, slots, self.fake_owner.clone()).await?;
        if slots > 0 {
            hosted.compile_ahead();
        }
        let rules = watch.as_ref().map(Watch::rules);
        let heeding = Heeding { place: place.clone(), flags, door: hosted.door.clone(), rules };
        tokio::spawn(heeding.go(settings.clone()));
        let ended = node::until_stopped(hosted, stop_asked).await;
        drop(watch);
        stop.send_replace(true);
        // It stops taking connections at once; those that are open end with the process.
        let _ = served.await;
        home.withdraw()?;
        ended.map(|()| Exit::Done)
    }

    fn doors(&self, settings: &Settings) -> anyhow::Result<Doors> {
        let (listen, mut link) = (settings.listen, settings.link);
        if !listen.ip().is_loopback() && link.ip().is_loopback() && self.link.is_none() {
            // Who lets people in from elsewhere means their machines too.
            link.set_ip(listen.ip());
        }
        let is_open = !listen.ip().is_loopback() || !link.ip().is_loopback();
        let device = if is_open || settings.tls { Some(Device::of(&settings.home)?) } else { None };
        Ok(Doors { listen, link, is_open, device })
    }

    fn say_ready(&self, settings: &Settings, ready: Ready, hosted: &Hosted) -> anyhow::Result<()> {
        if self.json {
            return say::json(&ready);
        }
        if ready.slots > 0 {
            promise::to_a_lender(&settings.home);
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
        let scheme = if ready.key.is_some() { "https" } else { "http" };
        let words = ready.words.map(|words| format!("  key {words}")).unwrap_or_default();
        let second = match ready.key {
            Some(_) => "invite                       let another machine in",
            None => "lend                         lend with one more process",
        };
        say::talk(&format!(
            "grove {}  hub is ready  {scheme}://{}{words}\n{lends}; Ctrl-C stops it\n\
             next:  grove{home} run tool.wasm {{}} ::: a b c   run a tool on three inputs\n\
             \x20      grove{home} {second}\n\
             \x20      grove{home} status                       look at it",
            env!("CARGO_PKG_VERSION"),
            ready.api,
        ));
        Ok(())
    }
}
