//! What peers do for one another, and what a bad one can and cannot do to others.

use super::*;
use crate::limits;
use crate::message::{Gift, Inputs, Part, Signed, Totals};
use crate::peer::Favours;
use crate::task::Act;
use crate::view::Reason;

const CID: NodeId = NodeId(4);

/// A peer with one slot that owes Ann something, and Bob and Cid nothing. All are here.
fn peer() -> Hub {
    let config = Config { id: HUB, slots: 1, solves: true, lease: Millis(30_000), memory: 0 };
    let mut state = State::default();
    let favours = Favours { theirs: Credits(1_000_000), ..Favours::default() };
    state.apply(&Fact::Favoured { node: ANN, favours });
    let mut hub = Hub { node: Node::new(config, state, Millis(0)), now: 0, journal: Vec::new() };
    hub.on(Event::Started { incarnation: Incarnation(1), secret: 5 });
    hub.ask(Wish::Grant { person: PersonId(1), amount: Credits(1_000_000_000) });
    [ANN, BOB, CID].into_iter().for_each(|node| drop(arrives(&mut hub, node, 0)));
    hub
}

fn arrives(hub: &mut Hub, node: NodeId, slots: u32) -> String {
    hub.on(Event::Linked { node });
    hub.hear(node, Message::Hello { incarnation: Incarnation(node.0), slots, solves: true, holding: Vec::new() })
}

fn splitting() -> Arc<Tool> {
    let abilities = Abilities { split: true, merge: true, ..Abilities::default() };
    Arc::new(Tool { abilities, ..(*job(1, Check::Trust).tool).clone() })
}

fn gift(lease: u64, job: u64, act: Act) -> Gift {
    Gift {
        lease: Lease(lease),
        job: JobId(job),
        tool: splitting(),
        act,
        pieces: vec![Span { first: 0, len: 1 }],
        chunk: 1,
        inputs: Inputs::Numbers { from: 0 },
        fuel: Fuel(1_000_000_000),
        price: Credits(1_000),
        check: Check::Trust,
    }
}

fn give(hub: &mut Hub, from: NodeId, gifts: Vec<Gift>) -> String {
    hub.hear(from, Message::Give { gifts })
}

/// Whose gift is begun when what runs now ends.
fn next(hub: &mut Hub, running: (NodeId, u64)) -> Option<(NodeId, u64)> {
    hub.now += 1;
    let (giver, lease) = (running.0, Lease(running.1));
    let actions = hub.node.handle(Millis(hub.now), vec![Event::Ran { giver, lease, answers: vec![answer(0, "a")] }]);
    actions.into_iter().find_map(|action| match action {
        Action::Run { giver, gift } => Some((giver, gift.lease.0)),
        _ => None,
    })
}

#[test]
fn whoever_has_given_is_served_first_and_nobody_is_locked_out() {
    let mut hub = peer();
    let of_one_job = |leases: std::ops::Range<u64>| leases.map(|lease| gift(lease, 70, Act::Run)).collect();
    give(&mut hub, BOB, of_one_job(1..9));
    give(&mut hub, ANN, of_one_job(11..19));
    let mut running = (BOB, 1);
    let order: Vec<NodeId> = (0..11)
        .map(|_| {
            running = next(&mut hub, running).expect("somebody waits");
            running.0
        })
        .collect();
    let of = |node: NodeId| order.iter().filter(|one| **one == node).count();
    assert_eq!((of(ANN), of(BOB)), (8, 3), "{order:?}");
    assert!(order[..4].contains(&BOB) && order[0] == ANN, "{order:?}");
}

#[test]
fn what_somebody_says_to_have_paid_is_no_favour() {
    let mut hub = peer();
    hub.hear(BOB, Message::Pay { total: Credits(u64::MAX) });
    let bob = hub.node.state().peer(BOB).expect("he is known");
    assert_eq!((bob.paid_us, bob.favours), (Credits(u64::MAX), Favours::default()));
    give(&mut hub, CID, vec![gift(1, 70, Act::Run), gift(2, 70, Act::Run)]);
    give(&mut hub, BOB, vec![gift(1, 70, Act::Run)]);
    assert_eq!(next(&mut hub, (CID, 1)), Some((CID, 2)), "he waits behind those who came before");
}

#[test]
fn favours_are_what_was_done_and_never_fall_below_nothing() {
    let mut favours = Favours::default();
    favours.we_did(Credits(10));
    assert_eq!(favours, Favours { theirs: Credits(0), ours: Credits(10), served: Credits(10) });
    favours.they_did(Credits(25));
    assert_eq!(favours, Favours { theirs: Credits(25), ours: Credits(0), served: Credits(10) });
    favours.we_did(Credits(100));
    assert_eq!(favours, Favours { theirs: Credits(0), ours: Credits(100), served: Credits(110) });
}

#[test]
fn what_was_signed_outlives_the_books_of_whoever_signed_it() {
    let signed =
        |yours, mine| Signed { totals: Totals { yours: Credits(yours), mine: Credits(mine) }, seal: Arc::from([7]) };
    let mut hub = peer();
    hub.hear(BOB, Message::Owns { signed: signed(40, 10) });
    hub.hear(BOB, Message::Owns { signed: signed(90, 30) });
    hub.hear(BOB, Message::Owns { signed: signed(90, 20) });
    let told = arrives(&mut hub, BOB, 0);
    assert!(told.contains("Recalls") && told.contains("Credits(90)") && told.contains("Credits(30)"), "{told}");
    // The other way round: this node has signed so much, and knows nothing of it.
    let record = |hub: &Hub| hub.node.state().peer(CID).expect("she is known").clone();
    hub.hear(CID, Message::Recalls { signed: signed(90, 30) });
    let known = Favours { theirs: Credits(60), ours: Credits(0), served: Credits(30) };
    assert_eq!((record(&hub).favours, record(&hub).paid_them), (known, Credits(90)));
    hub.hear(CID, Message::Recalls { signed: signed(90, 30) });
    hub.hear(CID, Message::Recalls { signed: signed(50, 0) });
    assert_eq!(record(&hub).favours, known, "old words say nothing new");
    // It owns to what it knows again, once.
    hub.now += limits::ALIVE_EVERY.0;
    let owns = |told: &str| told.contains("send 4 Owns");
    assert!(owns(&hub.on(Event::Woke)));
    hub.now += limits::ALIVE_EVERY.0;
    assert!(!owns(&hub.on(Event::Woke)));
}

#[test]
fn a_peer_that_gives_nothing_reads_so() {
    let mut hub = peer();
    arrives(&mut hub, BOB, 1);
    hub.ask(Wish::Submit { job: Box::new(Job { budget: Credits(10_000_000), ..*job(50, Check::Trust) }) });
    assert!(hub.node.why(JobId(9)).contains(&Reason::LastInLine { peers: 3 }), "{:?}", hub.node.why(JobId(9)));
    give(&mut hub, BOB, vec![gift(1, 70, Act::Run)]);
    next(&mut hub, (BOB, 1));
    hub.now += limits::ALIVE_EVERY.0;
    hub.on(Event::Woke);
    assert_eq!(hub.node.state().peer(BOB).map(|bob| bob.favours.served), Some(Credits(500)));
    assert!(
        !hub.node.why(JobId(9)).iter().any(|one| matches!(one, Reason::LastInLine { .. })),
        "Bob owes it something"
    );
}

#[test]
fn no_piece_goes_round_in_a_circle_and_whoever_was_declined_is_called() {
    let mut hub = peer();
    let solve = |lease: u64, depth: u8| vec![gift(lease, 70, Act::Solve { depth })];
    give(&mut hub, ANN, solve(1, 1));
    let told = give(&mut hub, BOB, solve(1, 2));
    assert!(told.contains("why: Ancestor"), "{told}");
    let told = hub.hear(ANN, Message::Cancel { leases: vec![Lease(1)] });
    assert!(told.contains("send 3 Alive"), "there is room for Bob's: {told}");
    assert!(!give(&mut hub, BOB, solve(2, 2)).contains("Decline"));
}

#[test]
fn a_peer_does_not_take_a_piece_of_its_own_job() {
    let mut hub = peer();
    hub.ask(Wish::Submit { job: job(1, Check::Trust) });
    let told = give(&mut hub, BOB, vec![gift(1, 9, Act::Solve { depth: 1 })]);
    assert!(told.contains("why: Ancestor"), "{told}");
}

#[test]
fn who_nests_without_end_is_declined() {
    let mut hub = peer();
    let told = give(&mut hub, BOB, vec![gift(1, 70, Act::Solve { depth: limits::DEPTH_MAX + 1 })]);
    assert!(told.contains("why: TooDeep"), "{told}");
    let told = give(&mut hub, BOB, vec![gift(2, 71, Act::Solve { depth: u8::MAX })]);
    assert!(told.contains("why: TooDeep"), "{told}");
}

#[test]
fn a_full_peer_declines_and_makes_way_for_whoever_has_given() {
    let mut hub = peer();
    let piece = |lease: u64| gift(lease, 100 + lease, Act::Solve { depth: 1 });
    // The first one is begun at once.
    give(&mut hub, BOB, vec![piece(1)]);
    let told = give(&mut hub, BOB, vec![piece(2), piece(3), piece(4)]);
    assert!(told.contains("send 3 Decline { leases: [Lease(4)], why: Full }"), "{told}");
    let told = give(&mut hub, ANN, vec![piece(5)]);
    assert!(told.contains("send 3 Decline { leases: [Lease(3)], why: Full }"), "{told}");
    let told = give(&mut hub, CID, vec![piece(6)]);
    assert!(told.contains("send 4 Decline { leases: [Lease(6)], why: Full }"), "{told}");
}

#[test]
fn a_flood_harms_only_whoever_makes_it() {
    let mut hub = peer();
    let many = |from: u64| (from..from + 1_000).map(|lease| gift(lease, 70, Act::Run)).collect::<Vec<_>>();
    for from in [0, 1_000, 2_000] {
        give(&mut hub, BOB, many(from));
    }
    assert_eq!(hub.node.desk.of(BOB).count(), limits::GIFTS_PER_PEER_MAX);
    (10..20).for_each(|stranger| {
        arrives(&mut hub, NodeId(stranger), 0);
        give(&mut hub, NodeId(stranger), many(0));
    });
    assert_eq!(hub.node.desk.gifts.len(), limits::GIFTS_HELD_MAX / 2, "strangers fill half of what there is");
    assert!(!give(&mut hub, ANN, vec![gift(1, 70, Act::Run)]).contains("Decline"), "there is room for her");
    assert_eq!(next(&mut hub, (BOB, 0)), Some((ANN, 1)));
}

#[test]
fn an_absurd_window_is_cut_down() {
    let mut hub = peer();
    arrives(&mut hub, BOB, u32::MAX);
    let bob = hub.node.view_peers().into_iter().find(|peer| peer.node == BOB).expect("he is here");
    assert_eq!(bob.slots, limits::SLOTS_MAX);
    hub.ask(Wish::Submit { job: Box::new(Job { budget: Credits(900_000_000), ..*job(1_000_000, Check::Trust) }) });
    assert!(hub.node.state().peer(BOB).is_some_and(|bob| bob.leases.len() <= limits::GIFTS_PER_PEER_MAX));
}

#[test]
fn old_messages_change_nothing() {
    let mut hub = peer();
    let old = Message::Give { gifts: vec![gift(1, 70, Act::Run)] };
    hub.hear(BOB, old.clone());
    assert_eq!(hub.hear(BOB, old.clone()), "", "it holds it already");
    next(&mut hub, (BOB, 1));
    let solved = Message::Solved { lease: Lease(77), answer: answer(0, "old"), ways: 4, parts: vec![Part::default()] };
    assert_eq!(hub.hear(BOB, solved), "cancel 3 1\n");
    assert_eq!(hub.hear(BOB, Message::Show { lease: Lease(77) }), "");
    assert_eq!(hub.hear(BOB, Message::Shown { lease: Lease(77), answers: vec![answer(0, "old")] }), "");
    assert_eq!(hub.hear(BOB, Message::Noted { noted: vec![(Lease(1), Span { first: 0, len: 1 })] }), "");
    assert_eq!(hub.node.desk.gifts.len(), 0, "it is noted, and forgotten");
}

#[test]
fn a_child_whose_giver_is_gone_finishes_keeps_its_answer_and_drops_it_at_last() {
    let mut hub = peer();
    give(&mut hub, BOB, vec![gift(1, 70, Act::Run)]);
    hub.on(Event::Unlinked { node: BOB });
    next(&mut hub, (BOB, 1));
    assert_eq!(hub.node.desk.holding(BOB), [Lease(1)]);
    hub.on(Event::Linked { node: BOB });
    hub.on(Event::Unlinked { node: BOB });
    for _ in 0..limits::SPOOL.0 / limits::ALIVE_EVERY.0 + 3 {
        hub.now += limits::ALIVE_EVERY.0;
        hub.on(Event::Woke);
    }
    assert_eq!(hub.node.desk.holding(BOB), []);
}

#[test]
fn who_is_called_back_stops_at_once_with_all_that_it_began() {
    let mut hub = peer();
    give(&mut hub, ANN, vec![gift(1, 70, Act::Solve { depth: 1 }), gift(2, 71, Act::Run)]);
    let told = hub.hear(ANN, Message::Cancel { leases: vec![Lease(1), Lease(2)] });
    assert!(told.contains("Stop { giver: NodeId(2), lease: Lease(2) }"), "{told}");
    assert_eq!((hub.node.desk.gifts.len(), hub.node.state().tasks().len()), (0, 0), "{told}");
}
