//! One connection: any two-way stream of bytes, that can be cut from outside and that a stranger cannot hold for long.
//!
//! It knows nothing of what is said on it. TCP, TLS and QUIC streams all fit.

use crate::device::Caller;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::transport::server::Connected;

/// Somebody who connects says who it is within this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Cuts a connection, and knows whether whoever is there may stay.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    admitted: AtomicBool,
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
    pub(super) fn admit(&self) {
        self.0.admitted.store(true, Ordering::Release);
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
}

impl Default for Arrival {
    fn default() -> Arrival {
        Arrival { caller: Caller::STRANGER, cut: Cut::default() }
    }
}

/// A connection and how it ends.
#[derive(Debug)]
pub(super) struct Line<Io> {
    io: Io,
    caller: Caller,
    cut: Cut,
    /// Until whoever is there is admitted: when it has to go, and its place among the strangers.
    stranger: Option<(Pin<Box<Sleep>>, OwnedSemaphorePermit)>,
}

impl<Io> Line<Io> {
    /// A connection that this node has made.
    pub(super) fn made(io: Io) -> Line<Io> {
        let cut = Cut::default();
        cut.admit();
        let stranger = None;
        Line { io, caller: Caller::STRANGER, cut, stranger }
    }

    /// A connection that somebody else has made.
    pub(super) fn accepted(io: Io, caller: Caller, place: OwnedSemaphorePermit) -> Line<Io> {
        let until = sleep_until(Instant::now() + PATIENCE);
        Line { io, caller, cut: Cut::default(), stranger: Some((Box::pin(until), place)) }
    }

    pub(super) fn cut(&self) -> &Cut {
        &self.cut
    }

    fn poll_patience(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Some((until, _)) = &mut self.stranger else {
            return Ok(());
        };
        if self.cut.0.admitted.load(Ordering::Acquire) {
            self.stranger = None;
            return Ok(());
        }
        match until.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::TimedOut, "nobody said who is there")),
            Poll::Pending => Ok(()),
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Line<Io> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        let polled = Pin::new(&mut self.io).poll_read(context, out);
        if polled.is_pending() {
            self.cut.check_again(context)?;
            self.poll_patience(context)?;
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
        Arrival { caller: self.caller, cut: self.cut.clone() }
    }
}
