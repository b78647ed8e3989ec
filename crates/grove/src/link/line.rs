//! One connection: any two-way stream of bytes, that can be cut from outside and that a stranger cannot hold for long.
//!
//! It knows nothing of what is said on it. TCP, TLS and QUIC streams all fit.

use super::mesh::Introduced;
use crate::device::Caller;
use crate::doorstep::{Full, Place};
use grove_core::id::NodeId;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;
use tonic::transport::server::Connected;

/// Connections of one node: one, and another while that is made again, for each of two conversations.
const CONNECTIONS_PER_NODE_MAX: usize = 4;
/// Calls on one connection that were not let in; whoever knocks more often has to connect again each time.
const REFUSALS_MAX: u32 = 16;

/// Cuts a connection, and knows whether whoever is there may stay.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    refused: AtomicU32,
    /// Its place at the door, if somebody else has made it.
    place: Option<Place>,
    /// Whoever waits for bytes, so that a cut is noticed at once.
    reader: Mutex<Option<Waker>>,
}

impl Cut {
    /// Nothing more is read or written, whatever the other side does.
    pub(super) fn cut(&self) {
        self.0.cut.store(true, Ordering::Release);
        let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Whoever is there has shown that it may be.
    pub(super) fn admit(&self, node: NodeId) -> Result<(), Full> {
        self.0.place.as_ref().map_or(Ok(()), |place| place.admit(node.0, CONNECTIONS_PER_NODE_MAX))
    }

    /// A call on it was not let in.
    pub(super) fn refuse(&self) {
        if self.0.refused.fetch_add(1, Ordering::Relaxed) >= REFUSALS_MAX {
            self.cut();
        }
    }

    /// Cuts it when it is asked to go.
    async fn follow(&self) {
        if let Some(place) = &self.0.place {
            place.asked_to_go().await;
            self.cut();
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.0.cut.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut"));
        }
        Ok(())
    }

    /// The waker is kept before the flag is looked at, so that no cut falls between the two.
    fn check_again(&self, context: &Context<'_>) -> io::Result<()> {
        let mut reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if !reader.as_ref().is_some_and(|kept| kept.will_wake(context.waker())) {
            *reader = Some(context.waker().clone());
        }
        drop(reader);
        self.check()
    }
}

/// What is known of a connection before anything is said on it.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) caller: Caller,
    pub(super) cut: Cut,
    /// Which peer it is, where its key has been proved.
    pub(super) peer: Option<Arc<Introduced>>,
}

impl Default for Arrival {
    fn default() -> Arrival {
        Arrival { caller: Caller::STRANGER, cut: Cut::default(), peer: None }
    }
}

/// A connection and how it ends.
#[derive(Debug)]
pub(super) struct Line<Io> {
    io: Io,
    caller: Caller,
    cut: Cut,
    peer: Option<Arc<Introduced>>,
    /// Cuts it when it is asked to go.
    follows: Option<AbortHandle>,
}

impl<Io> Line<Io> {
    /// A connection that this node has made.
    pub(super) fn made(io: Io) -> Line<Io> {
        Line { io, caller: Caller::STRANGER, cut: Cut::default(), peer: None, follows: None }
    }

    /// A connection that somebody else has made.
    pub(super) fn accepted(io: Io, caller: Caller, place: Place) -> Line<Io> {
        let cut = Cut(Arc::new(State { place: Some(place), ..State::default() }));
        let followed = cut.clone();
        let follows = tokio::spawn(async move { followed.follow().await }).abort_handle();
        Line { io, caller, cut, peer: None, follows: Some(follows) }
    }

    /// A connection of a peer whose key has been proved.
    pub(super) fn of_peer(io: Io, peer: Arc<Introduced>, place: Place) -> Line<Io> {
        let mut line = Line::accepted(io, Caller::STRANGER, place);
        line.peer = Some(peer);
        line
    }

    pub(super) fn cut(&self) -> &Cut {
        &self.cut
    }
}

impl<Io> Drop for Line<Io> {
    fn drop(&mut self) {
        if let Some(follows) = &self.follows {
            follows.abort();
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Line<Io> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        let polled = Pin::new(&mut self.io).poll_read(context, out);
        if polled.is_pending() {
            self.cut.check_again(context)?;
        }
        polled
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Line<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Whoever does not read would make a cut wait for ever.
        self.cut.check()?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl<Io> Connected for Line<Io> {
    type ConnectInfo = Arrival;

    fn connect_info(&self) -> Arrival {
        Arrival { caller: self.caller, cut: self.cut.clone(), peer: self.peer.clone() }
    }
}
