//! `grove doctor`: looks at what a node needs here, one line each, and says what to do about what is missing.

#[cfg_attr(unix, path = "doctor/system_unix.rs")]
#[cfg_attr(not(unix), path = "doctor/system_other.rs")]
mod system;
mod near;
mod way;

use super::{Exit, Failure, Place, node, say};
use crate::amount::{bytes_text, time_text};
use crate::config::{Settings, user_file};
use crate::owner::{self, Probes};
use crate::shape::V;
use clap::Args;
use serde::Serialize;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// A node keeps connections, blobs and executors open.
const FILES_LEAST: u64 = 1_024;
/// Below this a disk soon takes nothing more.
const DISK_LEAST: u64 = 1 << 30;

#[derive(Debug, Args)]
pub struct Doctor {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// More than a line says, for whoever wants to know why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    v: u32,
    findings: Vec<Finding>,
}

impl Doctor {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let settings = place.settings()?;
        let mut findings = vec![configuration(), home(&settings), token(&settings)];
        findings.extend(way::look(place, &settings));
        findings.extend(near::look(&settings));
        findings.extend([ports(&settings), walls(), Some(probes()), disk(&settings), files()].into_iter().flatten());
        let report = Report { v: V, findings };
        let ill = report.findings.iter().any(|finding| !finding.ok);
        if self.json {
            say::json(&report)?;
        } else {
            for finding in &report.findings {
                say::line(&format!(
                    "{:<4} {:<9} {}",
                    if finding.ok { "ok" } else { "bad" },
                    finding.what,
                    finding.text
                ))?;
                finding.hint.iter().try_for_each(|hint| say::line(&format!("     hint: {hint}")))?;
            }
        }
        Ok(if ill { Exit::Error } else { Exit::Done })
    }
}

fn fine(what: &'static str, text: String) -> Finding {
    Finding { what, ok: true, text, hint: None, detail: Vec::new() }
}

fn ill(what: &'static str, failure: Failure) -> Finding {
    Finding { what, ok: false, text: failure.message, hint: failure.hint, detail: Vec::new() }
}

/// Whether commands mean the peer of this machine: one runs here, and there is no circle.
fn is_peer(settings: &Settings) -> bool {
    let home = &settings.home;
    let session = home.session().ok().flatten().and_then(|session| session.hub);
    let circle = home.hub().is_ok() || home.joined().is_ok() || session.is_some();
    settings.hub.is_none() && !circle && home.of_peers().hub().is_ok()
}

/// Settings that are wrong have ended the command before.
fn configuration() -> Finding {
    let text = match user_file() {
        Some(path) if path.exists() => format!("{} is read", path.display()),
        Some(path) => format!("the defaults; {} would change them", path.display()),
        None => "the defaults".to_owned(),
    };
    fine("settings", text)
}

fn home(settings: &Settings) -> Finding {
    let path = settings.home.path();
    if !path.exists() {
        // Who only looks leaves no trace.
        return fine("folder", format!("{} is not there yet; `grove up` and `grove join` make it", path.display()));
    }
    match settings.home.create() {
        Ok(()) => fine("folder", format!("{} is there, and its owner's alone", path.display())),
        Err(error) => ill("folder", Failure::caused(Exit::Error, &error)),
    }
}

/// By what this folder is let in.
fn token(settings: &Settings) -> Finding {
    let home = &settings.home;
    let joined = home.joined();
    if let Ok(joined) = &joined {
        return fine("key", format!("joined as a machine of {}; the key is the owner's alone", joined.person));
    }
    if let Ok(Some(session)) = home.session() {
        return fine("login", format!("logged in as {}", session.person));
    }
    let home = if is_peer(settings) { &home.of_peers() } else { home };
    match home.token() {
        Ok(_) => fine("token", format!("{} is the owner's alone", home.token_path().display())),
        Err(error) => ill("token", Failure::caused(Exit::NotAuthorised, &error)),
    }
}

/// Whether a hub could listen here, or which does.
fn ports(settings: &Settings) -> Option<Finding> {
    if let Ok(hub) = settings.home.hub() {
        return Some(fine("ports", format!("the hub of this folder has {} and {}", hub.api, hub.link)));
    }
    if is_peer(settings) {
        let peer = settings.home.of_peers().hub().ok()?;
        return Some(fine("ports", format!("the peer of this folder has {} and, over UDP, {}", peer.api, peer.link)));
    }
    // A machine that has joined another hub needs none.
    if settings.home.joined().is_ok() {
        return None;
    }
    let taken: Vec<SocketAddr> =
        [settings.listen, settings.link].into_iter().filter(|address| TcpListener::bind(address).is_err()).collect();
    Some(match taken.first() {
        None => fine("ports", format!("{} and {} are free for a hub", settings.listen, settings.link)),
        Some(address) => {
            let failure = Failure::new(Exit::Error, format!("another program has {address}"));
            ill("ports", failure.hint("a hub here needs others: `grove config set listen 127.0.0.1:7430`, and `link`"))
        }
    })
}

/// Whether it can be told that the owner is away.
fn probes() -> Finding {
    let said = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            let mut probes = Probes::new(None);
            (probes.try_all().await, probes.sees().await)
        }),
        Err(error) => return ill("owner", Failure::caused(Exit::Error, &error)),
    };
    let (tried, sees) = said;
    let (mut seen, mut detail) = (Vec::new(), Vec::new());
    for (name, answer) in tried {
        match answer {
            Ok(at) => seen.push(format!("{name}: input {} ago", time_text(owner::now().since(at)))),
            Err(error) => detail.push(format!("{name}: {error}")),
        }
    }
    let found = match (sees, seen.is_empty()) {
        (Ok(sight), true) => fine("owner", sight),
        (Ok(sight), false) => fine("owner", format!("{sight} ({})", seen.join("; "))),
        // Then what each of them said is what there is to mend.
        (Err(why), _) => ill(
            "owner",
            Failure::new(Exit::Error, format!("{why} ({})", [seen, detail.clone()].concat().join("; ")))
                .hint("until one does, nothing is lent here; `grove lend --always` lends without knowing"),
        ),
    };
    Finding { detail, ..found }
}

/// What stands between tools and this machine.
fn walls() -> Option<Finding> {
    Some(match node::proved_walls() {
        Ok(walls) => {
            let missing: Vec<&str> = walls.iter().filter(|wall| !wall.stands).map(|wall| &*wall.name).collect();
            let finding = fine("walls", node::named(&walls).join(", "));
            let hint = format!(
                "without {} tools run all the same, behind the others; a newer kernel or a `--privileged` container has all",
                missing.join(", ")
            );
            Finding { hint: (!missing.is_empty()).then_some(hint), ..finding }
        }
        Err(failure) => {
            ill("walls", Failure { message: format!("this machine cannot lend: {}", failure.message), ..failure })
        }
    })
}

fn disk(settings: &Settings) -> Option<Finding> {
    let free = nearest(settings.home.path()).and_then(|there| system::free_bytes(there).ok())?;
    let text = format!("{} free, {} may be used", bytes_text(free), bytes_text(settings.disk_bytes));
    Some(if free >= DISK_LEAST {
        fine("disk", text)
    } else {
        ill("disk", Failure::new(Exit::Error, text).hint("free some space, or use another disk with --home"))
    })
}

/// The folder, or where it would be.
fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.exists())
}

fn files() -> Option<Finding> {
    let most = system::open_files_most()?;
    let left = system::open_files_left().unwrap_or(u64::MAX);
    let enough = most.min(left) >= FILES_LEAST;
    Some(if enough {
        fine("files", format!("{most} may be open at one time"))
    } else {
        let text = format!("only {} may be open at one time", most.min(left));
        ill("files", Failure::new(Exit::Error, text).hint("`ulimit -n 4096` before `grove up` or `grove lend`"))
    })
}
