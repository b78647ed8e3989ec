//! The processes of a demo: one hub, some lenders, all on loopback in a folder that goes with them.

use super::super::{Exit, Failure, Place};
use super::play::Play;
use crate::cli::hub::Hub;
use crate::config::Home;
use crate::owner::is_alive;
use crate::shape::Peers;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that is not there after this long will not come.
const START_TIME: Duration = Duration::from_secs(30);
/// Behind it stands the number of the demo's own process.
const FOLDER: &str = "grove-demo-";
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A process told to stop gets this long, then it is killed.
const STOP_TIME: Duration = Duration::from_secs(3);

/// How a lender behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Honest,
    Liar,
    Killed,
    Hung,
}

/// All processes. They stop with this value, and their folder goes.
pub(super) struct Children {
    home: PathBuf,
    hub: Child,
    lenders: Vec<Lender>,
    known: BTreeSet<String>,
}

struct Lender {
    process: Child,
    node: String,
    role: Role,
    /// It has been killed or made to hang.
    done_to: bool,
}

impl Children {
    /// Starts the hub and waits until it can be asked.
    pub(super) fn start_hub() -> anyhow::Result<Children> {
        sweep();
        let home = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
        std::fs::create_dir_all(&home)
            .map_err(|error| Failure::new(Exit::Error, format!("cannot make {}: {error}", home.display())))?;
        let up = ["up", "--no-lend", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
        let hub = start(&home, "hub", &up, Role::Honest)?;
        let mut children = Children { home, hub, lenders: Vec::new(), known: BTreeSet::new() };
        let begun = Instant::now();
        while Home::at(children.home.clone()).hub().is_err() {
            if children.hub.try_wait()?.is_some() || begun.elapsed() > START_TIME {
                return Err(children.broken("hub"));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(children)
    }

    /// Where the commands of this demo find its hub.
    pub(super) fn place(&self) -> Place {
        Place { home: Some(self.home.clone()), hub: None }
    }

    /// Starts a lender and waits until the hub knows it; says the name under which it does.
    pub(super) fn start_lender(&mut self, hub: &Hub, role: Role) -> anyhow::Result<String> {
        let log = format!("lender-{}", self.lenders.len() + 1);
        let mut process = start(&self.home, &log, &["lend", "--always", "--slots", "1"], role)?;
        let begun = Instant::now();
        loop {
            let peers: Peers = hub.get("/v1/peers")?;
            let new = peers
                .peers
                .iter()
                .find(|peer| peer.linked && !peer.here && peer.slots > 0 && !self.known.contains(&peer.node));
            if let Some(peer) = new {
                let node = peer.node.clone();
                self.known.insert(node.clone());
                self.lenders.push(Lender { process, node: node.clone(), role, done_to: false });
                return Ok(node);
            }
            if process.try_wait()?.is_some() || begun.elapsed() > START_TIME {
                let _ = process.kill();
                let _ = process.wait();
                return Err(self.broken(&log));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Kills, or freezes, the lenders that are there for it, in the middle of their work.
    pub(super) fn act(&mut self, play: &mut Play) {
        for lender in &mut self.lenders {
            if lender.done_to || !play.is_busy(&lender.node) {
                continue;
            }
            match lender.role {
                Role::Killed => {
                    let _ = lender.process.kill();
                    play.happened(&lender.node, "killed");
                }
                Role::Hung => {
                    freeze(&lender.process);
                    play.happened(&lender.node, "hangs");
                }
                Role::Honest | Role::Liar => continue,
            }
            lender.done_to = true;
        }
    }

    /// No work is left: the lenders leave, then the hub closes its books.
    pub(super) fn stop(&mut self) {
        for lender in &mut self.lenders {
            end(&mut lender.process, lender.role == Role::Hung);
        }
        end(&mut self.hub, false);
    }

    fn broken(&self, who: &str) -> anyhow::Error {
        let log = std::fs::read_to_string(self.home.join(format!("{who}.log"))).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        let said = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        Failure::new(Exit::Error, format!("the {who} of the demo did not start: {said}"))
            .hint("`grove doctor` says what this machine lacks")
            .into()
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for lender in &mut self.lenders {
            let _ = lender.process.kill();
            let _ = lender.process.wait();
        }
        let _ = self.hub.kill();
        let _ = self.hub.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// Demos that were killed leave their folders; their processes end by themselves.
fn sweep() {
    let folders = std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten();
    for folder in folders {
        let name = folder.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.parse().ok());
        if pid.is_some_and(|pid| !is_alive(pid)) {
            // Another user's stays.
            let _ = std::fs::remove_dir_all(folder.path());
        }
    }
}

fn start(home: &Path, name: &str, arguments: &[&str], role: Role) -> anyhow::Result<Child> {
    let log = std::fs::File::create(home.join(format!("{name}.log")))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--home").arg(home).args(arguments);
    if role == Role::Liar {
        command.arg("--pretend");
    }
    // What is set for the person's own node is not meant for these.
    for variable in ["GROVE_HOME", "GROVE_HUB", "GROVE_LISTEN", "GROVE_LINK", "GROVE_SLOTS", "GROVE_DISK", "GROVE_KEEP"]
    {
        command.env_remove(variable);
    }
    command.arg("--until-eof").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    Ok(command.spawn()?)
}

/// Stops a process in good order if it can, at once if it cannot.
fn end(process: &mut Child, hangs: bool) {
    if !hangs {
        terminate(process);
        let begun = Instant::now();
        while begun.elapsed() < STOP_TIME {
            if matches!(process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }
    let _ = process.kill();
    let _ = process.wait();
}

#[cfg(unix)]
fn terminate(process: &Child) {
    signal(process, rustix::process::Signal::TERM);
}

#[cfg(unix)]
fn freeze(process: &Child) {
    signal(process, rustix::process::Signal::STOP);
}

#[cfg(unix)]
fn signal(process: &Child, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Elsewhere a process is stopped by ending it, and cannot be frozen from outside.
#[cfg(not(unix))]
fn terminate(_process: &Child) {}

#[cfg(not(unix))]
fn freeze(_process: &Child) {}
