//! How many items the longest page of a task has. Pages lie under their first item, so whoever looks for one item
//! must also look at the pages before it, as far back as one can reach. What was written before the start is not
//! known here, and may be as long as a page can be.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::page::PAGE_ITEMS_MAX;

/// Shared by the store, which writes the pages, and its readers.
#[derive(Clone, Debug, Default)]
pub(super) struct Reach(Arc<RwLock<BTreeMap<u64, Stages>>>);

/// The most items of one page, by stage, for a task whose first page was written since the start.
type Stages = BTreeMap<u8, u32>;

impl Reach {
    /// A page is about to be written. `first` says that the task has none before this commit.
    pub(super) fn note(&self, task: u64, stage: u8, items: u32, first: bool) {
        if self.of(task, stage) >= u64::from(items) && !first {
            return;
        }
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let stages = if first { Some(all.entry(task).or_default()) } else { all.get_mut(&task) };
        if let Some(stages) = stages {
            let most = stages.entry(stage).or_default();
            *most = items.max(*most);
        }
    }

    /// No page of that stage has more items.
    pub(super) fn of(&self, task: u64, stage: u8) -> u64 {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&task).map(|stages| stages.get(&stage).copied().unwrap_or(1));
        u64::from(known.unwrap_or(PAGE_ITEMS_MAX))
    }

    /// The first item under which a page with this one can lie.
    pub(super) fn back_from(&self, task: u64, stage: u8, item: u64) -> u64 {
        item.saturating_sub(self.of(task, stage) - 1)
    }

    /// The task's pages are gone.
    pub(super) fn forget(&self, task: u64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_may_reach_as_far_as_any_page() {
        let reach = Reach::default();
        reach.note(1, 0, 3, false);
        assert_eq!(reach.back_from(1, 0, 5_000), 5_000 - (u64::from(PAGE_ITEMS_MAX) - 1));
        assert_eq!(reach.back_from(1, 0, 5), 0);
    }

    #[test]
    fn a_new_task_reaches_as_far_as_its_longest_page_of_that_stage() {
        let reach = Reach::default();
        reach.note(1, 0, 4, true);
        reach.note(1, 0, 2, true);
        reach.note(1, 1, 1, false);
        assert_eq!(
            [reach.back_from(1, 0, 100), reach.back_from(1, 1, 100), reach.back_from(1, 2, 100)],
            [97, 100, 100]
        );
        reach.note(1, 1, 9, false);
        assert_eq!(reach.back_from(1, 1, 100), 92);
        reach.forget(1);
        assert_eq!(reach.of(1, 1), u64::from(PAGE_ITEMS_MAX));
    }
}
