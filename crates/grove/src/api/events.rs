//! News as server-sent events. Whoever reads too slowly is told how much was missed, and nothing is kept for them.

use super::error::Problem;
use super::guard::Mine;
use super::render::Names;
use super::{Api, lookup, render};
use crate::door::Told;
use crate::shape::{Big, Event, EventKind, V};
use axum::extract::Path;
use axum::response::sse;
use grove_core::id::{JobId, Lease};
use grove_core::node::{Kind, News, Node};
use grove_core::units::Millis;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

/// Events between the loop and a connection; behind them the loop's own bounded queue fills, then news is missed.
const EVENTS_AHEAD: usize = 64;
/// Jobs of which it is remembered whether a listener may hear of them.
const JOBS_KNOWN_MAX: usize = 10_000;

type Stream = sse::Sse<sse::KeepAliveStream<ReceiverStream<Result<sse::Event, Infallible>>>>;

/// Everything.
pub(super) async fn all(Mine(api): Mine) -> Stream {
    let news = api.door.news();
    stream(api, news, None)
}

/// One job, from now to its end.
pub(super) async fn of_job(Mine(api): Mine, Path(name): Path<String>) -> Result<Stream, Problem> {
    let id = lookup::job_id(&api, &name).await?;
    let news = api.door.news();
    let view = api.door.look(move |node| node.view_job(id)).await?;
    let view = view.ok_or_else(|| Problem::no_such_job(&name))?;
    let over = view.ended.map(|at| Told { at, news: News::Ended { job: id, standing: view.standing, at } });
    Ok(stream(api, news, Some(Of { job: id, over })))
}

/// The job that is watched, and its end if that has been.
struct Of {
    job: JobId,
    over: Option<Told>,
}

fn stream(api: Api, news: broadcast::Receiver<Arc<Vec<Told>>>, of: Option<Of>) -> Stream {
    let (events, sent) = mpsc::channel(EVENTS_AHEAD);
    tokio::spawn(async move {
        tokio::select! {
            () = pass_on(api.names(), (!api.who.roles.admin).then_some(&api), news, of, &events) => {}
            () = api.put_out() => {}
            () = events.closed() => {}
        }
    });
    sse::Sse::new(ReceiverStream::new(sent)).keep_alive(sse::KeepAlive::default())
}

/// Which jobs whoever listens may hear of, asked once for each.
#[derive(Debug)]
struct Heard<'a> {
    /// Nobody need be asked in the name of who sees everything.
    asks: Option<&'a Api>,
    only: Option<JobId>,
    known: BTreeMap<JobId, bool>,
}

impl Heard<'_> {
    async fn hears(&mut self, job: JobId) -> bool {
        if let Some(only) = self.only {
            return only == job;
        }
        let Some(api) = self.asks else { return true };
        let who = api.who;
        if let Some(known) = self.known.get(&job) {
            return *known;
        }
        let own = move |node: &Node| node.state().job(job).is_some_and(|book| who.sees(book.job.owner));
        let own = api.door.look(own).await.unwrap_or(false);
        if self.known.len() >= JOBS_KNOWN_MAX {
            self.known.pop_first();
        }
        self.known.insert(job, own);
        own
    }
}

async fn pass_on(
    names: Names,
    asks: Option<&Api>,
    mut news: broadcast::Receiver<Arc<Vec<Told>>>,
    of: Option<Of>,
    events: &mpsc::Sender<Result<sse::Event, Infallible>>,
) {
    let only = of.as_ref().map(|of| of.job);
    if let Some(over) = of.and_then(|of| of.over) {
        say(events, event(names, &over)).await;
        return;
    }
    let mut heard = Heard { asks, only, known: BTreeMap::new() };
    // What was missed came after this.
    let mut at = Millis(0);
    loop {
        let batch = match news.recv().await {
            Ok(batch) => batch,
            Err(RecvError::Lagged(batches)) => {
                let kind = EventKind::Missed { batches };
                say(events, Event { v: V, at_ms: at.0, kind }).await;
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        for told in batch.iter() {
            if !heard.hears(job_of(&told.news)).await {
                continue;
            }
            at = told.at;
            say(events, event(names, told)).await;
            if only.is_some() && matches!(told.news, News::Ended { .. }) {
                return;
            }
        }
    }
}

async fn say(events: &mpsc::Sender<Result<sse::Event, Infallible>>, event: Event) {
    if let Ok(text) = serde_json::to_string(&event) {
        // A reader that went away ends the whole task.
        let _ = events.send(Ok(sse::Event::default().data(text))).await;
    }
}

fn job_of(news: &News) -> JobId {
    match news {
        News::Submitted { job }
        | News::Given { job, .. }
        | News::Answered { job, .. }
        | News::Returned { job, .. }
        | News::Finished { job, .. }
        | News::Settled { job, .. }
        | News::Refused { job, .. }
        | News::Paid { job, .. }
        | News::Ended { job, .. } => *job,
    }
}

fn event(names: Names, told: &Told) -> Event {
    let id = |job: JobId| names.job(job);
    let lent = |job: JobId, lease: Lease| names.lease(job, lease);
    let kind = match told.news {
        News::Submitted { job } => EventKind::Submitted { job: id(job) },
        News::Given { job, task, lease, to, runs, kind } => EventKind::Given {
            job: id(job),
            task: Big(task.0),
            lease: lent(job, lease),
            to: names.of(job, to),
            runs,
            kind: word(kind).to_owned(),
        },
        News::Answered { job, task, lease, by, runs, fuel, micros } => EventKind::Answered {
            job: id(job),
            task: Big(task.0),
            lease: lent(job, lease),
            by: names.of(job, by),
            runs,
            fuel: Big(fuel.0),
            micros,
        },
        News::Returned { job, task, lease, by } => {
            EventKind::Returned { job: id(job), task: Big(task.0), lease: lent(job, lease), by: names.of(job, by) }
        }
        News::Finished { job, span, failed, by } => EventKind::Finished {
            job: id(job),
            item: span.first,
            count: span.len,
            failed,
            by: by.map(|by| names.of(job, by)),
        },
        News::Settled { job, task, by } => {
            EventKind::Settled { job: id(job), task: Big(task.0), by: names.of(job, by) }
        }
        News::Refused { job, task, by } => {
            EventKind::Refused { job: id(job), task: Big(task.0), by: names.of(job, by) }
        }
        News::Paid { job, to, amount } => {
            EventKind::Paid { job: id(job), to: names.of(job, to), amount: Big(amount.0) }
        }
        News::Ended { job, standing, .. } => EventKind::Ended { job: id(job), standing: render::standing(standing) },
    };
    Event { v: V, at_ms: told.at.0, kind }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Work => "work",
        Kind::Split => "split",
        Kind::Merge => "merge",
        Kind::Check => "check",
        Kind::Audit => "audit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::alias::Aliases;

    const NAMES: Names = Names::True { jobs: Aliases::NONE };

    fn told(at: u64, news: News) -> Arc<Vec<Told>> {
        Arc::new(vec![Told { at: Millis(at), news }])
    }

    #[tokio::test]
    async fn who_reads_too_slowly_is_told_how_much_was_missed_and_nothing_piles_up() {
        let (tell, news) = broadcast::channel(16);
        let (events, mut sent) = mpsc::channel(4);
        let reader =
            tokio::spawn(
                async move { pass_on(NAMES, None, news, Some(Of { job: JobId(7), over: None }), &events).await },
            );
        for at in 1..=1_000 {
            tell.send(told(at, News::Submitted { job: JobId(7) })).unwrap();
            tokio::task::yield_now().await;
        }
        let standing = grove_core::job::Standing::Done;
        tell.send(told(1_001, News::Ended { job: JobId(7), standing, at: Millis(1_001) })).unwrap();
        let (mut seen, mut missed) = (0, 0);
        while let Some(Ok(event)) = sent.recv().await {
            seen += 1;
            missed += usize::from(format!("{event:?}").contains("missed"));
        }
        reader.await.unwrap();
        assert!(missed == 1 && seen < 30, "{missed} {seen}");
    }

    #[tokio::test]
    async fn a_job_that_is_over_has_one_event_and_others_are_not_heard() {
        let (tell, news) = broadcast::channel(16);
        let (events, mut sent) = mpsc::channel(16);
        tell.send(told(1, News::Submitted { job: JobId(8) })).unwrap();
        let standing = grove_core::job::Standing::Done;
        let end = News::Ended { job: JobId(7), standing, at: Millis(2) };
        tell.send(told(2, end)).unwrap();
        pass_on(NAMES, None, news, Some(Of { job: JobId(7), over: None }), &events).await;
        drop(events);
        assert!(format!("{:?}", sent.recv().await).contains("ended"));
        assert!(sent.recv().await.is_none());
    }
}
