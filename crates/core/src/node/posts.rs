//! What is written into people's accounts: every change of a balance, with its cause, as the facts make it.

use super::{Action, Node};
use crate::id::{JobId, PersonId};
use crate::ledger::Account;
use crate::state::{Fact, State};
use crate::task::Owner;
use crate::units::Credits;
use serde::{Deserialize, Serialize};

/// One line of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// In milliseconds since 1970.
    pub at: u64,
    pub cause: Cause,
    pub job: Option<JobId>,
    /// What came or, below zero, went.
    pub amount: i64,
    /// What was there afterwards.
    pub balance: i64,
}

/// Why a balance changed. It lies on disks: variants are only added, at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Given to a new account: the only way in which credits come to be.
    Granted,
    /// Set aside for a job.
    Held,
    /// What was set aside for a job and not spent.
    Returned,
    /// A machine of this account has worked for a job.
    Earned,
    /// What machines had earned before they belonged to this account.
    Adopted,
    Sent {
        to: PersonId,
    },
    Received {
        from: PersonId,
    },
}

/// Times within a millisecond: entries are numbered by their time, so that numbering needs no memory.
const NUMBERS_PER_MILLI: u64 = 1 << 12;

impl Node {
    /// Writes down what a fact has changed in people's accounts.
    pub(super) fn post(&mut self, changed: Vec<(PersonId, Cause, Option<JobId>, i64)>) {
        for (person, cause, job, before) in changed {
            let balance = self.state.ledger().signed(Account::Person(person));
            if balance == before {
                continue;
            }
            self.posted = self.posted.saturating_add(1).max(self.now.0.saturating_mul(NUMBERS_PER_MILLI));
            let entry = Entry { at: self.now.0, cause, job, amount: balance - before, balance };
            self.actions.push(Action::Post { person, number: self.posted, entry });
        }
    }
}

/// Whose balances a fact may change, why, and what they are before.
pub(super) fn about(state: &State, fact: &Fact) -> Vec<(PersonId, Cause, Option<JobId>, i64)> {
    let changes = match fact {
        Fact::Moved { from, to, .. } => moved(*from, *to),
        Fact::Submitted { job, .. } | Fact::Accepted { job, .. } => vec![(job.owner, Cause::Held, Some(job.id))],
        Fact::Held { root, .. } => match state.task(*root) {
            Some(task) => owner(state, task.job, Cause::Held),
            None => return Vec::new(),
        },
        Fact::Retried { job, .. } => owner(state, *job, Cause::Held),
        Fact::Ended { task, .. } => match state.task(*task).filter(|task| task.owner == Owner::Person) {
            Some(task) => owner(state, task.job, Cause::Returned),
            None => return Vec::new(),
        },
        Fact::Vested { task, node, pay, .. } if *pay > Credits(0) => {
            let earner = state.circle().earner(*node).filter(|_| state.is_durable(*task));
            // Whose job it was is the owner's business alone.
            let own = |earner: PersonId| {
                let job = state.job(state.task(*task)?.job).filter(|book| book.job.owner == earner)?;
                Some(job.job.id)
            };
            earner.map(|earner| (earner, Cause::Earned, own(earner))).into_iter().collect()
        }
        _ => return Vec::new(),
    };
    let before = |person| state.ledger().signed(Account::Person(person));
    changes.into_iter().map(|(person, cause, job)| (person, cause, job, before(person))).collect()
}

fn owner(state: &State, job: JobId, cause: Cause) -> Vec<(PersonId, Cause, Option<JobId>)> {
    state.job(job).map(|book| (book.job.owner, cause, Some(job))).into_iter().collect()
}

fn moved(from: Account, to: Account) -> Vec<(PersonId, Cause, Option<JobId>)> {
    match (from, to) {
        (Account::Person(from), Account::Person(to)) => {
            vec![(from, Cause::Sent { to }, None), (to, Cause::Received { from }, None)]
        }
        (Account::Mint, Account::Person(person)) => vec![(person, Cause::Granted, None)],
        (Account::Node(_), Account::Person(person)) => vec![(person, Cause::Adopted, None)],
        _ => Vec::new(),
    }
}
