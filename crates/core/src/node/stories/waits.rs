//! Why nothing moves.

use super::*;
use crate::job::Caps;
use crate::message::Decline;
use crate::view::{Crew, Reason};

#[test]
fn why_nobody_works_is_said_as_it_is() {
    let mut hub = Hub::new();
    let why = |hub: &Hub| hub.node.why(JobId(9));
    hub.ask(Wish::Submit { job: job(2, Check::Spot { per_mille: 0 }) });
    assert_eq!(why(&hub), [Reason::NoLender]);
    hub.arrives(ANN);
    assert_eq!(why(&hub), [Reason::AtWork { lenders: 1, parts: 2 }]);
    let lease = hub.lease_of(ANN);
    hub.answers(ANN, lease, &[0], "lie");
    audit(&mut hub, 0, "truth");
    let caught = Reason::LendersCaught { lenders: 1 };
    assert_eq!(why(&hub), std::slice::from_ref(&caught), "Ann is here, has a slot, and nothing in hand");
    hub.arrives(BOB);
    assert_eq!(why(&hub), [Reason::AtWork { lenders: 1, parts: 1 }]);
    hub.on(Event::Unlinked { node: BOB });
    assert_eq!(why(&hub), [Reason::OutOfReach { lenders: 1, parts: 1 }]);
    hub.now += 31_000;
    hub.on(Event::Woke);
    assert_eq!(why(&hub), [Reason::LendersGone { lenders: 1 }, caught.clone()]);
    hub.arrives(BOB);
    hub.hear(BOB, Message::Alive { slots: 0, holding: vec![hub.lease_of(BOB)] });
    hub.hear(BOB, Message::Decline { leases: vec![hub.lease_of(BOB)], why: Decline::Paused });
    assert_eq!(why(&hub), [Reason::LendersPaused { lenders: 1 }, caught.clone()]);
    hub.hear(BOB, Message::Alive { slots: 1, holding: Vec::new() });
    assert_eq!(why(&hub), [Reason::LendersResting { lenders: 1 }, caught], "it declined a moment ago");
    let crew = Crew { resting: 1, caught: 1, ..Crew::default() };
    assert_eq!(hub.node.crew(PersonId(1)), crew);
    hub.now += 1_000;
    hub.on(Event::Woke);
    assert_eq!(why(&hub), [Reason::AtWork { lenders: 1, parts: 1 }]);
}

#[test]
fn whoever_said_goodbye_is_not_waited_for() {
    let mut hub = Hub::new();
    hub.ask(Wish::Submit { job: job(2, Check::Spot { per_mille: 0 }) });
    let left = |hub: &Hub| hub.node.view_peers().iter().map(|peer| (peer.node, peer.left)).collect::<Vec<_>>();
    hub.arrives(ANN);
    hub.hear(ANN, Message::Bye);
    hub.on(Event::Unlinked { node: ANN });
    assert_eq!((hub.node.why(JobId(9)), hub.node.crew(PersonId(1))), (vec![Reason::NoLender], Crew::default()));
    assert!(left(&hub).contains(&(ANN, true)));
    hub.arrives(ANN);
    assert!(left(&hub).contains(&(ANN, false)), "it is back");
}

#[test]
fn parts_behind_others_at_their_lender_do_not_run() {
    let mut hub = Hub::new();
    hub.ask(Wish::Submit { job: job(40, Check::Spot { per_mille: 0 }) });
    hub.arrives(ANN);
    let counts = |hub: &Hub| hub.node.view_job(JobId(9)).expect("it is on the books").counts;
    let held = counts(&hub);
    assert!(held.running == 1 && held.queued > 0, "one slot: {held:?}");
    assert_eq!(held.running + held.queued + held.waiting, 40);
    hub.on(Event::Unlinked { node: ANN });
    assert_eq!((counts(&hub).running, counts(&hub).queued), (0, held.queued + 1), "nobody knows what she does");
}

#[test]
fn a_part_is_given_to_nobody_who_lends_less_memory_than_it_may_want() {
    let mut hub = Hub::new();
    let small = |hub: &mut Hub, lender: NodeId| {
        hub.on(Event::Linked { node: lender });
        hub.hear(lender, Message::Memory { bytes: Caps::default().memory_bytes / 2 });
        let incarnation = Incarnation(lender.0);
        hub.hear(lender, Message::Hello { incarnation, slots: 1, solves: false, holding: Vec::new() })
    };
    hub.ask(Wish::Submit { job: job(2, Check::Spot { per_mille: 0 }) });
    let told = small(&mut hub, ANN);
    assert!(!told.contains("give"), "{told}");
    let wanted = Caps::default().memory_bytes;
    assert_eq!(hub.node.why(JobId(9)), [Reason::LendersSmall { lenders: 1, wanted }]);
    assert_eq!((hub.node.waiting_jobs(), hub.node.soonest(JobId(9))), (1, None));
    let seen = hub.node.view_peers().into_iter().find(|peer| peer.node == ANN).unwrap();
    assert_eq!((seen.memory, seen.too_large), (wanted / 2, 1));
    hub.on(Event::Unlinked { node: ANN });
    assert!(hub.arrives(ANN).contains("give 2"), "after a new start without a bound");
}

#[test]
fn what_takes_too_long_keeps_its_lender_from_that_job_alone() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.ask(Wish::Submit { job: job(1, Check::Spot { per_mille: 0 }) });
    let lease = hub.lease_of(ANN);
    let slow = Outcome::Trapped { trap: Trap::TooSlow };
    hub.hear(ANN, Message::Done { lease, answers: vec![Answer { outcome: slow, ..answer(0, "") }] });
    assert_eq!(hub.node.why(JobId(9)), [Reason::LendersSlow { lenders: 1 }]);
    let other = Job { id: JobId(10), ..*job(2, Check::Spot { per_mille: 0 }) };
    let told = hub.ask(Wish::Submit { job: Box::new(other) });
    assert!(told.contains("give 2"), "she works for others meanwhile: {told}");
    let held = hub.node.view_job(JobId(10)).expect("it is on the books").counts;
    assert_eq!((held.running, held.waiting + held.queued), (1, 1));
    let lease = hub.lease_of(ANN);
    hub.answers(ANN, lease, &[0], "a");
    hub.now += crate::limits::BROKEN_PAUSE.0;
    let told = hub.on(Event::Woke);
    assert!(told.contains("give 2"), "and then may try again: {told}");
    let counts = hub.node.view_job(JobId(9)).expect("it is on the books").counts;
    assert_eq!((counts.running, counts.queued), (0, 1), "behind what she has of the other job");
}
