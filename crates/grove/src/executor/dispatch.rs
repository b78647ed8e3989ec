//! Which executor runs which parts. It looks at what is and fills the gaps: a lane with room is given parts of its
//! job, a job without a lane is given one. Whatever happens to an executor ends in the same look.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use grove_core::id::JobId;
use grove_sandbox::limits::{CODE_BYTES_MAX, EXECUTOR_DATA_BYTES};
use grove_sandbox::order::Tell;
use grove_sandbox::walls::{Plan, Wall};
use grove_sandbox::{Outcome, Status, Terms};
use rustix::process::Signal;
use tokio::sync::Notify;

use super::code::{Code, CodeError};
use super::lane::{Chunk, Lane};
use super::process::{Process, ProcessError};
use super::work::{Key, Number, Said, Work};
use super::{Order, RunError, Settings};

/// A job may keep all lanes for so long while another waits for its turn: an executor that rests goes on at once.
const TURN: Duration = Duration::from_millis(10);
/// ... and for so long where that other one's executor had to make room: each change then costs a process.
const TURN_OF_MANY: Duration = Duration::from_secs(1);
/// A job of which nothing was run here goes before the others, and need not wait for the end of a turn; but only this
/// often, since a crowd of such jobs is not to keep away those that have begun.
const NEWCOMERS_EVERY: Duration = Duration::from_millis(20);
/// Executors that rest while others work: their jobs go on without a new process, which takes five milliseconds.
const RESTING: usize = 8;

/// A lane's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneId(u64);

/// All lanes and all orders of a node.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub(super) settings: Settings,
    empty: PathBuf,
    state: Mutex<State>,
    /// Wakes the keeper: something is to be started, reaped or watched.
    pub(super) keeper: Condvar,
    /// An order has come.
    pub(super) begins: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) closed: bool,
    pub(super) frozen: bool,
    pub(super) blanks: Vec<Process>,
    pub(super) lanes: BTreeMap<LaneId, Lane>,
    /// Killed, waiting to be reaped.
    pub(super) dead: Vec<Process>,
    pub(super) walls: Vec<Wall>,
    works: BTreeMap<Number, Work>,
    /// When a job had its first turn last.
    newcomer: Option<Instant>,
    numbers: u64,
    tallies: BTreeMap<JobId, Tally>,
}

/// What was done for a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub parts: u64,
    pub fuel: u64,
    /// Microseconds of all parts together.
    pub micros: u64,
}

/// Jobs counted at one time, where nobody asks: a hub's own executors do this and that for very many.
const TALLIES_MAX: usize = 1_024;

impl Dispatch {
    pub(super) fn new(settings: Settings, empty: PathBuf) -> Dispatch {
        Dispatch { settings, empty, state: Mutex::default(), keeper: Condvar::new(), begins: Notify::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under the lock but by a bug; then going on is still better than standing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order.
    pub(super) fn take(self: &Arc<Self>, order: Order, code: Code, said: Said) -> Number {
        let mut state = self.lock();
        let number = state.number();
        let terms = self.bounded(order.terms);
        let work = Work::new(order, terms, code, said);
        if state.closed {
            work.fail(RunError::Stopped);
            return number;
        }
        state.works.insert(number, work);
        self.fill(&mut state);
        drop(state);
        self.begins.notify_one();
        number
    }

    fn bounded(&self, terms: Terms) -> Terms {
        let mut limits = terms.limits.bounded();
        limits.memory_bytes = limits.memory_bytes.min(self.settings.memory_bytes_max);
        Terms { limits, ..terms }
    }

    /// Nobody waits for an order any more. An executor in the middle of it goes.
    pub(super) fn stop(self: &Arc<Self>, number: Number) {
        let mut state = self.lock();
        state.works.remove(&number);
        let busy = |lane: &Lane| lane.chunks.front().is_some_and(|chunk| chunk.number == number);
        self.kill(&mut state, busy);
        self.fill(&mut state);
    }

    /// A job is over.
    pub(super) fn end(self: &Arc<Self>, job: JobId) {
        let mut state = self.lock();
        let over: Vec<Number> =
            state.works.iter().filter(|(_, work)| work.job == job).map(|(number, _)| *number).collect();
        for number in over {
            state.works.remove(&number);
        }
        self.kill(&mut state, |lane| lane.job == job);
        self.fill(&mut state);
    }

    pub(super) fn freeze(&self) {
        let mut state = self.lock();
        state.frozen = true;
        state.lanes.values().for_each(|lane| lane.process.signal(Signal::STOP));
        state.blanks.iter().for_each(|blank| blank.signal(Signal::STOP));
    }

    pub(super) fn thaw(self: &Arc<Self>) {
        let mut state = self.lock();
        state.frozen = false;
        for lane in state.lanes.values_mut() {
            lane.forgive();
            lane.process.signal(Signal::CONT);
        }
        state.blanks.iter().for_each(|blank| blank.signal(Signal::CONT));
        self.fill(&mut state);
        self.keeper.notify_one();
    }

    pub(super) fn kill_all(&self) {
        let mut state = self.lock();
        state.frozen = true;
        for (_, work) in std::mem::take(&mut state.works) {
            work.fail(RunError::Stopped);
        }
        self.kill(&mut state, |_| true);
        let blanks = std::mem::take(&mut state.blanks);
        blanks.iter().for_each(|blank| blank.signal(Signal::KILL));
        state.dead.extend(blanks);
        self.keeper.notify_one();
    }

    pub(super) fn close(&self) {
        self.kill_all();
        self.lock().closed = true;
        self.keeper.notify_one();
    }

    pub(super) fn walls(&self) -> Vec<Wall> {
        self.lock().walls.clone()
    }

    pub(super) fn take_tallies(&self) -> BTreeMap<JobId, Tally> {
        std::mem::take(&mut self.lock().tallies)
    }

    pub(super) fn is_at_work(&self) -> bool {
        let state = self.lock();
        !state.works.is_empty() || state.lanes.values().any(|lane| !lane.idle())
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.lock().lanes.values().map(|lane| lane.process.pid()).collect()
    }

    pub(super) fn start_one(&self) -> Result<Process, ProcessError> {
        let plan = Plan {
            data_bytes: self.settings.memory_bytes_max.saturating_add(EXECUTOR_DATA_BYTES),
            file_bytes: CODE_BYTES_MAX,
            gentle: self.settings.gentle,
            empty: self.empty.clone(),
            ..Plan::default()
        };
        Process::start(&self.settings.program, plan)
    }

    pub(super) fn prove(&self) -> Result<Vec<Wall>, ProcessError> {
        Ok(self.start_one()?.walls().to_vec())
    }

    /// No executor can be started: whoever waits is told why.
    pub(super) fn fail_waiting(&self, error: ProcessError) {
        let error = Arc::new(error);
        let mut state = self.lock();
        if state.lanes.is_empty() {
            for (_, work) in std::mem::take(&mut state.works) {
                work.fail(RunError::Process(Arc::clone(&error)));
            }
        }
    }

    /// An executor said something.
    pub(super) fn heard(self: &Arc<Self>, id: LaneId, tell: Tell) {
        let mut state = self.lock();
        let Some(lane) = state.lanes.get_mut(&id) else { return };
        match tell {
            Tell::Ran(answers) => match lane.take(answers) {
                Some(taken) => state.deliver(taken),
                // It is broken, or broken into; either way what it says is worth nothing.
                None => self.give_up(&mut state, id, "it answered what it was not asked"),
            },
            Tell::Refused(why) | Tell::Unable(why) => {
                let key = (lane.job, Arc::clone(&lane.code));
                state.refuse(&key, &why);
                self.kill(&mut state, |lane| (lane.job, Arc::clone(&lane.code)) == key);
            }
            Tell::Ready(_) | Tell::Unwalled(_) | Tell::Compiled { .. } | Tell::Loaded | Tell::Escaped(_) => {}
        }
        self.fill(&mut state);
    }

    /// An executor ended by itself, or was killed from outside.
    pub(super) fn lost(self: &Arc<Self>, id: LaneId) {
        let Some(lane) = self.lock().lanes.remove(&id) else {
            return;
        };
        // Waited for without the lock: it may take a moment to go.
        let how = lane.process.finish();
        let mut state = self.lock();
        // After a part that took too long an executor ends itself, and no other part is to blame.
        state.mourn(lane.chunks, (!lane.timed_out).then_some(how.as_str()));
        self.fill(&mut state);
    }

    /// Executors that say nothing for longer than their part may take.
    pub(super) fn give_up_silent(self: &Arc<Self>, state: &mut State) {
        let silent: Vec<LaneId> = state.lanes.iter().filter(|(_, lane)| lane.overdue()).map(|(id, _)| *id).collect();
        for id in silent {
            self.give_up(state, id, "it was frozen, and said nothing for longer than a part may take");
        }
        self.fill(state);
    }

    fn give_up(&self, state: &mut State, id: LaneId, why: &str) {
        if let Some(lane) = state.lanes.remove(&id) {
            lane.process.signal(Signal::KILL);
            state.mourn(lane.chunks, Some(why));
            state.dead.push(lane.process);
            self.keeper.notify_one();
        }
    }

    /// Ends lanes for reasons that are not their parts' fault.
    pub(super) fn kill(&self, state: &mut State, which: impl Fn(&Lane) -> bool) {
        let ids: Vec<LaneId> = state.lanes.iter().filter(|(_, lane)| which(lane)).map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(lane) = state.lanes.remove(&id) {
                lane.process.signal(Signal::KILL);
                state.mourn(lane.chunks, None);
                state.dead.push(lane.process);
                self.keeper.notify_one();
            }
        }
    }

    /// Looks at what is and fills the gaps: whoever works goes on, unless it is somebody else's turn; what is free is
    /// for whoever has least and has waited longest.
    pub(super) fn fill(self: &Arc<Self>, state: &mut State) {
        if state.frozen || state.closed {
            return;
        }
        let ids: Vec<LaneId> = state.lanes.keys().copied().collect();
        ids.into_iter().for_each(|id| self.feed(state, id));
        while state.at_work() <= self.settings.lanes && self.begin_one(state) {}
    }

    fn begin_one(self: &Arc<Self>, state: &mut State) -> bool {
        let full = state.at_work() >= self.settings.lanes;
        let waits = |work: &Work| work.waits() && (!full || work.beyond);
        state.keys(waits).into_iter().any(|key| self.begin(state, key))
    }

    fn feed(&self, state: &mut State, id: LaneId) {
        let lanes = self.settings.lanes;
        while let Some(lane) = state.lanes.get(&id)
            && lane.turn.is_some()
            && lane.has_room()
        {
            let key = (lane.job, Arc::clone(&lane.code));
            let (appetite, yields) = (lane.appetite(), state.should_yield(lane, lanes));
            let full = state.at_work() > lanes;
            let mut give = |beyond: bool| {
                let works = state.works.iter_mut().filter(|(_, work)| !yields && work.beyond == beyond);
                works.filter(|(_, work)| work.is(&key)).find_map(|(number, work)| {
                    // The last parts of an order are spread over all lanes.
                    work.chunk(*number, appetite.min(work.left().div_ceil((lanes as u64).max(1))))
                })
            };
            let given = give(true).or_else(|| if full { None } else { give(false) });
            match (given, state.lanes.get_mut(&id)) {
                (Some(chunk), Some(lane)) => lane.give(chunk),
                (None, Some(lane)) if lane.idle() => lane.turn = None,
                _ => return,
            }
        }
    }

    /// Gives a job one more lane: its executor that rests, or a new one.
    fn begin(self: &Arc<Self>, state: &mut State, key: Key) -> bool {
        let turn = state.number();
        if let Some((id, lane)) = state.lanes.iter_mut().find(|(_, lane)| lane.is(&key) && lane.rests()) {
            let id = *id;
            lane.begin(turn);
            self.feed(state, id);
            return state.lanes.get(&id).is_some_and(|lane| lane.turn.is_some());
        }
        // The next one is prepared while this one works.
        self.keeper.notify_one();
        let Some(blank) = state.blanks.pop() else {
            return false;
        };
        self.make_room(state);
        if state.is_new(&key) {
            state.newcomer = Some(Instant::now());
        }
        self.adopt(state, key, blank, turn);
        true
    }

    /// One more executor must not be one too many: that which has rested longest goes.
    fn make_room(&self, state: &mut State) {
        if state.lanes.len() < self.settings.lanes.saturating_add(RESTING) {
            return;
        }
        let resting = state.lanes.iter().filter(|(_, lane)| lane.rests());
        if let Some(id) = resting.max_by_key(|(_, lane)| lane.quiet_for()).map(|(id, _)| *id)
            && let Some(lane) = state.lanes.remove(&id)
        {
            lane.process.signal(Signal::KILL);
            state.dead.push(lane.process);
        }
    }

    fn adopt(self: &Arc<Self>, state: &mut State, key: Key, blank: Process, turn: Number) {
        let id = LaneId(turn.0);
        let work = state.works.values().find(|work| work.is(&key));
        let Some((code, package)) = work.map(|work| (work.code.clone(), work.package.clone())) else {
            return state.blanks.push(blank);
        };
        match Lane::adopt(id, key.0, (&code, package), blank, self) {
            Ok(mut lane) => {
                lane.begin(turn);
                state.lanes.insert(id, lane);
                self.feed(state, id);
            }
            Err(error) => state.refuse(&key, &error.to_string()),
        }
    }
}

impl Tally {
    fn add(&mut self, outcomes: &[(usize, Outcome)]) {
        for (_, outcome) in outcomes {
            self.parts += 1;
            self.fuel = self.fuel.saturating_add(outcome.fuel);
            self.micros = self.micros.saturating_add(outcome.wall_us);
        }
    }
}

impl State {
    fn number(&mut self) -> Number {
        self.numbers += 1;
        Number(self.numbers)
    }

    /// Executors whose turn it is.
    fn at_work(&self) -> usize {
        self.lanes.values().filter(|lane| lane.turn.is_some()).count()
    }

    /// Jobs with such parts to give: those of which least is at work first, then those that had their last turn longest ago.
    fn keys(&self, waits: impl Fn(&Work) -> bool) -> Vec<Key> {
        let keys: BTreeSet<Key> = self.works.values().filter(|work| waits(work)).map(Work::key).collect();
        let mut keys: Vec<Key> = keys.into_iter().collect();
        if keys.len() < 2 {
            return keys;
        }
        let first = self.is_newcomers_turn();
        keys.sort_by_cached_key(|key| {
            let own = || self.lanes.values().filter(|lane| lane.is(key));
            let at_work = own().filter(|lane| lane.turn.is_some()).count();
            (at_work, self.is_new(key) != first, own().map(|lane| lane.begun).max())
        });
        keys
    }

    /// Whether nothing of a job was run here yet.
    fn is_new(&self, key: &Key) -> bool {
        let mut works = self.works.values().filter(|work| work.is(key));
        works.all(|work| !work.is_begun()) && !self.lanes.values().any(|lane| lane.is(key))
    }

    fn is_newcomers_turn(&self) -> bool {
        self.newcomer.is_none_or(|at| at.elapsed() >= NEWCOMERS_EVERY)
    }

    /// Whether a lane takes no more of its job, so that another job gets its turn.
    fn should_yield(&self, lane: &Lane, lanes: usize) -> bool {
        if self.at_work() < lanes {
            return false;
        }
        let others = || self.lanes.values().filter(|other| other.job == lane.job && other.turn.is_some());
        let had =
            if others().count() > 1 { TURN_OF_MANY } else { lane.turn.map_or(TURN_OF_MANY, |turn| turn.elapsed()) };
        let after = |key: &Key| match self.lanes.values().any(|lane| lane.is(key) && lane.rests()) {
            true => Some(TURN),
            // Somebody else's turn is not cut short for a process that has yet to start.
            false if self.blanks.is_empty() => None,
            false if !self.is_new(key) => Some(TURN_OF_MANY),
            false if self.is_newcomers_turn() => Some(Duration::ZERO),
            false => Some(TURN),
        };
        let at_work = |key: &Key| self.lanes.values().any(|lane| lane.is(key) && lane.turn.is_some());
        let waiting = self.works.values().filter(|work| work.waits()).map(Work::key);
        waiting.filter(|key| !at_work(key)).any(|key| after(&key).is_some_and(|turn| had >= turn))
    }

    fn deliver(&mut self, taken: Vec<(Number, usize, Outcome)>) {
        let mut by_order: BTreeMap<Number, Vec<(usize, Outcome)>> = BTreeMap::new();
        for (number, place, outcome) in taken {
            by_order.entry(number).or_default().push((place, outcome));
        }
        for (number, outcomes) in by_order {
            if let Some(work) = self.works.get(&number) {
                if self.tallies.len() < TALLIES_MAX || self.tallies.contains_key(&work.job) {
                    let tally = self.tallies.entry(work.job).or_default();
                    tally.add(&outcomes);
                }
                // Whoever stopped listening also stops the order.
                let _ = work.said.send(Ok(outcomes));
            }
        }
    }

    /// Parts of a dead executor: the one that killed it is answered for, the others are given again, one by one.
    fn mourn(&mut self, chunks: VecDeque<Chunk>, how: Option<&str>) {
        for (nth, chunk) in chunks.into_iter().enumerate() {
            let Some(work) = self.works.get_mut(&chunk.number) else {
                continue;
            };
            match how {
                Some(how) if nth == 0 && chunk.parts.len() == 1 => {
                    let outcome = Outcome::early(Status::Died(how.to_owned()));
                    let place = usize::try_from(chunk.first).unwrap_or(usize::MAX);
                    let _ = work.said.send(Ok(vec![(place, outcome)]));
                }
                Some(_) | None => work.again.extend(chunk.rest()),
            }
        }
    }

    /// A tool that does not load: all orders that want it end.
    fn refuse(&mut self, key: &Key, why: &str) {
        let refused: Vec<Number> =
            self.works.iter().filter(|(_, work)| work.is(key)).map(|(number, _)| *number).collect();
        for number in refused {
            if let Some(work) = self.works.remove(&number) {
                work.fail(RunError::Code(CodeError::Load { why: why.to_owned() }));
            }
        }
    }
}
