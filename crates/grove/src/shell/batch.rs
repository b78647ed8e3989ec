//! What one batch has decided, sorted: what belongs into the commit, and what waits for it.

use super::accounts;
use super::answers;
use super::rows::{RowError, Rows};
use crate::store::{Page, StoreError};
use grove_core::id::PersonId;
use grove_core::message::{Data, Gift, Inputs};
use grove_core::node::{Action, Entry, Kept, Row};
use grove_core::task::{Span, Stage};

/// The papers of one batch.
#[derive(Debug, Default)]
pub(super) struct Batch {
    kept: Vec<(Row, Kept)>,
    lifts: Vec<(Row, Row)>,
    pub(super) drops: Vec<u64>,
    inputs: Vec<(Row, Vec<Data>)>,
    entries: Vec<(PersonId, u64, Entry)>,
    /// Everything that is done after the commit, in order.
    pub(super) rest: Vec<Action>,
}

impl Batch {
    pub(super) fn sort(actions: Vec<Action>) -> Batch {
        let mut batch = Batch::default();
        for action in actions {
            match action {
                Action::Keep { row, answers } => batch.kept.extend(answers.into_iter().map(|kept| (row, kept))),
                Action::Lift { from, to } => batch.lifts.push((from, to)),
                Action::Drop { task } => batch.drops.push(task.0),
                Action::Post { person, number, entry } => batch.entries.push((person, number, entry)),
                Action::Hold { task, ref gift } => {
                    batch.inputs.push((Row { task, stage: Stage::INPUTS, first: 0 }, carried(gift)));
                    batch.rest.push(action);
                }
                other => batch.rest.push(other),
            }
        }
        batch
    }

    /// Inputs of an accepted job.
    pub(super) fn keep_inputs(&mut self, row: Row, inputs: Vec<Data>) {
        if !inputs.is_empty() {
            self.inputs.push((row, inputs));
        }
    }

    pub(super) fn inputs(&self) -> &[(Row, Vec<Data>)] {
        &self.inputs
    }

    /// Whether answers are kept that something else may read next.
    pub(super) fn has_answers(&self) -> bool {
        !self.kept.is_empty() || !self.lifts.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
            && self.lifts.is_empty()
            && self.drops.is_empty()
            && self.inputs.is_empty()
            && self.entries.is_empty()
    }

    /// The pages of the commit.
    pub(super) fn pages(&mut self, rows: &Rows, order: u64) -> Result<Vec<Page>, RowError> {
        for (from, to) in std::mem::take(&mut self.lifts) {
            if let Some(kept) = self.answer_at(rows, from)? {
                // Above, the whole task is one item.
                let span = Span { first: to.first, len: 1 };
                self.kept.push((to, Kept { span, ..kept }));
            }
        }
        let mut pages = answers::pack(std::mem::take(&mut self.kept), order)?;
        for (row, inputs) in std::mem::take(&mut self.inputs) {
            pages.extend(answers::pack_inputs(row, &inputs)?);
        }
        Ok(pages)
    }

    /// The lines of accounts in the commit.
    pub(super) fn entries(&mut self) -> Result<Vec<Page>, StoreError> {
        let lines = std::mem::take(&mut self.entries);
        lines.iter().map(|(person, number, entry)| accounts::page(*person, *number, entry)).collect()
    }

    /// The answer at a row, which may be younger than the last commit. A task that was ended before anybody answered
    /// has none.
    fn answer_at(&self, rows: &Rows, row: Row) -> Result<Option<Kept>, RowError> {
        let same = |(at, kept): &&(Row, Kept)| (at.task, at.stage, kept.span.first) == (row.task, row.stage, row.first);
        match self.kept.iter().rev().find(same) {
            Some((_, kept)) => Ok(Some(kept.clone())),
            None => match rows.answer(row) {
                Err(RowError::Missing { .. }) => Ok(None),
                found => found.map(Some),
            },
        }
    }
}

fn carried(gift: &Gift) -> Vec<Data> {
    match &gift.inputs {
        Inputs::Carried { data } => data.clone(),
        Inputs::Numbers { from } => gift
            .runs()
            .map(|run| super::work::number_text(from.saturating_add(run.first), run.len))
            .map(|text| Data::Inline { bytes: text.into_bytes().into() })
            .collect(),
    }
}
