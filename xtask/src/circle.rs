//! `cargo xtask circle`: a circle of computers in network namespaces of its own. They join by invitations, work for one
//! another, and somebody in between gets nothing. It needs root and `ip`; where these are missing it says so.

mod canary;
pub(crate) mod net;
pub(crate) mod relay;
#[cfg(target_os = "linux")]
pub(crate) mod tap;

use anyhow::{Context, ensure};
use net::{Net, Place, Running};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::test::root;

/// A new machine has its first result within this.
const FIRST_RESULT: Duration = Duration::from_secs(60);
/// Whoever is put out is out within this.
const REVOKED: Duration = Duration::from_secs(5);
/// So many try one invitation at the same time.
const RACERS: usize = 100;
const INPUTS: usize = 100;
/// The hub, as those on its network reach it, and as those behind somebody else do.
const HUB: &str = "10.77.0.1:7420";
const BETWEEN: &str = "10.78.0.1:7420";

/// Let computers of namespaces join, work and be attacked
#[derive(Debug, clap::Args)]
pub(crate) struct Circle {
    /// The program to be tried [default: built optimised]
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
}

impl Circle {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        if let Some(missing) = net::missing() {
            println!("skipped: {missing}");
            return Ok(());
        }
        let program = match &self.program {
            Some(path) => path.canonicalize().with_context(|| format!("{} is not there", path.display()))?,
            None => built()?,
        };
        let net = Net::make(&program)?;
        let hub = hub(&net)?;
        unlooked_after(&net)?;
        nearby(&net, &hub)?;
        let (cat, dan) = joined_and_at_work(&net)?;
        between(&net)?;
        raced(&net)?;
        revoked(&net)?;
        kept_apart(&net)?;
        drop((cat, dan));
        canary::kept(&net)?;
        let _hub = moved(&net, hub)?;
        left(&net)?;
        println!("ok: all of it holds");
        Ok(())
    }
}

pub(crate) fn built() -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--release", "--quiet", "--package", "grove"]);
    ensure!(cargo.status()?.success(), "the program could not be built");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/grove"))
}

pub(crate) fn tool(name: &str) -> String {
    root().join("tools/prebuilt").join(format!("{name}.wasm")).display().to_string()
}

fn hub(net: &Net) -> anyhow::Result<Running> {
    let reached = ["--address", HUB, "--address", BETWEEN];
    let up = ["up", "--admin", "Root", "--no-lend", "--listen", HUB];
    net.place("hub").start(&[&up[..], &reached].concat())
}

/// Nobody looks after that one, so nobody elsewhere reaches it.
fn unlooked_after(net: &Net) -> anyhow::Result<()> {
    let told = net.place("ann").beside("nobody").grove(&["up", "--listen", "10.77.0.2:7420"])?;
    ensure!(told.code == 2 && told.err.contains("--admin NAME"), "a hub of nobody listens: {told:?}");
    println!("ok: a hub that nobody looks after is not opened to others");
    Ok(())
}

fn nearby(net: &Net, hub: &Running) -> anyhow::Result<()> {
    let listed = net.place("ann").grove(&["join"])?;
    let words = hub.said("words")?;
    ensure!(listed.code == 0 && listed.out.contains(&words) && listed.out.contains(HUB), "{listed:?}");
    let alone = net.place("eve").grove(&["join"])?;
    ensure!(alone.code == 6, "on another network there is no hub: {alone:?}");
    println!("ok: the hub is listed nearby as {words}");
    Ok(())
}

/// The word that an invitation prints.
fn invite(net: &Net, flags: &[&str]) -> anyhow::Result<String> {
    let told = net.place("hub").right(&[&["invite"], flags].concat())?;
    Ok(told.trim().strip_prefix("grove join ").context("an invitation is printed")?.to_owned())
}

/// Two that lend, two that run; what comes out is what one machine alone computes.
fn joined_and_at_work(net: &Net) -> anyhow::Result<(Running, Running)> {
    let lend = invite(net, &["--role", "lend", "--uses", "2"])?;
    for name in ["cat", "dan"] {
        net.place(name).right(&["join", &lend, "--name", name])?;
    }
    let lenders = (
        net.place("cat").start(&["lend", "--always", "--slots", "1"])?,
        net.place("dan").start(&["lend", "--always", "--slots", "1"])?,
    );
    let began = Instant::now();
    net.place("ann").right(&["join", &invite(net, &[])?, "--name", "ann"])?;
    let one = net.place("ann").right(&["run", "--stdin", &tool("wordcount"), ":::", "a"])?;
    let took = began.elapsed();
    ensure!(!one.is_empty() && took <= FIRST_RESULT, "the first result took {took:?}");
    println!("ok: from join to the first result {:.1} s", took.as_secs_f64());
    // Who is asked for nowhere in particular finds the hub by itself.
    net.place("bob").right(&["join", &invite(net, &["--nearby"])?, "--name", "bob"])?;
    let inputs: Vec<String> = (0..INPUTS).map(|n| (10_403 + 2 * n).to_string()).collect();
    let words: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let factor = tool("factor");
    let run = [&["run", &factor, ":::"], &words[..]].concat();
    let began = Instant::now();
    let far = net.place("bob").right(&run)?;
    let took = began.elapsed();
    let alone = net.place("ann").beside("alone");
    let own = alone.start(&["up", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0", "--slots", "1"])?;
    let near = alone.right(&run)?;
    drop(own);
    ensure!(far == near && far.lines().count() >= INPUTS, "the circle computes something else than one machine");
    println!("ok: {INPUTS} inputs on two lenders in {:.1} s, the same as on one machine alone", took.as_secs_f64());
    Ok(lenders)
}

/// Eve's machine reaches the hub through somebody else's only.
fn between(net: &Net) -> anyhow::Result<()> {
    let word = invite(net, &[])?;
    let open = invitations(net)?;
    let (eve, mallory) = (net.place("eve"), net.place("mallory"));
    let other = mallory.start(&["up", "--admin", "Mallory", "--no-lend", "--listen", BETWEEN])?;
    let told = eve.grove(&["join", &word, "--name", "eve"])?;
    ensure!(told.code == 6 && told.err.contains("is not the hub's"), "another key was believed: {told:?}");
    drop(other);
    ensure!(invitations(net)? == open, "the invitation was used up by somebody in between");
    // Whoever passes everything on, and writes it down, has nothing that can be read or said again.
    let record = mallory.home.with_file_name("heard");
    let relay = mallory.relay(BETWEEN, HUB, &record)?;
    eve.right(&["join", &word, "--name", "eve"])?;
    eve.right(&["jobs"])?;
    drop(relay);
    let heard = std::fs::read(&record)?;
    ensure!(heard.len() > 1_000, "nothing went through: {} bytes", heard.len());
    for secret in [&b"/v1/join"[..], b"secret", b"eve"] {
        ensure!(!heard.windows(secret.len()).any(|part| part == secret), "it can be read on the way");
    }
    let before = machines(net)?;
    mallory.replay(HUB, &record)?;
    ensure!(machines(net)? == before && invitations(net)? + 1 == open, "what is said again counts again");
    let other = mallory.start(&["up", "--admin", "Mallory", "--no-lend", "--listen", BETWEEN])?;
    let told = eve.grove(&["jobs"])?;
    ensure!(told.code == 6 && told.err.contains("is not the hub's"), "another key was believed later: {told:?}");
    drop(other);
    println!("ok: somebody in between gets nothing, at joining, when calling again, and by saying it again");
    Ok(())
}

fn invitations(net: &Net) -> anyhow::Result<usize> {
    Ok(net.place("hub").right(&["invite", "--list"])?.lines().count())
}

fn machines(net: &Net) -> anyhow::Result<usize> {
    Ok(net.place("hub").right(&["machines", "--json"])?.matches(r#""name":"#).count())
}

fn raced(net: &Net) -> anyhow::Result<()> {
    let (word, before) = (invite(net, &["--role", "run"])?, machines(net)?);
    let racers: Vec<Place> = (0..RACERS).map(|n| net.place("ann").beside(&format!("racer{n}"))).collect();
    let won = std::thread::scope(|threads| {
        let tries: Vec<_> = racers
            .iter()
            .enumerate()
            .map(|(n, racer)| {
                let (word, name) = (&word, format!("racer {n}"));
                threads.spawn(move || racer.grove(&["join", word, "--name", &name]).is_ok_and(|told| told.code == 0))
            })
            .collect();
        tries.into_iter().filter_map(|one| one.join().ok()).filter(|won| *won).count()
    });
    ensure!(won == 1 && machines(net)? == before + 1, "{won} came in by an invitation for one");
    println!("ok: an invitation for one, tried by {RACERS} at once, lets in one");
    Ok(())
}

/// Put out in the middle of work.
fn revoked(net: &Net) -> anyhow::Result<()> {
    let job = net.place("ann").right(&["run", "--detach", &tool("spin"), ":::", "1000000000", "1000000001"])?;
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    net.place("hub").right(&["revoke", "cat"])?;
    while lenders(net)? != 1 {
        ensure!(began.elapsed() < REVOKED, "it still lends after {REVOKED:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = began.elapsed();
    let told = net.place("cat").grove(&["lend"])?;
    ensure!(told.code == 5 && told.err.contains("was closed"), "{told:?}");
    net.place("ann").grove(&["cancel", job.trim()])?;
    net.place("hub").right(&["revoke", "bob"])?;
    ensure!(net.place("bob").grove(&["jobs"])?.code == 5, "somebody who was put out is heard");
    println!("ok: whoever is put out is out after {} ms", took.as_millis());
    Ok(())
}

fn lenders(net: &Net) -> anyhow::Result<u64> {
    let status: serde_json::Value = serde_json::from_str(&net.place("hub").right(&["status", "--json"])?)?;
    status["status"]["lenders"].as_u64().context("the status says who lends")
}

/// A machine that was ever spoken to is remembered by the system: neither runner nor lender has spoken to the other.
fn kept_apart(net: &Net) -> anyhow::Result<()> {
    for (here, others) in [("ann", ["10.77.0.4", "10.77.0.5"]), ("cat", ["10.77.0.2", "10.77.0.3"])] {
        let spoken = net.place(here).neighbours()?;
        ensure!(spoken.contains("10.77.0.1"), "{here} has spoken to the hub: {spoken}");
        let met: Vec<&&str> = others.iter().filter(|other| spoken.contains(**other)).collect();
        ensure!(met.is_empty(), "{here} has spoken to {met:?}");
    }
    println!("ok: no packet between runners and lenders");
    Ok(())
}

/// The hub has another port from now on; its machines find it by its key.
fn moved(net: &Net, hub: Running) -> anyhow::Result<Running> {
    drop(hub);
    let up = ["up", "--no-lend", "--listen", "10.77.0.1:7520", "--link", "10.77.0.1:7521"];
    let hub = net.place("hub").start(&up)?;
    net.place("ann").right(&["jobs"])?;
    let began = Instant::now();
    net.place("ann").right(&["jobs"])?;
    ensure!(began.elapsed() < Duration::from_secs(1), "it is looked for again and again");
    println!("ok: a hub that has moved is found by its key");
    Ok(hub)
}

fn left(net: &Net) -> anyhow::Result<()> {
    let ann = net.place("ann");
    ann.right(&["leave", "--purge"])?;
    ensure!(!Path::new(&ann.home).exists(), "something is left in {}", ann.home.display());
    println!("ok: whoever leaves with --purge leaves nothing");
    Ok(())
}
