//! Connections: how many, and how long somebody may take to say what they want.

use crate::device::{Caller, HANDSHAKE};
use axum::Router;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

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
pub async fn serve(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    accept(listener, router, None, stop).await;
}

/// The same over TLS, as it has to be beyond loopback.
pub async fn serve_tls(
    listener: TcpListener,
    router: Router,
    tls: Arc<rustls::ServerConfig>,
    stop: watch::Receiver<bool>,
) {
    accept(listener, router, Some(TlsAcceptor::from(tls)), stop).await;
}

async fn accept(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let Ok((stream, from)) = stream else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
        tokio::spawn(async move {
            arrived(stream, from.ip(), router, tls, stop).await;
            drop(place);
        });
    }
}

/// Comes back when the node stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Whoever could say it has gone: that is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn arrived(
    stream: TcpStream,
    from: IpAddr,
    router: Router,
    tls: Option<TlsAcceptor>,
    stop: watch::Receiver<bool>,
) {
    // Small answers must not wait for more bytes; where this fails they only come a little later.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        // Without TLS this listens on loopback only.
        return connection(stream, from, Caller { local: from.is_loopback(), ..Caller::HERE }, router, stop).await;
    };
    match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let caller = Caller::over(stream.get_ref().1, from);
            connection(stream, from, caller, router, stop).await;
        }
        Ok(Err(error)) => tracing::debug!("no channel with somebody who called: {error}"),
        Err(_) => tracing::debug!("somebody called and did not agree on a channel in time"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    from: IpAddr,
    caller: Caller,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let knowing = move |mut request: axum::http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(from);
        request
    };
    let service =
        hyper::service::service_fn(move |request| TowerToHyperService::new(router.clone()).call(knowing(request)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
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
