//! What must always hold, checked after every event in simulation and in debug builds.

use super::State;
use crate::ledger::Account;
use crate::task::Owner;
use crate::units::Credits;
use std::collections::BTreeMap;

/// A broken promise, in words.
pub type Imbalance = String;

impl State {
    /// Looks at everything; slow, so never on a hot path.
    pub fn check(&self) -> Result<(), Imbalance> {
        if self.ledger.sum() != 0 {
            return Err(format!("the books do not balance: {}", self.ledger.sum()));
        }
        if self.misfits > 0 {
            return Err(format!("{} facts did not fit", self.misfits));
        }
        self.check_purses()?;
        self.check_leases()?;
        self.check_loads()?;
        if self.open != self.open_again() {
            return Err(format!("{:?} are open, not {:?}", self.open_again(), self.open));
        }
        self.tasks.iter().try_for_each(|(id, _)| self.check_parts(*id))
    }

    fn check_purses(&self) -> Result<(), Imbalance> {
        let mut reserved: BTreeMap<_, Credits> = BTreeMap::new();
        for task in self.tasks.values() {
            let sum = reserved.entry(task.root).or_default();
            *sum = task.parts.out.values().fold(*sum, |sum, grant| sum.plus(grant.reserved()));
        }
        for (root, purse) in &self.purses {
            let expected = reserved.get(root).copied().unwrap_or_default();
            if purse.reserved != expected {
                return Err(format!("{root:?}: {:?} reserved, but parts hold {expected:?}", purse.reserved));
            }
            if purse.held < purse.reserved.plus(Credits::earned(purse.owed)) {
                return Err(format!("{root:?}: the parts' budgets exceed the task's: {purse:?}"));
            }
            let durable = self.is_durable(*root);
            if durable && self.ledger.balance(Account::Hold(*root)) != purse.held {
                return Err(format!("{root:?}: the hold is not in the books: {purse:?}"));
            }
        }
        Ok(())
    }

    fn check_leases(&self) -> Result<(), Imbalance> {
        for (lease, task) in &self.leases {
            let grant = self.tasks.get(task).and_then(|task| task.parts.out.get(lease));
            let grant = grant.ok_or_else(|| format!("{lease:?} is an orphan"))?;
            let known = self.peers.get(&grant.to).is_some_and(|record| record.leases.contains(lease));
            if !known {
                return Err(format!("{lease:?} is not on the books of {:?}", grant.to));
            }
        }
        let out: usize = self.tasks.values().map(|task| task.parts.out.len()).sum();
        let held: usize = self.peers.values().map(|record| record.leases.len()).sum();
        if out != self.leases.len() || held != out {
            return Err(format!("{out} grants, {} leases, {held} held", self.leases.len()));
        }
        Ok(())
    }

    /// Whose turn it is hangs on what everybody has: that is what is out for them.
    fn check_loads(&self) -> Result<(), Imbalance> {
        let mut held: BTreeMap<Account, u64> = BTreeMap::new();
        for task in self.tasks.values() {
            let out = task.parts.out.values().filter(|grant| grant.price > Credits(0)).count() as u64;
            if let Some(purse) = self.purses.get(&task.root).filter(|_| out > 0) {
                *held.entry(purse.from).or_default() += out;
            }
        }
        let known: BTreeMap<Account, u64> = self.wants.loads.holders().collect();
        if held == known { Ok(()) } else { Err(format!("accounts hold {held:?}, not {known:?}")) }
    }

    fn check_parts(&self, id: crate::id::TaskId) -> Result<(), Imbalance> {
        let Some(task) = self.tasks.get(&id) else { return Ok(()) };
        let parts = &task.parts;
        let wrong = |what: &str| Err(format!("{id:?} {:?}: {what}", task.stage));
        if parts.again.iter().any(|span| parts.answered.touches(span)) {
            return wrong("an answered item is wanted again");
        }
        for pending in parts.pending.values() {
            if parts.answered.touches(pending.span) || parts.again.touches(pending.span) {
                return wrong("a pending answer counts already");
            }
            let prover = pending.at.map(|lease| parts.out.get(&lease).map(|grant| grant.to));
            match prover {
                Some(None) => return wrong("a proof is an orphan"),
                Some(Some(prover)) if prover == pending.by => return wrong("a lender proves its own answer"),
                _ => {}
            }
        }
        let mut vesting = 0;
        for (node, book) in &parts.unvested {
            if self.peers.get(node).is_some_and(|record| record.trust.caught) {
                return wrong("what a liar said still counts");
            }
            for span in book.older.0.iter().chain(book.fresh.0.iter()) {
                vesting += span.len;
                if !parts.answered.holds(span) && parts.settled.is_none() {
                    return wrong("an unpaid answer does not count");
                }
            }
        }
        if vesting > parts.answered.count() && parts.settled.is_none() {
            return wrong("an item has two accepted answers");
        }
        if matches!(task.owner, Owner::Parent { task, .. } if !self.tasks.contains_key(&task)) {
            return wrong("its parent is gone");
        }
        Ok(())
    }
}
