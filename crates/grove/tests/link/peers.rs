//! Peers over QUIC that mean no good: whoever has no key of the group, or has one and misuses it, is refused within
//! limits, and others go on as if nobody were there.

use super::home::Place;
use grove::link::wire::node_client::NodeClient;
use grove::link::wire::{self, Frame, frame::Kind};
use grove::link::{Acquaintance, Event, Flaw, Key, Mesh, NEIGHBOURS_MAX, Secret, Why, key_of, node_of};
use grove_core::id::NodeId;
use grove_core::message::{Message, Signed, Totals};
use grove_core::units::Credits;
use hyper_util::rt::TokioIo;
use iroh::endpoint::{Connection, RecvStream, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, SecretKey};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{Join, join};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::transport::Channel;
use tonic::{Code, Request};

const GROUP: Secret = Secret([5; 32]);
/// Whatever should happen has happened by then, on a busy machine too.
const SOON: Duration = Duration::from_secs(20);
/// Streams that a peer may have open on one connection.
const STREAMS: usize = 4;

/// An honest peer, and where it is.
struct Peer {
    place: Place,
    mesh: Mesh,
    at: Acquaintance,
}

impl Peer {
    async fn new(seed: u8) -> Peer {
        let key = key_of(&[seed; 32]);
        let place = Place::new(node_of(&key));
        let mesh = Mesh::open(place.links.clone(), &[seed; 32], GROUP, loopback()).await.unwrap();
        let at = Acquaintance { key, addresses: mesh.bound() };
        Peer { place, mesh, at }
    }

    fn node(&self) -> NodeId {
        node_of(&self.at.key)
    }

    /// Speaks with another one, until the end of the test.
    async fn meets(&mut self, other: &mut Peer) {
        let (mesh, there) = (self.mesh.clone(), other.at.clone());
        tokio::spawn(async move { mesh.call(&there).await });
        self.place.linked(other.node()).await;
        other.place.linked(self.node()).await;
    }

    /// Says something to another one, which hears it.
    async fn is_heard_by(&self, other: &mut Peer, total: u64) {
        let said = Message::Pay { total: Credits(total) };
        self.place.links.send(other.node(), said.clone()).unwrap();
        assert_eq!(other.place.heard().await, (self.node(), said));
    }
}

/// Somebody with a key who says what it likes.
struct Bad {
    endpoint: Endpoint,
    key: Key,
}

impl Bad {
    async fn new(seed: u8) -> Bad {
        let builder = Endpoint::builder(presets::Minimal).secret_key(SecretKey::from_bytes(&[seed; 32]));
        let builder = builder.relay_mode(RelayMode::Disabled).clear_ip_transports().bind_addr(loopback()).unwrap();
        Bad { endpoint: builder.bind().await.unwrap(), key: key_of(&[seed; 32]) }
    }

    fn node(&self) -> NodeId {
        node_of(&self.key)
    }

    async fn connect(&self, to: &Acquaintance) -> Connection {
        self.try_to_connect(to).await.unwrap()
    }

    async fn try_to_connect(&self, to: &Acquaintance) -> Result<Connection, String> {
        let id = EndpointId::from_bytes(&to.key).unwrap();
        let there = to.addresses.iter().fold(EndpointAddr::new(id), |there, ip| there.with_ip_addr(*ip));
        self.endpoint.connect(there, b"grove/peers/1").await.map_err(|error| error.to_string())
    }

    /// Speaks as a member of the group would, until it is not listened to any more.
    async fn speaks(&self, client: &mut NodeClient<Channel>, to: &Acquaintance, frames: Vec<Frame>) {
        let frames = tokio_stream::iter(frames).chain(tokio_stream::pending());
        let call = named(frames, self.node(), &proof(&GROUP, &self.key, &to.key));
        let mut heard = client.speak(call).await.unwrap().into_inner();
        while let Ok(Some(_)) = timeout(SOON, heard.message()).await.expect("it is still listened to") {}
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// What one shows to another: as the peers themselves compute it.
fn proof(group: &Secret, from: &Key, to: &Key) -> String {
    blake3::keyed_hash(&group.0, &[&from[..], &to[..]].concat()).to_hex().to_string()
}

fn named<T>(body: T, node: NodeId, shown: &str) -> Request<T> {
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", format!("Bearer {shown}").parse().unwrap());
    request.metadata_mut().insert("grove-node", format!("{:016x}", node.0).parse().unwrap());
    request
}

/// Opens a stream of a connection for each call.
struct Streams(Connection);

impl Service<Uri> for Streams {
    type Response = TokioIo<Join<RecvStream, SendStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connection = self.0.clone();
        Box::pin(async move {
            let (send, receive) = connection.open_bi().await.map_err(io::Error::other)?;
            Ok(TokioIo::new(join(receive, send)))
        })
    }
}

fn client(connection: &Connection) -> NodeClient<Channel> {
    let endpoint = tonic::transport::Endpoint::from_static("http://peer.invalid");
    NodeClient::new(endpoint.connect_with_connector_lazy(Streams(connection.clone())))
        .max_encoding_message_size(64 << 20)
}

fn frame(kind: Kind) -> Frame {
    Frame { kind: Some(kind) }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_show_that_it_is_of_the_group_is_refused_and_hears_nothing() {
    let (mut one, mut two) = (Peer::new(1).await, Peer::new(2).await);
    two.meets(&mut one).await;
    let bad = Bad::new(9).await;
    let other_group = Secret([6; 32]);
    let shown = [
        (bad.node(), String::new()),
        (bad.node(), proof(&other_group, &bad.key, &one.at.key)),
        // What an honest peer has shown, said again by somebody else, under that one's name and under its own.
        (two.node(), proof(&GROUP, &two.at.key, &one.at.key)),
        (bad.node(), proof(&GROUP, &two.at.key, &one.at.key)),
        // What the peer itself would show, turned round.
        (bad.node(), proof(&GROUP, &one.at.key, &bad.key)),
        // A member under the name of another.
        (two.node(), proof(&GROUP, &bad.key, &one.at.key)),
    ];
    for (name, shown) in shown {
        let mut client = client(&bad.connect(&one.at).await);
        let spoken = client.speak(named(tokio_stream::empty::<Frame>(), name, &shown)).await;
        assert_eq!(spoken.unwrap_err().code(), Code::Unauthenticated, "{shown}");
        let met = client.meet(named(wire::Known::default(), name, &shown)).await;
        assert_eq!(met.unwrap_err().code(), Code::Unauthenticated, "whom it knows, it does not say");
        let looked = client.look(named(wire::Piece::default(), name, &shown)).await;
        assert_eq!(looked.unwrap_err().code(), Code::Unauthenticated);
        let want = wire::Want { digest: vec![7; 32].into(), offset: 0, lease: super::home::LEASE.0 };
        assert_eq!(client.fetch(named(want, name, &shown)).await.unwrap_err().code(), Code::Unauthenticated);
    }
    assert!(one.place.is_quiet().await, "nobody has come");
    two.is_heard_by(&mut one, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_speaks_only_with_the_key_and_the_group_that_it_has_called() {
    let (mut one, two) = (Peer::new(1).await, Peer::new(2).await);
    let elsewhere = Acquaintance { key: two.at.key, addresses: one.at.addresses.clone() };
    let three = Peer::new(3).await;
    let why = timeout(SOON, three.mesh.call(&elsewhere)).await.expect("it gives up");
    assert!(matches!(why, Why::Lost(_)), "another key answers there: {why:?}");
    let place = Place::new(node_of(&key_of(&[4; 32])));
    let stranger = Mesh::open(place.links.clone(), &[4; 32], Secret([6; 32]), loopback()).await.unwrap();
    assert!(matches!(stranger.call(&one.at).await, Why::Stranger));
    assert!(one.place.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_beyond_the_limit_wait_and_delay_nobody() {
    let (mut one, mut two) = (Peer::new(1).await, Peer::new(2).await);
    let bad = Bad::new(9).await;
    let connection = bad.connect(&one.at).await;
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let (mut send, receive) = connection.open_bi().await.unwrap();
        // A stream is there for the other side when something is said on it.
        send.write_all(b"PRI").await.unwrap();
        open.push((send, receive));
    }
    let more = timeout(Duration::from_secs(1), connection.open_bi()).await;
    assert!(more.is_err(), "a stream too many was opened");
    let other_kind = timeout(Duration::from_millis(300), connection.open_uni()).await;
    assert!(other_kind.is_err(), "a stream of another kind was opened");
    two.meets(&mut one).await;
    two.is_heard_by(&mut one, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_silent_connections_keep_no_peer_out_and_their_oldest_go() {
    let (mut one, mut two) = (Peer::new(1).await, Peer::new(2).await);
    let bad = Bad::new(9).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        match bad.try_to_connect(&one.at).await {
            Ok(connection) => silent.push(connection),
            Err(_) => break,
        }
    }
    two.meets(&mut one).await;
    two.is_heard_by(&mut one, 1).await;
    let oldest = silent.first().unwrap();
    timeout(SOON, oldest.closed()).await.expect("the oldest has made room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_sends_nonsense_or_too_much_is_cut_off_and_others_are_not() {
    let (mut one, mut two) = (Peer::new(1).await, Peer::new(2).await);
    two.meets(&mut one).await;
    let bad = Bad::new(9).await;
    let long = wire::Tool { args: vec!["x".repeat(5 << 20)], ..wire::Tool::default() };
    let too_long = frame(Kind::Give(wire::Give { tools: vec![long], gifts: vec![] }));
    let too_many = frame(Kind::Cancel(wire::Cancel { leases: vec![1; 5_000] }));
    let nothing = Frame { kind: None };
    for sent in [too_long, too_many, nothing] {
        let mut client = client(&bad.connect(&one.at).await);
        bad.speaks(&mut client, &one.at, vec![sent]).await;
        one.place.linked(bad.node()).await;
        let why = one.place.unlinked(bad.node()).await;
        let is_why = match &why {
            Why::Lost(status) => status.code() == Code::OutOfRange,
            Why::Flaw(flaw) => matches!(flaw, Flaw::TooMany { .. } | Flaw::Unknown { .. }),
            _ => false,
        };
        assert!(is_why, "{why:?}");
        two.is_heard_by(&mut one, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_never_stops_talking_delays_nobody() {
    let (mut one, mut two) = (Peer::new(1).await, Peer::new(2).await);
    two.meets(&mut one).await;
    let bad = Bad::new(9).await;
    let mut client = client(&bad.connect(&one.at).await);
    let chatter = frame(Kind::Alive(wire::Alive { slots: 1, holding: (0..256).collect() }));
    let frames = tokio_stream::iter(std::iter::repeat(chatter));
    let call = named(frames, bad.node(), &proof(&GROUP, &bad.key, &one.at.key));
    let talks = tokio::spawn(async move { client.speak(call).await });
    one.place.linked(bad.node()).await;
    let (mut chatter, mut worst) = (0_u32, Duration::ZERO);
    let talking = Instant::now();
    for total in 0.. {
        if total >= 100 && chatter > 100 {
            break;
        }
        assert!(talking.elapsed() < SOON, "it was silent: {chatter}");
        let (begun, said) = (Instant::now(), Message::Pay { total: Credits(total) });
        two.place.links.send(one.node(), said.clone()).unwrap();
        loop {
            match one.place.event().await {
                Event::Heard { node, message } if node == two.node() && message == said => break,
                Event::Heard { node, .. } if node == bad.node() => chatter += 1,
                other => panic!("{other:?}"),
            }
        }
        worst = worst.max(begun.elapsed());
    }
    assert!(worst < Duration::from_secs(2), "somebody else had to wait for {worst:?}");
    talks.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_peers_own_to_is_signed_and_nobody_else_can_use_or_change_it() {
    let (mut one, mut two) = (Peer::new(1).await, Peer::new(2).await);
    two.meets(&mut one).await;
    let totals = Totals { yours: Credits(700), mine: Credits(30) };
    let owns = Message::Owns { signed: Signed { totals, seal: [].into() } };
    two.place.links.send(one.node(), owns).unwrap();
    let (_, Message::Owns { signed }) = one.place.heard().await else { panic!("it says something else") };
    assert_eq!((signed.totals, signed.seal.len()), (totals, 64));
    // Back to whoever has signed it.
    let recalls = Message::Recalls { signed: signed.clone() };
    one.place.links.send(two.node(), recalls.clone()).unwrap();
    assert_eq!(two.place.heard().await, (one.node(), recalls));
    let more = wire::Signed { yours: 701, mine: 30, seal: signed.seal.to_vec().into() };
    let same = wire::Signed { yours: 700, ..more.clone() };
    let unsigned = wire::Signed { seal: [].as_slice().into(), ..same.clone() };
    let bad = Bad::new(9).await;
    // Claims of its own about what it was owed, words meant for somebody else, and another one's words as its own.
    let forged = [Kind::Recalls(more.clone()), Kind::Recalls(unsigned), Kind::Recalls(same.clone()), Kind::Owns(same)];
    for kind in forged {
        let mut client = client(&bad.connect(&two.at).await);
        bad.speaks(&mut client, &two.at, vec![frame(kind)]).await;
        two.place.linked(bad.node()).await;
        let why = two.place.unlinked(bad.node()).await;
        assert!(matches!(why, Why::Flaw(Flaw::Forged)), "{why:?}");
    }
    two.is_heard_by(&mut one, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_peer_names_is_bounded() {
    let mut one = Peer::new(1).await;
    let bad = Bad::new(9).await;
    let mut client = client(&bad.connect(&one.at).await);
    let shown = proof(&GROUP, &bad.key, &one.at.key);
    let peer = |nth: u32| {
        let key = *blake3::hash(&nth.to_le_bytes()).as_bytes();
        wire::Peer { key: key.to_vec().into(), addresses: vec!["10.0.0.1:7422".to_owned()] }
    };
    let crowd = wire::Known { peers: (0..10_000).map(peer).collect() };
    assert!(client.meet(named(crowd, bad.node(), &shown)).await.is_err(), "a crowd was listened to");
    let few = wire::Known { peers: (0..3).map(peer).collect() };
    assert!(client.meet(named(few, bad.node(), &shown)).await.is_ok(), "it may say a few");
    assert!(one.place.is_quiet().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_peer_too_many_is_told_so_and_let_in_when_another_has_gone() {
    let mut one = Peer::new(1).await;
    let mut others = Vec::new();
    for seed in 10..10 + NEIGHBOURS_MAX {
        let mut other = Peer::new(u8::try_from(seed).unwrap()).await;
        other.meets(&mut one).await;
        others.push(other);
    }
    let mut last = Peer::new(2).await;
    let why = timeout(SOON, last.mesh.call(&one.at)).await.expect("it is told at once");
    assert!(matches!(why, Why::Full), "{why:?}");
    assert!(last.place.is_quiet().await && one.place.is_quiet().await, "nobody else notices");
    others[7].is_heard_by(&mut one, 1).await;
    one.place.links.drop(others[7].node());
    one.place.unlinked(others[7].node()).await;
    last.meets(&mut one).await;
    last.is_heard_by(&mut one, 2).await;
}
