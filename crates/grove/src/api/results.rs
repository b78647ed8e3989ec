//! Results, page by page in the order of the inputs. A page is answered as soon as there is something in it.

use super::error::Problem;
use super::guard::Mine;
use super::sent::Asked;
use super::{Api, WAIT_MAX, lookup, render};
use crate::door::{BlobId, RowError};
use crate::shape::{ResultShape, Results, V};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use grove_core::id::{JobId, TaskId};
use grove_core::job::Standing;
use grove_core::message::Data;
use grove_core::node::{Kept, News, Node};
use grove_core::task::{Span, Stage};
use grove_core::view::JobView;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout_at};

/// Where there is no merged answer, a page says of so many failures why.
const FAILURES_MAX: usize = 100;
/// Results in one answer.
const RESULTS_MAX: usize = 10_000;
const RESULTS_USUAL: usize = 1_000;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
    /// How long the answer may take when there is nothing yet.
    #[serde(default)]
    wait_ms: u64,
}

pub(super) async fn page(
    Mine(api): Mine,
    Path(name): Path<String>,
    Asked(page): Asked<Page>,
) -> Result<Json<Results>, Problem> {
    let job = lookup::job_id(&api, &name).await?;
    let until = Instant::now() + Duration::from_millis(page.wait_ms).min(WAIT_MAX);
    loop {
        // Listening begins before looking, so that nothing is missed in between.
        let news = api.door.news();
        let seen = api.door.look(move |node| Seen::of(node, job, page.from)).await?;
        let seen = seen.ok_or_else(|| Problem::no_such_job(&name))?;
        if !seen.is_waiting(page.from) || Instant::now() >= until {
            return answer(&api, seen, page.from, page.limit.unwrap_or(RESULTS_USUAL)).await.map(Json);
        }
        if seen.waits_for_end(page.from) {
            // Too late or stopped: the next look decides.
            let _ = timeout_at(until, ended(news, job)).await;
        } else {
            drop(news);
            let _ = timeout_at(until, api.door.finished(job, Span { first: page.from, len: 1 })).await;
        }
    }
}

/// What a look at the job shows.
struct Seen {
    view: JobView,
    /// Items before this, from the one that was asked for on, have answers that count.
    ready: u64,
    /// Of a job that has one merged answer, and has failed: some of what has failed.
    failed: Vec<Span>,
    /// Answers that were ever found wrong here.
    refused: u64,
}

impl Seen {
    fn of(node: &Node, job: JobId, from: u64) -> Option<Seen> {
        let view = node.view_job(job)?;
        let task = node.state().task(view.root)?;
        let ready = task.parts.answered.around(from).map_or(from, |run| run.end());
        let tells = view.merged && view.standing == Standing::Failed;
        let failed = task.parts.failed.iter().filter(|_| tells).take(FAILURES_MAX).collect();
        Some(Seen { view, ready, failed, refused: node.state().refused() })
    }

    fn is_over(&self) -> bool {
        self.view.standing != Standing::Running
    }

    fn is_waiting(&self, from: u64) -> bool {
        !self.is_over() && (self.view.merged || self.ready == from)
    }

    /// The merged answer is there at the end only; and after the last result there is only the end to wait for.
    fn waits_for_end(&self, from: u64) -> bool {
        self.view.merged || (!self.view.open && from >= self.view.counts.items)
    }
}

async fn ended(mut news: tokio::sync::broadcast::Receiver<std::sync::Arc<Vec<crate::door::Told>>>, wanted: JobId) {
    loop {
        match news.recv().await {
            Ok(told) => {
                let over = |news: &News| matches!(news, News::Ended { job, .. } if *job == wanted);
                if told.iter().any(|told| over(&told.news)) {
                    return;
                }
            }
            // What was missed may have been the end.
            Err(RecvError::Lagged(_) | RecvError::Closed) => return,
        }
    }
}

async fn answer(api: &Api, seen: Seen, from: u64, limit: usize) -> Result<Results, Problem> {
    let (view, over) = (&seen.view, seen.is_over());
    let limit = limit.clamp(1, RESULTS_MAX);
    let mut results = Vec::new();
    let next;
    if view.merged {
        let whole = over && view.standing == Standing::Done && from == 0;
        if whole {
            let (stage, first) = view.answer;
            results = read(api, view.root, stage, first, 1).await?;
            results.truncate(1);
        } else if from == 0 {
            for span in &seen.failed {
                results.extend(read(api, view.root, view.answer.0, span.first, 1).await?);
            }
        }
        next = if over { from.max(1) } else { from };
    } else {
        let end = if over { view.counts.items } else { seen.ready };
        if from < end {
            let most = limit.min(usize::try_from(end - from).unwrap_or(limit));
            results = read(api, view.root, Stage::Work.row(), from, most).await?;
            results.retain(|kept| kept.span.first >= from && kept.span.end() <= end);
        }
        // A job that ended early has holes; behind the last answer there is nothing.
        next = match results.last() {
            Some(kept) => kept.span.end(),
            None if over => end.max(from),
            None => from,
        };
    }
    let last = over && (view.merged || next >= view.counts.items);
    note(api, &results);
    Ok(Results {
        v: V,
        results: results.iter().map(|kept| render::result_of(api.names(), view, kept)).collect(),
        next,
        last,
        refused: seen.refused,
        job: render::job(api.names(), view),
    })
}

/// Whoever was shown a result may fetch what is in it.
fn note(api: &Api, results: &[Kept]) {
    if api.who.roles.admin {
        return;
    }
    let data = |kept: &Kept| {
        let files = kept.output.files.iter().map(|(_, data)| data.clone());
        std::iter::once(kept.output.stdout.clone()).chain(files).collect::<Vec<Data>>()
    };
    for data in results.iter().flat_map(data) {
        if let Data::Blob { id, .. } = data {
            api.shown.note(api.who.person, BlobId(id.0));
        }
    }
}

async fn read(api: &Api, root: TaskId, stage: u8, from: u64, limit: usize) -> Result<Vec<Kept>, Problem> {
    let door = api.door.clone();
    let read = tokio::task::spawn_blocking(move || door.answers(root, stage, from, limit)).await;
    read.map_err(|error| Problem::internal("results were not read", &error))?.map_err(unreadable)
}

/// The results of a few items that have just been answered; they are in memory still.
pub(super) fn of_items(api: &Api, job: JobId, root: TaskId, items: Span) -> Result<Vec<ResultShape>, Problem> {
    let (mut results, mut from) = (Vec::new(), items.first);
    while from < items.end() {
        let most = usize::try_from(items.end() - from).unwrap_or(RESULTS_MAX).min(RESULTS_MAX);
        let kept = api.door.answers(root, Stage::Work.row(), from, most).map_err(unreadable)?;
        // A job that ended meanwhile has none for some.
        let Some(last) = kept.last() else { break };
        from = last.span.end().max(from + 1);
        note(api, &kept);
        let these = kept.iter().filter(|kept| kept.span.first < items.end());
        results.extend(these.map(|kept| render::result(api.names(), job, kept)));
    }
    Ok(results)
}

fn unreadable(error: RowError) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", error.to_string())
}
