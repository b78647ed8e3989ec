//! Blobs on streams of their own, beside the conversation: fetched and brought by whoever made the call, resumed after
//! a break. Whether the bytes are what they are called, the sink says, which has to hash them anyway.

use super::call::Caller;
use super::flaw::Flaw;
use super::wire::{Chunk, Stored, Want};
use super::{Links, read, write};
use grove_core::id::{Digest, Lease, NodeId};
use prost::bytes::Bytes;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

/// Bytes in one chunk: large enough to make calls few. Answers do not wait behind it: HTTP/2 cuts it into frames.
const CHUNK_BYTES: usize = 1 << 20;
/// Chunks read ahead.
const AHEAD: usize = 2;
/// No blob is larger; disks are full long before.
const BLOB_BYTES_MAX: u64 = 1 << 40;
/// Breaks in a row, without a byte in between, after which it is given up.
const BREAKS_MAX: u32 = 6;
/// After the first break; it doubles.
const BREAK_PAUSE: Duration = Duration::from_millis(100);
/// Somebody who sends or takes nothing for this long is gone.
const STALL: Duration = Duration::from_secs(30);

/// A blob that is here.
pub trait Source: Send {
    /// How many bytes it has.
    fn len(&self) -> u64;
    /// Reads what it likes to from an offset on; nothing only at the end.
    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<usize>;

    /// So many bytes from an offset on.
    fn piece(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let (mut data, mut filled) = (vec![0; len], 0);
        while let Some(room) = data.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.read_at(offset + filled as u64, room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                some => filled += some,
            }
        }
        Ok(data)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A blob that is to be here.
pub trait Sink: Send {
    /// How many bytes are here already.
    fn offset(&self) -> u64;
    /// Adds bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// All are here. [`io::ErrorKind::InvalidData`] says that they are not what they were called; nothing is kept then.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Why a neighbour does not get a blob, or may not bring one.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No lease of this neighbour names it, or it is not here: nobody can learn which.
    #[error("no lease names it")]
    NotYours,
    /// It is being written just now.
    #[error("it is on its way already")]
    Busy,
    #[error("the disk says: {0}")]
    Disk(#[from] io::Error),
}

/// Why a blob did not travel.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Only whoever called can fetch and bring.
    #[error("node {:016x} was not called from here, or is not linked", .0.0)]
    NotLinked(NodeId),
    #[error("node {:016x} denies blob {blob}", .from.0)]
    Denied { from: NodeId, blob: Digest },
    #[error("what came as blob {blob} is not that blob")]
    Wrong { blob: Digest },
    #[error("blob {blob}: {source}")]
    Disk { blob: Digest, source: io::Error },
    #[error("blob {blob} broke off at {offset} again and again: {source}")]
    Broken { blob: Digest, offset: u64, source: Box<Status> },
}

/// A transfer of one blob, as errors name it.
#[derive(Debug, Clone, Copy)]
struct Trip {
    with: NodeId,
    lease: Lease,
    blob: Digest,
}

impl Links {
    /// Brings a blob here. What the sink has already is not sent again, also after a break.
    pub async fn fetch_blob(
        &self,
        from: NodeId,
        lease: Lease,
        blob: Digest,
        mut sink: Box<dyn Sink>,
    ) -> Result<(), BlobError> {
        let with = from;
        let trip = Trip { with, lease, blob };
        let caller = self.caller(from)?;
        let mut breaks = 0;
        loop {
            let before = sink.offset();
            let status = match fetch_on(&caller, trip, &mut sink).await {
                Ok(()) => return finish(sink).await.map_err(|error| trip.disk(error)),
                Err(Broke::Disk(error)) => return Err(trip.disk(error)),
                Err(Broke::Call(status)) => status,
            };
            breaks = if sink.offset() > before { 1 } else { breaks + 1 };
            trip.again(breaks, sink.offset(), status).await?;
        }
    }

    /// Brings a blob to a neighbour. It returns when the blob is there, whole and verified.
    pub async fn send_blob(
        &self,
        to: NodeId,
        lease: Lease,
        blob: Digest,
        source: Box<dyn Source>,
    ) -> Result<(), BlobError> {
        let with = to;
        let trip = Trip { with, lease, blob };
        let caller = self.caller(to)?;
        let source = Shared::new(source);
        let (mut offset, mut breaks) = (0, 0);
        loop {
            let status = match store_on(&caller, trip, &source, offset).await {
                Ok(Stored { whole: true, .. }) => return Ok(()),
                Ok(stored) => {
                    let came_on = stored.offset > offset;
                    offset = stored.offset.min(source.len);
                    breaks = if came_on { 0 } else { breaks };
                    Status::aborted("the other side has another part of it")
                }
                Err(Broke::Disk(error)) => return Err(trip.disk(error)),
                Err(Broke::Call(status)) => status,
            };
            breaks += 1;
            trip.again(breaks, offset, status).await?;
        }
    }

    pub(super) fn caller(&self, node: NodeId) -> Result<Caller, BlobError> {
        let neighbours = self.lock();
        let caller = neighbours.get(&node).and_then(|standing| standing.caller.clone());
        caller.ok_or(BlobError::NotLinked(node))
    }
}

/// Why one try ended.
enum Broke {
    Disk(io::Error),
    Call(Status),
}

impl From<Status> for Broke {
    fn from(status: Status) -> Broke {
        Broke::Call(status)
    }
}

impl Trip {
    fn disk(self, source: io::Error) -> BlobError {
        let blob = self.blob;
        match source.kind() {
            io::ErrorKind::InvalidData => BlobError::Wrong { blob },
            _ => BlobError::Disk { blob, source },
        }
    }

    /// Waits before the next try, if there is sense in one.
    async fn again(self, breaks: u32, offset: u64, status: Status) -> Result<(), BlobError> {
        let (from, blob) = (self.with, self.blob);
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => return Err(BlobError::Denied { from, blob }),
            Code::DataLoss => return Err(BlobError::Wrong { blob }),
            _ if breaks > BREAKS_MAX => {
                let source = Box::new(status);
                return Err(BlobError::Broken { blob, offset, source });
            }
            // A start from where the other side is needs no pause.
            Code::Aborted if breaks == 1 => {}
            _ => sleep(BREAK_PAUSE * (1 << breaks)).await,
        }
        Ok(())
    }
}

async fn fetch_on(caller: &Caller, trip: Trip, sink: &mut Box<dyn Sink>) -> Result<(), Broke> {
    let want = Want { digest: write::digest(trip.blob), offset: sink.offset(), lease: trip.lease.0 };
    let mut client = caller.client();
    let mut chunks = soon(client.fetch(caller.request(want))).await?.into_inner();
    let first = soon(chunks.message()).await?.ok_or_else(|| Status::unavailable("no chunk came"))?;
    let len = first.len;
    receive(first, len, &mut chunks, sink).await?;
    if sink.offset() < len {
        return Err(Status::unavailable("it ended before its end").into());
    }
    Ok(())
}

/// Takes chunks that follow one another, up to the length that was said at the beginning.
async fn receive(first: Chunk, len: u64, rest: &mut Streaming<Chunk>, sink: &mut Box<dyn Sink>) -> Result<(), Broke> {
    let mut next = Some(first);
    while let Some(chunk) = next {
        let end = chunk.offset.checked_add(chunk.data.len() as u64);
        if chunk.offset != sink.offset() || end.is_none_or(|end| end > len.min(BLOB_BYTES_MAX)) {
            let flaw = Flaw::OutOfBounds { what: "a chunk" };
            return Err(Status::invalid_argument(flaw.to_string()).into());
        }
        if !chunk.data.is_empty() {
            *sink = written(std::mem::replace(sink, Box::new(Nowhere)), chunk.data).await.map_err(Broke::Disk)?;
        }
        next = soon(rest.message()).await?;
    }
    Ok(())
}

async fn store_on(caller: &Caller, trip: Trip, source: &Shared, offset: u64) -> Result<Stored, Broke> {
    let first =
        Chunk { offset, data: Bytes::new(), len: source.len, digest: write::digest(trip.blob), lease: trip.lease.0 };
    let (chunks, failed) = (chunks(source.clone(), offset), Arc::new(Mutex::new(None)));
    let note = Arc::clone(&failed);
    let whole = chunks.map_while(move |chunk| {
        chunk.map_err(|error| *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(error)).ok()
    });
    let stored = caller.client().store(caller.request(tokio_stream::once(first).chain(whole))).await;
    match failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(error) => Err(Broke::Disk(error)),
        None => Ok(stored?.into_inner()),
    }
}

/// Serves a blob: the host's side of a fetch.
pub(super) async fn lend(
    links: &Links,
    to: NodeId,
    want: &Want,
) -> Result<ReceiverStream<Result<Chunk, Status>>, Status> {
    let blob = digest(&want.digest)?;
    let source = links.home().lend(to, Lease(want.lease), blob).await.map_err(deny)?;
    let (source, offset) = (Shared::new(source), want.offset);
    if offset > source.len {
        return Err(Status::out_of_range("it is not that long"));
    }
    let (out, stream) = mpsc::channel(AHEAD);
    let first = Chunk { offset, len: source.len, ..Chunk::default() };
    tokio::spawn(async move {
        let mut all = tokio_stream::once(Ok(first)).chain(chunks(source, offset));
        while let Some(chunk) = all.next().await {
            let chunk = chunk.map_err(|error: io::Error| Status::internal(error.to_string()));
            // Whoever takes none does not keep the file and what was read of it.
            if !matches!(timeout(STALL, out.send(chunk)).await, Ok(Ok(()))) {
                return;
            }
        }
    });
    Ok(ReceiverStream::new(stream))
}

/// Takes a blob: the host's side of a store.
pub(super) async fn take(links: &Links, from: NodeId, mut chunks: Streaming<Chunk>) -> Result<Stored, Status> {
    let first = soon(chunks.message()).await?;
    let first = first.ok_or_else(|| Status::invalid_argument("which blob is this?"))?;
    let (blob, len) = (digest(&first.digest)?, first.len);
    if len > BLOB_BYTES_MAX {
        return Err(Status::invalid_argument("too large"));
    }
    let mut sink = links.home().take(from, Lease(first.lease), blob, len).await.map_err(deny)?;
    let stored = |sink: &dyn Sink, whole| Stored { offset: sink.offset(), whole };
    if sink.offset() != first.offset {
        return Ok(stored(&*sink, false));
    }
    match receive(first, len, &mut chunks, &mut sink).await {
        Ok(()) => {}
        Err(Broke::Call(status)) => return Err(status),
        Err(Broke::Disk(error)) => return Err(Status::internal(error.to_string())),
    }
    if sink.offset() < len {
        return Ok(stored(&*sink, false));
    }
    finish(sink).await.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Status::data_loss("not what it was called"),
        _ => Status::internal(error.to_string()),
    })?;
    Ok(Stored { offset: len, whole: true })
}

fn digest(bytes: &[u8]) -> Result<Digest, Status> {
    read::digest(bytes).map_err(|flaw| Status::invalid_argument(flaw.to_string()))
}

fn deny(denied: Denied) -> Status {
    match denied {
        Denied::NotYours => Status::permission_denied(denied.to_string()),
        Denied::Busy => Status::unavailable(denied.to_string()),
        Denied::Disk(_) => Status::internal(denied.to_string()),
    }
}

async fn soon<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let stalled = |_| Status::deadline_exceeded("nothing came");
    timeout(STALL, answer).await.map_err(stalled)?
}

/// A source that is read again from elsewhere after a break.
#[derive(Clone)]
struct Shared {
    source: Arc<Mutex<Box<dyn Source>>>,
    len: u64,
}

impl Shared {
    fn new(source: Box<dyn Source>) -> Shared {
        let len = source.len();
        let source = Arc::new(Mutex::new(source));
        Shared { source, len }
    }

    /// Reads one chunk.
    fn chunk(&self, offset: u64) -> io::Result<Chunk> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let left = usize::try_from(self.len - offset).unwrap_or(usize::MAX);
        let data = source.piece(offset, left.min(CHUNK_BYTES))?;
        Ok(Chunk { offset, data: data.into(), ..Chunk::default() })
    }
}

/// All chunks from an offset on, read on threads that may wait for a disk.
fn chunks(source: Shared, mut offset: u64) -> ReceiverStream<io::Result<Chunk>> {
    let (out, stream) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        while offset < source.len {
            let from = source.clone();
            let chunk = spawn_blocking(move || from.chunk(offset)).await;
            let chunk = chunk.unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
            let end = chunk.as_ref().map_or(u64::MAX, |chunk| offset + chunk.data.len() as u64);
            if out.send(chunk).await.is_err() {
                return;
            }
            offset = end;
        }
    });
    ReceiverStream::new(stream)
}

async fn written(mut sink: Box<dyn Sink>, bytes: Bytes) -> io::Result<Box<dyn Sink>> {
    let write = move || sink.write(&bytes).map(|()| sink);
    spawn_blocking(write).await.map_err(io::Error::other)?
}

async fn finish(sink: Box<dyn Sink>) -> io::Result<()> {
    spawn_blocking(move || sink.finish()).await.map_err(io::Error::other)?
}

/// Stands in for a sink while that is on another thread.
struct Nowhere;

impl Sink for Nowhere {
    fn offset(&self) -> u64 {
        0
    }

    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}
