//! `grove status`: the hub, its lenders, its work and its books, on one screen.

use super::hub::Hub;
use super::{Exit, Place, say};
use crate::amount::{bytes_text, credits_text, time_text};
use crate::shape::{DiskShape, PeerShape, Peers, Status as Shape, V};
use crate::words::Words;
use clap::Args;
use grove_core::id::Digest;
use grove_core::units::Millis;
use serde::Serialize;

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
}

impl Status {
    pub fn go(&self, place: &Place) -> anyhow::Result<Exit> {
        let hub = Hub::find(place)?;
        let status: Shape = hub.get("/v1/status")?;
        let peers: Peers = hub.get("/v1/peers")?;
        if self.json {
            say::json(&Both { v: V, status: &status, peers: &peers.peers })?;
        } else {
            screen(hub.address(), &status, &peers.peers).iter().try_for_each(|line| say::line(line))?;
        }
        Ok(Exit::Done)
    }
}

fn screen(address: &str, status: &Shape, peers: &[PeerShape]) -> Vec<String> {
    let text = |micro: u64| credits_text(i128::from(micro));
    let lending = match status.slots {
        0 => "does not lend".to_owned(),
        slots => format!("lends {}", say::many(u64::from(slots), "slot")),
    };
    let walls = if status.walls.is_empty() { "none named".to_owned() } else { status.walls.join(", ") };
    let mut lines = vec![
        format!("hub      {} at {address}, grove {}", say::short_id(&status.node), status.version,),
        format!("machine  {lending}; {}", disk_text(status)),
        format!("walls    {walls}"),
        format!("credits  {} available, {} held", text(status.credits.available.0), text(status.credits.held.0)),
        format!(
            "work     {} running, {} ended; parts: {} running, {} waiting; {} refused",
            say::many(status.jobs_running, "job"),
            status.jobs_ended,
            status.parts_running,
            status.parts_waiting,
            say::many(status.refused, "answer"),
        ),
    ];
    if let Some(key) = status.key.as_deref().and_then(|key| blake3::Hash::from_hex(key).ok()) {
        lines.insert(1, format!("key      {}", Words::of(Digest(*key.as_bytes()))));
    }
    if status.credits.ledger_sum.0 != 0 || status.misfits != 0 {
        let (sum, misfits) = (status.credits.ledger_sum.0, status.misfits);
        lines.push(format!(
            "BROKEN   the books are off by {sum} micro-credits, {misfits} facts did not fit: please report"
        ));
    }
    lines.push(String::new());
    let rows: Vec<Vec<String>> = peers.iter().map(lender).collect();
    lines.extend(say::table(&["LENDER", "IS", "SLOTS", "GIFTS", "AUDITS", "EARNED"], &rows));
    lines.extend(super::why::reasons(&status.nobody));
    lines
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

fn lender(peer: &PeerShape) -> Vec<String> {
    let here = if peer.here { " (hub)" } else { "" };
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
        credits_text(peer.balance.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Big, CreditsShape, Signed};

    #[test]
    fn one_screen_says_how_things_are() {
        let credits = CreditsShape {
            v: V,
            available: Big(18_400_000),
            held: Big(2_100_000),
            earned: Big(0),
            ledger_sum: Signed(0),
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
            parts_waiting: 9,
            credits,
            refused: 1,
            misfits: 0,
            walls: vec!["seccomp".into(), "landlock".into()],
            link: "127.0.0.1:7421".into(),
            key: None,
            stored_bytes: 3 << 20,
            disk: DiskShape { quota_bytes: 20 << 30, free_bytes: 60 << 30, reserve_bytes: 256 << 20 },
        };
        let peer = PeerShape {
            node: "0123456789abcdef".into(),
            here: true,
            linked: true,
            slots: 2,
            gifts: 3,
            trusted: true,
            caught: false,
            audits_passed: 0,
            speed: 0,
            balance: Signed(0),
            silent_ms: 0,
            resting: false,
        };
        let expect = "\
hub      01234567 at 127.0.0.1:7420, grove 0.1.0
machine  lends 2 slots; 3.0 MiB of 20.0 GiB kept, 60.0 GiB free on the disk
walls    seccomp, landlock
credits  18.40 available, 2.10 held
work     1 job running, 4 ended; parts: 3 running, 9 waiting; 1 answer refused

LENDER          IS       SLOTS  GIFTS  AUDITS  EARNED
01234567 (hub)  at work      2      3       0    0.00";
        assert_eq!(screen("127.0.0.1:7420", &status, &[peer]).join("\n"), expect);
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
