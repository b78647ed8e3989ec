//! Looking at jobs, and telling them to stop, to close or to try again.

use super::error::Problem;
use super::guard::{Mine, Who};
use super::render::Names;
use super::sent::{Asked, Short};
use super::{Api, BUDGET_SHARE, lookup, render};
use crate::shape::{Again, Big, Done, JobShape, Jobs, TreeShape, V, Why};
use axum::Json;
use axum::extract::Path;
use grove_core::id::JobId;
use grove_core::ledger::Account;
use grove_core::node::{Node, Reply, Wish};
use grove_core::units::{Credits, Millis};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Jobs in one answer.
const JOBS_MAX: usize = 1_000;
const JOBS_USUAL: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<usize>,
}

pub(super) async fn list(Mine(api): Mine, Asked(page): Asked<Page>) -> Result<Json<Jobs>, Problem> {
    let limit = page.limit.unwrap_or(JOBS_USUAL).min(JOBS_MAX);
    let (who, names) = (api.who, api.names());
    Ok(Json(api.door.look(move |node| newest(node, limit, who, names)).await?))
}

/// The newest jobs. Only ids and times of the others are touched.
fn newest(node: &Node, limit: usize, who: Who, names: Names) -> Jobs {
    let mut newest: BTreeSet<(Millis, JobId)> = BTreeSet::new();
    let mut total = 0;
    for book in node.state().jobs().values().filter(|book| who.sees(book.job.owner)) {
        total += 1;
        newest.insert((book.submitted, book.job.id));
        if newest.len() > limit {
            newest.pop_first();
        }
    }
    let jobs = newest.iter().rev().filter_map(|(_, id)| node.view_job(*id)).map(|view| render::job(names, &view));
    Jobs { v: V, jobs: jobs.collect(), total }
}

pub(super) async fn show(Mine(api): Mine, Path(name): Path<String>) -> Result<Json<JobShape>, Problem> {
    let id = lookup::job_id(&api, &name).await?;
    let view = api.door.look(move |node| node.view_job(id)).await?;
    view.map(|view| Json(render::job(api.names(), &view))).ok_or_else(|| Problem::no_such_job(&name))
}

pub(super) async fn why(Mine(api): Mine, Path(name): Path<String>) -> Result<Json<Why>, Problem> {
    let id = lookup::job_id(&api, &name).await?;
    let seen = api.door.look(move |node| Some((node.view_job(id)?, node.why(id), node.soonest(id)))).await?;
    let (view, reasons, soonest) = seen.ok_or_else(|| Problem::no_such_job(&name))?;
    let job = render::job(api.names(), &view);
    let may_start_ms = soonest.filter(|_| job.waiting > 0).map(|after| after.0);
    Ok(Json(Why { v: V, job, reasons: reasons.iter().map(render::reason).collect(), may_start_ms }))
}

/// Who works on which piece of it. A node that cannot ask others knows its own books all the same, but nobody is shown.
pub(super) async fn tree(Mine(api): Mine, Path(name): Path<String>) -> Result<Json<TreeShape>, Problem> {
    let id = lookup::job_id(&api, &name).await?;
    let view = api.door.look(move |node| node.view_job(id)).await?;
    let view = view.ok_or_else(|| Problem::no_such_job(&name))?;
    let branches = match &api.about.near {
        Some(near) => near.tree(id).await?.unwrap_or_default(),
        None => Vec::new(),
    };
    let names = api.names();
    let branches = branches.iter().map(|branch| render::branch(names, id, branch)).collect();
    Ok(Json(TreeShape { v: V, job: names.job(id), standing: render::standing(view.standing), branches }))
}

pub(super) async fn close(Mine(api): Mine, Path(name): Path<String>) -> Result<Json<Done>, Problem> {
    let job = lookup::job_id(&api, &name).await?;
    tell(&api, job, Wish::Close { job }).await
}

pub(super) async fn cancel(Mine(api): Mine, Path(name): Path<String>) -> Result<Json<Done>, Problem> {
    let job = lookup::job_id(&api, &name).await?;
    tell(&api, job, Wish::Cancel { job }).await
}

pub(super) async fn retry(
    Mine(api): Mine,
    Path(name): Path<String>,
    Short(again): Short<Again>,
) -> Result<Json<Done>, Problem> {
    let job = lookup::job_id(&api, &name).await?;
    let budget = match again.budget {
        Some(Big(budget)) => Credits(budget),
        None => {
            let owner = Account::Person(api.who.person);
            let available = api.door.look(move |node| node.state().ledger().balance(owner)).await?;
            Credits(available.0 / BUDGET_SHARE)
        }
    };
    tell(&api, job, Wish::Retry { job, budget }).await
}

async fn tell(api: &Api, job: JobId, wish: Wish) -> Result<Json<Done>, Problem> {
    match api.door.ask(wish).await? {
        Reply::Refused { why: grove_core::job::Refusal::NoSuchJob } => Err(Problem::no_such_job(&api.names().job(job))),
        Reply::Refused { why } => Err(why.into()),
        _ => Ok(Json(Done { v: V, job: api.names().job(job) })),
    }
}
