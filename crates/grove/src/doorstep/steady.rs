//! A stream whose other end has to take what is sent to it: who reads nothing, or next to nothing, is let go, so that
//! no answer lies in memory for ever. How long a stream may be quiet that has nothing to say is not its business.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// All waiting for a slow reader or sender together; each KiB that does move gives back a second of it.
const SLACK: Duration = Duration::from_secs(30);
/// Slower than the slowest line on which somebody would want to work.
const BYTES_PER_SECOND_LEAST: u64 = 1 << 10;

/// How long somebody may still be waited for: less after each wait, more with what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Pending {
    left: Duration,
    most: Duration,
}

impl Default for Pending {
    fn default() -> Pending {
        Pending { left: SLACK, most: SLACK }
    }
}

impl Pending {
    pub fn left(self) -> Duration {
        self.left
    }

    /// So many bytes moved after that time.
    pub fn moved(&mut self, after: Duration, bytes: usize) {
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / BYTES_PER_SECOND_LEAST);
        self.left = (self.left.saturating_sub(after) + earned).min(self.most);
    }
}

/// Such a stream.
#[derive(Debug)]
pub struct Steady<Io> {
    io: Io,
    pending: Pending,
    /// Since when nothing is taken, and when that has been long enough.
    stuck: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<Io> Steady<Io> {
    pub fn new(io: Io) -> Steady<Io> {
        Steady { io, pending: Pending::default(), stuck: None }
    }

    fn timed(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(done) = &written {
            let waited = self.stuck.take().map_or(Duration::ZERO, |(since, _)| since.elapsed());
            self.pending.moved(waited, *done.as_ref().unwrap_or(&0));
            return written;
        }
        let left = self.pending.left();
        let (_, until) = self.stuck.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + left)))
        });
        ready!(until.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads what is sent")))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Steady<Io> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, out)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Steady<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.timed(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.timed(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Whether somebody can be sent to for a second who takes so many bytes each time, with a slack of 0.2 s.
    async fn lasts(bytes: usize, each: Duration) -> bool {
        let slack = Duration::from_millis(200);
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let mut near = Steady { pending: Pending { left: slack, most: slack }, ..Steady::new(near) };
        let begun = Instant::now();
        let reader = tokio::spawn(async move {
            let mut taken = vec![0; bytes];
            loop {
                tokio::time::sleep(each).await;
                if bytes > 0 && far.read_exact(&mut taken).await.is_err() {
                    return;
                }
            }
        });
        while begun.elapsed() < Duration::from_secs(1) && near.write_all(&[0; 100]).await.is_ok() {}
        reader.abort();
        begun.elapsed() >= Duration::from_secs(1)
    }

    #[tokio::test]
    async fn who_does_not_read_is_let_go_and_who_reads_slowly_is_not() {
        let pause = Duration::from_millis(20);
        assert!(!lasts(0, pause).await, "nothing is read");
        assert!(!lasts(1, pause).await, "a byte now and then is as good as nothing");
        assert!(lasts(100, pause).await, "a slow line");
        assert!(lasts(1_000, 5 * pause).await, "one that comes in bursts");
    }
}
