//! `grove status`: the hub, its lenders, its work and its books, on one screen.

use super::hub::Hub;
use super::{Exit, Place, own, say, terminal};
use crate::amount::{bytes_text, credits_text, time_text};
use crate::owner::{self, Note};
use crate::shape::{CreditsShape, DiskShape, PeerShape, Peers, Status as Shape, V, Version};
use crate::words::Words;
use clap::Args;
use grove_core::id::Digest;
use grove_core::units::Millis;
use serde::Serialize;
use std::io::IsTerminal;
use std::time::Instant;

/// Three boxes stand side by side on a terminal wider than this.
const WIDE: usize = 120;
/// A disk is short when less is free than so many times what is kept in reserve.
const SHORT: u64 = 4;
/// The last tenth of what may be kept is nearly all.
const TENTH: u64 = 10;

#[derive(Debug, Args)]
pub struct Status {
    /// Answer with one JSON object
    #[arg(long)]
    json: bool,
}

/// What programs get: both answers in one.
#[derive(Debug, Serialize)]
struct Both<'a> {
    v: u32,
    status: &'a Shape,
    peers: &'a [PeerShape],
    /// The lenders of this folder.
    own: &'a [Note],
}

/// The hub that was asked, and how long it takes there and back.
struct Asked<'a> {
    address: &'a str,
    millis: u128,
}

impl Status {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let own = own::notes(&place.settings()?);
        let hub = Hub::find(place).inspect_err(|_| self.own_only(&own))?;
        let status: Shape = hub.get("/v1/status").inspect_err(|_| self.own_only(&own))?;
        let peers: Peers = hub.get("/v1/peers")?;
        if self.json {
            say::json(&Both { v: V, status: &status, peers: &peers.peers, own: &own })?;
        } else {
            let began = Instant::now();
            let _: Version = hub.get("/v1/version")?;
            let asked = Asked { address: hub.address(), millis: began.elapsed().as_millis() };
            let mut lines = screen(&asked, &status, &peers.peers);
            lines.extend(own::lines(&own, owner::now()));
            lines.iter().try_for_each(|line| say::line(line))?;
        }
        Ok(Exit::Done)
    }

    /// A lender knows how it is even while no hub answers.
    fn own_only(&self, own: &[Note]) {
        if !self.json {
            own::lines(own, owner::now()).iter().for_each(|line| say::talk(line));
        }
    }
}

fn screen(asked: &Asked, status: &Shape, peers: &[PeerShape]) -> Vec<String> {
    let mut lines =
        boxes(&[("Machine", machine(asked, status, peers)), ("Credits", credits(status)), ("Work here", work(status))]);
    lines.push(String::new());
    let (node, is) = (say::short_id(&status.node), kind(status));
    lines.push(format!("{is:<8} {node} at {}, grove {}", asked.address, status.version));
    if let Some(key) = status.key.as_deref().and_then(|key| blake3::Hash::from_hex(key).ok()) {
        lines.push(format!("key      {}", Words::of(Digest(*key.as_bytes()))));
    }
    lines.push(format!("disk     {}", disk_text(status)));
    lines.push(format!(
        "walls    {}",
        if status.walls.is_empty() { "none named".to_owned() } else { status.walls.join(", ") }
    ));
    if status.credits.ledger_sum.0 != 0 || status.misfits != 0 {
        let (sum, misfits) = (status.credits.ledger_sum.0, status.misfits);
        lines.push(format!(
            "BROKEN   the books are off by {sum} micro-credits, {misfits} facts did not fit: please report"
        ));
    }
    lines.push(String::new());
    // Who said goodbye is history: `grove machines` and `grove credits` have it.
    let there = |peer: &&PeerShape| !peer.left || peer.caught;
    let here = if status.peer { " (this machine)" } else { " (hub)" };
    let rows: Vec<Vec<String>> = peers.iter().filter(there).map(|peer| lender(peer, here)).collect();
    let who = if status.peer { "PEER" } else { "LENDER" };
    lines.extend(say::table(&[who, "IS", "SLOTS", "GIFTS", "AUDITS", "EARNED"], &rows));
    lines.extend(super::why::reasons(&status.nobody));
    lines
}

/// What kind of node was asked.
fn kind(status: &Shape) -> &'static str {
    if status.peer { "peer" } else { "hub" }
}

/// What this machine does for others: the hub's own for who looks after it, else one's own machines.
fn machine(asked: &Asked, status: &Shape, peers: &[PeerShape]) -> Vec<String> {
    let lending: Vec<&PeerShape> = peers.iter().filter(|peer| peer.linked && peer.slots > 0).collect();
    let here = peers.iter().any(|peer| peer.here);
    let slots = if here { u64::from(status.slots) } else { lending.iter().map(|peer| u64::from(peer.slots)).sum() };
    let parts: u64 = lending.iter().filter(|peer| !here || peer.here).map(|peer| peer.gifts).sum();
    let is = match (slots, parts) {
        (0, _) if status.peer => "not lending: grove why".to_owned(),
        (0, _) => "not lending: grove lend".to_owned(),
        (slots, 0) => format!("lending {}: idle", say::many(slots, "slot")),
        (slots, _) => format!("lending {}: at work", say::many(slots, "slot")),
    };
    vec![is, format!("{}: direct, {} ms", kind(status), asked.millis)]
}

fn credits(status: &Shape) -> Vec<String> {
    let text = |micro: u64| credits_text(i128::from(micro));
    let CreditsShape { available, held, earned, .. } = &status.credits;
    vec![
        format!("{} available", text(available.0)),
        format!("held {}", text(held.0)),
        format!("earned {}", text(earned.0)),
    ]
}

fn work(status: &Shape) -> Vec<String> {
    vec![
        format!("{} running, {} ended", say::many(status.jobs_running, "job"), status.jobs_ended),
        format!("parts: {} running, {} waiting", status.parts_running, status.parts_queued + status.parts_waiting),
        format!("{} refused", say::many(status.refused, "answer")),
    ]
}

/// Side by side where there is room, else one below the other.
fn boxes(all: &[(&str, Vec<String>)]) -> Vec<String> {
    laid(all, terminal::columns(std::io::stdout()).filter(|_| std::io::stdout().is_terminal()).unwrap_or(0))
}

fn laid(all: &[(&str, Vec<String>)], columns: usize) -> Vec<String> {
    if columns <= WIDE {
        let one = |(title, lines): &(&str, Vec<String>)| {
            let indented = lines.iter().map(|line| format!("  {line}"));
            std::iter::once((*title).to_owned()).chain(indented).collect::<Vec<String>>()
        };
        return all.iter().flat_map(one).collect();
    }
    let tall = all.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
    let row = |nth: usize| {
        let text = |(title, lines): &(&str, Vec<String>)| match nth.checked_sub(1) {
            None => (*title).to_owned(),
            Some(nth) => lines.get(nth).cloned().unwrap_or_default(),
        };
        let cells: Vec<String> = all.iter().map(|one| format!("{:<1$}", text(one), columns / all.len() - 1)).collect();
        cells.join(" ").trim_end().to_owned()
    };
    (0..=tall).map(row).collect()
}

/// What is kept, and how much room is left.
fn disk_text(status: &Shape) -> String {
    let DiskShape { quota_bytes, free_bytes, reserve_bytes } = status.disk;
    let kept = format!("{} of {} kept", bytes_text(status.stored_bytes), bytes_text(quota_bytes));
    let free = format!("{} free on the disk", bytes_text(free_bytes));
    let warning = if free_bytes < reserve_bytes {
        format!("FULL     {free}: below {} no job and no result is accepted", bytes_text(reserve_bytes))
    } else if status.stored_bytes > quota_bytes / TENTH * (TENTH - 1) {
        "FULL     nearly all is used that may be kept here".to_owned()
    } else if free_bytes < reserve_bytes.saturating_mul(SHORT) {
        format!("SHORT    below {} free no job and no result is accepted", bytes_text(reserve_bytes))
    } else {
        return format!("{kept}, {free}");
    };
    let hint = "free some space, raise the setting `disk`, or keep less long with `keep`: `grove config`";
    format!("{kept}, {free}\n{warning}\n         hint: {hint}")
}

fn lender(peer: &PeerShape, here: &str) -> Vec<String> {
    let here = if peer.here { here } else { "" };
    let is = match peer {
        PeerShape { caught: true, .. } => "caught".to_owned(),
        PeerShape { linked: false, .. } => format!("gone for {}", time_text(Millis(peer.silent_ms))),
        PeerShape { slots: 0, .. } => "not lending".to_owned(),
        PeerShape { resting: true, .. } => "resting".to_owned(),
        PeerShape { gifts: 0, .. } => "idle".to_owned(),
        _ => "at work".to_owned(),
    };
    vec![
        format!("{}{here}", say::short_id(&peer.node)),
        is,
        peer.slots.to_string(),
        peer.gifts.to_string(),
        peer.audits_passed.to_string(),
        credits_text(i128::from(peer.earned.0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Big, Signed};

    #[test]
    fn one_screen_says_how_things_are() {
        let books = CreditsShape {
            v: V,
            available: Big(18_400_000),
            held: Big(2_100_000),
            earned: Big(0),
            ledger_sum: Signed(0),
            held_by: Vec::new(),
        };
        let status = Shape {
            v: V,
            version: "0.1.0".into(),
            node: "0123456789abcdef".into(),
            incarnation: 2,
            slots: 2,
            lenders: 1,
            nobody: Vec::new(),
            lender_slots: 2,
            jobs_running: 1,
            jobs_ended: 4,
            parts_running: 3,
            parts_queued: 4,
            parts_waiting: 5,
            credits: books,
            refused: 1,
            misfits: 0,
            walls: vec!["seccomp".into(), "landlock".into()],
            link: "127.0.0.1:7421".into(),
            key: None,
            stored_bytes: 3 << 20,
            disk: DiskShape { quota_bytes: 20 << 30, free_bytes: 60 << 30, reserve_bytes: 256 << 20 },
            peer: false,
        };
        let peer = PeerShape {
            node: "0123456789abcdef".into(),
            here: true,
            linked: true,
            left: false,
            slots: 2,
            memory: 0,
            too_large: 0,
            gifts: 3,
            trusted: true,
            caught: false,
            audits_passed: 0,
            speed: 0,
            balance: Signed(0),
            earned: Big(8_011),
            silent_ms: 0,
            resting: false,
            favours: None,
        };
        let expect = "\
Machine
  lending 2 slots: at work
  hub: direct, 4 ms
Credits
  18.40 available
  held 2.10
  earned 0.00
Work here
  1 job running, 4 ended
  parts: 3 running, 9 waiting
  1 answer refused

hub      01234567 at 127.0.0.1:7420, grove 0.1.0
disk     3.0 MiB of 20.0 GiB kept, 60.0 GiB free on the disk
walls    seccomp, landlock

LENDER          IS       SLOTS  GIFTS  AUDITS    EARNED
01234567 (hub)  at work      2      3       0  0.008011";
        let asked = Asked { address: "127.0.0.1:7420", millis: 4 };
        assert_eq!(screen(&asked, &status, std::slice::from_ref(&peer)).join("\n"), expect);
        let peers = screen(&asked, &Shape { peer: true, ..status.clone() }, std::slice::from_ref(&peer)).join("\n");
        let words = ["  peer: direct, 4 ms", "\npeer     01234567 at", "\nPEER ", "\n01234567 (this machine)  at work"];
        assert!(words.iter().all(|word| peers.contains(word)) && !peers.contains("hub"), "{peers}");
        let wide = laid(
            &[
                ("Machine", machine(&asked, &status, &[peer])),
                ("Credits", credits(&status)),
                ("Work here", work(&status)),
            ],
            123,
        );
        let expect = "\
Machine                                  Credits                                  Work here
lending 2 slots: at work                 18.40 available                          1 job running, 4 ended
hub: direct, 4 ms                        held 2.10                                parts: 3 running, 9 waiting
                                         earned 0.00                              1 answer refused";
        assert_eq!(wide.join("\n"), expect);
        let told = |stored_bytes: u64, free_bytes: u64| {
            let disk = DiskShape { free_bytes, ..status.disk };
            disk_text(&Shape { stored_bytes, disk, ..status.clone() })
        };
        assert!(!told(3 << 20, 1 << 30).contains("hint"));
        assert!(told(3 << 20, 1 << 29).contains("512.0 MiB free on the disk\nSHORT    below 256.0 MiB free"));
        assert!(
            told(3 << 20, 1 << 20).contains("\nFULL     1.0 MiB free on the disk") && told(0, 0).contains("hint: ")
        );
        assert!(told(19 << 30, 60 << 30).contains("\nFULL     nearly all is used"));
    }
}
