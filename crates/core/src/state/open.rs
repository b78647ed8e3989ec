//! What each person has on the books that is not over: what quotas are about.

use super::State;
use crate::id::{PersonId, TaskId};
use crate::job::Source;
use crate::task::Owner;

/// One person's running jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    pub jobs: u64,
    /// Inputs of theirs that are kept one by one; ranges of numbers are not.
    pub inputs: u64,
}

/// How many of a job's inputs count.
pub fn counted(source: Option<Source>, inputs: u64) -> u64 {
    match source {
        Some(Source::Listed { .. } | Source::Lines { .. }) => inputs,
        Some(Source::Numbers { .. }) | None => 0,
    }
}

impl State {
    /// What somebody has that is not over.
    pub fn open(&self, person: PersonId) -> Open {
        self.open.get(&person).copied().unwrap_or_default()
    }

    pub(super) fn count_in(&mut self, root: TaskId) {
        if let Some((person, inputs)) = self.counted_root(root) {
            let open = self.open.entry(person).or_default();
            (open.jobs, open.inputs) = (open.jobs + 1, open.inputs + inputs);
        }
    }

    pub(super) fn count_out(&mut self, root: TaskId) {
        let Some((person, inputs)) = self.counted_root(root) else { return };
        if let Some(open) = self.open.get_mut(&person) {
            (open.jobs, open.inputs) = (open.jobs.saturating_sub(1), open.inputs.saturating_sub(inputs));
            if *open == Open::default() {
                self.open.remove(&person);
            }
        }
    }

    fn counted_root(&self, root: TaskId) -> Option<(PersonId, u64)> {
        let task = self.tasks.get(&root).filter(|task| task.owner == Owner::Person && !task.over)?;
        Some((self.jobs.get(&task.job)?.job.owner, counted(task.terms.source, task.parts.count)))
    }

    /// The same, counted anew.
    pub(super) fn open_again(&self) -> std::collections::BTreeMap<PersonId, Open> {
        let mut all = std::collections::BTreeMap::new();
        for (person, inputs) in self.tasks.keys().filter_map(|root| self.counted_root(*root)) {
            let open: &mut Open = all.entry(person).or_default();
            (open.jobs, open.inputs) = (open.jobs + 1, open.inputs + inputs);
        }
        all
    }
}
