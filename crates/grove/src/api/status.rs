//! How the node is: itself, its neighbours, its books.

use super::error::Problem;
use super::guard::{Mine, Who};

use super::render::{self, Names};
use super::sent::Asked;
use crate::shape::{
    AccountShape, Big, CreditsShape, DiskShape, EntryShape, HeldShape, Peers, Signed, Status, V, Version,
};
use axum::Json;
use grove_core::id::JobId;
use grove_core::id::{NodeId, PersonId};
use grove_core::job::Standing;
use grove_core::ledger::Account;
use grove_core::node::{Cause, Entry, Node};
use grove_core::view::PeerView;
use serde::Deserialize;

/// Jobs of which it is said what they hold: those with most.
const HELD_BY_MAX: usize = 100;
/// Lines of an account in one answer.
const LINES_MAX: usize = 1_000;

/// Which lines of an account.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    from: Option<Big>,
    limit: Option<usize>,
}

pub(super) async fn version() -> Json<Version> {
    Json(Version { v: V, version: env!("CARGO_PKG_VERSION").to_owned(), now_ms: Some(super::guard::now().0) })
}

pub(super) async fn credits(Mine(api): Mine) -> Result<Json<CreditsShape>, Problem> {
    let (who, names) = (api.who, api.names());
    Ok(Json(api.door.look(move |node| books(node, who, names)).await?))
}

pub(super) async fn peers(Mine(api): Mine) -> Result<Json<Peers>, Problem> {
    let who = api.who;
    let seen = api.door.look(move |node| (node.config().id, seen_peers(node, who), node.waiting_jobs())).await?;
    let (here, peers, waiting_jobs) = seen;
    let near = api.about.near.as_ref().filter(|_| who.roles.admin);
    let known = near.map(|near| near.seen().iter().map(render::known).collect()).unwrap_or_default();
    let peers = peers.iter().map(|peer| render::peer(peer, here)).collect();
    Ok(Json(Peers { v: V, peers, waiting_jobs, known }))
}

pub(super) async fn status(Mine(api): Mine) -> Result<Json<Status>, Problem> {
    let (who, names) = (api.who, api.names());
    let mut status = api.door.look(move |node| seen(node, who, names)).await?;
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

fn seen(node: &Node, who: Who, names: Names) -> Status {
    let state = node.state();
    let here = node.config().id;
    let peers = node.view_peers();
    let lending = || peers.iter().filter(|peer| peer.linked && peer.slots > 0 && !peer.caught);
    let own: Vec<_> = state.jobs().values().filter(|book| who.sees(book.job.owner)).collect();
    let running: Vec<_> = own.iter().filter(|book| book.standing == Standing::Running).collect();
    let counts = || running.iter().filter_map(|book| state.task(book.root)).map(|task| node.counts(task));
    Status {
        v: V,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: render::node_id(here),
        incarnation: state.incarnation().0,
        slots: peers.iter().find(|peer| peer.node == here).map_or(0, |peer| peer.slots),
        lenders: lending().count() as u64,
        nobody: grove_core::view::nobody(node.crew(who.person)).iter().map(render::reason).collect(),
        lender_slots: lending().map(|peer| u64::from(peer.slots)).sum(),
        jobs_running: running.len() as u64,
        jobs_ended: (own.len() - running.len()) as u64,
        parts_running: counts().map(|counts| counts.running).sum(),
        parts_queued: counts().map(|counts| counts.queued).sum(),
        parts_waiting: counts().map(|counts| counts.waiting).sum(),
        credits: books(node, who, names),
        refused: state.refused(),
        misfits: state.misfits(),
        walls: Vec::new(),
        link: String::new(),
        key: None,
        stored_bytes: 0,
        disk: DiskShape::default(),
        peer: node.config().solves,
    }
}

fn books(node: &Node, who: Who, names: Names) -> CreditsShape {
    let (state, ledger) = (node.state(), node.state().ledger());
    let mut held_by: Vec<HeldShape> = ledger
        .accounts()
        .filter_map(|(account, balance)| held(node, (who, names), account, u64::try_from(balance).unwrap_or(0)))
        .collect();
    held_by.sort_by_key(|held| std::cmp::Reverse(held.held));
    let held = held_by.iter().fold(0_u64, |sum, held| sum.saturating_add(held.held.0));
    held_by.truncate(HELD_BY_MAX);
    let mine = |node: &NodeId| match state.circle().earner(*node) {
        Some(earner) => earner == who.person,
        None => who.roles.admin,
    };
    let earned = state.peers().iter().filter(|(node, _)| mine(node)).map(|(_, record)| record.paid_them.0);
    CreditsShape {
        v: V,
        available: Big(ledger.balance(Account::Person(who.person)).0),
        held: Big(held),
        earned: Big(earned.fold(0, u64::saturating_add)),
        ledger_sum: Signed(ledger.sum()),
        held_by,
    }
}

/// What is set aside for a job that somebody may see.
fn held(node: &Node, (who, names): (Who, Names), account: Account, balance: u64) -> Option<HeldShape> {
    let Account::Hold(root) = account else { return None };
    let book = node.state().job(node.state().task(root)?.job).filter(|book| who.sees(book.job.owner))?;
    let person = node.state().circle().people.get(&book.job.owner);
    Some(HeldShape {
        job: names.job(book.job.id),
        name: book.job.name.to_string(),
        person: person.map_or_else(String::new, |person| person.name.to_string()),
        held: Big(balance),
        budget: Big(book.job.budget.0),
        settling: book.standing != Standing::Running,
    })
}

/// Every change of the balance of who asks, page by page.
pub(super) async fn log(Mine(api): Mine, Asked(page): Asked<Page>) -> Result<Json<AccountShape>, Problem> {
    let (door, person, limit) = (api.door.clone(), api.who.person, page.limit.unwrap_or(LINES_MAX).min(LINES_MAX));
    let from = page.from.map_or(0, |from| from.0);
    let found = tokio::task::spawn_blocking(move || door.account(person, from, limit)).await;
    let found = found.map_err(|error| Problem::internal("the store was not asked", &error))?;
    let found = found.map_err(|error| Problem::internal("the store", &error))?;
    // What was read is durable when the loop, which commits, has time for a question.
    api.door.look(|_| ()).await?;
    let circle = api.door.roll().now();
    let names = api.names();
    let name = |id| circle.people.get(&id).map(|person| person.name.to_string());
    let lines = found.lines.into_iter().map(|(number, entry)| line(number, &entry, names, name)).collect();
    Ok(Json(AccountShape { v: V, lines, next: found.next.map(Big) }))
}

fn line(number: u64, entry: &Entry, names: Names, name: impl Fn(PersonId) -> Option<String>) -> EntryShape {
    let (why, with) = match entry.cause {
        Cause::Granted => ("granted", None),
        Cause::Held => ("held", None),
        Cause::Returned => ("returned", None),
        Cause::Earned => ("earned", None),
        Cause::Adopted => ("adopted", None),
        Cause::Sent { to } => ("sent", name(to)),
        Cause::Received { from } => ("received", name(from)),
    };
    EntryShape {
        number: Big(number),
        at_ms: entry.at,
        why: why.to_owned(),
        job: entry.job.map(|job| names.job(job)),
        with,
        amount: Signed(i128::from(entry.amount)),
        balance: Signed(i128::from(entry.balance)),
    }
}
