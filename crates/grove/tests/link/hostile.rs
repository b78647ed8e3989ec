//! Neighbours that mean no good, or cannot do better.

use super::any::{numbers, plain_tool};
use super::home::{HUB, Place, token};
use grove::link::wire::node_client::NodeClient;
use grove::link::wire::{self, Frame, frame::Kind};
use grove::link::{Event, Flaw, NotSent, Token, Why};
use grove_core::id::NodeId;
use grove_core::message::{Data, Inputs, Message};
use grove_core::task::Span;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};

const LENDER: NodeId = NodeId(2);

/// A node that says what it likes, with the usual means.
async fn stranger(address: SocketAddr) -> NodeClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    NodeClient::new(endpoint.connect().await.unwrap())
}

fn named<T>(body: T, token: &str) -> Request<T> {
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request.metadata_mut().insert("grove-node", "0000000000000002".parse().unwrap());
    request
}

fn frame(kind: Kind) -> Frame {
    Frame { kind: Some(kind) }
}

#[tokio::test]
async fn without_the_token_nobody_gets_in() {
    let (mut hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let wrong: Token = "another-token".parse().unwrap();
    let _calling = lender.links.dial(&address.to_string(), wrong);
    assert!(matches!(lender.event().await, Event::Unreached { why: Why::Refused, .. }));

    let mut client = stranger(address).await;
    let nothing = || tokio_stream::empty::<Frame>();
    for mut call in [named(nothing(), "a-token-for-test"), named(nothing(), ""), Request::new(nothing())] {
        assert_eq!(client.speak(call).await.unwrap_err().code(), Code::Unauthenticated);
        call = named(nothing(), "a-token-for-tests");
        call.metadata_mut().remove("grove-node");
        assert_eq!(client.speak(call).await.unwrap_err().code(), Code::Unauthenticated, "it says no name");
    }
    let mut as_hub = named(nothing(), "a-token-for-tests");
    as_hub.metadata_mut().insert("grove-node", "0000000000000001".parse().unwrap());
    assert_eq!(client.speak(as_hub).await.unwrap_err().code(), Code::Unauthenticated, "it is not the hub");
    let want = wire::Want::default();
    assert_eq!(client.fetch(want).await.unwrap_err().code(), Code::Unauthenticated);
    let store = client.store(tokio_stream::once(wire::Chunk::default())).await;
    assert_eq!(store.unwrap_err().code(), Code::Unauthenticated);
    assert!(hub.is_quiet().await);
}

#[test]
fn a_token_is_never_printed() {
    assert_eq!(format!("{:?}", token()), "Token(…)");
    assert!("two\nlines".parse::<Token>().is_err() && "".parse::<Token>().is_err());
}

/// What the hub says to one who sends these frames, and why it unlinks it.
async fn refused(frames: Vec<Frame>) -> (Code, Why) {
    let (mut hub, address) = Place::hub().await;
    let mut client = stranger(address).await;
    let frames = tokio_stream::iter(frames).chain(tokio_stream::pending());
    let mut heard = client.speak(named(frames, "a-token-for-tests")).await.unwrap().into_inner();
    hub.linked(LENDER).await;
    let told = timeout(Duration::from_secs(10), heard.message()).await.expect("no word why").unwrap_err();
    (told.code(), hub.unlinked(LENDER).await)
}

#[tokio::test]
async fn whoever_sends_nonsense_is_not_spoken_to_any_more() {
    let too_many = frame(Kind::Cancel(wire::Cancel { leases: vec![1; 5_000] }));
    let (code, why) = refused(vec![too_many]).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(matches!(why, Why::Flaw(Flaw::TooMany { what: "leases", most: 4_096 })), "{why:?}");

    let (code, why) = refused(vec![Frame { kind: None }]).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(matches!(why, Why::Flaw(Flaw::Unknown { .. })), "{why:?}");
}

#[tokio::test]
async fn an_oversized_frame_is_refused_by_its_first_bytes() {
    let (mut hub, address) = Place::hub().await;
    let mut client = stranger(address).await.max_encoding_message_size(64 << 20);
    let tool = wire::Tool { args: vec!["x".repeat(5 << 20)], ..wire::Tool::default() };
    let large = frame(Kind::Give(wire::Give { tools: vec![tool], gifts: vec![] }));
    let frames = tokio_stream::once(large).chain(tokio_stream::pending());
    let _heard = client.speak(named(frames, "a-token-for-tests")).await.unwrap();
    hub.linked(LENDER).await;
    let why = hub.unlinked(LENDER).await;
    assert!(matches!(&why, Why::Lost(status) if status.code() == Code::OutOfRange), "{why:?}");
}

#[tokio::test]
async fn a_neighbour_that_never_reads_is_cut_off() {
    let (mut hub, address) = Place::hub().await;
    let mut client = stranger(address).await;
    let said = tokio_stream::pending::<Frame>();
    let unread = client.speak(named(said, "a-token-for-tests")).await.unwrap();
    hub.linked(LENDER).await;
    let mut gift = numbers(1, &plain_tool(), vec![Span { first: 0, len: 256 }]);
    let input = Data::Inline { bytes: vec![1; 4_096].into() };
    gift.inputs = Inputs::Carried { data: vec![input; 256] };
    let message = Message::Give { gifts: vec![gift] };
    let mut sent = 0;
    let refused = loop {
        match hub.links.send(LENDER, message.clone()) {
            Ok(()) => sent += 1,
            Err(why) => break why,
        }
        assert!(sent < 200, "{sent} MiB wait for somebody who does not read");
        tokio::task::yield_now().await;
    };
    assert_eq!(refused, NotSent::TooSlow);
    assert!(matches!(hub.unlinked(LENDER).await, Why::TooSlow));
    assert_eq!(hub.links.send(LENDER, Message::Bye), Err(NotSent::NotLinked));
    // The connection is gone, not only the conversation.
    drop(unread);
    let again = client.speak(named(tokio_stream::pending::<Frame>(), "a-token-for-tests"));
    timeout(Duration::from_secs(10), again).await.expect("it can call again").ok();
}

#[tokio::test]
async fn what_no_frame_can_hold_is_not_sent() {
    let (mut hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), token());
    hub.linked(LENDER).await;
    let mut gift = numbers(1, &plain_tool(), vec![Span { first: 0, len: 1 }]);
    gift.inputs = Inputs::Carried { data: vec![Data::Inline { bytes: vec![1; 5 << 20].into() }] };
    assert_eq!(hub.links.send(LENDER, Message::Give { gifts: vec![gift] }), Err(NotSent::TooLarge));
    hub.links.send(LENDER, Message::Bye).unwrap();
    lender.linked(HUB).await;
    assert_eq!(lender.heard().await, (HUB, Message::Bye), "the link stands");
}

#[tokio::test]
async fn whoever_connects_and_says_nothing_is_shown_out() {
    let (_hub, address) = Place::hub().await;
    let silent = [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].map(|greeting| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(greeting).await.unwrap();
        let mut bytes = Vec::new();
        // An end or an error, but not for ever.
        let end = timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
        let _ = end.expect("still there");
    });
    let [nothing, preface] = silent;
    tokio::join!(nothing, preface);
}

#[tokio::test]
async fn many_silent_strangers_keep_nobody_out() {
    let (mut hub, address) = Place::hub().await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    // The oldest have made room.
    let end = timeout(Duration::from_secs(5), silent[0].read_to_end(&mut Vec::new())).await;
    let _ = end.expect("it is still there");
}

#[tokio::test]
async fn who_knocks_again_and_again_is_cut_off() {
    let (_hub, address) = Place::hub().await;
    let mut client = stranger(address).await;
    let mut codes = Vec::new();
    for _ in 0..40 {
        let call = named(tokio_stream::empty::<Frame>(), "a-token-for-test");
        codes.push(client.speak(call).await.unwrap_err().code());
    }
    assert!(codes[..16].iter().all(|code| *code == Code::Unauthenticated), "{codes:?}");
    assert!(codes[16..].iter().any(|code| *code != Code::Unauthenticated), "one connection is enough for it all");
}

#[tokio::test]
async fn a_node_with_too_many_connections_loses_its_own_oldest() {
    let (mut hub, address) = Place::hub().await;
    let mut first = stranger(address).await;
    let _heard = first.speak(named(tokio_stream::pending::<Frame>(), "a-token-for-tests")).await.unwrap();
    hub.linked(LENDER).await;
    let mut more = Vec::new();
    for _ in 0..4 {
        assert!(hub.is_quiet().await, "four are not too many");
        more.push(stranger(address).await);
        let want = wire::Want { digest: vec![7; 32].into(), offset: 0, lease: 1 };
        let asked = more.last_mut().unwrap().fetch(named(want, "a-token-for-tests")).await;
        // Nobody has such a blob, but whoever asks is known.
        assert_eq!(asked.unwrap_err().code(), Code::PermissionDenied);
    }
    assert!(matches!(hub.unlinked(LENDER).await, Why::Lost(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_being_fetched_stops_when_its_taker_is_put_out() {
    let (hub, address) = Place::hub().await;
    let blob = super::home::put(hub.folder.path(), 64 << 20);
    // A connection on which nobody ever spoke.
    let mut taker = stranger(address).await;
    let want = wire::Want { digest: blob.0.to_vec().into(), offset: 0, lease: super::home::LEASE.0 };
    let mut chunks = taker.fetch(named(want, "a-token-for-tests")).await.unwrap().into_inner();
    for _ in 0..4 {
        chunks.message().await.unwrap().unwrap();
    }
    let begun = std::time::Instant::now();
    hub.links.put_out(|node| node != LENDER);
    let mut after = 0;
    let ended = timeout(Duration::from_secs(5), async {
        while let Ok(Some(chunk)) = chunks.message().await {
            after += chunk.data.len();
            // It reads slowly, so that it would take a while.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    ended.await.expect("it still comes");
    assert!(begun.elapsed() < Duration::from_secs(5) && after < 16 << 20, "{after} bytes after it was put out");
}

#[tokio::test]
async fn what_is_packed_is_not_unpacked() {
    let (_hub, address) = Place::hub().await;
    let mut client = stranger(address).await;
    let mut call = named(tokio_stream::pending::<Frame>(), "a-token-for-tests");
    call.metadata_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    let refused = timeout(Duration::from_secs(10), client.speak(call)).await.expect("an answer");
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn who_is_refused_asks_less_and_less_often() {
    let (_hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), "another-token".parse().unwrap());
    let mut pauses = Vec::new();
    for _ in 0..5 {
        match lender.event().await {
            Event::Unreached { why: Why::Refused, again_in, .. } => pauses.push(again_in),
            other => panic!("{other:?}"),
        }
    }
    assert!(pauses[4] >= pauses[0] * 4, "{pauses:?}");
}

/// A frame of HTTP/2.
fn http2(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes()[..], body].concat()
}

/// Calls, each taken back at once, and as fast as they can be sent; how many until the connection is closed.
async fn taken_back(address: SocketAddr, token: &str) -> usize {
    const MOST: usize = 200_000;
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    let named = |name: &str, value: &str| [&[0][..], &text(name), &text(value)].concat();
    let call = [
        vec![0x83, 0x86, 0x04],
        text("/grove.v1.Node/Fetch"),
        named("content-type", "application/grpc"),
        named("te", "trailers"),
        named("authorization", &format!("Bearer {token}")),
        named("grove-node", "0000000000000002"),
    ]
    .concat();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let ended = tokio::spawn(async move {
        let mut heard = vec![0; 1 << 16];
        while reads.read(&mut heard).await.is_ok_and(|read| read > 0) {}
    });
    let greeting = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &http2(4, 0, 0, &[])].concat();
    writes.write_all(&greeting).await.unwrap();
    let mut calls = 0;
    while calls < MOST && !ended.is_finished() {
        let pair = |nth: usize| {
            let stream = u32::try_from(2 * nth + 1).unwrap();
            [http2(1, 4, stream, &call), http2(3, 0, stream, &8_u32.to_be_bytes())].concat()
        };
        let many: Vec<u8> = (calls..calls + 200).flat_map(pair).collect();
        if writes.write_all(&many).await.is_err() {
            break;
        }
        calls += 200;
        tokio::task::yield_now().await;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_taken_back_at_once_cost_the_connection_and_nobody_else_anything() {
    let (mut hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    for shown in ["another-token-yet", "a-token-for-tests"] {
        for _ in 0..3 {
            let calls = timeout(Duration::from_secs(20), taken_back(address, shown)).await.expect("it goes on and on");
            assert!(calls < 20_000, "{calls} calls were taken back on one connection with {shown}");
        }
        hub.links.send(LENDER, Message::Bye).unwrap();
        assert_eq!(lender.heard().await, (HUB, Message::Bye), "others are spoken with all the while");
    }
}
