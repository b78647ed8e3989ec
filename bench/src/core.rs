//! Finished parts per second through `Node::handle`: one core, no IO, answers made on the spot.

use grove_core::id::{AskId, Digest, Incarnation, JobId, NodeId, PersonId};
use grove_core::job::{Abilities, Caps, Check, Chunk, Job, Source, Standing, Tool};
use grove_core::message::{Answer, Data, Gift, Inputs, Message, Outcome, Output};
use grove_core::node::{Action, Config, Event, News, Node, Wish};
use grove_core::state::State;
use grove_core::units::{Credits, Fuel, Millis};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PARTS: u64 = 1_000_000;
/// Events of one batch, as under load.
const BATCH: usize = 64;

pub(crate) fn run() -> Value {
    let rates = [100, 1_000, 100_000].map(|lenders| (lenders, best_of(2, || rate(lenders, PARTS))));
    let rate_of = |lenders| rates.iter().find(|(at, _)| *at == lenders).map_or(0, |(_, rate)| *rate);
    json!({
        "name": "core",
        "value": rate_of(1_000),
        "unit": "finished parts/s, one core, 1,000 lenders",
        "lenders_100": rate_of(100),
        "lenders_100000": rate_of(100_000),
        "parts": PARTS,
        "ratio_100": rate_of(100) as f64 / rate_of(1_000) as f64,
        "ratio_100000": rate_of(100_000) as f64 / rate_of(1_000) as f64,
    })
}

fn best_of(times: u32, mut measure: impl FnMut() -> u64) -> u64 {
    (0..times).map(|_| measure()).max().unwrap_or(0)
}

/// Parts per second of the time spent in the node itself.
fn rate(lenders: u64, parts: u64) -> u64 {
    let config = Config {
        id: NodeId(0),
        slots: 0,
        solves: false,
        lease: Millis(30_000),
    };
    let mut node = Node::new(config, State::default(), Millis(1));
    let mut now = 1;
    let mut spent = Duration::ZERO;
    let mut drive = |node: &mut Node, events: Vec<Event>| {
        now += 1;
        let start = Instant::now();
        let actions = node.handle(Millis(now), events);
        let facts = node.take_facts();
        spent += start.elapsed();
        drop(facts);
        actions
    };
    drive(
        &mut node,
        vec![Event::Started {
            incarnation: Incarnation(1),
            secret: 7,
        }],
    );
    let grant = Wish::Grant {
        person: PersonId(1),
        amount: Credits(1 << 50),
    };
    drive(
        &mut node,
        vec![Event::Asked {
            ask: AskId(1),
            wish: grant,
        }],
    );
    for lender in 1..=lenders {
        let node_id = NodeId(lender);
        let hello = Message::Hello {
            incarnation: Incarnation(lender),
            slots: 1,
            solves: false,
            holding: Vec::new(),
        };
        drive(
            &mut node,
            vec![
                Event::Linked { node: node_id },
                Event::Heard {
                    from: node_id,
                    message: hello,
                },
            ],
        );
    }
    let submit = Wish::Submit {
        job: Box::new(job(parts)),
    };
    let mut actions = drive(
        &mut node,
        vec![Event::Asked {
            ask: AskId(2),
            wish: submit,
        }],
    );
    let mut answers: std::collections::VecDeque<Event> = Default::default();
    loop {
        for action in actions {
            match action {
                Action::Give { to, gifts } => answers.extend(gifts.iter().map(|(gift, _)| done(to, gift))),
                Action::Tell {
                    news: News::Ended { standing, .. },
                } => {
                    assert_eq!(standing, Standing::Done, "every part is answered");
                    return (parts as f64 / spent.as_secs_f64()) as u64;
                }
                Action::Run { giver, gift } => {
                    let answers_here = gift.runs().map(|span| answer(span, &gift)).collect();
                    answers.push_back(Event::Ran {
                        giver,
                        lease: gift.lease,
                        answers: answers_here,
                    });
                }
                _ => {}
            }
        }
        let batch: Vec<Event> = answers.drain(..answers.len().min(BATCH)).collect();
        assert!(!batch.is_empty(), "somebody has work until the job ends");
        actions = drive(&mut node, batch);
    }
}

/// A lender's answer to a whole gift, or the gift itself on its way back to the node that gave it to itself.
fn done(to: NodeId, gift: &Gift) -> Event {
    if to == NodeId(0) {
        // The shell makes the inputs of a gift; what they are does not matter here.
        let empty = Inputs::Carried {
            data: vec![Data::empty(); usize::try_from(gift.run_count()).unwrap_or(0)],
        };
        let inputs = if matches!(gift.inputs, Inputs::Numbers { .. }) {
            gift.inputs.clone()
        } else {
            empty
        };
        let gifts = vec![Gift { inputs, ..gift.clone() }];
        return Event::Heard {
            from: to,
            message: Message::Give { gifts },
        };
    }
    let answers = gift.runs().map(|span| answer(span, gift)).collect();
    Event::Heard {
        from: to,
        message: Message::Done {
            lease: gift.lease,
            answers,
        },
    }
}

fn answer(span: grove_core::task::Span, _gift: &Gift) -> Answer {
    let bytes: Arc<[u8]> = Arc::from(&b"42"[..]);
    Answer {
        span,
        outcome: Outcome::Right,
        fuel: Fuel(20_000),
        micros: 20,
        digest: Digest([7; 32]),
        output: Output::of(Data::Inline { bytes }),
        pieces: 0,
    }
}

fn job(parts: u64) -> Job {
    Job {
        id: JobId(1),
        owner: PersonId(1),
        name: Arc::from("bench"),
        tool: Arc::new(Tool {
            module: Digest([1; 32]),
            abilities: Abilities::default(),
            args: Vec::new(),
            stdin: false,
            real_time: false,
            caps: Caps::default(),
        }),
        source: Source::Numbers { from: 0, count: parts },
        chunk: Chunk::Items(1),
        check: Check::Spot { per_mille: 30 },
        merge: false,
        open: false,
        budget: Credits(1 << 40),
        fails_max: u64::MAX,
    }
}
