//! How the node is: itself, its neighbours, its books.

use super::error::Problem;
use super::guard::{Mine, Who};
use super::render;
use crate::shape::{Big, CreditsShape, DiskShape, Peers, Signed, Status, V, Version};
use axum::Json;
use grove_core::id::JobId;
use grove_core::job::Standing;
use grove_core::ledger::Account;
use grove_core::node::Node;
use grove_core::view::PeerView;

pub(super) async fn version() -> Json<Version> {
    Json(Version { v: V, version: env!("CARGO_PKG_VERSION").to_owned(), now_ms: Some(super::guard::now().0) })
}

pub(super) async fn credits(Mine(api): Mine) -> Result<Json<CreditsShape>, Problem> {
    let who = api.who;
    Ok(Json(api.door.look(move |node| books(node, who)).await?))
}

pub(super) async fn peers(Mine(api): Mine) -> Result<Json<Peers>, Problem> {
    let who = api.who;
    let (here, peers) = api.door.look(move |node| (node.config().id, seen_peers(node, who))).await?;
    Ok(Json(Peers { v: V, peers: peers.iter().map(|peer| render::peer(peer, here)).collect() }))
}

pub(super) async fn status(Mine(api): Mine) -> Result<Json<Status>, Problem> {
    let who = api.who;
    let mut status = api.door.look(move |node| seen(node, who)).await?;
    status.walls.clone_from(&api.about.walls);
    if !who.roles.admin {
        // Other members need no name of the hub but its key.
        status.node = api.names().of(JobId(0), api.door.look(|node| node.config().id).await?);
    }
    status.link = api.about.link.to_string();
    let room = api.door.blobs().room()?;
    status.stored_bytes = room.used_bytes;
    status.disk =
        DiskShape { quota_bytes: room.quota_bytes, free_bytes: room.free_bytes, reserve_bytes: room.reserve_bytes };
    status.key = api.about.reach.as_ref().map(|reach| reach.key.to_string());
    Ok(Json(status))
}

/// All for who looks after the circle, their own machines' for everybody else.
fn seen_peers(node: &Node, who: Who) -> Vec<PeerView> {
    let circle = node.state().circle();
    let own = |peer: &PeerView| who.roles.admin || circle.earner(peer.node) == Some(who.person);
    node.view_peers().into_iter().filter(own).collect()
}

fn seen(node: &Node, who: Who) -> Status {
    let state = node.state();
    let here = node.config().id;
    let peers = node.view_peers();
    let lending = || peers.iter().filter(|peer| peer.linked && peer.slots > 0 && !peer.caught);
    let own: Vec<_> = state.jobs().values().filter(|book| who.sees(book.job.owner)).collect();
    let running: Vec<_> = own.iter().filter(|book| book.standing == Standing::Running).collect();
    let counts = || running.iter().filter_map(|book| state.task(book.root)).map(grove_core::view::counts);
    Status {
        v: V,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: render::node_id(here),
        incarnation: state.incarnation().0,
        slots: peers.iter().find(|peer| peer.node == here).map_or(0, |peer| peer.slots),
        lenders: lending().count() as u64,
        nobody: grove_core::view::nobody(node.crew()).iter().map(render::reason).collect(),
        lender_slots: lending().map(|peer| u64::from(peer.slots)).sum(),
        jobs_running: running.len() as u64,
        jobs_ended: (own.len() - running.len()) as u64,
        parts_running: counts().map(|counts| counts.running).sum(),
        parts_waiting: counts().map(|counts| counts.waiting).sum(),
        credits: books(node, who),
        refused: state.refused(),
        misfits: state.misfits(),
        walls: Vec::new(),
        link: String::new(),
        key: None,
        stored_bytes: 0,
        disk: DiskShape::default(),
    }
}

fn books(node: &Node, who: Who) -> CreditsShape {
    let ledger = node.state().ledger();
    let own_hold = |task| {
        let job = node.state().task(task).and_then(|task| node.state().job(task.job));
        job.is_some_and(|book| who.sees(book.job.owner))
    };
    let (mut held, mut earned) = (0_u64, 0_u64);
    for (account, balance) in ledger.accounts() {
        let balance = u64::try_from(balance).unwrap_or(0);
        match account {
            Account::Hold(task) if own_hold(task) => held = held.saturating_add(balance),
            Account::Node(_) if who.roles.admin => earned = earned.saturating_add(balance),
            _ => {}
        }
    }
    CreditsShape {
        v: V,
        available: Big(ledger.balance(Account::Person(who.person)).0),
        held: Big(held),
        earned: Big(earned),
        ledger_sum: Signed(ledger.sum()),
    }
}
