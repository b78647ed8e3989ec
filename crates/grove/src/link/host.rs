//! The called side: lets nodes in, speaks with them, and serves blobs.

use super::blob;
use super::converse::{Begun, converse};
use super::gate::{self, Guest, Token};
use super::line::Line;
use super::outbox::{self, Outflow};
use super::shape::FRAME_BYTES_MAX;
use super::wire::node_server::{Node, NodeServer};
use super::wire::{Chunk, Frame, Grown, Known, Piece, Stored, Want};
use super::{Home, Links, mesh, tree};
use crate::device::{Caller, Greeting, origin};
use crate::doorstep::{Doorstep, Place};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// What may be under way on one stream: a window of answers for some milliseconds of a fast network.
pub(super) const STREAM_WINDOW: u32 = 4 << 20;
/// ... and on all streams of one connection.
pub(super) const CONNECTION_WINDOW: u32 = 8 << 20;
/// Chunks of blobs are not cut into more pieces than need be.
pub(super) const HTTP_FRAME: u32 = 256 << 10;
/// A token and a few names.
pub(super) const HEADERS_MAX: u32 = 16 << 10;
/// A dead neighbour is noticed within two of these, well before its leases end.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(7);
/// One conversation, and blobs beside it.
const STREAMS_MAX: u32 = 64;
/// Calls that were taken back before they were looked at: nobody does that on purpose, but to make work (CVE-2023-44487).
const TAKEN_BACK_MAX: usize = 20;
/// Calls that this side ended for being wrong; after so many the connection goes (CVE-2025-8671).
const WRONG_MAX: usize = 64;
/// Connections that wait to be looked at.
const ACCEPTED_AHEAD: usize = 16;
/// When no connection can be accepted, as without file descriptors, trying at once would only cost time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Links {
    /// Takes calls, until [`Links::close`].
    pub fn serve(&self, listener: TcpListener, token: Token) {
        let (out, streams) = mpsc::channel(ACCEPTED_AHEAD);
        let links = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = links.closed() => {}
                () = accept(&listener, links.door(), &out) => {}
            }
        });
        self.serve_known(ReceiverStream::new(streams), token);
    }

    /// Takes calls over TLS, as it has to be beyond loopback.
    pub fn serve_tls(&self, listener: TcpListener, token: Token, tls: Arc<rustls::ServerConfig>) {
        let (out, streams) = mpsc::channel(ACCEPTED_AHEAD);
        let (links, tls) = (self.clone(), Greeting::new(tls));
        tokio::spawn(async move {
            tokio::select! {
                () = links.closed() => {}
                () = accept_tls(&listener, links.door(), &tls, &out) => {}
            }
        });
        self.serve_known(ReceiverStream::new(streams), token);
    }

    /// The same over any transport, for whoever is on this machine.
    pub fn serve_over<Io>(&self, streams: impl Stream<Item = Io> + Send + 'static, token: Token)
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let door = self.door().clone();
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.serve_known(streams.map(move |io| (io, Caller::HERE, door.arrive(here))), token);
    }

    fn serve_known<Io>(&self, streams: impl Stream<Item = (Io, Caller, Place)> + Send + 'static, token: Token)
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let lines = streams.map(|(io, caller, place)| io::Result::Ok(Line::accepted(io, caller, place)));
        let (me, links) = (self.me(), self.clone());
        let node = NodeServer::new(Host { links: self.clone() })
            .max_decoding_message_size(FRAME_BYTES_MAX)
            .max_encoding_message_size(FRAME_BYTES_MAX);
        let guarded = InterceptedService::new(node, move |call: Request<()>| gate::open(call, me, &token));
        tokio::spawn(async move {
            let until_closed = async { links.closed().await };
            let served = server().serve_with_incoming_shutdown(guarded, lines, until_closed).await;
            if let Err(error) = served {
                tracing::error!("the link cannot take calls any more: {error}");
            }
        });
    }

    /// Takes the calls of peers, whose keys have been proved.
    pub(super) fn serve_peers<Io>(&self, lines: impl Stream<Item = io::Result<Line<Io>>> + Send + 'static)
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let node = NodeServer::new(Host { links: self.clone() })
            .max_decoding_message_size(FRAME_BYTES_MAX)
            .max_encoding_message_size(FRAME_BYTES_MAX);
        let (guarded, links) = (InterceptedService::new(node, gate::open_to_peers), self.clone());
        tokio::spawn(async move {
            let until_closed = async { links.closed().await };
            if let Err(error) = server().serve_with_incoming_shutdown(guarded, lines, until_closed).await {
                tracing::error!("peers cannot be heard any more: {error}");
            }
        });
    }

    pub(super) fn home(&self) -> &dyn Home {
        &*self.0.home
    }
}

async fn accept(listener: &TcpListener, door: &Doorstep, out: &mpsc::Sender<(TcpStream, Caller, Place)>) {
    loop {
        let (stream, from) = next(listener, door).await;
        let from = origin(stream.local_addr(), from);
        if out.send((stream, Caller::HERE, door.arrive(from))).await.is_err() {
            return;
        }
    }
}

/// Channels are agreed on beside one another: whoever is slow delays nobody.
async fn accept_tls(
    listener: &TcpListener,
    door: &Doorstep,
    tls: &Greeting,
    out: &mpsc::Sender<(TlsStream<TcpStream>, Caller, Place)>,
) {
    loop {
        let (stream, from) = next(listener, door).await;
        let from = origin(stream.local_addr(), from);
        let (tls, out, door) = (tls.clone(), out.clone(), door.clone());
        let place = door.arrive(from);
        tokio::spawn(async move {
            let greeted = tokio::select! {
                greeted = tls.greet(stream, from, &door) => greeted,
                () = place.asked_to_go() => None,
            };
            if let Some((stream, caller)) = greeted {
                // Nobody takes calls any more if this fails.
                let _ = out.send((stream, caller, place)).await;
            }
        });
    }
}

async fn next(listener: &TcpListener, door: &Doorstep) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) if stream.set_nodelay(true).is_ok() => return (stream, from),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("no call can be taken: {error}");
                door.make_room();
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn server() -> Server {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(HTTP_FRAME)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_MAX)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .http2_max_pending_accept_reset_streams(Some(TAKEN_BACK_MAX))
        .http2_max_local_error_reset_streams(Some(WRONG_MAX))
}

/// This node, as those who call it see it.
struct Host {
    links: Links,
}

#[tonic::async_trait]
impl Node for Host {
    type SpeakStream = Outflow;
    type FetchStream = ReceiverStream<Result<Chunk, Status>>;

    async fn speak(&self, call: Request<Streaming<Frame>>) -> Result<Response<Outflow>, Status> {
        let Guest { node, cut, peer, .. } = self.guest(&call, First::Speak).await?;
        if peer.is_some() {
            self.links.has_room_for(node)?;
        }
        let (outbox, outflow) = outbox::pair();
        let (caller, met) = peer.as_ref().map(|peer| (peer.back.clone(), peer.met())).unzip();
        let begun = Begun { node, inbound: call.into_inner(), outbox, cut, caller, met };
        let links = self.links.clone();
        tokio::spawn(async move { converse(&links, begun).await });
        let mut answer = Response::new(outflow);
        match peer {
            // A peer, too, wants to know whether it has come to its group.
            Some(peer) => gate::show(self.links.me(), Some(&peer.answer), answer.metadata_mut()),
            None => gate::name(self.links.me(), answer.metadata_mut()),
        }
        Ok(answer)
    }

    async fn fetch(&self, call: Request<Want>) -> Result<Response<Self::FetchStream>, Status> {
        let node = self.guest(&call, First::Spoke).await?.node;
        Ok(Response::new(blob::lend(&self.links, node, call.get_ref()).await?))
    }

    async fn store(&self, call: Request<Streaming<Chunk>>) -> Result<Response<Stored>, Status> {
        let node = self.guest(&call, First::Spoke).await?.node;
        Ok(Response::new(blob::take(&self.links, node, call.into_inner()).await?))
    }

    async fn meet(&self, call: Request<Known>) -> Result<Response<Known>, Status> {
        let peer = self.guest(&call, First::Spoke).await?.peer;
        let peer = peer.ok_or_else(|| Status::permission_denied("only peers know one another"))?;
        Ok(Response::new(mesh::met(&self.links, &peer, call.into_inner())))
    }

    async fn look(&self, call: Request<Piece>) -> Result<Response<Grown>, Status> {
        let node = self.guest(&call, First::Spoke).await?.node;
        Ok(Response::new(tree::shown(&self.links, node, call.get_ref()).await))
    }
}

/// Who speaks is written down first; for all else it must have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Speak,
    Spoke,
}

impl Host {
    /// Who calls, if it may. No call says who it is for in any other way.
    async fn guest<T>(&self, call: &Request<T>, first: First) -> Result<Guest, Status> {
        let guest = call.extensions().get::<Guest>().cloned();
        let guest = guest.ok_or_else(|| Status::unauthenticated("nobody came through the gate"))?;
        let home = self.links.home();
        let may = match (guest.key, first) {
            (None, _) => true,
            (Some(key), First::Speak) => home.admits(key, guest.node).await,
            (Some(key), First::Spoke) => home.stands(key, guest.node),
        };
        if !may {
            guest.cut.refuse();
            return Err(Status::permission_denied("this machine may not lend here"));
        }
        let known = guest.peer.as_ref().map_or(Ok(()), |peer| peer.admit());
        let admitted = known.and_then(|()| guest.cut.admit(guest.node));
        admitted.map_err(|full| Status::resource_exhausted(full.to_string()))?;
        Ok(guest)
    }
}
