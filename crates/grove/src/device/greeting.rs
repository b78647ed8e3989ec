//! Agreeing on a channel with whoever has connected. The work for it begins when all of their first words are there and
//! it is their turn: who says half a word, or comes a thousand times, costs next to nothing.

use super::Caller;
use crate::doorstep::{Doorstep, PATIENCE};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// How this machine answers; a cheap handle.
#[derive(Debug, Clone)]
pub struct Greeting(Arc<rustls::ServerConfig>);

impl Greeting {
    pub fn new(tls: Arc<rustls::ServerConfig>) -> Greeting {
        Greeting(tls)
    }

    /// The channel, and who is at its other end; nothing where they did not come together in time.
    pub async fn greet<Io>(&self, io: Io, from: IpAddr, door: &Doorstep) -> Option<(TlsStream<Io>, Caller)>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        match timeout(PATIENCE, self.agree(io, from, door)).await {
            Ok(Ok(Some(stream))) => {
                let caller = Caller::over(stream.get_ref().1, from);
                return Some((stream, caller));
            }
            Ok(Ok(None)) => tracing::debug!("too many want to agree on a channel from where somebody called"),
            Ok(Err(error)) => tracing::debug!("no channel with somebody who called: {error}"),
            Err(_) => tracing::debug!("somebody called and did not agree on a channel in time"),
        }
        None
    }

    async fn agree<Io>(&self, io: Io, from: IpAddr, door: &Doorstep) -> io::Result<Option<TlsStream<Io>>>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let begun = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io).await?;
        if !door.turn(from).await {
            return Ok(None);
        }
        begun.into_stream(Arc::clone(&self.0)).await.map(Some)
    }
}
