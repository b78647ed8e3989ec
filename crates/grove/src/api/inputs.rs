//! More inputs for an open job; whoever wants waits for their results in the same request.

use super::error::Problem;
use super::results;
use super::sent::{Asked, Long};
use super::submit::inputs;
use super::{Api, WAIT_MAX, lookup};
use crate::shape::{Added, More, V};
use axum::Json;
use axum::extract::{Path, State};
use grove_core::job::Refusal;
use grove_core::node::Reply;
use grove_core::task::Span;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct How {
    #[serde(default)]
    wait: bool,
}

pub(super) async fn add(
    State(api): State<Api>,
    Path(name): Path<String>,
    Asked(how): Asked<How>,
    Long(more): Long<More>,
) -> Result<Json<Added>, Problem> {
    let job = lookup::job_id(&api, &name).await?;
    let inputs = inputs(api.door.blobs(), more.inputs)?;
    if inputs.is_empty() {
        return Err(Refusal::NoInputs.into());
    }
    let seen = move |node: &grove_core::node::Node| {
        let root = node.state().job(job)?.root;
        Some((root, node.state().task(root)?.parts.count))
    };
    let (root, has) = api.door.look(seen).await?.ok_or_else(|| Problem::no_such_job(&name))?;
    let (from, count) = match api.door.extend(job, more.from.unwrap_or(has), inputs).await? {
        Reply::Extended { from, count } => (from, count),
        Reply::Refused { why } => return Err(why.into()),
        Reply::Accepted { .. } | Reply::Done => {
            return Err(Problem::internal("adding inputs", &"another reply than was asked for"));
        }
    };
    let mut added = Added { v: V, from, count, results: None };
    if how.wait {
        let items = Span { first: from, len: count };
        if let Ok(finished) = tokio::time::timeout(WAIT_MAX, api.door.finished(job, items)).await {
            finished?;
            added.results = Some(results::of_items(&api, root, items)?);
        }
    }
    Ok(Json(added))
}
