//! One conversation, from the moment that two nodes are linked until they are not. The same for both sides.

use super::call::Caller;
use super::flaw::Flaw;
use super::line::Cut;
use super::mesh::Met;
use super::outbox::{Ending, Outbox};
use super::wire::Frame;
use super::{Event, Links, Why, read};
use grove_core::id::NodeId;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

/// How long the last words of a conversation may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A neighbour to whom one can speak.
#[derive(Debug)]
pub(super) struct Standing {
    /// Tells this conversation from an earlier one with the same neighbour.
    pub(super) serial: u64,
    pub(super) outbox: Outbox,
    pub(super) cut: Cut,
    /// Where this node has called: the way to its blobs.
    pub(super) caller: Option<Caller>,
    /// Which peer it is, and how it was met.
    pub(super) met: Option<Met>,
    pub(super) since: Instant,
    /// Resolves when the conversation has been ended and said so.
    pub(super) gone: Option<oneshot::Receiver<()>>,
}

/// Conversations that begin within this were begun by both sides at the same time.
const AT_ONCE: Duration = Duration::from_secs(5);

impl Standing {
    /// Whether this node has called, and only just.
    pub(super) fn is_fresh_call(&self) -> bool {
        self.met.is_some_and(|met| met.called) && self.since.elapsed() < AT_ONCE
    }

    /// Ends it at once.
    pub(super) fn cut(&self, why: Why) {
        self.outbox.ending.end(why);
        self.cut.cut();
    }
}

/// The far side of a conversation that has just begun.
pub(super) struct Begun {
    pub(super) node: NodeId,
    pub(super) inbound: Streaming<Frame>,
    pub(super) outbox: Outbox,
    pub(super) cut: Cut,
    pub(super) caller: Option<Caller>,
    pub(super) met: Option<Met>,
}

/// Takes a neighbour off the list, also where a call is broken off in the middle.
struct Leaves<'a> {
    links: &'a Links,
    node: NodeId,
    serial: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.links.fall(self.node, self.serial);
    }
}

/// Listens until the end. A newer conversation with the same node ends an older one, and is heard after it.
pub(super) async fn converse(links: &Links, begun: Begun) -> Why {
    let Begun { node, mut inbound, outbox, cut, caller, met } = begun;
    let ending = outbox.ending.clone();
    let (going, gone) = oneshot::channel();
    let (serial, since) = (links.next_serial(), Instant::now());
    let standing = Standing { serial, outbox, cut: cut.clone(), caller, met, since, gone: Some(gone) };
    let leaves = Leaves { links, node, serial: standing.serial };
    if let Some(mut older) = links.stand(node, standing) {
        older.cut(Why::Replaced);
        if let Some(gone) = older.gone.take() {
            drop(older);
            // Its other end is dropped when the older conversation is over.
            let _ = gone.await;
        }
    }
    if ending.why().is_none() {
        let over = match links.hear(Event::Linked { node }).await {
            Ok(()) => listen(links, node, met, &mut inbound, &ending).await,
            deaf => deaf,
        };
        ending.end(over.err().unwrap_or(Why::Closed));
        drop(leaves);
        let why = ending.why().unwrap_or(Why::Closed);
        if why.is_polite() {
            last_words(&mut inbound, &cut).await;
        }
        // Nobody listens any more if this fails.
        let _ = links.hear(Event::Unlinked { node, why }).await;
    }
    drop(going);
    ending.why().unwrap_or(Why::Closed)
}

async fn listen(
    links: &Links,
    node: NodeId,
    met: Option<Met>,
    inbound: &mut Streaming<Frame>,
    ending: &Ending,
) -> Result<(), Why> {
    let ended = ending.ended();
    tokio::pin!(ended);
    loop {
        let frame = tokio::select! {
            biased;
            why = &mut ended => return Err(why),
            frame = inbound.message() => frame.map_err(|status| Why::of(&status))?,
        };
        let Some(frame) = frame else { return Ok(()) };
        let message = read::message(frame).map_err(Why::Flaw)?;
        if !links.is_well_signed(met.as_ref(), &message) {
            return Err(Why::Flaw(Flaw::Forged));
        }
        links.hear(Event::Heard { node, message }).await?;
    }
}

/// This side has said all; the other one says so too, or is cut off.
async fn last_words(inbound: &mut Streaming<Frame>, cut: &Cut) {
    let until_closed = async { while let Ok(Some(_)) = inbound.message().await {} };
    if timeout(LAST_WORDS, until_closed).await.is_err() {
        cut.cut();
    }
}

impl Why {
    /// What a failed call means.
    pub(super) fn of(status: &Status) -> Why {
        let source = std::error::Error::source(status);
        if let Some(flaw) = source.and_then(|source| source.downcast_ref::<Flaw>()) {
            return Why::Flaw(flaw.clone());
        }
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => Why::Refused,
            // Both have called at the same time: one conversation is enough.
            Code::AlreadyExists => Why::Replaced,
            Code::FailedPrecondition => Why::Full,
            _ => Why::Lost(status.clone()),
        }
    }

    /// Whether what waits is still sent.
    fn is_polite(&self) -> bool {
        matches!(self, Why::Dropped)
    }

    /// What the other side is told, beyond that it is over.
    pub(super) fn status(&self) -> Option<Status> {
        match self {
            Why::Flaw(flaw) => Some(Status::invalid_argument(flaw.to_string())),
            Why::Replaced => Some(Status::aborted("a newer link of this node took over")),
            Why::TooSlow => Some(Status::resource_exhausted("does not listen")),
            Why::Closed | Why::Dropped | Why::Refused | Why::Stranger | Why::Full | Why::Lost(_) | Why::Deaf => None,
        }
    }
}
