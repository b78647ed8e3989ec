//! Double entry in integers: every debit has an equal credit, so all accounts together are always zero.

use crate::id::{NodeId, PersonId, TaskId};
use crate::limits;
use crate::units::Credits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Account {
    /// Where credits come from; its balance is minus all that is in circulation.
    Mint,
    Person(PersonId),
    /// What a neighbour has earned here, or, as a giver, owes here.
    Node(NodeId),
    /// What is set aside for a task that somebody wants done.
    Hold(TaskId),
}

impl Account {
    /// Whether this account may owe: the mint does by design, and a neighbour that gives us work pays afterwards.
    fn may_owe(self) -> bool {
        matches!(self, Account::Mint | Account::Node(_))
    }
}

/// All accounts of one node. Every node keeps its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    balances: BTreeMap<Account, i64>,
}

/// Why a transfer was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortfall {
    TooLarge,
    NotEnough { available: Credits },
}

impl Ledger {
    /// Moves credits, wholly or not at all.
    pub fn transfer(&mut self, from: Account, to: Account, amount: Credits) -> Result<(), Shortfall> {
        if amount == Credits(0) || from == to {
            return Ok(());
        }
        self.examine(from, amount)?;
        let amount = i64::try_from(amount.0).map_err(|_| Shortfall::TooLarge)?;
        let debited = self.signed(from).checked_sub(amount).ok_or(Shortfall::TooLarge)?;
        let credited = self.signed(to).checked_add(amount).ok_or(Shortfall::TooLarge)?;
        self.put(from, debited);
        self.put(to, credited);
        Ok(())
    }

    /// Whether a transfer of this amount could be made.
    pub fn examine(&self, from: Account, amount: Credits) -> Result<(), Shortfall> {
        if amount > limits::TRANSFER_MAX {
            return Err(Shortfall::TooLarge);
        }
        let available = self.balance(from);
        if !from.may_owe() && available < amount {
            return Err(Shortfall::NotEnough { available });
        }
        Ok(())
    }

    /// What an account holds; zero where it owes.
    pub fn balance(&self, account: Account) -> Credits {
        Credits(u64::try_from(self.signed(account)).unwrap_or(0))
    }

    /// What an account holds or, below zero, owes.
    pub fn signed(&self, account: Account) -> i64 {
        self.balances.get(&account).copied().unwrap_or(0)
    }

    /// All accounts that are not at zero.
    pub fn accounts(&self) -> impl Iterator<Item = (Account, i64)> + '_ {
        self.balances.iter().map(|(account, balance)| (*account, *balance))
    }

    /// The sum of all accounts: zero, or the books are wrong.
    pub fn sum(&self) -> i128 {
        self.balances.values().map(|balance| i128::from(*balance)).sum()
    }

    /// Sets an account as a snapshot of the books says.
    pub fn restore(&mut self, account: Account, balance: i64) {
        self.put(account, balance);
    }

    fn put(&mut self, account: Account, balance: i64) {
        if balance == 0 {
            self.balances.remove(&account);
        } else {
            self.balances.insert(account, balance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Account = Account::Person(PersonId(1));
    const HOLD: Account = Account::Hold(TaskId(1));

    #[test]
    fn nobody_but_the_mint_and_neighbours_can_owe() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.transfer(Account::Mint, ANN, Credits(10)), Ok(()));
        let short = Err(Shortfall::NotEnough { available: Credits(10) });
        assert_eq!(ledger.transfer(ANN, HOLD, Credits(11)), short);
        assert_eq!(ledger.transfer(ANN, HOLD, Credits(10)), Ok(()));
        assert_eq!(ledger.transfer(HOLD, Account::Node(NodeId(2)), Credits(4)), Ok(()));
        assert_eq!((ledger.balance(HOLD), ledger.signed(Account::Mint), ledger.sum()), (Credits(6), -10, 0));
    }

    #[test]
    fn amounts_at_the_edges_are_refused_whole() {
        let mut ledger = Ledger::default();
        ledger.restore(ANN, i64::MAX);
        ledger.restore(HOLD, 1);
        assert_eq!(ledger.transfer(HOLD, ANN, Credits(1)), Err(Shortfall::TooLarge), "would wrap");
        assert_eq!(ledger.transfer(ANN, HOLD, Credits(u64::MAX)), Err(Shortfall::TooLarge));
        assert_eq!((ledger.signed(ANN), ledger.signed(HOLD)), (i64::MAX, 1));
    }
}
