//! Conversations over loopback.

use super::any::{Draw, tiny};
use super::home::{HUB, Place, token};
use grove::link::{Event, NotSent, Why};
use grove_core::id::{Lease, NodeId};
use grove_core::message::Message;
use grove_core::units::Credits;
use std::time::Duration;

const LENDER: NodeId = NodeId(2);

#[tokio::test]
async fn two_nodes_say_everything_to_one_another_in_order() {
    let (mut hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    for seed in 0..300 {
        let message = Draw(seed).message();
        lender.links.send(HUB, message.clone()).unwrap();
        assert_eq!(hub.heard().await, (LENDER, message.clone()));
        hub.links.send(LENDER, message.clone()).unwrap();
        assert_eq!(lender.heard().await, (HUB, message));
    }
    // And many at once.
    for total in 0..2_000 {
        hub.links.send(LENDER, Message::Pay { total: Credits(total) }).unwrap();
    }
    for total in 0..2_000 {
        assert_eq!(lender.heard().await, (HUB, Message::Pay { total: Credits(total) }));
    }
    assert_eq!(hub.links.send(NodeId(99), Message::Bye), Err(NotSent::NotLinked));
}

#[tokio::test]
async fn last_words_arrive_before_a_link_is_closed() {
    let (mut hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    lender.links.send(HUB, Message::Bye).unwrap();
    lender.links.close().await;
    assert_eq!(hub.heard().await, (LENDER, Message::Bye));
    assert!(matches!(hub.unlinked(LENDER).await, Why::Closed));
    assert!(matches!(lender.unlinked(HUB).await, Why::Dropped));
    assert_eq!(lender.links.send(HUB, Message::Bye), Err(NotSent::NotLinked));
    assert!(matches!(lender.event().await, Event::Unreached { why: Why::Dropped, .. }));
    assert!(hub.is_quiet().await, "a closed link calls no more");
}

#[tokio::test]
async fn a_dropped_neighbour_calls_again() {
    let (mut hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    hub.links.send(LENDER, Message::Bye).unwrap();
    hub.links.drop(LENDER);
    assert_eq!(lender.heard().await, (HUB, Message::Bye));
    assert!(matches!(hub.unlinked(LENDER).await, Why::Dropped));
    assert!(matches!(lender.unlinked(HUB).await, Why::Closed));
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
}

#[tokio::test]
async fn a_newer_link_of_one_node_takes_over() {
    let (mut hub, address) = Place::hub().await;
    let (mut first, mut second) = (Place::new(LENDER), Place::new(LENDER));
    let calling = first.links.dial(&address.to_string(), token());
    first.linked(HUB).await;
    hub.linked(LENDER).await;
    // It would call again and again, and so would the other.
    let _second = second.links.dial(&address.to_string(), token());
    second.linked(HUB).await;
    drop(calling);
    assert!(matches!(hub.unlinked(LENDER).await, Why::Replaced));
    hub.linked(LENDER).await;
    hub.links.send(LENDER, Message::Pay { total: Credits(3) }).unwrap();
    assert_eq!(second.heard().await, (HUB, Message::Pay { total: Credits(3) }));
    second.links.send(HUB, Message::Pay { total: Credits(4) }).unwrap();
    assert_eq!(hub.heard().await, (LENDER, Message::Pay { total: Credits(4) }));
}

#[tokio::test]
async fn a_lender_finds_its_hub_again() {
    let (mut hub, address) = Place::hub().await;
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address.to_string(), token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    // All of its tasks and connections end, as if the process were killed.
    hub.links.close().await;
    drop(hub);
    assert!(matches!(lender.unlinked(HUB).await, Why::Closed | Why::Lost(_)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut hub = Place::new(HUB);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    hub.links.serve(listener, token());
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    let message = Message::Done { lease: Lease(1), answers: (0..4_096).map(tiny).collect() };
    lender.links.send(HUB, message.clone()).unwrap();
    assert_eq!(hub.heard().await, (LENDER, message));
}

#[tokio::test]
async fn any_stream_of_bytes_is_a_transport() {
    let (mut hub, mut lender) = (Place::new(HUB), Place::new(LENDER));
    let (streams, incoming) = tokio::sync::mpsc::channel(4);
    hub.links.serve_over(tokio_stream::wrappers::ReceiverStream::new(incoming), token());
    let _calling = lender.links.dial_over("a pipe", token(), move || {
        let streams = streams.clone();
        async move {
            let (near, far) = tokio::io::duplex(64 << 10);
            streams.send(far).await.map_err(std::io::Error::other)?;
            Ok(near)
        }
    });
    lender.linked(HUB).await;
    hub.linked(LENDER).await;
    lender.links.send(HUB, Message::Bye).unwrap();
    assert_eq!(hub.heard().await, (LENDER, Message::Bye));
}

#[tokio::test]
async fn where_nobody_listens_the_cause_is_said_in_plain_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut lender = Place::new(LENDER);
    let _calling = lender.links.dial(&address, token());
    for _ in 0..3 {
        match lender.event().await {
            Event::Unreached { address: called, why, .. } => {
                assert_eq!(*called, *address);
                assert!(why.to_string().starts_with("lost: Connection refused"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}
