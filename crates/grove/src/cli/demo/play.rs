//! What has happened so far, as the hub tells it: one lane per lender, one bar per gift.

use super::children::Role;
use crate::cli::Failure;
use crate::cli::hub::Hub;
use crate::shape::{Event, EventKind};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// The news of one job, as they come.
pub(super) type Events = Receiver<Event>;

/// One lender, as seen from the hub.
#[derive(Debug)]
pub(super) struct Lane {
    pub node: String,
    pub name: String,
    pub role: Role,
    pub answers: u64,
    pub fuel: u64,
    pub micro_credits: u64,
    /// What happened to it, for people: killed, hangs, found out.
    pub mark: Option<&'static str>,
    pub caught: bool,
    holds: usize,
}

/// Something that a lender did, from when to when.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub lane: usize,
    pub task: u64,
    pub kind: String,
    pub from_ms: u64,
    pub to_ms: u64,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// Its answer settled the number.
    Found,
    /// Called back, or lost with its lender.
    Returned,
    Refused,
}

/// The whole play.
#[derive(Debug, Default)]
pub(super) struct Play {
    lanes: Vec<Lane>,
    bars: Vec<Bar>,
    open: BTreeMap<u64, Bar>,
    begun_ms: Option<u64>,
    begun: Option<Instant>,
    now_ms: u64,
    finished: BTreeMap<u64, u64>,
    found: u64,
    parts: u64,
    ended: bool,
    log: Vec<String>,
    told: usize,
}

/// Listens to the news of a job; those from before it was submitted are waited for.
pub(super) fn listen(hub: &Hub, job: &str) -> Result<Events, Failure> {
    let (send, receive) = mpsc::channel();
    // The job is not there yet: listen to everything, and keep what is about it.
    let body = hub.open("/v1/events")?;
    let job = job.to_owned();
    std::thread::spawn(move || {
        let lines = BufReader::new(body.into_reader()).lines();
        for line in lines.map_while(Result::ok) {
            let event = line.strip_prefix("data:").and_then(|data| serde_json::from_str::<Event>(data.trim()).ok());
            let Some(event) = event.filter(|event| event.kind.job().is_none_or(|of| of == job)) else {
                continue;
            };
            if send.send(event).is_err() {
                return;
            }
        }
    });
    Ok(receive)
}

impl Play {
    /// A lender is there.
    pub(super) fn meet(&mut self, node: String, name: &str, role: Role) {
        let name = name.to_owned();
        self.lanes.push(Lane {
            node,
            name,
            role,
            answers: 0,
            fuel: 0,
            micro_credits: 0,
            mark: None,
            caught: false,
            holds: 0,
        });
    }

    /// Something has happened.
    pub(super) fn hear(&mut self, event: &Event) {
        let begun = *self.begun_ms.get_or_insert(event.at_ms);
        self.begun.get_or_insert_with(Instant::now);
        self.now_ms = self.now_ms.max(event.at_ms.saturating_sub(begun));
        match &event.kind {
            EventKind::Given { task, lease, to, kind, .. } => self.given(task.0, lease.0, to, kind),
            EventKind::Answered { lease, by, runs, fuel, .. } => self.answered(lease.0, by, *runs, fuel.0),
            EventKind::Returned { lease, .. } => self.close(lease.0, Outcome::Returned),
            EventKind::Settled { task, by, .. } => self.settled(task.0, by),
            EventKind::Refused { by, .. } => self.refused(by),
            EventKind::Paid { to, amount, .. } => {
                if let Some(lane) = self.lane(to) {
                    lane.micro_credits += amount.0;
                }
            }
            EventKind::Finished { item, .. } => {
                self.finished.entry(*item).or_insert(self.now_ms);
            }
            EventKind::Ended { .. } => self.ended = true,
            EventKind::Submitted { .. } | EventKind::Missed { .. } | EventKind::Unknown => {}
        }
    }

    fn given(&mut self, task: u64, lease: u64, to: &str, kind: &str) {
        let Some(at) = self.lanes.iter().position(|lane| lane.node == to) else {
            return;
        };
        self.lanes[at].holds += 1;
        let now = self.now_ms;
        let kind = kind.to_owned();
        self.open.insert(lease, Bar { lane: at, task, kind, from_ms: now, to_ms: now, outcome: Outcome::Answered });
    }

    fn answered(&mut self, lease: u64, by: &str, runs: u64, fuel: u64) {
        self.parts += runs;
        if let Some(lane) = self.lane(by) {
            lane.answers += runs;
            lane.fuel += fuel;
        }
        self.close(lease, Outcome::Answered);
    }

    /// A gift is done with. A lender works on its gifts one after another: the next one begins now, and one that was
    /// called back before its turn leaves no bar.
    fn close(&mut self, lease: u64, outcome: Outcome) {
        let Some(bar) = self.open.remove(&lease) else { return };
        let (lane, now) = (bar.lane, self.now_ms);
        self.lanes[lane].holds = self.lanes[lane].holds.saturating_sub(1);
        let mut others = self.open.iter_mut().filter(|(_, open)| open.lane == lane);
        let next = others.next();
        if next.as_ref().is_some_and(|(first, _)| **first < lease) && outcome == Outcome::Returned {
            return;
        }
        if let Some((_, next)) = next {
            next.from_ms = now;
        }
        self.bars.push(Bar { to_ms: now, outcome, ..bar });
    }

    fn settled(&mut self, task: u64, by: &str) {
        self.found += 1;
        let at = self.lanes.iter().position(|lane| lane.node == by);
        let bar = self.bars.iter_mut().rev().find(|bar| bar.task == task && Some(bar.lane) == at);
        if let Some(bar) = bar {
            bar.outcome = Outcome::Found;
        }
        let line = format!("{:6.2} s  {} found the factors of a number", self.seconds(), self.name(by));
        self.log.push(line);
    }

    fn refused(&mut self, by: &str) {
        let (seconds, name) = (self.seconds(), self.name(by));
        let at = self.lanes.iter().position(|lane| lane.node == by);
        if let Some(bar) = self.bars.iter_mut().rev().find(|bar| Some(bar.lane) == at) {
            bar.outcome = Outcome::Refused;
        }
        if let Some(lane) = self.lane(by) {
            lane.mark = Some("found out, not paid");
            lane.caught = true;
        }
        let theirs = self.open.iter().filter(|(_, bar)| Some(bar.lane) == at);
        for lease in theirs.map(|(lease, _)| *lease).rev().collect::<Vec<_>>() {
            self.close(lease, Outcome::Returned);
        }
        self.log.push(format!("{seconds:6.2} s  {name} was found out: its answers are refused, it is not paid"));
    }

    /// Time goes on when nothing happens, too.
    pub(super) fn tick(&mut self) {
        let passed = self.begun.map_or(0, |begun| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.now_ms = self.now_ms.max(passed);
    }

    /// Whether every lender is out of the play.
    pub(super) fn is_deserted(&self) -> bool {
        !self.lanes.is_empty() && self.lanes.iter().all(|lane| lane.mark.is_some())
    }

    /// Something was done to a lender.
    pub(super) fn happened(&mut self, node: &str, what: &'static str) {
        let line = format!("{:6.2} s  {}: {what}", self.seconds(), self.name(node));
        self.log.push(line);
        if let Some(lane) = self.lane(node) {
            lane.mark = Some(what);
        }
    }

    /// Nothing more will happen: what is open ends here.
    pub(super) fn end(&mut self) {
        for lease in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(lease, Outcome::Returned);
        }
        self.ended = true;
    }

    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    pub(super) fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// What a lender does at the moment.
    pub(super) fn doing(&self, lane: usize) -> Option<&Bar> {
        self.open.values().find(|bar| bar.lane == lane)
    }

    pub(super) fn is_busy(&self, node: &str) -> bool {
        self.lanes.iter().any(|lane| lane.node == node && lane.holds > 0)
    }

    /// Fuel burned by all lenders.
    pub(super) fn fuel(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.fuel).sum()
    }

    pub(super) fn parts(&self) -> u64 {
        self.parts
    }

    pub(super) fn caught(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.caught).count()
    }

    pub(super) fn finished(&self) -> usize {
        self.finished.len()
    }

    /// How long an input took since the one before it was done, in microseconds.
    pub(super) fn took(&self, item: u64) -> u64 {
        let Some(end) = self.finished.get(&item).copied() else {
            return 0;
        };
        let before = self.finished.values().copied().filter(|at| *at < end).max().unwrap_or(0);
        (end - before) * 1_000
    }

    pub(super) fn seconds(&self) -> f64 {
        self.now_ms as f64 / 1_000.0
    }

    /// What people call a node.
    pub(super) fn name(&self, node: &str) -> String {
        let lane = self.lanes.iter().find(|lane| lane.node == node);
        lane.map_or_else(|| "the hub".to_owned(), |lane| lane.name.clone())
    }

    /// Lines that nobody has read yet.
    pub(super) fn fresh_lines(&mut self) -> Vec<String> {
        let fresh = self.log[self.told..].to_vec();
        self.told = self.log.len();
        fresh
    }

    fn lane(&mut self, node: &str) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.node == node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::{Big, V};

    fn hear(play: &mut Play, at_ms: u64, kind: EventKind) {
        play.hear(&Event { v: V, at_ms, kind });
    }

    fn given(lease: u64) -> EventKind {
        let (job, to) = ("j".to_owned(), "a".to_owned());
        EventKind::Given { job, task: Big(7), lease: Big(lease), to, runs: 2, kind: "work".into() }
    }

    #[test]
    fn a_gift_ahead_begins_when_its_turn_comes_and_leaves_no_bar_if_it_never_does() {
        let mut play = Play::default();
        play.meet("a".into(), "lender 1", Role::Honest);
        for lease in 1..=3 {
            hear(&mut play, 1_000, given(lease));
        }
        let returned = |lease| EventKind::Returned { job: "j".into(), task: Big(7), lease: Big(lease), by: "a".into() };
        hear(&mut play, 1_100, returned(3));
        hear(&mut play, 1_200, returned(1));
        hear(&mut play, 1_500, returned(2));
        let bars: Vec<(u64, u64)> = play.bars().iter().map(|bar| (bar.from_ms, bar.to_ms)).collect();
        assert_eq!(bars, [(0, 200), (200, 500)]);
        assert!(!play.is_deserted());
        hear(&mut play, 1_600, EventKind::Refused { job: "j".into(), task: Big(7), by: "a".into() });
        assert!(play.is_deserted(), "the only lender was found out");
    }

    #[test]
    fn a_gift_is_a_bar_and_pay_and_lies_are_on_the_lane() {
        let mut play = Play::default();
        play.meet("a".into(), "lender 1", Role::Honest);
        let (job, to) = (|| "j".to_owned(), || "a".to_owned());
        hear(&mut play, 1_000, given(1));
        assert!(play.is_busy("a") && play.doing(0).is_some());
        let answered =
            EventKind::Answered { job: job(), task: Big(7), lease: Big(1), by: to(), runs: 2, fuel: Big(5), micros: 9 };
        hear(&mut play, 1_250, answered);
        hear(&mut play, 1_250, EventKind::Settled { job: job(), task: Big(7), by: to() });
        hear(&mut play, 1_300, EventKind::Finished { job: job(), item: 0, count: 1, failed: false, by: None });
        hear(&mut play, 1_300, EventKind::Paid { job: job(), to: to(), amount: Big(40) });
        hear(&mut play, 1_400, given(2));
        hear(&mut play, 1_500, EventKind::Refused { job: job(), task: Big(7), by: to() });
        play.end();
        let bars: Vec<(u64, u64, Outcome)> =
            play.bars().iter().map(|bar| (bar.from_ms, bar.to_ms, bar.outcome)).collect();
        assert_eq!(bars, [(0, 250, Outcome::Refused), (400, 500, Outcome::Returned)]);
        assert_eq!((play.parts(), play.fuel(), play.caught(), play.took(0)), (2, 5, 1, 300_000));
        assert_eq!(play.lanes()[0].micro_credits, 40);
    }
}
