//! What one node may give another.

use super::*;
use crate::limits;
use crate::message::{Decline, Gift, Inputs};
use crate::task::Act;

/// The gifts that a node is given because of what happens at one time.
fn gifts_to(hub: &mut Hub, node: NodeId, events: Vec<Event>) -> Vec<Gift> {
    hub.now += 1;
    let actions = hub.node.handle(Millis(hub.now), events);
    hub.journal.extend(hub.node.take_facts());
    let given = actions.into_iter().filter_map(|action| match action {
        Action::Give { to, gifts } if to == node => Some(gifts),
        _ => None,
    });
    given.flatten().map(|(gift, _)| gift).collect()
}

#[test]
fn a_second_run_is_a_gift_within_bounds_and_runs_what_was_answered() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    // Two parts, of three items and of two.
    hub.ask(Wish::Submit { job: Box::new(Job { chunk: Chunk::Items(3), ..*job(5, Check::Copies) }) });
    hub.arrives(BOB);
    let leases = hub.node.state().peer(ANN).expect("she is here").leases.clone();
    let spans = [Span { first: 0, len: 3 }, Span { first: 3, len: 2 }];
    let done = leases.into_iter().zip(spans).map(|(lease, span)| {
        let message = Message::Done { lease, answers: vec![Answer { span, ..answer(0, "a") }] };
        Event::Heard { from: ANN, message }
    });
    let gifts = gifts_to(&mut hub, BOB, done.collect());
    let runs: Vec<Vec<Span>> = gifts.iter().map(|gift| gift.runs().collect()).collect();
    assert_eq!(runs, [spans]);
    assert!(gifts.iter().all(Gift::is_bounded), "{gifts:?}");
}

#[test]
fn a_gift_beyond_all_bounds_is_declined_and_the_next_one_taken() {
    let mut hub = Hub::new();
    hub.on(Event::Lends { slots: 1 });
    hub.on(Event::Linked { node: ANN });
    let job = job(1, Check::Trust);
    let gift = |lease: u64, chunk: u64| Gift {
        lease: Lease(lease),
        job: JobId(70),
        tool: Arc::clone(&job.tool),
        act: Act::Run,
        pieces: vec![Span { first: 0, len: 1 }],
        chunk,
        inputs: Inputs::Numbers { from: 0 },
        fuel: Fuel(1),
        price: Credits(1),
        check: Check::Trust,
    };
    let absurd = [0, limits::CHUNK_MAX + 1, u64::MAX];
    let gifts =
        (1..).zip(absurd).map(|(lease, chunk)| gift(lease, chunk)).chain([gift(9, limits::CHUNK_MAX)]).collect();
    let told = hub.hear(ANN, Message::Give { gifts });
    let declined = Message::Decline { leases: vec![Lease(1), Lease(2), Lease(3)], why: Decline::Absurd };
    assert!(told.contains(&format!("{declined:?}")), "{told}");
    assert!(told.contains("Run {") && told.contains("Lease(9)"), "{told}");
}
