//! Fair shares beyond the order of turns: whoever has nothing out does not wait for the windows of others to end, and
//! not for parts that never end while somebody has more than their share of the slots.

use super::Node;
use super::give::LOOKED_AT;
use crate::id::{Lease, NodeId, TaskId};
use crate::ledger::Account;
use crate::limits;
use crate::state::Fact;
use crate::units::Credits;
use std::ops::Bound;

impl Node {
    /// Gives one run of each account that has nothing out to a lender beyond what that holds ahead: there it need not
    /// wait for another job to end. A lender has one such gift at a time.
    pub(super) fn place_beyond(&mut self) {
        let mut poor = self.state.wants().tries.without().take(LOOKED_AT).peekable();
        if poor.peek().is_none() {
            return;
        }
        let poor: Vec<TaskId> = poor.collect();
        let mut room = self.room_beyond();
        for id in poor {
            let (giver, me) = (self.state.customer(id), self.config.id);
            let asks = self.state.task(id).is_some_and(|task| self.asks_again(task));
            let may = |node: NodeId| giver != Some(node) && !(node == me && asks);
            let Some(at) = room.iter().rposition(|node| may(*node)) else { continue };
            let node = room.remove(at);
            let lease = self.state.next_lease();
            if self.give_beyond(node, id) {
                self.beyond.insert(node, lease);
                self.long_at.insert((self.now.plus(limits::LONG), node, lease));
            }
        }
    }

    /// What is set aside for a job is used up: as much again is, within its budget. So jobs that wait hold little.
    pub(super) fn hold_more(&mut self, root: TaskId) -> bool {
        let held = self.state.purse(root).map(|purse| purse.held).unwrap_or_default();
        let amount = self.state.may_hold(root).min(held.max(limits::HOLD_FIRST));
        if amount > Credits(0) {
            self.record(Fact::Held { root, amount });
        }
        amount > Credits(0)
    }

    /// Sees to it that a job can pay so much, if it can at all.
    pub(super) fn can_pay(&mut self, root: TaskId, price: Credits) -> bool {
        loop {
            if self.state.purse(root).is_some_and(|purse| purse.free() >= price) {
                return true;
            }
            if !self.hold_more(root) {
                return false;
            }
        }
    }

    /// Lenders that could take one run more, the least busy last. Each time others are looked at.
    fn room_beyond(&mut self) -> Vec<NodeId> {
        let after = (Bound::Excluded(self.looked_at), Bound::Unbounded);
        let round = self.presence.range(after).chain(self.presence.iter()).take(LOOKED_AT.min(self.presence.len()));
        let round: Vec<NodeId> = round.map(|(node, _)| *node).collect();
        self.looked_at = round.last().copied().unwrap_or_default();
        let mut room: Vec<NodeId> = round.into_iter().filter(|node| self.has_room_beyond(*node)).collect();
        room.sort_by_key(|node| std::cmp::Reverse(self.presence.get(node).map(|peer| peer.busy_for())));
        room
    }

    fn has_room_beyond(&self, node: NodeId) -> bool {
        let record = self.state.peer(node);
        let able = self.presence.get(&node).is_some_and(|peer| peer.is_able(self.now));
        let caught = record.is_some_and(|record| record.trust.caught);
        let gifts = record.map_or(0, |record| record.leases.len());
        let has_one = self.beyond.get(&node).is_some_and(|lease| self.state.lease(*lease).is_some());
        able && !caught && !has_one && gifts < limits::GIFTS_PER_PEER_MAX
    }

    /// Where a gift beyond the window has waited for long because all slots work on long parts, one of these goes back:
    /// that of whoever has most of all slots, if it is more than an equal share. It will be begun anew.
    pub(super) fn make_room(&mut self) {
        while let Some((at, node, lease)) = self.long_at.first().copied() {
            if at > self.now {
                return;
            }
            self.long_at.remove(&(at, node, lease));
            if self.state.lease(lease).is_some()
                && let Some(back) = self.beyond_its_share(node, lease)
            {
                self.call_back(vec![back]);
            }
        }
    }

    /// Of what a lender is at work on, the gift of whoever has most.
    fn beyond_its_share(&self, node: NodeId, waiting: Lease) -> Option<Lease> {
        let slots = usize::try_from(self.presence.get(&node)?.slots).ok()?;
        let others = self.state.peer(node)?.leases.iter().copied().filter(|lease| *lease != waiting);
        let paid = |lease: &Lease| self.state.lease(*lease).is_some_and(|(_, grant)| grant.price > Credits(0));
        // It works on the oldest ones.
        let at_work: Vec<Lease> = others.filter(paid).take(slots).collect();
        let is_long =
            |lease: &Lease| self.watched.get(lease).is_none_or(|watched| watched.given.plus(limits::LONG) <= self.now);
        if at_work.len() < slots || !at_work.iter().all(is_long) {
            return None;
        }
        let share = self.equal_share();
        let held = |lease: &Lease| Some((self.held_by(self.account_of(*lease)?), *lease));
        let most = at_work.iter().filter_map(held).max()?;
        (most.0 > share).then_some(most.1)
    }

    fn account_of(&self, lease: Lease) -> Option<Account> {
        let (id, _) = self.state.lease(lease)?;
        Some(self.state.purse(self.state.task(id)?.root)?.from)
    }

    fn held_by(&self, account: Account) -> u64 {
        self.state.wants().loads.account(account).held
    }

    /// Slots for each account that holds something, one at the least.
    fn equal_share(&self) -> u64 {
        let holders = self.state.wants().loads.holders().count() as u64;
        (self.slots_all / holders.max(1)).max(1)
    }
}
