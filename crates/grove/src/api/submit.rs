//! Submitting: what somebody sent becomes a job of core's, or a problem that says what is wrong with it.

use super::error::Problem;
use super::guard::Mine;
use super::sent::{INPUT_BYTES_MAX, INPUTS_MAX, Long};
use super::{Api, BUDGET_SHARE};
use crate::door::BlobId;
use crate::shape::{Accepted, Big, CapsShape, CheckShape, ChunkShape, InputShape, SourceShape, Submit, V};
use crate::tokens;
use axum::Json;
use axum::http::StatusCode;
use grove_core::id::{Digest, JobId, PersonId};
use grove_core::job::{Abilities, Caps, Check, Chunk, Job, Source, Tool};
use grove_core::ledger::Account;
use grove_core::message::Data;
use grove_core::node::{Node, Reply};
use grove_core::units::{Credits, Fuel, Millis};
use std::sync::Arc;

/// Of all answers, unless the job says otherwise: a liar of any size is soon found out, and little is done twice.
const SPOT_PER_MILLE: u32 = 30;

pub(super) async fn submit(Mine(api): Mine, Long(sent): Long<Submit>) -> Result<(StatusCode, Json<Accepted>), Problem> {
    let id: JobId = sent.id.parse().map_err(|_| {
        Problem::bad("wrong_id", format!("{:?} is not a job id", sent.id))
            .hint("13 digits of base 32, chosen by chance")
    })?;
    let id = api.aliases.within(id);
    if sent.name.chars().any(char::is_control) {
        return Err(Problem::bad("wrong_name", "a job's name is one line of plain text"));
    }
    let blobs = api.door.blobs();
    // A job whose results cannot be kept need not begin.
    blobs.has_room()?;
    api.may_keep(0)?;
    let module = blob_id(&sent.tool.module)?;
    api.may_name(&module, &sent.tool.module)?;
    let tool = api.tools.look(blobs, module).await?;
    let (source, inputs) = source(&api, sent.source.clone())?;
    let owner = api.who.person;
    let (before, available, lenders) = api.door.look(move |node| look(node, id, owner)).await?;
    // Who names a budget relies on it; without one it is only a bound.
    let promised = sent.budget.is_some();
    let budget = match (sent.budget, before) {
        (Some(Big(budget)), _) => Credits(budget),
        // Said again because the answer was lost: it is still the same job.
        (None, Some(before)) => before,
        (None, None) => Credits(available.0 / BUDGET_SHARE),
    };
    let job = job(sent, id, owner, (Digest(tool.bare.0), tool.abilities), source, budget);
    job.examine()?;
    let reply = if promised { api.door.promise(job, inputs).await? } else { api.door.submit(job, inputs).await? };
    match reply {
        Reply::Accepted { job, .. } => {
            let accepted = Accepted { v: V, job: api.names().job(job), budget: Big(budget.0), lenders };
            Ok((StatusCode::CREATED, Json(accepted)))
        }
        Reply::Refused { why } => Err(why.into()),
        Reply::Extended { .. } | Reply::Done | Reply::Joined { .. } | Reply::Denied { .. } => {
            Err(Problem::internal("submitting", &"another reply than was asked for"))
        }
    }
}

/// The budget of the job if it is on the books already, what the person could spend, and who lends.
fn look(node: &Node, id: JobId, owner: PersonId) -> (Option<Credits>, Credits, u64) {
    let before = node.state().job(id).filter(|book| book.job.owner == owner).map(|book| book.job.budget);
    let crew = node.crew(owner);
    (before, node.state().ledger().balance(Account::Person(owner)), crew.able + crew.resting)
}

fn job(
    sent: Submit,
    id: JobId,
    owner: PersonId,
    (module, abilities): (Digest, Abilities),
    source: Source,
    budget: Credits,
) -> Job {
    let chunk = match sent.chunk {
        ChunkShape::Items(items) => Chunk::Items(items),
        ChunkShape::Auto => Chunk::Timed,
    };
    let abilities = if sent.tool.uncut { uncut(abilities) } else { abilities };
    // Runs of several inputs: numbers are given by both their ends, whatever else on standard input, a line each.
    let several = chunk != Chunk::Items(1) && abilities == Abilities::default();
    let numbers = matches!(source, Source::Numbers { .. });
    let ranges = several && numbers && !sent.tool.stdin;
    let args = if ranges { tokens::ranged(&sent.tool.args) } else { sent.tool.args };
    let tool = Tool {
        module,
        abilities,
        args: args.into_iter().map(String::into_boxed_str).collect(),
        stdin: sent.tool.stdin || several && !numbers,
        real_time: sent.tool.real_time,
        caps: caps(sent.tool.caps),
    };
    Job {
        id,
        owner,
        name: sent.name.into(),
        chunk,
        check: check(sent.check, &tool),
        tool: Arc::new(tool),
        source,
        merge: sent.merge,
        open: sent.open,
        budget,
        fails_max: sent.fails_max.map_or(u64::MAX, |most| most.0),
    }
}

/// Of a tool that is not to cut its inputs. What one that ends with its first answer cuts off are tries, not portions.
fn uncut(abilities: Abilities) -> Abilities {
    let portions = abilities.merge && !abilities.first;
    Abilities { split: abilities.split && !portions, ..abilities }
}

fn caps(sent: CapsShape) -> Caps {
    let usual = Caps::default();
    Caps {
        fuel: sent.fuel.map_or(usual.fuel, |fuel| Fuel(fuel.0)),
        wall: sent.wall_ms.map_or(usual.wall, Millis),
        memory_bytes: sent.memory_bytes.unwrap_or(usual.memory_bytes),
        output_bytes: sent.output_bytes.unwrap_or(usual.output_bytes),
    }
}

/// By proof where the tool can prove; else by running some again; answers that hang on the clock cannot be compared.
fn check(sent: Option<CheckShape>, tool: &Tool) -> Check {
    match sent {
        Some(CheckShape::Prove { spot_per_mille }) => Check::Prove { spot_per_mille: spot_per_mille.min(1_000) },
        Some(CheckShape::Spot { per_mille }) => Check::Spot { per_mille: per_mille.min(1_000) },
        Some(CheckShape::Copies) => Check::Copies,
        Some(CheckShape::Trust) => Check::Trust,
        None if tool.abilities.check => Check::Prove { spot_per_mille: SPOT_PER_MILLE },
        None if tool.real_time => Check::Trust,
        None => Check::Spot { per_mille: SPOT_PER_MILLE },
    }
}

fn source(api: &Api, sent: SourceShape) -> Result<(Source, Vec<Data>), Problem> {
    match sent {
        SourceShape::Inputs(sent) => {
            let inputs = inputs(api, sent)?;
            Ok((Source::Listed { count: inputs.len() as u64 }, inputs))
        }
        SourceShape::Numbers { from: Big(from), count } => {
            if from.checked_add(count).is_none() {
                return Err(Problem::bad("wrong_range", "the range goes beyond 64 bits"));
            }
            Ok((Source::Numbers { from, count }, Vec::new()))
        }
        SourceShape::Lines { blob } => {
            let id = blob_id(&blob)?;
            api.may_name(&id, &blob)?;
            Ok((Source::Lines { blob: Digest(id.0), count: api.door.blobs().lines(&id)? }, Vec::new()))
        }
    }
}

/// Inputs as core takes them.
pub(super) fn inputs(api: &Api, sent: Vec<InputShape>) -> Result<Vec<Data>, Problem> {
    let too_many = |message| {
        Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_inputs", message)
            .hint("send them as the lines of a blob, or some at a time to an open job"))
    };
    if sent.len() > INPUTS_MAX {
        return too_many(format!("a request has at most {INPUTS_MAX} inputs"));
    }
    let mut all = Vec::with_capacity(sent.len());
    let mut bytes = 0;
    for input in sent {
        let data = input_data(api, input)?;
        if let Data::Inline { bytes: these } = &data {
            bytes += these.len();
        }
        if bytes > INPUT_BYTES_MAX {
            return too_many(format!("the inputs of a request have at most {INPUT_BYTES_MAX} bytes"));
        }
        all.push(data);
    }
    Ok(all)
}

fn input_data(api: &Api, input: InputShape) -> Result<Data, Problem> {
    use base64::Engine;
    match input {
        InputShape::Text(text) => Ok(Data::Inline { bytes: text.into_bytes().into() }),
        InputShape::Bytes { base64 } => base64::engine::general_purpose::STANDARD
            .decode(base64)
            .map(|bytes| Data::Inline { bytes: bytes.into() })
            .map_err(|error| Problem::bad("not_base64", format!("an input is not base64: {error}"))),
        InputShape::Blob { blob } => {
            let id = blob_id(&blob)?;
            api.may_name(&id, &blob)?;
            let len = api.door.blobs().len(&id)?.ok_or_else(|| no_blob(&blob))?;
            Ok(Data::Blob { id: Digest(id.0), len })
        }
    }
}

pub(super) fn no_blob(name: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_blob", format!("no blob {name} is kept here"))
        .hint("send it first: PUT /v1/blobs/…")
}

pub(super) fn blob_id(text: &str) -> Result<BlobId, Problem> {
    text.parse().map_err(|error| Problem::bad("wrong_blob_id", format!("{text:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_not_cut_again_and_tries_are() {
        let merging = Abilities { split: true, merge: true, ..Abilities::default() };
        assert_eq!(uncut(merging), Abilities { split: false, ..merging });
        for other in [Abilities { first: true, ..merging }, Abilities { merge: false, ..merging }] {
            assert_eq!(uncut(other), other);
        }
    }
}
