//! Who is served when not everybody can be.

use super::*;
use crate::limits;
use crate::view::Reason;

/// A hub where two people have credits.
fn hub() -> Hub {
    let mut hub = Hub::new();
    hub.ask(Wish::Grant { person: PersonId(2), amount: Credits(1_000_000) });
    hub
}

/// A job of somebody's.
fn of(person: u64, id: u64, count: u64) -> Wish {
    Wish::Submit { job: Box::new(Job { id: JobId(id), owner: PersonId(person), ..*job(count, Check::Trust) }) }
}

/// The job that a lease is of.
fn job_of(hub: &Hub, lease: Lease) -> JobId {
    let (task, _) = hub.node.state().lease(lease).expect("it is out");
    hub.node.state().task(task).expect("it is on the books").job
}

/// What a node holds, by job.
fn held(hub: &Hub, node: NodeId) -> Vec<u64> {
    let record = hub.node.state().peer(node).expect("it is known");
    record.leases.iter().map(|lease| job_of(hub, *lease).0).collect()
}

/// Ann answers the oldest gift that she holds.
fn goes_on(hub: &mut Hub) -> u64 {
    let lease = hub.lease_of(ANN);
    let job = job_of(hub, lease);
    let items: Vec<u64> =
        hub.node.state().lease(lease).iter().flat_map(|(_, grant)| grant.left.iter()).map(|span| span.first).collect();
    hub.answers(ANN, lease, &items, "a");
    job.0
}

#[test]
fn whoever_has_nothing_out_is_given_one_run_beyond_the_window() {
    let mut hub = hub();
    hub.arrives(ANN);
    hub.ask(of(1, 10, 1_000_000));
    assert_eq!(held(&hub, ANN), [10, 10], "her window is full");
    assert_eq!(hub.ask(of(2, 20, 5)), "accepted\ngive 2 Run 0+1\n", "one run at once, and no more than one");
    assert_eq!(hub.ask(of(1, 11, 1)), "accepted\n", "another job of an account at work waits for its turn");
    assert_eq!(held(&hub, ANN), [10, 10, 20]);
}

#[test]
fn accounts_take_turns_and_so_do_the_jobs_of_one() {
    let mut hub = hub();
    hub.arrives(ANN);
    hub.ask(of(1, 10, 1_000));
    hub.ask(of(1, 11, 1_000));
    hub.ask(of(2, 20, 1_000));
    let turns: Vec<u64> = (0..40).map(|_| goes_on(&mut hub)).collect();
    let of_job = |job: u64| turns[8..].iter().filter(|turn| **turn == job).count();
    assert_eq!([of_job(10), of_job(11), of_job(20)], [8, 8, 16], "{turns:?}");
}

#[test]
fn who_has_more_than_an_equal_share_of_endless_parts_gives_one_back() {
    let mut hub = hub();
    hub.arrives(ANN);
    hub.arrives(BOB);
    hub.ask(of(1, 10, 1_000));
    assert_eq!((held(&hub, ANN), held(&hub, BOB)), (vec![10, 10], vec![10, 10]));
    hub.ask(of(2, 20, 1));
    assert_eq!(held(&hub, BOB), [10, 10, 20], "it cannot begin: Bob has one slot");
    hub.now += limits::LONG.0;
    assert_eq!(hub.on(Event::Woke), "cancel 3 1\n");
    assert_eq!(held(&hub, BOB), [10, 20], "the run that was going on will be begun anew");
    hub.now += 10 * limits::LONG.0;
    assert_eq!(hub.on(Event::Woke), "", "once is enough");
}

#[test]
fn nobody_gives_back_what_is_no_more_than_their_share() {
    let mut hub = hub();
    hub.arrives(ANN);
    hub.ask(of(1, 10, 1));
    hub.ask(of(2, 20, 2));
    assert_eq!(held(&hub, ANN), [10, 20]);
    hub.now += 10 * limits::LONG.0;
    assert_eq!(hub.on(Event::Woke), "");
    assert_eq!(held(&hub, ANN), [10, 20]);
    let shared = Reason::Shared { accounts: 2, slots: 1, held: 1 };
    assert_eq!(hub.node.why(JobId(20)), [Reason::AtWork { lenders: 1, parts: 1 }, shared]);
}

#[test]
fn a_lender_begins_with_a_job_of_which_nothing_runs_although_its_slots_are_taken() {
    let mut hub = Hub::new();
    hub.on(Event::Lends { slots: 1 });
    hub.on(Event::Linked { node: ANN });
    let runs = |told: &str| told.matches("Run {").count();
    let mut give = |lease, job| {
        let gift = gift(lease, job);
        runs(&hub.hear(ANN, Message::Give { gifts: vec![gift] }))
    };
    assert_eq!([give(1, 70), give(2, 70), give(3, 80)], [1, 0, 1]);
    assert_eq!([give(4, 90), give(5, 100), give(6, 110)], [1, 1, 0], "so many and no more");
}

fn gift(lease: u64, job: u64) -> crate::message::Gift {
    crate::message::Gift {
        lease: Lease(lease),
        job: JobId(job),
        tool: Arc::clone(&super::job(1, Check::Trust).tool),
        act: crate::task::Act::Run,
        pieces: vec![Span { first: 0, len: 1 }],
        chunk: 1,
        inputs: crate::message::Inputs::Numbers { from: 0 },
        fuel: Fuel(1),
        price: Credits(1),
        check: Check::Trust,
    }
}

#[test]
fn a_cancelled_job_is_over_at_once_whoever_still_works_for_it() {
    let mut hub = hub();
    hub.arrives(ANN);
    hub.arrives(BOB);
    hub.ask(Wish::Submit { job: job(1, Check::Copies) });
    let lease = hub.lease_of(ANN);
    hub.answers(ANN, lease, &[0], "a");
    assert_eq!(held(&hub, BOB), [9], "Bob repeats it, and says nothing more");
    let told = hub.ask(Wish::Cancel { job: JobId(9) });
    assert_eq!(told, "cancel 3 1\nDone\ngive 1 Run 0+1\n", "the hub itself looks at what Ann has done");
    let book = hub.node.state().job(JobId(9)).expect("it is on the books").clone();
    assert_eq!((book.standing, book.ended.is_some()), (Standing::Cancelled, true));
    assert_eq!(hub.ask(Wish::Forget { job: JobId(9) }), "Done\n");
    assert!(hub.node.state().job(JobId(9)).is_some(), "not before everybody has been paid");
    assert_eq!(audit(&mut hub, 0, "a"), "pay 2 500\n");
    let ledger = hub.node.state().ledger();
    assert_eq!(ledger.balance(crate::ledger::Account::Person(PersonId(1))), Credits(999_500));
}

#[test]
fn nobody_fills_the_books_of_all() {
    let mut hub = hub();
    let of_ten_million = |id: u64| {
        let source = Source::Listed { count: limits::INPUTS_OF_ONE_MAX / 2 };
        Wish::Submit { job: Box::new(Job { id: JobId(id), source, ..*job(1, Check::Trust) }) }
    };
    assert_eq!([hub.ask(of_ten_million(1)), hub.ask(of_ten_million(2))], ["accepted\n", "accepted\n"]);
    let most = limits::INPUTS_OF_ONE_MAX;
    assert_eq!(hub.ask(of_ten_million(3)), format!("Refused {{ why: TooManyInputsOfYours {{ most: {most} }} }}\n"));
    assert_eq!(hub.ask(of(2, 4, 1 << 40)), "accepted\n", "another person, and a range, which costs nothing");
    hub.ask(Wish::Cancel { job: JobId(1) });
    assert_eq!(hub.ask(of_ten_million(5)), "accepted\n");
}

#[test]
fn what_the_hubs_own_machines_earn_is_the_founders() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.ask(of(1, 10, 1));
    let lease = hub.lease_of(ANN);
    assert_eq!(hub.answers(ANN, lease, &[0], "a"), "keep 1\nnoted 2\npay 2 500\n");
    let change = super::super::Change::Found { name: "Eve".into() };
    let posts = hub.ask(Wish::Circle { change });
    assert!(posts.contains("cause: Adopted, job: None, amount: 500"), "{posts}");
    hub.ask(of(1, 11, 1));
    let lease = hub.lease_of(ANN);
    let posts = hub.answers(ANN, lease, &[0], "a");
    assert!(posts.contains("cause: Earned, job: Some(JobId(11)), amount: 500"), "{posts}");
    let ledger = hub.node.state().ledger();
    assert_eq!(ledger.balance(crate::ledger::Account::Person(PersonId(1))), Credits(1_000_000));
    assert_eq!(ledger.signed(crate::ledger::Account::Node(ANN)), 0);
}

#[test]
fn credits_that_were_promised_are_promised_once() {
    let mut hub = hub();
    let of = |id, budget| Box::new(Job { id: JobId(id), budget: Credits(budget), ..*job(1, Check::Trust) });
    assert_eq!(hub.ask(Wish::Promise { job: of(9, 900_000) }), "accepted\n");
    let left = "Refused { why: NotEnoughCredits { available: Credits(100000) } }\n";
    assert_eq!(hub.ask(Wish::Promise { job: of(10, 900_000) }), left);
    assert_eq!(hub.ask(Wish::Submit { job: of(11, 900_000) }), left);
    assert_eq!(hub.ask(Wish::Promise { job: of(9, 900_000) }), "accepted\n", "said again it is the same job");
    assert_eq!(hub.ask(Wish::Submit { job: of(12, 100_000) }), "accepted\n");
    // Whatever else there is holds what is left, and never what was promised.
    hub.arrives(ANN);
    hub.ask(Wish::Cancel { job: JobId(12) });
    hub.ask(Wish::Cancel { job: JobId(9) });
    let person = crate::ledger::Account::Person(PersonId(1));
    assert_eq!(hub.node.state().ledger().balance(person), Credits(1_000_000));
}

#[test]
fn a_job_holds_little_until_it_works() {
    let mut hub = hub();
    let person = crate::ledger::Account::Person(PersonId(1));
    let job = Job { budget: Credits(900_000), ..*job(1_000, Check::Trust) };
    hub.ask(Wish::Submit { job: Box::new(job.clone()) });
    let available = |hub: &Hub| hub.node.state().ledger().balance(person).0;
    assert_eq!(available(&hub), 900_000, "a tenth of a credit is held while nobody works for it");
    let dear = hub.ask(Wish::Submit { job: Box::new(Job { id: JobId(10), budget: Credits(900_001), ..job.clone() }) });
    assert_eq!(dear, "Refused { why: NotEnoughCredits { available: Credits(900000) } }\n");
    // Of ten thousand micro-credits each, as long as nobody knows what they cost.
    (10..30).for_each(|lender| drop(hub.arrives(NodeId(lender))));
    let purse = *hub.node.state().purse(hub.node.state().job(JobId(9)).unwrap().root).unwrap();
    assert_eq!((purse.reserved, purse.held, available(&hub)), (Credits(400_000), Credits(400_000), 600_000));
    hub.arrives(NodeId(30));
    assert_eq!(available(&hub), 200_000, "it doubles");
    hub.ask(Wish::Cancel { job: JobId(9) });
    assert_eq!(available(&hub), 1_000_000);
}

#[test]
fn while_its_owner_is_here_a_hub_works_for_its_owner_only() {
    let mut hub = hub();
    hub.on(Event::Keeps { slots: 2 });
    hub.on(Event::Lends { slots: 0 });
    hub.ask(of(2, 20, 2));
    let of_others = hub.node.why(JobId(20));
    assert!(hub.node.state().peer(HUB).is_none_or(|record| record.leases.is_empty()));
    assert_eq!(of_others, [Reason::LendersPaused { lenders: 1 }]);
    assert_eq!((hub.node.crew(PersonId(1)).able, hub.node.crew(PersonId(2)).able), (1, 0));
    let told = hub.ask(of(1, 10, 1));
    assert!(told.contains("give 1 Run 0+1"), "the owner's own go on: {told}");
    let lease = hub.lease_of(HUB);
    hub.answers(HUB, lease, &[0], "a");
    assert!(hub.on(Event::Lends { slots: 2 }).contains("give 1 Run"), "now the others'");
    let held = |hub: &Hub| hub.node.state().peer(HUB).map_or(0, |record| record.leases.len());
    assert!(held(&hub) > 0);
    hub.on(Event::Lends { slots: 0 });
    assert_eq!(held(&hub), 0, "what ran for others waits again");
    hub.on(Event::Keeps { slots: 0 });
    hub.ask(of(1, 11, 1));
    assert_eq!(held(&hub), 0, "now nothing at all");
}
