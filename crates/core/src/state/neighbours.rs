//! What facts make of the books about neighbours.

use super::State;
use crate::id::{Incarnation, NodeId};
use crate::message::{Signed, Totals};
use crate::peer::{Favours, Record};
use crate::units::Credits;

impl State {
    pub(super) fn favoured(&mut self, node: NodeId, favours: Favours) -> Option<()> {
        self.peers.entry(node).or_default().favours = favours;
        Some(())
    }

    pub(super) fn signed(&mut self, node: NodeId, signed: &Signed) -> Option<()> {
        self.peers.entry(node).or_default().signed = Some(signed.clone());
        Some(())
    }

    /// What was on the books before is part of it.
    pub(super) fn recalled(&mut self, node: NodeId, totals: Totals) -> Option<()> {
        let record = self.peers.entry(node).or_default();
        let favours = &mut record.favours;
        let (done, had) = (totals.yours.minus(record.paid_them), totals.mine.minus(favours.served));
        favours.theirs = favours.theirs.plus(done.minus(had));
        favours.ours = favours.ours.plus(had.minus(done));
        favours.served = favours.served.max(totals.mine);
        record.paid_them = record.paid_them.max(totals.yours);
        Some(())
    }

    pub(super) fn met(&mut self, node: NodeId, incarnation: Incarnation) -> Option<()> {
        self.peers.entry(node).or_default().incarnation = incarnation;
        Some(())
    }

    pub(super) fn credited(&mut self, node: NodeId, total: Credits) -> Option<()> {
        let record = self.peers.entry(node).or_default();
        record.paid_us = record.paid_us.max(total);
        Some(())
    }

    pub(super) fn known(&mut self, node: NodeId, record: &Record) -> Option<()> {
        // Leases come back with the tasks that hold them.
        self.peers.insert(node, Record { leases: Default::default(), ..record.clone() });
        Some(())
    }

    pub(super) fn credit(&mut self, node: NodeId, pay: Credits) {
        let record = self.peers.entry(node).or_default();
        record.paid_them = record.paid_them.plus(pay);
        record.favours.they_did(pay);
    }
}
