//! The disk of a simulated node: what was written before the last sync survives a crash, nothing else does.

use super::toy::{self, Toy};
use crate::id::{PersonId, TaskId};
use crate::message::{Data, Gift, Inputs};
use crate::node::{Action, Entry, Feed, FeedFrom, Kept, Row};
use crate::state::{Fact, State};
use crate::task::{Act, Span};
use std::collections::BTreeMap;

/// The journal and the rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub journal: Vec<Fact>,
    /// So much of it survives a crash.
    synced: usize,
    /// By task, stage and first item; a later answer over the same items wins.
    rows: BTreeMap<(TaskId, u8, u64), Kept>,
    /// Rows that a crash undoes.
    loose: Vec<(TaskId, u8, u64)>,
    /// The lines of people's accounts.
    pub entries: BTreeMap<PersonId, Vec<Entry>>,
}

impl Disk {
    /// One commit: facts and rows, whole.
    pub(super) fn commit(&mut self, facts: &[Fact], actions: &[Action]) {
        self.note(facts, actions);
        if self.journal.len() > 4_000 {
            self.compact();
        }
        self.sync();
    }

    /// A commit that nobody relies on yet: a crash before the next sync undoes it.
    pub(super) fn note(&mut self, facts: &[Fact], actions: &[Action]) {
        self.journal.extend_from_slice(facts);
        for action in actions {
            match action {
                Action::Keep { row, answers } => {
                    for kept in answers {
                        self.keep(row.task, row.stage, kept.clone());
                    }
                }
                Action::Lift { from, to } => {
                    if let Some(kept) = self.rows.get(&(from.task, from.stage, from.first)).cloned() {
                        let span = Span { first: to.first, len: 1 };
                        self.keep(to.task, to.stage, Kept { span, ..kept });
                    }
                }
                Action::Drop { task } => {
                    self.rows.retain(|(of, ..), _| of != task);
                }
                Action::Hold { task, gift } => self.hold(*task, gift),
                Action::Post { person, entry, .. } => self.entries.entry(*person).or_default().push(entry.clone()),
                _ => {}
            }
        }
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.journal.len();
        self.loose.clear();
    }

    pub(super) fn crash(&mut self) {
        self.journal.truncate(self.synced);
        for row in std::mem::take(&mut self.loose) {
            self.rows.remove(&row);
        }
    }

    /// A snapshot is only a shorter journal.
    fn compact(&mut self) {
        self.journal = self.replay().facts();
    }

    /// The state that the journal adds up to.
    pub(super) fn replay(&self) -> State {
        let mut state = State::default();
        self.journal.iter().for_each(|fact| state.apply(fact));
        state
    }

    fn keep(&mut self, task: TaskId, stage: u8, kept: Kept) {
        let end = kept.span.end();
        let covered: Vec<u64> = self
            .rows
            .range((task, stage, 0)..(task, stage, end))
            .filter(|(_, old)| old.span.end() > kept.span.first)
            .map(|((_, _, first), _)| *first)
            .collect();
        covered.into_iter().for_each(|first| drop(self.rows.remove(&(task, stage, first))));
        self.loose.push((task, stage, kept.span.first));
        self.rows.insert((task, stage, kept.span.first), kept);
    }

    fn hold(&mut self, task: TaskId, gift: &Gift) {
        let Inputs::Carried { data } = &gift.inputs else { return };
        for (span, data) in gift.runs().zip(data) {
            let output = crate::message::Output::of(data.clone());
            let kept = Kept {
                span: Span { first: 0, len: 1 },
                outcome: crate::message::Outcome::Right,
                output,
                fuel: Default::default(),
                micros: 0,
                by: Default::default(),
            };
            let _ = span;
            self.keep(task, crate::task::Stage::INPUTS, kept);
        }
    }

    /// All answers of a stage within a span, in order.
    pub(super) fn answers(&self, task: TaskId, stage: u8, span: Span) -> impl Iterator<Item = &Kept> {
        self.rows.range((task, stage, span.first)..(task, stage, span.end())).map(|(_, kept)| kept)
    }

    /// The answer at a row.
    pub(super) fn answer(&self, row: Row) -> Option<&Kept> {
        self.rows.get(&(row.task, row.stage, row.first))
    }

    /// Makes the inputs of a gift.
    pub(super) fn fill(&self, gift: Gift, feed: Feed) -> Gift {
        if matches!(gift.inputs, Inputs::Numbers { .. }) {
            return gift;
        }
        let data = gift.runs().map(|run| self.input(&gift, feed, run)).collect();
        Gift { inputs: Inputs::Carried { data }, ..gift }
    }

    fn input(&self, gift: &Gift, feed: Feed, run: Span) -> Data {
        let toy = Toy::of(&gift.tool);
        if gift.act == Act::Merge {
            let FeedFrom::Outputs { task, stage } = feed.from else {
                return Data::empty();
            };
            let outputs: Vec<String> =
                self.answers(task, stage, run).map(|kept| toy::text(&kept.output.stdout)).collect();
            return toy::data(&outputs.join("\n"));
        }
        let first = run.first + feed.shift;
        let input = match feed.from {
            FeedFrom::Numbers { .. } => {
                let (from, to) = (toy.input(first).0, toy.input(first + run.len - 1).1);
                toy::range_data((from, to))
            }
            FeedFrom::Listed { task } => {
                let row = Row { task, stage: crate::task::Stage::INPUTS, first };
                self.answer(row).map_or_else(Data::empty, |kept| kept.output.stdout.clone())
            }
            FeedFrom::Pieces { row } => {
                let pieces = self.answer(row).map(|kept| toy::text(&kept.output.stdout)).unwrap_or_default();
                let at = usize::try_from(first).unwrap_or(0);
                toy::data(pieces.split('\n').nth(at).unwrap_or_default())
            }
            FeedFrom::Lines { .. } | FeedFrom::Outputs { .. } => Data::empty(),
        };
        let Some((task, stage)) = feed.claims else { return input };
        let row = Row { task, stage, first: run.first };
        let output = self.answer(row).map(|kept| toy::text(&kept.output.stdout)).unwrap_or_default();
        toy::data(&format!("{}\n{}", toy::text(&input), output))
    }
}
