//! Connections: how many, and how long somebody may take to say what they want.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// Enough for a person with many windows and scripts; each costs a file and some memory.
const CONNECTIONS_MAX: usize = 256;
/// Also how long a connection may lie idle between two requests.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// What one connection may fill before it is read: headers, and a piece of a body.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// After a failed accept (no more files, for instance) the system is given this long.
const BREATH: Duration = Duration::from_millis(100);

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "{address} is in use by another program, perhaps by another hub\n\
         hint: stop that one, or choose another address with --listen (port 0 takes any free one)"
    )]
    InUse { address: SocketAddr },
    #[error("cannot listen on {address}: {source}\nhint: choose another address with --listen")]
    Other { address: SocketAddr, source: io::Error },
}

/// Takes the address; from now on connections wait to be served.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address },
        _ => ListenError::Other { address, source },
    })
}

/// Serves until `stop` is dropped or set; requests that are being answered get their answer.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, router, stop).await;
            drop(place);
        });
    }
}

/// Comes back when the node stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could say it has gone: that is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    // Small answers must not wait for more bytes; where this fails they only come a little later.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}
