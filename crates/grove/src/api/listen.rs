//! Connections: how they are taken, how long somebody may take to say what they want, and how they end.

use super::arrival::Arrival;
use crate::device::{Caller, Greeting, origin};
use crate::doorstep::{Doorstep, Steady};
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
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a connection may lie idle between two requests. Before the first one a stranger's patience counts.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// A token, a few names and what a browser sends along.
const HEADERS_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// What one connection may fill before it is read: a piece of a body.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// After a failed accept (no more files, for instance) the system is given this long.
const BREATH: Duration = Duration::from_millis(100);
/// What is being answered when somebody is put out may still be said: that they are, for instance.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
    accept(listener, router, Some(Greeting::new(tls)), stop).await;
}

async fn accept(listener: TcpListener, router: Router, tls: Option<Greeting>, mut stop: watch::Receiver<bool>) {
    let door = Doorstep::default();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let Ok((stream, from)) = stream else {
            door.make_room();
            tokio::time::sleep(BREATH).await;
            continue;
        };
        let (door, router, tls, stop) = (door.clone(), router.clone(), tls.clone(), stop.clone());
        let from = origin(stream.local_addr(), from);
        tokio::spawn(async move { arrived(stream, from, &door, router, tls, stop).await });
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
    door: &Doorstep,
    router: Router,
    tls: Option<Greeting>,
    stop: watch::Receiver<bool>,
) {
    let place = door.arrive(from);
    // Small answers must not wait for more bytes; where this fails they only come a little later.
    let _ = stream.set_nodelay(true);
    let stream = Steady::new(stream);
    let Some(tls) = tls else {
        // Without TLS this listens on loopback only.
        let caller = Caller { local: from.is_loopback(), ..Caller::HERE };
        return connection(stream, Arrival::new(place, caller, from), router, stop).await;
    };
    let greeted = tokio::select! {
        greeted = tls.greet(stream, from, door) => greeted,
        () = place.asked_to_go() => None,
    };
    if let Some((stream, caller)) = greeted {
        connection(stream, Arrival::new(place, caller, from), router, stop).await;
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    arrival: Arrival,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let here = arrival.clone();
    let knowing = move |mut request: axum::http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(here.caller());
        request.extensions_mut().insert(here.from());
        request.extensions_mut().insert(here.clone());
        request
    };
    let service =
        hyper::service::service_fn(move |request| TowerToHyperService::new(router.clone()).call(knowing(request)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEADERS_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let over = tokio::select! {
        ended = connection.as_mut() => return noted(ended),
        () = stopped(&mut stop) => false,
        () = arrival.place().asked_to_go() => false,
        () = arrival.put_out() => true,
    };
    if !over && !arrival.place().is_admitted() {
        return;
    }
    connection.as_mut().graceful_shutdown();
    if !over {
        tokio::select! {
            ended = connection.as_mut() => return noted(ended),
            () = arrival.put_out() => {}
        }
    }
    if let Ok(ended) = timeout(LAST_WORDS, connection).await {
        noted(ended);
    }
}

fn noted(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}
