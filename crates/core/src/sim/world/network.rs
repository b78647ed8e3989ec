//! What lies between simulated nodes, and how it breaks.

use super::{Next, World};
use crate::id::NodeId;
use crate::message::Message;
use crate::node::Event;

impl World {
    pub(super) fn convey(&mut self, from: usize, to: NodeId, message: Message, to_self: &mut Vec<Event>) {
        let to = usize::try_from(to.0 - 1).unwrap_or(0);
        if to == from {
            return to_self.push(Event::Heard { from: self.computers[from].id, message });
        }
        self.stats.messages += 1;
        let Some(link) = self.link(from, to) else { return };
        let faults = self.plan.faults;
        let peace = self.peace;
        let times = match () {
            () if peace => 1,
            () if self.network.per_mille(faults.drop) => {
                self.stats.lost += 1;
                0
            }
            () if self.network.per_mille(faults.repeat) => 2,
            () => 1,
        };
        if !peace && self.network.per_mille(faults.replay) {
            self.old_messages.push((from, to, message.clone()));
        }
        for _ in 0..times {
            let slow = !peace && self.network.per_mille(faults.delay);
            let wait = if slow { self.network.between(1, 3_000) } else { self.network.between(0, 3) };
            self.later(wait, Next::Arrive { from, to, link, message: message.clone() });
        }
    }

    pub(super) fn link(&self, a: usize, b: usize) -> Option<u64> {
        let ends = (a.min(b), a.max(b));
        let link = self.links.get(*self.between.get(&ends)?)?;
        link.up.then_some(link.epoch)
    }

    pub(super) fn arrive(&mut self, from: usize, to: usize, link: u64, message: Message) -> Result<(), String> {
        if self.link(from, to) != Some(link) {
            return Ok(());
        }
        if let Message::Give { gifts } = &message {
            self.computers[to].seen.extend(gifts.iter().map(|gift| gift.lease));
        }
        let sender = self.computers[from].id;
        let again = Next::Arrive { from, to, link, message: message.clone() };
        self.tell(to, Event::Heard { from: sender, message }, again)
    }

    pub(super) fn mend(&mut self, link: usize) -> Result<(), String> {
        let (a, b) = self.links[link].ends;
        let standing = [a, b].iter().all(|end| self.computers[*end].node.is_some());
        if self.links[link].up || !standing {
            return Ok(());
        }
        if self.computers[a].paused || self.computers[b].paused {
            // Whoever stands still answers no call.
            self.later(500, Next::Mend { link });
            return Ok(());
        }
        self.links[link].up = true;
        for (here, there) in [(a, b), (b, a)] {
            let node = self.computers[there].id;
            if self.computers[here].node.is_some() {
                self.drive(here, vec![Event::Linked { node }])?;
            }
        }
        Ok(())
    }

    pub(super) fn unlink(&mut self, link: usize) -> Result<(), String> {
        if !self.links[link].up {
            return Ok(());
        }
        self.links[link].up = false;
        self.links[link].epoch += 1;
        let (a, b) = self.links[link].ends;
        for (here, there) in [(a, b), (b, a)] {
            let node = self.computers[there].id;
            if self.computers[here].node.is_some() && !self.computers[here].paused {
                self.drive(here, vec![Event::Unlinked { node }])?;
            }
        }
        Ok(())
    }

    pub(super) fn resume(&mut self, node: usize) -> Result<(), String> {
        self.computers[node].paused = false;
        for next in std::mem::take(&mut self.computers[node].held_back) {
            self.later(0, next);
        }
        // Links that broke meanwhile are noticed now.
        for link in 0..self.links.len() {
            let (a, b) = self.links[link].ends;
            let other = if a == node { b } else { a };
            if (a == node || b == node) && !self.links[link].up && self.computers[node].node.is_some() {
                let gone = self.computers[other].id;
                self.drive(node, vec![Event::Unlinked { node: gone }])?;
                self.later(30, Next::Mend { link });
            }
        }
        self.later(0, Next::Wake { node });
        Ok(())
    }

    pub(super) fn make_trouble(&mut self) -> Result<(), String> {
        if self.peace {
            return Ok(());
        }
        self.later(1_000, Next::Trouble);
        let faults = self.plan.faults;
        for link in 0..self.links.len() {
            if self.trouble.per_mille(faults.cut) {
                self.unlink(link)?;
                let wait = self.trouble.between(10, 12_000);
                self.later(wait, Next::Mend { link });
            }
        }
        for node in 0..self.computers.len() {
            if self.trouble.per_mille(faults.pause) && !self.computers[node].paused {
                self.computers[node].paused = true;
                let wait = self.trouble.between(100, self.plan.lease.0 * 3);
                self.later(wait, Next::Resume { node });
            }
            if self.trouble.per_mille(faults.jump) {
                self.computers[node].clock_ahead += self.trouble.between(1, 20_000);
            }
            if node > 0 && self.trouble.per_mille(faults.owner) {
                let wait = self.trouble.between(100, 5_000);
                self.later(wait, Next::OwnerLeaves { node });
                self.tell(node, Event::Lends { slots: 0 }, Next::Wake { node })?;
            }
        }
        if let Some((from, to, message)) = self.old_messages.pop()
            && let Some(link) = self.link(from, to)
        {
            self.later(self.now.0 % 50, Next::Arrive { from, to, link, message });
        }
        Ok(())
    }

    pub(super) fn make_peace(&mut self) -> Result<(), String> {
        self.peace = true;
        for node in 0..self.computers.len() {
            self.later(0, Next::Start { node });
            self.later(1, Next::Resume { node });
            self.later(2, Next::OwnerLeaves { node });
        }
        for link in 0..self.links.len() {
            self.later(10, Next::Mend { link });
        }
        for errand in 0..self.plan.errands.len() {
            self.later(5, Next::Submit { errand });
            if self.plan.errands[errand].open {
                self.later(200, Next::Extend { errand });
            }
        }
        Ok(())
    }
}
