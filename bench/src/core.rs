//! Finished parts per second through `Node::handle`: one core, no IO, answers made on the spot. The time is the
//! processor's, spent in the node alone, so that what else runs on the machine does not count.

use crate::clock;
use grove_core::id::{AskId, Digest, Incarnation, JobId, NodeId, PersonId};
use grove_core::job::{Abilities, Caps, Check, Chunk, Job, Source, Standing, Tool};
use grove_core::message::{Answer, Data, Gift, Inputs, Message, Outcome, Output};
use grove_core::node::{Action, Config, Event, News, Node, Wish};
use grove_core::state::State;
use grove_core::task::Span;
use grove_core::units::{Credits, Fuel, Millis};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const PARTS: u64 = 1_000_000;
/// A batch of the program's own inbox: so many events, or so many answers, whichever is reached first.
const BATCH_EVENTS: usize = 4_096;
const BATCH_ANSWERS: usize = 32_768;
/// Fuel and microseconds of one part: tiny ones, since those are what the node is slow at.
const FUEL: Fuel = Fuel(20_000);
const MICROS: u64 = 20;
/// No run takes longer than this: a slow node is a figure too.
const PATIENCE: Duration = Duration::from_secs(30);
const HUB: NodeId = NodeId(0);

pub(crate) fn run(lenders: Option<u64>, parts: u64) -> Value {
    if let Some(lenders) = lenders {
        return measure(lenders, parts).explained();
    }
    let runs = [100, 1_000, 100_000].map(|lenders| best_of(2, || measure(lenders, parts)));
    let [few, middle, many] = &runs;
    json!({
        "name": "core",
        "value": middle.rate(),
        "unit": "finished parts/s, one core, 1,000 lenders",
        "lenders_100": few.rate(),
        "lenders_100000": many.rate(),
        "ratio_100": few.rate() as f64 / middle.rate() as f64,
        "ratio_100000": many.rate() as f64 / middle.rate() as f64,
        "parts": parts,
        "runs": runs.iter().map(Run::explained).collect::<Vec<_>>(),
    })
}

fn best_of(times: u32, mut measure: impl FnMut() -> Run) -> Run {
    let mut best = measure();
    for _ in 1..times {
        let next = measure();
        if next.rate() > best.rate() {
            best = next;
        }
    }
    best
}

/// One job, from its submission to its end, and what explains how long it took.
#[derive(Default)]
pub(crate) struct Run {
    lenders: u64,
    parts: u64,
    /// Items that had their answer when the job ended, or when patience did.
    finished: u64,
    gifts: u64,
    audits: u64,
    batches: u64,
    facts: u64,
    meeting: Duration,
    spent: Duration,
}

impl Run {
    /// Finished parts in a second.
    pub(crate) fn rate(&self) -> u64 {
        (self.finished as f64 / self.spent.as_secs_f64()) as u64
    }

    fn explained(&self) -> Value {
        json!({
            "lenders": self.lenders,
            "rate": self.rate(),
            "finished": self.finished,
            "all": self.finished == self.parts,
            "gifts": self.gifts,
            "audited": self.audits,
            "batches": self.batches,
            "facts": self.facts,
            "lenders_met_ms": self.meeting.as_millis() as u64,
            "job_ms": self.spent.as_millis() as u64,
        })
    }
}

/// Lets so many lenders do so many parts.
pub(crate) fn measure(lenders: u64, parts: u64) -> Run {
    let mut drive = Drive::new();
    drive.meet(lenders);
    drive.run.lenders = lenders;
    drive.run.meeting = std::mem::take(&mut drive.run.spent);
    drive.run.parts = parts;
    drive.work(parts);
    drive.run
}

/// Finished parts in a second over as many such jobs as make `at_least` parts: a small one alone is over too soon for
/// the clock.
pub(crate) fn measure_again(lenders: u64, parts: u64, at_least: u64) -> u64 {
    let runs: Vec<Run> = (0..at_least.div_ceil(parts).max(1)).map(|_| measure(lenders, parts)).collect();
    let finished: u64 = runs.iter().map(|run| run.finished).sum();
    let spent: Duration = runs.iter().map(|run| run.spent).sum();
    (finished as f64 / spent.as_secs_f64()) as u64
}

/// A hub and what its lenders are about to say.
struct Drive {
    node: Node,
    run: Run,
    coming: VecDeque<Event>,
    /// What the hub's own executors say: they are at hand, while lenders' answers wait in a line.
    own: VecDeque<Event>,
    ended: bool,
}

impl Drive {
    fn new() -> Drive {
        let config = Config { id: HUB, slots: 0, memory: 0, solves: false, lease: Millis(30_000) };
        let mut drive = Drive {
            node: Node::new(config, State::default(), Millis(1)),
            run: Run::default(),
            coming: VecDeque::new(),
            own: VecDeque::new(),
            ended: false,
        };
        drive.coming.push_back(Event::Started { incarnation: Incarnation(1), secret: 7 });
        let wish = Wish::Grant { person: PersonId(1), amount: Credits(1 << 50) };
        drive.coming.push_back(Event::Asked { ask: AskId(1), wish });
        drive
    }

    fn meet(&mut self, lenders: u64) {
        for lender in 1..=lenders {
            let node = NodeId(lender);
            let message =
                Message::Hello { incarnation: Incarnation(lender), slots: 1, solves: false, holding: Vec::new() };
            self.coming.push_back(Event::Linked { node });
            self.coming.push_back(Event::Heard { from: node, message });
        }
        while !self.coming.is_empty() {
            self.step();
        }
    }

    fn work(&mut self, parts: u64) {
        let wish = Wish::Submit { job: Box::new(job(parts)) };
        self.coming.push_back(Event::Asked { ask: AskId(2), wish });
        while !self.ended && self.run.spent < PATIENCE {
            assert!(!(self.coming.is_empty() && self.own.is_empty()), "somebody has work until the job ends");
            self.step();
        }
    }

    /// One batch, as the program would make it of all that waits; the node's clock goes as fast as it works.
    fn step(&mut self) {
        let batch = self.batch();
        let now = Millis(1).plus(Millis((self.run.meeting + self.run.spent).as_millis().try_into().unwrap_or(0)));
        let start = clock::of_this_thread();
        let actions = self.node.handle(now, batch);
        let facts = self.node.take_facts();
        self.run.spent += clock::of_this_thread().saturating_sub(start);
        self.run.batches += 1;
        self.run.facts += facts.len() as u64;
        actions.into_iter().for_each(|action| self.perform(action));
    }

    fn batch(&mut self) -> Vec<Event> {
        let mut answers = 0;
        let mut batch = Vec::new();
        while batch.len() < BATCH_EVENTS && answers < BATCH_ANSWERS {
            let Some(event) = self.own.pop_front().or_else(|| self.coming.pop_front()) else {
                break;
            };
            if let Event::Heard { message: Message::Done { answers: some, .. }, .. } = &event {
                answers += some.len();
            }
            batch.push(event);
        }
        batch
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Give { to, gifts } => {
                self.run.gifts += gifts.len() as u64;
                let line = if to == HUB { &mut self.own } else { &mut self.coming };
                line.extend(gifts.into_iter().map(|(gift, _)| done(to, gift)));
            }
            Action::Run { giver, gift } => {
                self.run.audits += gift.run_count();
                self.own.push_back(Event::Ran { giver, lease: gift.lease, answers: gift.runs().map(answer).collect() });
            }
            Action::Tell { news: News::Finished { span, .. } } => self.run.finished += span.len,
            Action::Tell { news: News::Ended { standing, .. } } => {
                assert_eq!(standing, Standing::Done, "every part is answered");
                self.ended = true;
            }
            _ => {}
        }
    }
}

/// A lender's answer to a whole gift, or the gift itself on its way back to the node that gave it to itself.
fn done(to: NodeId, mut gift: Gift) -> Event {
    let message = if to == HUB {
        if matches!(gift.inputs, Inputs::Carried { .. }) {
            // The program makes the inputs of a gift; what they are does not matter here.
            let data = vec![Data::empty(); usize::try_from(gift.run_count()).unwrap_or(0)];
            gift.inputs = Inputs::Carried { data };
        }
        Message::Give { gifts: vec![gift] }
    } else {
        Message::Done { lease: gift.lease, answers: gift.runs().map(answer).collect() }
    };
    Event::Heard { from: to, message }
}

fn answer(span: Span) -> Answer {
    let bytes: Arc<[u8]> = Arc::from(&b"42"[..]);
    Answer {
        span,
        outcome: Outcome::Right,
        fuel: FUEL,
        micros: MICROS,
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
