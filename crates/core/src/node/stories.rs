//! Short scenarios, told whole: what happens to a node, and everything that it wants done about it.

mod books;
mod budget;
mod bounds;
mod honest;
mod peers;
mod shares;
mod waits;

use super::{Action, Cause, Config, Event, Node, Reply, Wish};
use crate::id::{AskId, Digest, Incarnation, JobId, Lease, NodeId, PersonId};
use crate::job::{Abilities, Caps, Check, Chunk, Job, Source, Standing, Tool};
use crate::message::{Answer, Data, Message, Outcome, Output, Trap};
use crate::state::{Fact, State};
use crate::task::Span;
use crate::units::{Credits, Fuel, Millis};
use std::fmt::Write;
use std::sync::Arc;

const HUB: NodeId = NodeId(1);
const ANN: NodeId = NodeId(2);
const BOB: NodeId = NodeId(3);

/// A hub that does not lend, and what it has journaled.
struct Hub {
    node: Node,
    now: u64,
    journal: Vec<Fact>,
}

impl Hub {
    fn new() -> Hub {
        let config = Config { id: HUB, slots: 0, memory: 0, solves: false, lease: Millis(30_000) };
        let mut hub = Hub { node: Node::new(config, State::default(), Millis(0)), now: 0, journal: Vec::new() };
        hub.on(Event::Started { incarnation: Incarnation(1), secret: 5 });
        hub.ask(Wish::Grant { person: PersonId(1), amount: Credits(1_000_000) });
        hub
    }

    /// One event, and all that the node wants done, a line each.
    fn on(&mut self, event: Event) -> String {
        self.now += 1;
        let actions = self.node.handle(Millis(self.now), vec![event]);
        self.journal.extend(self.node.take_facts());
        actions.iter().fold(String::new(), |mut told, action| {
            if let Some(line) = tell(action) {
                let _ = writeln!(told, "{line}");
            }
            told
        })
    }

    fn ask(&mut self, wish: Wish) -> String {
        self.on(Event::Asked { ask: AskId(1), wish })
    }

    fn hear(&mut self, from: NodeId, message: Message) -> String {
        self.on(Event::Heard { from, message })
    }

    fn arrives(&mut self, lender: NodeId) -> String {
        self.on(Event::Linked { node: lender });
        let incarnation = Incarnation(lender.0);
        self.hear(lender, Message::Hello { incarnation, slots: 1, solves: false, holding: Vec::new() })
    }

    fn answers(&mut self, from: NodeId, lease: Lease, items: &[u64], word: &str) -> String {
        let answers = items.iter().map(|item| answer(*item, word)).collect();
        self.hear(from, Message::Done { lease, answers })
    }

    /// The oldest lease that a node holds.
    fn lease_of(&self, node: NodeId) -> Lease {
        let record = self.node.state().peer(node).expect("it is known");
        *record.leases.first().expect("it holds something")
    }
}

/// An action as one line; news and rows are left to other tests.
fn tell(action: &Action) -> Option<String> {
    Some(match action {
        Action::Give { to, gifts } => {
            let pieces: Vec<String> = gifts
                .iter()
                .flat_map(|(gift, _)| {
                    gift.pieces.iter().map(move |span| format!("{:?} {}+{}", gift.act, span.first, span.len))
                })
                .collect();
            format!("give {} {}", to.0, pieces.join(", "))
        }
        Action::Send { to, message } => match message {
            Message::Hello { .. } => format!("hello {}", to.0),
            Message::Noted { .. } => format!("noted {}", to.0),
            Message::Cancel { leases } => format!("cancel {} {}", to.0, leases.len()),
            Message::Pay { total } => format!("pay {} {}", to.0, total.0),
            other => format!("send {} {other:?}", to.0),
        },
        Action::Keep { answers, .. } => format!("keep {}", answers.len()),
        Action::Reply { reply, .. } => match reply {
            Reply::Accepted { .. } => "accepted".to_owned(),
            other => format!("{other:?}"),
        },
        Action::Tell { .. } => return None,
        Action::Post { entry, .. } if entry.cause != Cause::Adopted && entry.cause != Cause::Earned => return None,
        other => format!("{other:?}"),
    })
}

fn answer(item: u64, word: &str) -> Answer {
    let stdout = Data::Inline { bytes: Arc::from(word.as_bytes()) };
    let mut digest = [0; 32];
    digest[..word.len().min(32)].copy_from_slice(&word.as_bytes()[..word.len().min(32)]);
    Answer {
        span: Span { first: item, len: 1 },
        outcome: Outcome::Right,
        fuel: Fuel(500_000_000),
        micros: 500_000,
        digest: Digest(digest),
        output: Output::of(stdout),
        pieces: 0,
    }
}

fn job(count: u64, check: Check) -> Box<Job> {
    let tool = Tool {
        module: Digest([1; 32]),
        abilities: Abilities::default(),
        args: Vec::new(),
        stdin: false,
        real_time: false,
        caps: Caps::default(),
    };
    Box::new(Job {
        id: JobId(9),
        owner: PersonId(1),
        name: Arc::from("story"),
        tool: Arc::new(tool),
        source: Source::Numbers { from: 0, count },
        chunk: Chunk::Items(1),
        check,
        merge: false,
        open: false,
        budget: Credits(100_000),
        fails_max: u64::MAX,
    })
}

/// The gift on its way from the hub to itself, for an audit.
fn audit(hub: &mut Hub, item: u64, word: &str) -> String {
    let lease = hub.lease_of(HUB);
    hub.answers(HUB, lease, &[item], word)
}

#[test]
fn a_job_is_given_answered_and_paid() {
    let mut hub = Hub::new();
    assert_eq!(hub.arrives(ANN), "");
    // One part to work on and one ahead, so that the lender does not wait for the next.
    let told = hub.ask(Wish::Submit { job: job(3, Check::Trust) });
    assert_eq!(told, "accepted\ngive 2 Run 0+1, Run 1+1\n");
    let lease = hub.lease_of(ANN);
    let told = hub.answers(ANN, lease, &[0], "a");
    assert_eq!(told, "keep 1\nnoted 2\ngive 2 Run 2+1\n");
    let lease = hub.lease_of(ANN);
    let told = hub.answers(ANN, lease, &[1], "b");
    assert_eq!(told, "keep 1\nnoted 2\n");
    let view = hub.node.view_job(JobId(9)).expect("it is on the books");
    assert_eq!(view.spent, Credits(1_000), "what is owed is spent, as far as anybody cares who watches");
    let lease = hub.lease_of(ANN);
    let told = hub.answers(ANN, lease, &[2], "c");
    assert_eq!(told, "keep 1\nnoted 2\npay 2 1500\n", "all is answered: it is final, and paid");
    let view = hub.node.view_job(JobId(9)).expect("it is on the books");
    assert_eq!((view.standing, view.counts.done, view.spent), (Standing::Done, 3, Credits(1_500)));
}

#[test]
fn two_parts_for_two_idle_lenders_go_to_both() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.arrives(BOB);
    let told = hub.ask(Wish::Submit { job: job(3, Check::Trust) });
    assert_eq!(told, "accepted\ngive 2 Run 0+1, Run 2+1\ngive 3 Run 1+1\n", "work ahead comes after work");
}

#[test]
fn submitting_twice_makes_one_job() {
    let mut hub = Hub::new();
    assert_eq!(hub.ask(Wish::Submit { job: job(1, Check::Trust) }), "accepted\n");
    assert_eq!(hub.ask(Wish::Submit { job: job(1, Check::Trust) }), "accepted\n");
    let other = hub.ask(Wish::Submit { job: job(2, Check::Trust) });
    assert_eq!(other, "Refused { why: OtherJobOfThatId }\n");
    assert_eq!(hub.node.state().jobs().len(), 1);
}

#[test]
fn a_stale_or_foreign_lease_is_refused() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.arrives(BOB);
    hub.ask(Wish::Submit { job: job(1, Check::Trust) });
    let lease = hub.lease_of(ANN);
    assert_eq!(hub.answers(BOB, lease, &[0], "a"), "cancel 3 1\n", "it is not Bob's");
    assert_eq!(hub.hear(ANN, Message::Bye), "give 3 Run 0+1\n", "Ann leaves in good order");
    assert_eq!(hub.answers(ANN, lease, &[0], "a"), "cancel 2 1\n", "her lease has ended");
}

#[test]
fn a_liar_is_found_out_at_its_first_answer_and_not_paid() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    let spot = Check::Spot { per_mille: 0 };
    assert_eq!(hub.ask(Wish::Submit { job: job(2, spot) }), "accepted\ngive 2 Run 0+1, Run 1+1\n");
    let lease = hub.lease_of(ANN);
    let told = hub.answers(ANN, lease, &[0], "lie");
    assert_eq!(told, "keep 1\nnoted 2\ngive 1 Run 0+1\n", "a new lender's first answer is run again");
    assert_eq!(audit(&mut hub, 0, "truth"), "keep 1\ncancel 2 1\n", "the hub's own answer stands");
    assert!(hub.node.state().peer(ANN).is_some_and(|ann| ann.trust.caught && ann.paid_them == Credits(0)));
    assert_eq!(hub.arrives(BOB), "give 3 Run 1+1\n", "the rest goes to somebody else, and nothing more to Ann");
}

/// Two parts that the tool's own check proves, and Ann's answer to the first of them, at its check.
fn at_its_check(hub: &mut Hub, real_time: bool) {
    hub.arrives(ANN);
    let mut job = job(2, Check::Prove { spot_per_mille: 0 });
    Arc::make_mut(&mut job.tool).abilities.check = true;
    Arc::make_mut(&mut job.tool).real_time = real_time;
    hub.ask(Wish::Submit { job });
    let lease = hub.lease_of(ANN);
    assert_eq!(hub.answers(ANN, lease, &[0], "mine"), "keep 1\nnoted 2\ngive 1 Check 0+1\n");
}

/// What the tool's check says of the answer to the first part.
fn checked(hub: &mut Hub, outcome: Outcome) -> String {
    let lease = hub.lease_of(HUB);
    let answers = vec![Answer { outcome, ..answer(0, "") }];
    hub.hear(HUB, Message::Done { lease, answers })
}

const WRONG: Outcome = Outcome::Exit { code: 1 };

#[test]
fn a_check_that_is_wrong_blames_nobody() {
    let mut hub = Hub::new();
    at_its_check(&mut hub, false);
    assert_eq!(checked(&mut hub, WRONG), "give 1 Run 0+1\n", "is it the lender or the check?");
    assert_eq!(audit(&mut hub, 0, "mine"), "keep 1\n", "the tool refuses what it answers itself");
    assert!(hub.node.state().peer(ANN).is_some_and(|ann| !ann.trust.caught && ann.trust.passed == 1));
    let view = hub.node.view_job(JobId(9)).expect("it is on the books");
    assert_eq!((view.counts.done, view.counts.failed), (0, 1), "the part has failed, by the tool's doing");
}

#[test]
fn an_answer_that_its_check_refuses_and_a_second_run_contradicts_is_a_lie() {
    let mut hub = Hub::new();
    at_its_check(&mut hub, false);
    checked(&mut hub, WRONG);
    assert_eq!(audit(&mut hub, 0, "truth"), "keep 1\ncancel 2 1\n");
    assert!(hub.node.state().peer(ANN).is_some_and(|ann| ann.trust.caught));
    let view = hub.node.view_job(JobId(9)).expect("it is on the books");
    assert_eq!((view.counts.done, view.counts.failed), (1, 0), "the hub's own answer stands");
}

#[test]
fn an_answer_that_cannot_be_repeated_is_asked_of_others_when_its_check_refuses_it() {
    let mut hub = Hub::new();
    at_its_check(&mut hub, true);
    assert_eq!(checked(&mut hub, WRONG), "", "nobody else is there to ask");
    assert!(hub.node.state().peer(ANN).is_some_and(|ann| !ann.trust.caught), "it may be the check that is wrong");
    assert_eq!(hub.arrives(BOB), "give 3 Run 0+1\n");
}

#[test]
fn a_run_that_takes_too_long_is_tried_elsewhere() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.ask(Wish::Submit { job: job(1, Check::Spot { per_mille: 1_000 }) });
    let slow = Outcome::Trapped { trap: Trap::TooSlow };
    let lease = hub.lease_of(ANN);
    let told = hub.hear(ANN, Message::Done { lease, answers: vec![Answer { outcome: slow, ..answer(0, "") }] });
    assert_eq!(told, "keep 1\nnoted 2\n", "somebody else should try");
    assert_eq!(hub.arrives(BOB), "give 3 Run 0+1\n");
    let lease = hub.lease_of(BOB);
    assert_eq!(hub.answers(BOB, lease, &[0], "a"), "keep 1\nnoted 3\ngive 1 Run 0+1\n");
    assert_eq!(checked(&mut hub, slow), "", "that the hub is slow proves nothing about Bob");
    hub.now += crate::limits::BROKEN_PAUSE.0;
    assert_eq!(hub.on(Event::Woke), "give 1 Run 0+1\n", "whatever ails it may have passed");
    assert_eq!(audit(&mut hub, 0, "a"), "pay 3 500\n");
}

#[test]
fn a_silent_lender_loses_its_lease() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.ask(Wish::Submit { job: job(1, Check::Trust) });
    assert!(hub.node.next_wake().is_some_and(|wake| wake.0 <= 30_010));
    hub.now += 31_000;
    assert_eq!(hub.on(Event::Woke), "");
    assert_eq!(hub.arrives(BOB), "give 3 Run 0+1\n");
}

#[test]
fn a_journal_read_back_is_the_same_state_and_so_is_its_snapshot() {
    let mut hub = Hub::new();
    hub.arrives(ANN);
    hub.ask(Wish::Submit { job: job(5, Check::Spot { per_mille: 500 }) });
    let lease = hub.lease_of(ANN);
    hub.answers(ANN, lease, &[0], "a");
    let replay = |facts: &[Fact]| {
        let mut state = State::default();
        facts.iter().for_each(|fact| state.apply(fact));
        state
    };
    let state = replay(&hub.journal);
    assert_eq!(&state, hub.node.state());
    assert_eq!(replay(&state.facts()).facts(), state.facts());
}
