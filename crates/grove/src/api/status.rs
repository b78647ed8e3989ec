//! How the node is: itself, its neighbours, its books.

use super::error::Problem;
use super::{Api, render};
use crate::shape::{Big, CreditsShape, Peers, Signed, Status, V, Version};
use axum::Json;
use axum::extract::State;
use grove_core::id::PersonId;
use grove_core::job::Standing;
use grove_core::ledger::Account;
use grove_core::node::Node;

pub(super) async fn version() -> Json<Version> {
    Json(Version { v: V, version: env!("CARGO_PKG_VERSION").to_owned() })
}

pub(super) async fn credits(State(api): State<Api>) -> Result<Json<CreditsShape>, Problem> {
    let owner = api.about.owner;
    Ok(Json(api.door.look(move |node| books(node, owner)).await?))
}

pub(super) async fn peers(State(api): State<Api>) -> Result<Json<Peers>, Problem> {
    let (here, peers) = api.door.look(|node| (node.config().id, node.view_peers())).await?;
    Ok(Json(Peers { v: V, peers: peers.iter().map(|peer| render::peer(peer, here)).collect() }))
}

pub(super) async fn status(State(api): State<Api>) -> Result<Json<Status>, Problem> {
    let owner = api.about.owner;
    let mut status = api.door.look(move |node| seen(node, owner)).await?;
    status.walls.clone_from(&api.about.walls);
    status.link = api.about.link.to_string();
    status.stored_bytes = api.door.blobs().used_bytes();
    Ok(Json(status))
}

fn seen(node: &Node, owner: PersonId) -> Status {
    let state = node.state();
    let here = node.config().id;
    let peers = node.view_peers();
    let lending = || peers.iter().filter(|peer| peer.linked && peer.slots > 0 && !peer.caught);
    let running: Vec<_> = state.jobs().values().filter(|book| book.standing == Standing::Running).collect();
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
        jobs_ended: (state.jobs().len() - running.len()) as u64,
        parts_running: counts().map(|counts| counts.running).sum(),
        parts_waiting: counts().map(|counts| counts.waiting).sum(),
        credits: books(node, owner),
        refused: state.refused(),
        misfits: state.misfits(),
        walls: Vec::new(),
        link: String::new(),
        stored_bytes: 0,
    }
}

fn books(node: &Node, owner: PersonId) -> CreditsShape {
    let ledger = node.state().ledger();
    let (mut held, mut earned) = (0_u64, 0_u64);
    for (account, balance) in ledger.accounts() {
        let balance = u64::try_from(balance).unwrap_or(0);
        match account {
            Account::Hold(_) => held = held.saturating_add(balance),
            Account::Node(_) => earned = earned.saturating_add(balance),
            Account::Mint | Account::Person(_) => {}
        }
    }
    CreditsShape {
        v: V,
        available: Big(ledger.balance(Account::Person(owner)).0),
        held: Big(held),
        earned: Big(earned),
        ledger_sum: Signed(ledger.sum()),
    }
}
