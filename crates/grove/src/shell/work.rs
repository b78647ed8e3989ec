//! The lender's side of a gift: the tool and its inputs are fetched, the runs go to the executors, and what they
//! leave becomes answers. What it holds is forgotten with the process, since the giver will place it again.

mod inputs;
mod parts;
mod tools;

pub use tools::{Executors, Order, Results, RunError};

use super::answers;
use super::packages::Packages;
use super::rows::Rows;
use super::side::Side;
use super::upstream::Upstream;
use super::wires::{WireError, Wires};
use crate::store::{BlobId, Blobs, StoreError};
use grove_core::id::{Digest, Lease, NodeId, TaskId};
use grove_core::message::{Answer, Data, Gift, Outcome, Output, Part, Trap};
use grove_core::node::{Event, Kept, Row};
use grove_core::task::{Act, Span, Stage};
use grove_core::units::{Credits, Fuel};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

pub(super) use parts::number_text;

/// Batches of results that wait to be turned into answers.
const RESULTS_AHEAD: usize = 16;

/// Gifts of so few runs are begun by the loop itself: a longer one would keep it from hearing others.
const BEGUN_HERE: u64 = 8;

/// What runs gifts.
#[derive(Debug)]
pub(super) struct Work {
    bench: Arc<Bench>,
    runtime: Handle,
    at_work: BTreeMap<(NodeId, Lease), AbortHandle>,
}

/// What every gift at work needs.
#[derive(Debug)]
struct Bench {
    me: NodeId,
    side: Side,
    blobs: Blobs,
    packages: Packages,
    wires: Arc<dyn Wires>,
    executors: Arc<dyn Executors>,
    upstream: Upstream,
    /// Blobs on their way here, so that each is fetched once.
    coming: tokio::sync::Mutex<BTreeMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
}

/// Why the runs of a gift say nothing about their inputs.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Row(#[from] super::RowError),
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Work {
    pub(super) fn new(
        me: NodeId,
        side: Side,
        wires: Arc<dyn Wires>,
        executors: Arc<dyn Executors>,
        upstream: Upstream,
        runtime: Handle,
    ) -> Work {
        let blobs = side.blobs().clone();
        let packages = Packages::new(blobs.clone());
        let bench = Bench { me, side, blobs, packages, wires, executors, upstream, coming: Default::default() };
        Work { bench: Arc::new(bench), runtime, at_work: BTreeMap::new() }
    }

    pub(super) fn run(&mut self, giver: NodeId, gift: Box<Gift>) {
        let (bench, lease, small) = (Arc::clone(&self.bench), gift.lease, gift.run_count() <= BEGUN_HERE);
        let mut task = Box::pin(async move { bench.run(giver, &gift).await });
        if small {
            // Begun here, it reaches the executor without waking another thread.
            let _inside = self.runtime.enter();
            if task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                return;
            }
        }
        let task = self.runtime.spawn(task);
        self.at_work.retain(|_, task| !task.is_finished());
        self.at_work.insert((giver, lease), task.abort_handle());
    }

    /// A piece has become a task of this node: its tool and its input are fetched, for whoever will work on them.
    pub(super) fn hold(&mut self, giver: NodeId, gift: Box<Gift>) {
        let bench = Arc::clone(&self.bench);
        bench.upstream.note(giver, gift.lease, std::iter::once(gift.tool.module).chain(inputs::blobs(&gift)));
        self.runtime.spawn(async move {
            if let Err(trouble) = bench.bring_task(giver, &gift).await {
                // Whoever works on it will try again, and say so.
                tracing::debug!(job = %gift.job, lease = gift.lease.0, "a piece is not all here: {trouble}");
            }
        });
    }

    /// Answers a giver with what lies at a row: this node has seen the whole piece through.
    pub(super) fn deliver(
        &self,
        to: NodeId,
        lease: Lease,
        span: Span,
        rows: Rows,
        row: Row,
        (outcome, fuel, parts): (Outcome, Fuel, u64),
    ) {
        let bench = Arc::clone(&self.bench);
        self.runtime.spawn(async move {
            let delivered = bench.deliver(to, lease, &rows, row).await;
            let made_of = delivered.and_then(|kept| Ok((kept, bench.parts(&rows, row.task, parts)?)));
            let (outcome, output, parts) = match made_of {
                // That a machine failed says nothing about the piece.
                Ok((kept, _)) if kept.outcome.is_the_machines() => (Outcome::Broken, kept.output, Vec::new()),
                // Which failure it was lies with the part that failed.
                Ok((kept, _)) if outcome.is_failure() && kept.outcome != Outcome::Right => {
                    (kept.outcome, kept.output, Vec::new())
                }
                Ok((kept, parts)) => (outcome, kept.output, parts),
                Err(trouble) => {
                    let note = Arc::from(trouble.to_string());
                    (Outcome::Broken, Output { note, ..Output::of(Data::empty()) }, Vec::new())
                }
            };
            let answer = bench.answer(to, span, outcome, fuel, output);
            let _ = bench.side.happened(if parts.is_empty() {
                Event::Ran { giver: to, lease, answers: vec![answer] }
            } else {
                Event::Solved { giver: to, lease, answer, parts }
            });
        });
    }

    /// Brings what an answer is made of within its giver's reach.
    pub(super) fn show(&self, to: NodeId, lease: Lease, rows: Rows, task: TaskId, parts: u64) {
        let bench = Arc::clone(&self.bench);
        self.runtime.spawn(async move {
            match bench.bring_parts(to, lease, &rows, task, parts).await {
                Ok(answers) => {
                    let _ = bench.side.happened(Event::Shown { giver: to, lease, answers });
                }
                Err(trouble) => tracing::debug!(lease = lease.0, "an answer cannot be shown: {trouble}"),
            }
        });
    }

    pub(super) fn stop(&mut self, giver: NodeId, lease: Lease) {
        if let Some(task) = self.at_work.remove(&(giver, lease)) {
            task.abort();
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.at_work.values().for_each(AbortHandle::abort);
    }
}

impl Bench {
    /// Does a gift from its tool to its last answer.
    async fn run(&self, giver: NodeId, gift: &Gift) {
        let mut left: Vec<Span> = gift.runs().collect();
        let outcome = match self.work(giver, gift, &mut left).await {
            Ok(()) => return,
            Err(Trouble::Run(RunError::NotATool { why })) => (Outcome::Trapped { trap: Trap::NotATool }, why),
            Err(trouble) => (Outcome::Broken, trouble.to_string()),
        };
        tracing::debug!(job = %gift.job, lease = gift.lease.0, "a gift failed: {}", outcome.1);
        let note: Arc<str> = Arc::from(outcome.1);
        let answers = left.into_iter().map(|span| {
            self.answer(
                giver,
                span,
                outcome.0,
                Fuel(0),
                Output { note: Arc::clone(&note), ..Output::of(Data::empty()) },
            )
        });
        self.tell(giver, gift.lease, answers.collect());
    }

    /// Runs all of it; `left` keeps the runs that have no answer yet.
    async fn work(&self, giver: NodeId, gift: &Gift, left: &mut Vec<Span>) -> Result<(), Trouble> {
        let fetched = self.bring_all(giver, gift).await?;
        let image = self.bring_image(giver, gift).await?;
        let runs = left.clone();
        let order = Order {
            job: gift.job,
            module: image.unwrap_or(gift.tool.module),
            package: image.map(|_| gift.tool.module),
            terms: parts::terms(gift),
            beyond: giver == self.me && gift.price == Credits(0),
            parts: parts::parts(gift, &self.blobs, &fetched)?,
        };
        let (out, mut done) = mpsc::channel::<Vec<(usize, grove_sandbox::Outcome)>>(RESULTS_AHEAD);
        let answering = async {
            while let Some(results) = done.recv().await {
                let mut answers = Vec::with_capacity(results.len());
                let mut trouble = None;
                for (nth, result) in results {
                    let Some(span) = runs.get(nth) else { continue };
                    match self.read(giver, gift, *span, result).await {
                        Ok(answer) => answers.push(answer),
                        Err(error) => {
                            trouble = Some(error);
                            break;
                        }
                    }
                    left.retain(|open| open != span);
                }
                // Every run is answered once: those before the trouble now, the others when it is told.
                self.tell(giver, gift.lease, answers);
                if let Some(trouble) = trouble {
                    // Whoever still has results must not wait for somebody to take them.
                    done.close();
                    return Err(trouble);
                }
            }
            Ok::<(), Trouble>(())
        };
        let (ran, answered) = tokio::join!(self.executors.run(order, out), answering);
        answered?;
        Ok(ran?)
    }

    /// What a run left, as an answer. Blobs travel ahead of it.
    async fn read(
        &self,
        giver: NodeId,
        gift: &Gift,
        span: Span,
        result: grove_sandbox::Outcome,
    ) -> Result<Answer, Trouble> {
        let fuel = Fuel(result.fuel);
        let micros = result.wall_us;
        let (mut outcome, mut note) = parts::outcome(&result.status, &result.stderr_tail);
        let mut pieces = 0;
        if let (Act::Split { .. }, Outcome::Right) = (gift.act, outcome) {
            match super::feed::counted(&result.stdout) {
                Some(items) => pieces = items.len() as u64,
                None => {
                    outcome = Outcome::Trapped { trap: Trap::Crashed };
                    note = Arc::from("what the tool's split printed are not counted items");
                }
            }
        }
        let files = result.files.into_iter().map(|file| (file.path, file.bytes)).collect();
        let output = match answers::output(&self.blobs, result.stdout, files, Arc::clone(&note))? {
            Some(output) => output,
            None => {
                outcome = Outcome::Trapped { trap: Trap::FilesTooLarge };
                Output {
                    note: Arc::from("the names of the files that the tool wrote are too long"),
                    ..Output::of(Data::empty())
                }
            }
        };
        if giver != self.me {
            for blob in answers::blobs_of(&output) {
                self.wires.bring(giver, gift.lease, blob).await?;
            }
        }
        let answer = self.answer(giver, span, outcome, fuel, output);
        Ok(Answer { micros, pieces, ..answer })
    }

    async fn deliver(&self, to: NodeId, lease: Lease, rows: &Rows, row: Row) -> Result<Kept, Trouble> {
        let kept = rows.answer(row)?;
        for blob in answers::blobs_of(&kept.output) {
            self.wires.bring(to, lease, blob).await?;
        }
        Ok(kept)
    }

    /// What an answer is made of: the answers of so many parts, in order.
    fn parts(&self, rows: &Rows, task: TaskId, parts: u64) -> Result<Vec<Part>, Trouble> {
        let all = rows.answers_in(task, Stage::Work.row(), Span { first: 0, len: parts })?;
        let part = |kept: &Kept| {
            let digest = answers::digest(kept.outcome, &kept.output);
            Part { digest, fuel: kept.fuel, inner: false }
        };
        Ok(all.iter().map(part).collect())
    }

    async fn bring_parts(
        &self,
        to: NodeId,
        lease: Lease,
        rows: &Rows,
        task: TaskId,
        parts: u64,
    ) -> Result<Vec<Answer>, Trouble> {
        let all = rows.answers_in(task, Stage::Work.row(), Span { first: 0, len: parts })?;
        for blob in all.iter().flat_map(|kept| answers::blobs_of(&kept.output)) {
            self.wires.bring(to, lease, blob).await?;
        }
        let answer = |kept: Kept| self.answer(to, kept.span, kept.outcome, kept.fuel, kept.output);
        Ok(all.into_iter().map(answer).collect())
    }

    fn answer(&self, giver: NodeId, span: Span, outcome: Outcome, fuel: Fuel, output: Output) -> Answer {
        // Another giver computes the hash itself.
        let digest = if giver == self.me { answers::digest(outcome, &output) } else { Digest::default() };
        Answer { span, outcome, fuel, micros: 0, digest, output, pieces: 0 }
    }

    fn tell(&self, giver: NodeId, lease: Lease, answers: Vec<Answer>) {
        if !answers.is_empty() {
            // Nobody is there to hear it any more when the node has stopped.
            let _ = self.side.happened(Event::Ran { giver, lease, answers });
        }
    }

    fn has(&self, blob: Digest) -> Result<bool, StoreError> {
        self.blobs.has(&BlobId(blob.0))
    }

    /// Sees to it that a blob is here.
    async fn bring_here(&self, giver: NodeId, lease: Lease, blob: Digest) -> Result<(), Trouble> {
        let id = BlobId(blob.0);
        if self.blobs.has(&id)? {
            return Ok(());
        }
        // What this node gives itself may be of a piece that it was given.
        let own = giver == self.me;
        let from = if own { self.upstream.of(blob) } else { Some((giver, lease)) };
        let (giver, lease) = from.ok_or(StoreError::NoBlob { id })?;
        let turn = Arc::clone(self.coming.lock().await.entry(blob).or_default());
        let mine = turn.lock_owned().await;
        let fetched = if self.blobs.has(&id)? {
            Ok(())
        } else {
            // A gift that is called back must not leave a file behind that is still being written, for the next gift to
            // stumble over: the transfer goes on, for whoever comes next.
            let wires = Arc::clone(&self.wires);
            let fetching = async move { (wires.fetch(giver, lease, blob).await, mine) };
            match tokio::spawn(fetching).await {
                Ok((fetched, _mine)) => fetched,
                // It does not panic, and only the end of this node aborts it.
                Err(_) => return Err(StoreError::Failed.into()),
            }
        };
        self.coming.lock().await.remove(&blob);
        Ok(fetched?)
    }
}
