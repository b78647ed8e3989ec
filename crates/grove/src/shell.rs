//! THE loop: it makes a process out of a [`Node`].
//!
//! A batch of what has happened goes in, the node decides, facts and results become durable in one commit, and only
//! then is anything answered, paid or shown; gifts alone may leave before their facts are synced. One thread does all
//! of it, so nothing here is locked. It knows the store, the links and the executors, which know nothing of one another;
//! it decides nothing.

mod accounts;
mod again;
mod answers;
mod batch;
mod clock;
mod feed;
mod feeder;
mod hosted;
mod inbox;
mod journal;
mod lent;
mod level;
mod linked;
mod near;
mod packages;
mod reins;
mod roll;
mod room;
mod rows;
mod shares;
mod side;
mod start;
mod upkeep;
mod upstream;
mod waiting;
mod wires;
mod work;

pub use accounts::Lines;
pub use answers::{decode as answer_in_row, decode_input as input_in_row};
pub use feed::counted;
pub use hosted::{HostError, Hosted, Plan, host, walls};
pub use inbox::Gone;
pub use journal::JournalError;
pub use lent::Lent;
pub use roll::Roll;
pub use rows::RowError;
pub use shares::{SHARE_OF_ONE, Shares};
pub use side::Side;
pub use start::{Opened, Role, Running, ShellError, open};
pub use wires::{Passing, Soon, WireError, Wires};
pub use work::{Executors, Order, Results, RunError};

use crate::door::Told;
use crate::store::{Commit, Store};
use batch::Batch;
use clock::Clock;
use feeder::Feeding;
use grove_core::id::{AskId, JobId, Lease, NodeId, TaskId};
use grove_core::job::Refusal;
use grove_core::message::{Gift, Message, Outcome};
use grove_core::node::{Action, Event, News, Node, Reply, Row, Wish};
use grove_core::state::Fact;
use grove_core::task::{Owner, Span, Stage};
use grove_core::units::Fuel;
use inbox::{Asked, Inbox, Input};
use rows::Rows;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use upkeep::Upkeep;
use upstream::Upstream;
use waiting::{Wait, Waiting};
use work::Work;

/// A node and all that it needs to be one.
struct Shell {
    node: Node,
    store: Store,
    rows: Rows,
    inbox: Arc<Inbox>,
    side: Side,
    clock: Clock,
    feeding: Feeding,
    work: Work,
    lent: Lent,
    upstream: Upstream,
    upkeep: Upkeep,
    waiting: Waiting,
    /// What this node says to itself, to be heard in the next batch.
    echo: Vec<Event>,
    asked: BTreeMap<AskId, Asked>,
    next_ask: AskId,
    /// Reused for encoding facts.
    row: Vec<u8>,
    /// Since when a crash would undo facts that nobody relies on yet.
    behind: Option<Instant>,
}

/// Facts that nobody relies on are synced within this time: a crash costs this much of placing, and a busy node's
/// next answer takes them along long before.
const SYNC_WITHIN: Duration = Duration::from_millis(25);

impl Shell {
    /// Goes round until somebody says stop.
    fn run(mut self) -> Result<(), ShellError> {
        loop {
            let inputs = self.take();
            let (mut events, mut looks, mut stop) = (std::mem::take(&mut self.echo), Vec::new(), false);
            // What neighbours and executors say while somebody looks, he need not see; all else comes before him.
            let is_said = |event: &Event| matches!(event, Event::Heard { .. } | Event::Ran { .. });
            let mut waits = self.behind.is_some() || !events.iter().all(is_said);
            for input in inputs {
                match input {
                    Input::Event(event) => {
                        waits |= !is_said(&event);
                        events.push(event);
                    }
                    Input::Asked(asked) => {
                        waits = true;
                        events.push(self.note_asked(asked));
                    }
                    Input::Look(look) if !waits => look(&self.node),
                    Input::Look(look) => looks.push(look),
                    Input::Wait(wait) => self.waiting.add(wait, &self.node),
                    Input::Stop => stop = true,
                }
            }
            if stop {
                events.push(Event::Leaves);
            }
            self.turn(events)?;
            if stop || !looks.is_empty() {
                self.sync()?;
            }
            looks.into_iter().for_each(|look| look(&self.node));
            if stop {
                return Ok(());
            }
        }
    }

    /// What is there; waits only if there is nothing to do.
    fn take(&mut self) -> Vec<Input> {
        if !self.echo.is_empty() {
            return self.inbox.take(Some(Instant::now()));
        }
        let upkeep = self.upkeep.begins(&self.store);
        let wake = self.node.next_wake().map(|at| self.clock.instant(at));
        let sync = self.behind.map(|since| since + SYNC_WITHIN);
        self.inbox.take(wake.into_iter().chain(sync).chain(upkeep).chain([self.upkeep.due()]).min())
    }

    /// One batch: decide, commit, act.
    fn turn(&mut self, events: Vec<Event>) -> Result<(), ShellError> {
        let idle = events.is_empty();
        if !idle {
            self.upkeep.puts_off();
        }
        let had = self.inputs_before(&events);
        let actions = self.node.handle(self.clock.now(), events);
        let facts = self.node.take_facts();
        let lazy = facts.iter().all(Fact::may_wait) && !actions.iter().any(Action::is_booked);
        let mut batch = Batch::sort(actions);
        self.keep_inputs(&had, &mut batch);
        self.row.clear();
        journal::encode(&facts, &mut self.row);
        let rest = std::mem::take(&mut batch.rest);
        if lazy {
            self.act_then_keep(rest, &mut batch)?;
        } else {
            self.commit(&mut batch, lazy, &rest)?;
            self.feeding.expect(&[]);
            self.act(rest);
        }
        self.keep_up()?;
        if self.behind.is_some_and(|since| since.elapsed() >= SYNC_WITHIN) {
            self.sync()?;
        }
        if idle { self.tidy_up() } else { Ok(()) }
    }

    /// What a crash may undo happens first, so that it is worked on while this node writes it down; then what somebody
    /// would rely on, once it is durable.
    fn act_then_keep(&mut self, actions: Vec<Action>, batch: &mut Batch) -> Result<(), ShellError> {
        let (promises, others): (Vec<Action>, Vec<Action>) =
            actions.into_iter().partition(|action| self.is_promise(action));
        // What is delivered is read from its row, and so are inputs that another thread makes.
        let slow = || !batch.inputs().is_empty() && others.iter().any(Feeding::is_slow);
        let rows_first = batch.has_answers() || slow();
        self.feeding.expect(if rows_first { &[] } else { batch.inputs() });
        if rows_first {
            self.commit(batch, true, &promises)?;
            self.act(others);
        } else {
            self.act(others);
            self.commit(batch, true, &promises)?;
        }
        if !promises.is_empty() && self.behind.is_some() {
            self.sync()?;
        }
        self.act(promises);
        Ok(())
    }

    fn is_promise(&self, action: &Action) -> bool {
        match action {
            // Whoever waits for answers too hears nothing before these.
            Action::Reply { ask, .. } => self.asked.get(ask).is_none_or(|asked| asked.answered.is_none()),
            Action::Tell { .. } => self.side.is_watched(),
            other => other.is_promise(),
        }
    }

    fn sync(&mut self) -> Result<(), ShellError> {
        self.behind = None;
        Ok(self.store.sync()?)
    }

    /// People who wait hear of it first.
    fn commit(&mut self, batch: &mut Batch, lazy: bool, actions: &[Action]) -> Result<(), ShellError> {
        if self.row.is_empty() && batch.is_empty() {
            return Ok(());
        }
        let pages = batch.pages(&self.rows, self.store.last().0 + 1)?;
        let now_s = self.clock.now().0 / 1_000;
        let entries = batch.entries()?;
        let (facts, drop_tasks) = (self.row.as_slice(), batch.drops.as_slice());
        let commit = Commit { facts, pages: &pages, entries: &entries, drop_tasks, now_s, lazy, ..Commit::default() };
        room::commit(&mut self.store, &commit, &self.side, &self.inbox)?;
        if lazy {
            // Rows without facts are of a neighbour's piece: nobody misses them after a crash.
            self.behind = self.behind.or_else(|| (!self.row.is_empty()).then(Instant::now));
        } else {
            self.behind = None;
            ended_in(actions).for_each(|job| self.waiting.look(job, &self.node));
        }
        Ok(())
    }

    fn note_asked(&mut self, asked: Asked) -> Event {
        let ask = self.next_ask;
        self.next_ask = AskId(ask.0 + 1);
        let wish = asked.wish.clone();
        self.asked.insert(ask, asked);
        Event::Asked { ask, wish }
    }

    /// How many inputs the jobs that people speak of have so far: asking twice must not overwrite what was kept.
    fn inputs_before(&self, events: &[Event]) -> BTreeMap<JobId, u64> {
        let jobs = events.iter().filter_map(|event| match event {
            Event::Asked { wish: Wish::Submit { job } | Wish::Promise { job }, .. } => Some(job.id),
            Event::Asked { wish: Wish::Extend { job, .. }, .. } => Some(*job),
            _ => None,
        });
        jobs.map(|job| {
            let root = self.node.state().job(job).map(|book| book.root);
            let task = root.and_then(|root| self.node.state().task(root));
            (job, task.map_or(0, |task| task.items))
        })
        .collect()
    }

    /// Inputs of what was accepted belong into the commit that accepts it.
    fn keep_inputs(&mut self, had: &BTreeMap<JobId, u64>, batch: &mut Batch) {
        let mut has = had.clone();
        let mut accepted = Vec::new();
        for action in &mut batch.rest {
            let Action::Reply { ask, reply } = action else { continue };
            let Some(asked) = self.asked.get_mut(ask) else { continue };
            let (job, from, unlike) = match (&*reply, &asked.wish) {
                (Reply::Accepted { job, .. }, _) => (*job, 0, Refusal::OtherJobOfThatId),
                (Reply::Extended { from, .. }, Wish::Extend { job, .. }) => (*job, *from, Refusal::NotOpen),
                _ => continue,
            };
            let inputs = std::mem::take(&mut asked.inputs);
            let known = has.entry(job).or_default();
            let root = self.node.state().job(job).map(|book| book.root);
            let Some(task) = root else { continue };
            if from == *known {
                *known += inputs.len() as u64;
                accepted.push((Row { task, stage: Stage::INPUTS, first: from }, inputs));
            } else if again::differ(&self.rows, &accepted, Row { task, stage: Stage::INPUTS, first: from }, &inputs) {
                *reply = Reply::Refused { why: unlike };
            }
        }
        accepted.into_iter().for_each(|(row, inputs)| batch.keep_inputs(row, inputs));
    }

    /// Does what the node wants done, now that what it rests on is durable.
    fn act(&mut self, actions: Vec<Action>) {
        let (at, watched) = (self.clock.now(), self.side.is_watched());
        let mut told = Vec::new();
        for action in actions {
            match action {
                Action::Give { to, gifts } => self.feeding.give(to, gifts),
                Action::Send { to, message } => self.send(to, message),
                Action::Run { giver, gift } => self.work.run(giver, gift),
                Action::Stop { giver, lease } => self.work.stop(giver, lease),
                Action::Hold { task, gift } => self.hold(task, gift),
                Action::Deliver { to, lease, row, outcome, fuel, parts } => {
                    self.deliver(to, lease, row, (outcome, fuel, parts));
                }
                Action::Show { to, lease, task, parts } => self.work.show(to, lease, self.rows.clone(), task, parts),
                Action::Reply { ask, reply } => {
                    if let Some(asked) = self.asked.remove(&ask) {
                        self.reply(asked, reply);
                    }
                }
                Action::Admit => self.side.admit(self.node.state().circle()),
                Action::Tell { news } => {
                    if watched {
                        told.push(Told { at, news });
                    }
                }
                Action::Keep { .. } | Action::Lift { .. } | Action::Drop { .. } | Action::Post { .. } => {}
            }
        }
        self.side.publish(told);
    }

    fn reply(&mut self, asked: Asked, reply: Reply) {
        let added = match (&reply, asked.wish, asked.answered) {
            (Reply::Extended { from, count }, Wish::Extend { job, .. }, Some(done)) => {
                Some(Wait { job, items: Span { first: *from, len: *count }, done })
            }
            _ => None,
        };
        // Whoever asked may have gone meanwhile.
        let _ = asked.reply.send(reply);
        if let Some(wait) = added {
            self.waiting.add(wait, &self.node);
        }
    }

    fn send(&mut self, to: NodeId, message: Message) {
        if to == self.node.config().id {
            self.echo.push(Event::Heard { from: to, message });
        } else {
            self.feeding.send(to, message);
        }
    }

    /// A neighbour's piece is a task of this node now: what it names is brought here.
    fn hold(&mut self, task: TaskId, gift: Box<Gift>) {
        let owner = self.node.state().task(task).map(|task| task.owner);
        if let Some(Owner::Peer { node, .. }) = owner {
            self.upstream.tidy(|giver, lease| self.node.held_span(giver, lease).is_some());
            self.work.hold(node, gift);
        }
    }

    /// Answers a neighbour with what lies at that row, after the blobs that it names.
    fn deliver(&mut self, to: NodeId, lease: Lease, row: Row, what: (Outcome, Fuel, u64)) {
        // It may have been called back meanwhile.
        if let Some(span) = self.node.held_span(to, lease) {
            self.work.deliver(to, lease, span, self.rows.clone(), row, what);
        }
    }
}

/// The jobs in which somebody may have waited for what has happened.
fn ended_in(actions: &[Action]) -> impl Iterator<Item = JobId> {
    let mut jobs: Vec<JobId> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Tell { news: News::Finished { job, .. } | News::Ended { job, .. } } => Some(*job),
            _ => None,
        })
        .collect();
    jobs.dedup();
    jobs.into_iter()
}
