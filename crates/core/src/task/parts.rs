//! The book of one stage's parts. Level-triggered: it says what is wanting, never what to do next.

use crate::id::{Digest, Lease, NodeId, TaskId};
use crate::job::Standing;
use crate::task::{Span, Spans};
use crate::units::{Credits, Fuel};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All parts of one stage of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Items there are, so far.
    pub count: u64,
    /// More items may follow.
    pub open: bool,
    /// The first item that nobody was ever given; all before it are somewhere below.
    pub next: u64,
    /// Items that were out and came back without an answer.
    pub again: Spans,
    /// Items with an answer on the books, final or not yet.
    pub answered: Spans,
    /// Of those, the ones whose answer is that the tool fails on them.
    pub failed: Spans,
    /// Items that have become tasks of their own.
    pub opened: BTreeMap<u64, TaskId>,
    /// What lenders hold.
    pub out: BTreeMap<Lease, Grant>,
    /// Answers set aside until they are proved, by their first item.
    pub pending: BTreeMap<u64, Pending>,
    /// Of those, the ones whose proof nobody works on.
    pub unproved: BTreeSet<(Proof, u64)>,
    /// Answers on the books that are not final yet, by who gave them.
    pub unvested: BTreeMap<NodeId, Unvested>,
    /// Tries of an item that broke somebody's machine.
    pub broken: BTreeMap<u64, u32>,
    /// The answer that settled the whole task, if one did.
    pub settled: Option<u64>,
    /// Nothing more is wanted, and how it will have ended: what is out is called back, what is pending is judged.
    pub ending: Option<Standing>,
    /// What one run may cost, where a run has shown that the estimate was too low; else zero.
    pub raised: Fuel,
}

/// One gift: pieces that one lender holds under one lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub to: NodeId,
    pub why: Why,
    pub chunk: u64,
    /// The pieces as given, in order; each is cut into runs of `chunk` items.
    pub pieces: Vec<Span>,
    /// Items that have no answer under this lease.
    pub left: Spans,
    /// What is held back for each run still to be answered.
    pub price: Credits,
    /// The other lease over the same items, where somebody was slow.
    pub twin: Option<Lease>,
    /// The holder solves it as a task of its own: its fuel will be that of a tree, not of one run.
    pub inner: bool,
}

/// Why a lender holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Why {
    /// For an answer.
    Try,
    /// For an answer, because the holder of that lease is slow.
    Copy { of: Lease },
    /// To prove answers that are on the books.
    Proof(Proof),
}

/// How one answer is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Proof {
    /// By the tool's own check, where it can be trusted.
    Prove,
    /// By running the part again, where it can be trusted.
    Audit,
    /// By running the part again on another lender.
    Second,
}

/// An answer that counts for nothing until it is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub by: NodeId,
    pub span: Span,
    pub digest: Digest,
    pub fuel: Fuel,
    pub failed: bool,
    /// The answer of a tree: its fuel is not that of one run.
    pub inner: bool,
    pub proof: Proof,
    /// Who is at work on the proof.
    pub at: Option<Lease>,
}

/// One lender's answers that are on the books but not final, in two generations: the older one is final when enough
/// audits that came after it were right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unvested {
    pub older: (Spans, Fuel),
    pub fresh: (Spans, Fuel),
    pub passed: u32,
}

impl Grant {
    /// Whether the span is one of the runs of this grant.
    pub fn is_run(&self, span: Span) -> bool {
        let at = self.pieces.partition_point(|piece| piece.first <= span.first);
        let Some(piece) = at.checked_sub(1).and_then(|before| self.pieces.get(before)) else {
            return false;
        };
        let offset = span.first - piece.first;
        span.first < piece.end() && offset.is_multiple_of(self.chunk) && span.len == self.chunk.min(piece.len - offset)
    }

    /// Pieces, or what is left of them, that have no answer yet; each is still cut into the runs that it was cut into.
    pub fn open_pieces(&self) -> Vec<Span> {
        self.pieces.iter().flat_map(|piece| self.open_in(*piece)).collect()
    }

    /// Runs that have no answer yet.
    pub fn runs_left(&self) -> u64 {
        self.runs_in(0..self.pieces.len())
    }

    /// What is held back for them.
    pub fn reserved(&self) -> Credits {
        Credits(self.price.0.saturating_mul(self.runs_left()))
    }

    /// Items are answered: what was held back for their runs is not needed any more.
    fn clear(&mut self, span: Span) -> Credits {
        if self.price == Credits(0) {
            self.left.remove(span);
            return Credits(0);
        }
        // Only the pieces that the span touches change: a gift may have many.
        let from = self.pieces.partition_point(|piece| piece.end() <= span.first);
        let to = self.pieces.partition_point(|piece| piece.first < span.end());
        let before = self.runs_in(from..to);
        self.left.remove(span);
        Credits(self.price.0.saturating_mul(before - self.runs_in(from..to)))
    }

    fn runs_in(&self, pieces: std::ops::Range<usize>) -> u64 {
        let pieces = self.pieces.get(pieces).unwrap_or_default().iter();
        pieces.flat_map(|piece| self.open_in(*piece)).map(|open| open.pieces(self.chunk)).sum()
    }

    fn open_in(&self, piece: Span) -> impl Iterator<Item = Span> + '_ {
        let left = self.left.within(piece);
        left.map(move |span| Span::between(span.first.max(piece.first), span.end().min(piece.end())))
    }
}

impl Unvested {
    /// All fuel that waits to be paid.
    pub fn fuel(&self) -> Fuel {
        self.older.1.plus(self.fresh.1)
    }
}

impl Parts {
    /// A stage of so many items.
    pub fn new(count: u64, open: bool, raised: Fuel) -> Parts {
        Parts { count, open, raised, ..Parts::default() }
    }

    /// Items that nobody holds and that have no answer.
    pub fn todo(&self) -> u64 {
        if self.ending.is_some() { 0 } else { self.count - self.next + self.again.count() }
    }

    /// The first of those, at most `items` in at most `ranges` runs.
    pub fn first_todo(&self, items: u64, ranges: usize) -> Vec<Span> {
        let mut left = items;
        let mut found = Vec::new();
        for span in self.again.iter().take(ranges) {
            let len = span.len.min(left);
            found.push(Span { first: span.first, len });
            left -= len;
            if left == 0 {
                return found;
            }
        }
        if left > 0 && found.len() < ranges && self.next < self.count {
            found.push(Span::between(self.next, self.count.min(self.next.saturating_add(left))));
        }
        found
    }

    /// Whether every item has its answer and every answer is judged.
    pub fn complete(&self) -> bool {
        let all = self.ending.is_some() || (!self.open && self.next == self.count && self.again.is_empty());
        all && self.out.is_empty() && self.pending.is_empty() && self.opened.is_empty()
    }

    /// A lender has been given pieces.
    pub fn give(&mut self, lease: Lease, grant: Grant) {
        match grant.why {
            Why::Try => {
                for piece in &grant.pieces {
                    self.again.remove(*piece);
                    self.next = self.next.max(piece.end()).min(self.count);
                }
            }
            Why::Copy { of } => {
                if let Some(slow) = self.out.get_mut(&of) {
                    slow.twin = Some(lease);
                }
            }
            Why::Proof(_) => {
                for piece in &grant.pieces {
                    if let Some(pending) = self.pending.get_mut(&piece.first) {
                        pending.at = Some(lease);
                        self.unproved.remove(&(pending.proof, piece.first));
                    }
                }
            }
        }
        self.out.insert(lease, grant);
    }

    /// Items of a lease are answered: they are no longer out, under this lease or its twin. Returns what had been
    /// held back for them. A lease with nothing left is ended by whoever keeps the leases.
    pub fn clear(&mut self, lease: Lease, span: Span) -> Credits {
        let Some(grant) = self.out.get_mut(&lease) else {
            return Credits(0);
        };
        let (released, twin) = (grant.clear(span), grant.twin);
        let other = twin.and_then(|twin| self.out.get_mut(&twin));
        released.plus(other.map_or(Credits(0), |other| other.clear(span)))
    }

    /// A lease ends: what it has not answered is wanted again, unless its twin still works on it.
    pub fn end(&mut self, lease: Lease) -> Credits {
        let Some(grant) = self.out.remove(&lease) else {
            return Credits(0);
        };
        let twin_lives = grant.twin.and_then(|twin| self.out.get_mut(&twin)).map(|twin| twin.twin = None).is_some();
        match grant.why {
            Why::Try | Why::Copy { .. } if !twin_lives => self.again.join(&grant.left),
            Why::Try | Why::Copy { .. } => {}
            Why::Proof(_) => {
                let ours: Vec<u64> = grant.left.iter().flat_map(|span| self.pendings_in(span)).collect();
                for first in ours {
                    self.unprove(first, lease);
                }
            }
        }
        grant.reserved()
    }

    /// An answer is set aside.
    pub fn set_aside(&mut self, pending: Pending) {
        self.unproved.insert((pending.proof, pending.span.first));
        self.pending.insert(pending.span.first, pending);
    }

    /// A pending answer leaves the waiting room.
    pub fn take_pending(&mut self, first: u64) -> Option<Pending> {
        let pending = self.pending.remove(&first)?;
        self.unproved.remove(&(pending.proof, first));
        Some(pending)
    }

    /// An answer counts.
    pub fn accept(&mut self, by: NodeId, span: Span, fuel: Fuel, failed: bool) {
        self.answered.add(span);
        if failed {
            self.failed.add(span);
        }
        self.broken.remove(&span.first);
        let fresh = &mut self.unvested.entry(by).or_default().fresh;
        fresh.0.add(span);
        fresh.1 = fresh.1.plus(fuel);
    }

    /// A lender's older answers become final (all of them at the end of a stage). Returns the fuel to be paid.
    pub fn vest(&mut self, by: NodeId, all: bool) -> Fuel {
        let Some(book) = self.unvested.get_mut(&by) else {
            return Fuel(0);
        };
        if all {
            let fuel = book.fuel();
            self.unvested.remove(&by);
            return fuel;
        }
        book.passed = 0;
        let fresh = std::mem::take(&mut book.fresh);
        std::mem::replace(&mut book.older, fresh).1
    }

    /// A lender was found out: everything it said that is not final is wanted again. Returns the fuel it is not paid.
    pub fn disown(&mut self, by: NodeId) -> Fuel {
        let mut unpaid = Fuel(0);
        if let Some(book) = self.unvested.remove(&by) {
            unpaid = book.fuel();
            for span in book.older.0.iter().chain(book.fresh.0.iter()) {
                self.answered.remove(span);
                self.failed.remove(span);
                self.again.add(span);
            }
        }
        let lies: Vec<u64> = self.pending.values().filter(|p| p.by == by).map(|p| p.span.first).collect();
        for first in lies {
            if let Some(pending) = self.take_pending(first) {
                unpaid = unpaid.plus(pending.fuel);
                self.again.add(pending.span);
            }
        }
        if let Some(settled) = self.settled {
            // A proved answer stands, whoever gave it.
            self.again.remove(Span { first: settled, len: 1 });
            self.answered.add(Span { first: settled, len: 1 });
        }
        unpaid
    }

    fn pendings_in(&self, span: Span) -> Vec<u64> {
        self.pending.range(span.first..span.end()).map(|(first, _)| *first).collect()
    }

    fn unprove(&mut self, first: u64, lease: Lease) {
        if let Some(pending) = self.pending.get_mut(&first)
            && pending.at == Some(lease)
        {
            pending.at = None;
            self.unproved.insert((pending.proof, first));
        }
    }
}
