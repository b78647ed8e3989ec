//! More inputs for an open job; whoever wants waits for their results in the same request.

use super::error::Problem;
use super::guard::Mine;
use super::results;
use super::sent::{Asked, Long};
use super::submit::inputs;
use super::{WAIT_MAX, lookup};
use crate::shape::{Added, More, V};
use axum::Json;
use axum::extract::Path;
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
    Mine(api): Mine,
    Path(name): Path<String>,
    Asked(how): Asked<How>,
    Long(more): Long<More>,
) -> Result<Json<Added>, Problem> {
    let job = lookup::job_id(&api, &name).await?;
    api.door.blobs().has_room()?;
    api.may_keep(0)?;
    let inputs = inputs(&api, more.inputs)?;
    if inputs.is_empty() {
        return Err(Refusal::NoInputs.into());
    }
    let (reply, answered) = if how.wait {
        api.door.extend_and_wait(job, more.from, inputs, WAIT_MAX).await?
    } else {
        (api.door.extend(job, more.from, inputs).await?, None)
    };
    let (from, count) = match reply {
        Reply::Extended { from, count } => (from, count),
        Reply::Refused { why: Refusal::NoSuchJob } => return Err(Problem::no_such_job(&name)),
        Reply::Refused { why } => return Err(why.into()),
        _ => {
            return Err(Problem::internal("adding inputs", &"another reply than was asked for"));
        }
    };
    let items = Span { first: from, len: count };
    let results = answered.map(|root| results::of_items(&api, job, root, items)).transpose()?;
    Ok(Json(Added { v: V, from, count, results }))
}
