//! The calling side: a link that is made again for ever.

use super::converse::{Begun, converse};
use super::flaw::Flaw;
use super::gate::{self, Token};
use super::line::{Cut, Line};
use super::mesh::Met;
use super::shape::FRAME_BYTES_MAX;
use super::wire::node_client::NodeClient;
use super::{Event, Links, Why, host, outbox};
use crate::device::nameless;
use crate::doorstep::PATIENCE;
use grove_core::id::NodeId;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// The first call after a break comes about this soon; it doubles.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
/// Calls are no further apart than this: a hub that comes back has its lenders a moment later.
const AGAIN_MOST: Duration = Duration::from_secs(10);
/// ... unless it says that it does not want to be called: then only now and then, in case somebody changes that.
const AGAIN_REFUSED_MOST: Duration = Duration::from_secs(300);
/// A link that stood for this long was a good one, so that the next call comes soon.
const STOOD: Duration = Duration::from_secs(5);

/// A link that is being kept up. Dropped, it breaks without a word and is called no more: nobody hears that it is
/// unlinked. To end it in good order there is [`Links::close`].
#[derive(Debug)]
#[must_use = "the call ends when this is dropped"]
pub struct Calling(AbortHandle);

impl Drop for Calling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How to ask something of a node that this one has called.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    client: NodeClient<Channel>,
    me: NodeId,
    token: Option<Token>,
    /// A peer, which has to show that it is the one that is meant.
    peer: Option<Called>,
}

/// A peer that is called.
#[derive(Debug, Clone)]
pub(super) struct Called {
    pub(super) node: NodeId,
    /// What it shows.
    pub(super) proof: Token,
    pub(super) met: Met,
}

impl Caller {
    /// How to call a peer, over connections that are made so.
    pub(super) fn of_peer<Io, Connecting>(
        me: NodeId,
        token: Token,
        peer: Called,
        connect: impl Fn() -> Connecting + Send + 'static,
    ) -> (Caller, Arc<Mutex<Cut>>)
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        Connecting: Future<Output = io::Result<Io>> + Send + 'static,
    {
        let (client, cut) = client(connect);
        (Caller { client, me, token: Some(token), peer: Some(peer) }, cut)
    }

    pub(super) fn client(&self) -> NodeClient<Channel> {
        self.client.clone()
    }

    pub(super) fn request<T>(&self, body: T) -> Request<T> {
        let mut request = Request::new(body);
        gate::show(self.me, self.token.as_ref(), request.metadata_mut());
        request
    }
}

impl Links {
    /// Keeps a link to an address, for ever or until [`Links::close`].
    pub fn dial(&self, address: &str, token: Token) -> Calling {
        let to = Arc::from(address);
        self.dial_over(address, token, move || connect(Arc::clone(&to)))
    }

    /// Keeps a link to a hub whose key is known, over TLS. The token is for a hub on the same machine; from elsewhere
    /// the key of this machine is what it shows.
    pub fn dial_tls(&self, address: &str, token: Option<Token>, tls: Arc<rustls::ClientConfig>) -> Calling {
        let to: Arc<str> = Arc::from(address);
        let tls = TlsConnector::from(tls);
        self.dial_with(address, token, move || {
            let (to, tls) = (Arc::clone(&to), tls.clone());
            async move { tls.connect(nameless(), connect(to).await?).await }
        })
    }

    /// The same over any transport.
    pub fn dial_over<Io, Connecting>(
        &self,
        address: &str,
        token: Token,
        connect: impl Fn() -> Connecting + Send + 'static,
    ) -> Calling
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        Connecting: Future<Output = io::Result<Io>> + Send + 'static,
    {
        self.dial_with(address, Some(token), connect)
    }

    fn dial_with<Io, Connecting>(
        &self,
        address: &str,
        token: Option<Token>,
        connect: impl Fn() -> Connecting + Send + 'static,
    ) -> Calling
    where
        Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        Connecting: Future<Output = io::Result<Io>> + Send + 'static,
    {
        let (client, cut) = client(connect);
        let caller = Caller { client, me: self.me(), token, peer: None };
        let (links, address) = (self.clone(), Arc::from(address));
        Calling(tokio::spawn(keep_calling(links, caller, cut, address)).abort_handle())
    }
}

/// A client over connections that are made so, and how to cut the newest of them.
fn client<Io, Connecting>(connect: impl Fn() -> Connecting + Send + 'static) -> (NodeClient<Channel>, Arc<Mutex<Cut>>)
where
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    Connecting: Future<Output = io::Result<Io>> + Send + 'static,
{
    let cut = Arc::new(Mutex::new(Cut::default()));
    let cuts = Arc::clone(&cut);
    let channel = endpoint().connect_with_connector_lazy(Connector { connect, cuts });
    (NodeClient::new(channel).max_decoding_message_size(FRAME_BYTES_MAX), cut)
}

async fn connect(address: Arc<str>) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(&*address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn endpoint() -> Endpoint {
    // A name is needed for requests only; where they go, the connector knows.
    Endpoint::from_static("http://grove.invalid")
        .connect_timeout(PATIENCE)
        .initial_stream_window_size(host::STREAM_WINDOW)
        .initial_connection_window_size(host::CONNECTION_WINDOW)
        .max_frame_size(host::HTTP_FRAME)
        .http2_max_header_list_size(host::HEADERS_MAX)
        .http2_keep_alive_interval(host::KEEP_ALIVE)
        .keep_alive_timeout(host::KEEP_ALIVE)
        .keep_alive_while_idle(true)
}

async fn keep_calling(links: Links, caller: Caller, cut: Arc<Mutex<Cut>>, address: Arc<str>) {
    let mut again_in = AGAIN_FIRST;
    loop {
        let begun = Instant::now();
        let why = call(&links, &caller, &cut).await;
        if begun.elapsed() > STOOD {
            again_in = AGAIN_FIRST;
        }
        let most = if matches!(why, Why::Refused) { AGAIN_REFUSED_MOST } else { AGAIN_MOST };
        again_in = again_in.min(most);
        let pause = again_in.mul_f64(jitter());
        let (address, again) = (Arc::clone(&address), pause);
        let unreached = Event::Unreached { address, why, again_in: again };
        if links.hear(unreached).await.is_err() {
            return;
        }
        tokio::select! {
            () = links.closed() => return,
            () = sleep(pause) => {}
        }
        again_in = (again_in * 2).min(most);
    }
}

/// Between a half and one, so that lenders that lost their hub together do not come back together.
fn jitter() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX)
}

/// One conversation, to its end.
pub(super) async fn call(links: &Links, caller: &Caller, cut: &Mutex<Cut>) -> Why {
    let (outbox, outflow) = outbox::pair();
    let said = caller.request(outflow.map_while(Result::ok));
    let mut client = caller.client();
    let late = |_| Status::deadline_exceeded("nobody answers");
    let answer = match timeout(PATIENCE, client.speak(said)).await.map_err(late).flatten() {
        Ok(answer) => answer,
        Err(status) => return Why::of(&status),
    };
    let Some(node) = gate::named(answer.metadata()) else {
        return Why::Flaw(Flaw::Unknown { what: "a node's name" });
    };
    if caller.peer.as_ref().is_some_and(|peer| peer.node != node || !gate::shows(&peer.proof, answer.metadata())) {
        return Why::Stranger;
    }
    let begun = Begun {
        node,
        inbound: answer.into_inner(),
        outbox,
        cut: cut.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        caller: Some(caller.clone()),
        met: caller.peer.as_ref().map(|peer| peer.met),
    };
    converse(links, begun).await
}

/// Makes connections for the channel, and keeps how to cut the newest.
struct Connector<Connect> {
    connect: Connect,
    cuts: Arc<Mutex<Cut>>,
}

impl<Connect, Connecting, Io> tonic::codegen::Service<Uri> for Connector<Connect>
where
    Connect: Fn() -> Connecting,
    Connecting: Future<Output = io::Result<Io>> + Send + 'static,
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Response = TokioIo<Line<Io>>;
    type Error = io::Error;
    type Future = super::Soon<'static, io::Result<TokioIo<Line<Io>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (connecting, cuts) = ((self.connect)(), Arc::clone(&self.cuts));
        Box::pin(async move {
            let line = Line::made(connecting.await?);
            *cuts.lock().unwrap_or_else(PoisonError::into_inner) = line.cut().clone();
            Ok(TokioIo::new(line))
        })
    }
}
