//! Whose turn it is: accounts first, then each one's jobs. Whoever holds least of the lenders comes first; among
//! equals, whoever was given something longest ago. So whatever is new gets the next slot that frees up.

use crate::id::{Lease, TaskId};
use crate::ledger::Account;
use crate::planted::{self, Bug};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What an account or a job has of the lenders. The smaller, the sooner it is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Gifts that are out.
    pub held: u64,
    /// The last gift that it was given.
    pub last: Lease,
}

/// Who pays for a task, and the task at the top of its tree: a job, or what a neighbour gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payer {
    pub account: Account,
    pub root: TaskId,
}

/// What everybody has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loads {
    accounts: BTreeMap<Account, Load>,
    jobs: BTreeMap<TaskId, Load>,
}

/// Tasks that want the same kind of thing, in the order in which they get it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    order: BTreeSet<(Load, Account)>,
    accounts: BTreeMap<Account, Jobs>,
    payers: BTreeMap<TaskId, Payer>,
}

/// One account's part of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Jobs {
    order: BTreeSet<(Load, TaskId)>,
    tasks: BTreeMap<TaskId, BTreeSet<TaskId>>,
}

impl Ord for Load {
    fn cmp(&self, other: &Load) -> Ordering {
        if planted::is(Bug::OldestFirst) {
            return Ordering::Equal;
        }
        (self.held, self.last).cmp(&(other.held, other.last))
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Load) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Loads {
    pub fn account(&self, account: Account) -> Load {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    pub fn job(&self, root: TaskId) -> Load {
        self.jobs.get(&root).copied().unwrap_or_default()
    }

    /// Accounts that hold something, and how much.
    pub fn holders(&self) -> impl Iterator<Item = (Account, u64)> + '_ {
        self.accounts.iter().filter(|(_, load)| load.held > 0).map(|(account, load)| (*account, load.held))
    }

    /// A gift is out.
    pub(super) fn give(&mut self, payer: Payer, lease: Lease, lines: &mut [&mut Line]) {
        let more = |load: Load| Load { held: load.held + 1, last: load.last.max(lease) };
        self.change(payer, more, lines);
    }

    /// A gift is back.
    pub(super) fn end(&mut self, payer: Payer, lines: &mut [&mut Line]) {
        let less = |load: Load| Load { held: load.held.saturating_sub(1), ..load };
        self.change(payer, less, lines);
    }

    /// A job is over.
    pub(super) fn forget(&mut self, root: TaskId) {
        self.jobs.remove(&root);
    }

    fn change(&mut self, payer: Payer, change: impl Fn(Load) -> Load, lines: &mut [&mut Line]) {
        let (account, job) = (self.account(payer.account), self.job(payer.root));
        let (account, job) = ((account, change(account)), (job, change(job)));
        lines.iter_mut().for_each(|line| line.move_up(payer, account, job));
        self.accounts.insert(payer.account, account.1);
        self.jobs.insert(payer.root, job.1);
    }
}

impl Line {
    pub fn is_empty(&self) -> bool {
        self.payers.is_empty()
    }

    pub fn contains(&self, task: TaskId) -> bool {
        self.payers.contains_key(&task)
    }

    /// The task whose turn it is.
    pub fn first(&self) -> Option<TaskId> {
        self.in_turn(1).next()
    }

    /// Of the tasks of the same job, the one that was begun last.
    pub fn newest_beside(&self, task: TaskId) -> Option<TaskId> {
        let payer = self.payers.get(&task)?;
        self.accounts.get(&payer.account)?.tasks.get(&payer.root)?.last().copied()
    }

    /// All in their order, but at most so many of one account: what keeps them waiting is not to keep others waiting.
    pub fn in_turn(&self, of_one: usize) -> impl Iterator<Item = TaskId> + '_ {
        let jobs = self.order.iter().filter_map(|(_, account)| self.accounts.get(account));
        jobs.flat_map(move |jobs| jobs.in_turn().take(of_one))
    }

    /// The next task of each account that has nothing at all.
    pub fn without(&self) -> impl Iterator<Item = TaskId> + '_ {
        let poor = self.order.iter().take_while(|(load, _)| load.held == 0);
        poor.filter_map(|(_, account)| self.accounts.get(account)?.in_turn().next())
    }

    /// Accounts that wait here.
    pub fn accounts(&self) -> impl Iterator<Item = Account> + '_ {
        self.accounts.keys().copied()
    }

    pub(super) fn insert(&mut self, task: TaskId, payer: Payer, loads: &Loads) {
        let jobs = self.accounts.entry(payer.account).or_insert_with(|| {
            self.order.insert((loads.account(payer.account), payer.account));
            Jobs::default()
        });
        let tasks = jobs.tasks.entry(payer.root).or_insert_with(|| {
            jobs.order.insert((loads.job(payer.root), payer.root));
            BTreeSet::new()
        });
        tasks.insert(task);
        self.payers.insert(task, payer);
    }

    pub(super) fn remove(&mut self, task: TaskId, loads: &Loads) {
        let Some(Payer { account, root }) = self.payers.remove(&task) else {
            return;
        };
        let Some(jobs) = self.accounts.get_mut(&account) else { return };
        let Some(tasks) = jobs.tasks.get_mut(&root) else { return };
        tasks.remove(&task);
        if !tasks.is_empty() {
            return;
        }
        jobs.tasks.remove(&root);
        jobs.order.remove(&(loads.job(root), root));
        if jobs.tasks.is_empty() {
            self.accounts.remove(&account);
            self.order.remove(&(loads.account(account), account));
        }
    }

    fn move_up(&mut self, payer: Payer, account: (Load, Load), job: (Load, Load)) {
        let Some(jobs) = self.accounts.get_mut(&payer.account) else {
            return;
        };
        self.order.remove(&(account.0, payer.account));
        self.order.insert((account.1, payer.account));
        if jobs.tasks.contains_key(&payer.root) {
            jobs.order.remove(&(job.0, payer.root));
            jobs.order.insert((job.1, payer.root));
        }
    }
}

impl Jobs {
    fn in_turn(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.order.iter().filter_map(|(_, root)| self.tasks.get(root)).flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PersonId;

    fn payer(person: u64, root: u64) -> Payer {
        Payer { account: Account::Person(PersonId(person)), root: TaskId(root) }
    }

    #[test]
    fn whoever_holds_least_comes_first_by_account_then_by_job() {
        let (mut loads, mut line) = (Loads::default(), Line::default());
        for (task, payer) in [(1, payer(1, 1)), (2, payer(1, 2)), (3, payer(2, 3))] {
            line.insert(TaskId(task), payer, &loads);
        }
        let mut turns = Vec::new();
        for lease in 1..=6 {
            let task = line.first().unwrap();
            turns.push(task.0);
            let payer = line.payers[&task];
            loads.give(payer, Lease(lease), &mut [&mut line]);
        }
        assert_eq!(turns, [1, 3, 2, 3, 1, 3], "both accounts get as much, and so do the jobs of one");
        loads.end(payer(1, 2), &mut [&mut line]);
        assert_eq!(line.first(), Some(TaskId(2)), "what has come back is made up for");
        assert_eq!(line.without().count(), 0);
        line.insert(TaskId(4), payer(3, 4), &loads);
        assert_eq!(
            (line.first(), line.without().next()),
            (Some(TaskId(4)), Some(TaskId(4))),
            "who has nothing is next"
        );
    }

    #[test]
    fn a_line_forgets_whoever_wants_nothing_more() {
        let (mut loads, mut line) = (Loads::default(), Line::default());
        line.insert(TaskId(1), payer(1, 1), &loads);
        loads.give(payer(1, 1), Lease(1), &mut [&mut line]);
        line.remove(TaskId(1), &loads);
        assert_eq!(line, Line::default());
        loads.end(payer(1, 1), &mut [&mut line]);
        assert_eq!((loads.account(payer(1, 1).account).held, loads.holders().count()), (0, 0));
    }
}
