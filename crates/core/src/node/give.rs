//! Place: looks at what is wanting and at who could do it, and fills the gap.

use super::{FeedFrom, Kind, News, Node, Watched};
use crate::id::{Lease, NodeId, TaskId};
use crate::job::{Source, Standing};
use crate::limits;
use crate::message::{Gift, Inputs};
use crate::peer::Record;
use crate::place::{self, Want};
use crate::planted::{self, Bug};
use crate::split;
use crate::state::Fact;
use crate::task::{Act, Owner, Span, Task, Why};
use crate::units::{Credits, Fuel, Millis};
use crate::verify;
use std::ops::Bound;
use std::sync::Arc;

/// Claims that one gift asks to be proved.
pub(super) const PROOFS_PER_GIFT: usize = 256;
/// Ragged ranges in one gift.
pub(super) const RANGES_PER_GIFT: usize = 64;
/// Tasks looked at for one neighbour, and neighbours for whom nothing was found, before the rest is left as it is.
pub(super) const LOOKED_AT: usize = 64;
/// Of those, tasks of one account: what keeps them waiting is not to keep others waiting.
pub(super) const LOOKED_AT_OF_ONE: usize = 16;
const TRIED_IN_VAIN: usize = 8;
/// Inputs being cut at one time.
const SPLITTING_MAX: usize = 2;

/// A gift in the making.
pub(super) struct Offer {
    pub(super) task: TaskId,
    pub(super) act: Act,
    pub(super) why: Why,
    pub(super) pieces: Vec<Span>,
    pub(super) chunk: u64,
    pub(super) fuel: Fuel,
    pub(super) price: Credits,
    pub(super) kind: Kind,
}

/// Who may be at work on the task already of which a lender is given a part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    Others,
}

impl Node {
    /// Fills what is wanting. Says whether something changed that may make more possible.
    pub(super) fn place(&mut self) -> bool {
        self.refresh_hungry();
        let proofs = self.place_trusted();
        let mut opened = false;
        let mut in_vain = 0;
        // A peer's own portion comes before those that it gives away.
        let own = Some((Want::Work, self.config.id)).filter(|own| self.config.solves && self.hungry.contains(own));
        let mut next = own.or_else(|| self.hungry.first().copied());
        let mut first = own.is_some();
        while let Some((want, node)) = next {
            if opened || in_vain > TRIED_IN_VAIN {
                break;
            }
            while self.want_of(node) == Some(want) && !opened {
                // Its own part of the task whose turn it is may have to be cut first.
                opened = node == self.config.id && self.open_part(1);
                if opened {
                    break;
                }
                if self.give_second(node) || self.give_try(node, Beside::Nobody) {
                    continue;
                }
                opened = self.open_input() || node == self.config.id && self.open_part(LOOKED_AT);
                // Among peers whoever is busy is not given what another has: it would only wait there.
                let copies = want == Want::Work || !self.config.solves;
                if !(opened || self.give_try(node, Beside::Others) || copies && self.give_copy(node)) {
                    in_vain += 1;
                    break;
                }
            }
            self.sort_in(node);
            let after = self.hungry.range((Bound::Excluded((want, node)), Bound::Unbounded)).next();
            next = if std::mem::take(&mut first) { self.hungry.first() } else { after }.copied();
        }
        if !opened {
            self.place_beyond();
        }
        for (to, gifts) in std::mem::take(&mut self.giving) {
            self.actions.push(super::Action::Give { to, gifts });
        }
        opened || proofs
    }

    fn refresh_hungry(&mut self) {
        for node in std::mem::take(&mut self.touched) {
            self.sort_in(node);
        }
    }

    fn sort_in(&mut self, node: NodeId) {
        let want = self.want_of(node);
        for other in [Want::Work, Want::Ahead] {
            if want == Some(other) {
                self.hungry.insert((other, node));
            } else {
                self.hungry.remove(&(other, node));
            }
        }
    }

    fn want_of(&self, node: NodeId) -> Option<Want> {
        let record = self.state.peer(node);
        let gifts = match record {
            Some(record) if record.trust.caught => return None,
            Some(record) => record.leases.len(),
            None => 0,
        };
        place::want(self.presence.get(&node)?, gifts, self.now)
    }

    /// A part that nobody holds.
    fn give_try(&mut self, node: NodeId, beside: Beside) -> bool {
        let mut unpaid = Vec::new();
        let mut found = None;
        for id in self.state.wants().tries.in_turn(LOOKED_AT_OF_ONE).take(LOOKED_AT) {
            let id = self.nearest(node, id);
            let Some(task) = self.state.task(id) else { continue };
            if self.customer_of(task) == Some(node) || node == self.config.id && self.asks_again(task) {
                continue;
            }
            if beside == Beside::Nobody && is_raced(task, node) || !self.fits(node, task) {
                continue;
            }
            if self.is_tried(node, task) && split::is_cut(task) && !self.state.wants().splitting.is_empty() {
                // Soon there are smaller pieces.
                continue;
            }
            if !self.takes(node, task) {
                // Nobody else gets what is not for whoever's turn it is.
                break;
            }
            found = self.try_offer(node, id, task, limits::GIFT_PIECES_MAX);
            if found.is_some() {
                break;
            }
            unpaid.push(id);
        }
        let mut more = false;
        for id in unpaid {
            let root = self.state.task(id).map_or(id, |task| task.root);
            if self.hold_more(root) {
                more = true;
            } else {
                self.give_up_unpaid(id);
            }
        }
        match found {
            Some(offer) => {
                self.give(node, offer);
                true
            }
            // Each time more is held, until there is no more.
            None => more && self.give_try(node, beside),
        }
    }

    /// Whether a neighbour holds so little that it may be given what a task has for it.
    fn takes(&self, node: NodeId, task: &Task) -> bool {
        let Some(peer) = self.presence.get(&node) else { return false };
        let gifts = self.state.peer(node).map_or(0, |record| record.leases.len());
        place::takes(peer, gifts, peer.solves && split::joins(&task.terms.tool))
    }

    /// Whether a lender has the memory that parts of a task may want, is there for whoever it is for, and has not just
    /// taken too long over one.
    pub(super) fn fits(&self, node: NodeId, task: &Task) -> bool {
        let Some(peer) = self.presence.get(&node) else { return false };
        let rests = peer.rests_from(task.root, self.now);
        !rests && peer.fits(task.terms.tool.caps.memory_bytes) && (!peer.own_only || self.is_the_owners(task.job))
    }

    /// Neighbours take the pieces that were cut first, the largest; this node works on what was cut last. So does whoever
    /// is not known yet: a small piece tells soon and cheaply what its answers are worth.
    fn nearest(&self, node: NodeId, id: TaskId) -> TaskId {
        let is_tried = || self.state.task(id).is_some_and(|task| self.is_tried(node, task));
        let small = self.config.solves && node == self.config.id || is_tried();
        small.then(|| self.state.wants().tries.newest_beside(id)).flatten().unwrap_or(id)
    }

    /// Whether this would be the first that a peer is given of a job of this node's own. Of all that it is given at once
    /// the rest may be large: by the time that is answered, the first has told.
    fn is_tried(&self, node: NodeId, task: &Task) -> bool {
        let is_new = |record: &Record| record.trust.is_new() && record.leases.is_empty();
        self.config.solves
            && node != self.config.id
            && self.customer_of(task).is_none()
            && self.state.peer(node).is_none_or(is_new)
    }

    /// Whether this node's own portion of a task is a piece that the tool may want to cut further: then others can help
    /// with it later, and nobody has to wait for one long run.
    pub(super) fn asks_again(&self, task: &Task) -> bool {
        let own = self.presence.get(&self.config.id).map_or(0, |own| u64::from(own.slots));
        self.config.solves
            && split::is_cut(task)
            && !task.terms.tool.abilities.first
            && self.open_tasks() < limits::OPEN_TASKS_MAX
            && self.slots_below(self.customer_of(task)) > own
    }

    fn open_tasks(&self) -> usize {
        // A job's own task stays for as long as the job is on the books.
        self.state.tasks().len().saturating_sub(self.state.jobs().len())
    }

    /// For which neighbour a task is done in the end.
    pub(super) fn customer_of(&self, task: &Task) -> Option<NodeId> {
        match task.owner {
            Owner::Peer { node, .. } => Some(node),
            Owner::Person => None,
            Owner::Parent { .. } => self.state.customer(task.root),
        }
    }

    /// A part for this node itself becomes a task of its own, so that its tool is asked whether it is satisfied.
    fn open_part(&mut self, look_at: usize) -> bool {
        if !self.config.solves || self.state.wants().splitting.len() >= SPLITTING_MAX {
            return false;
        }
        let in_turn = self.state.wants().tries.in_turn(LOOKED_AT_OF_ONE).take(look_at);
        let found = in_turn.map(|id| self.nearest(self.config.id, id)).find_map(|id| {
            let task = self.state.task(id).filter(|task| self.asks_again(task))?;
            Some((id, task.parts.first_todo(1, 1).first()?.first))
        });
        let Some((parent, item)) = found else { return false };
        let task = self.state.next_task();
        self.record(Fact::Opened { task, parent, item });
        true
    }

    /// One run of a task, beyond what a lender holds ahead.
    pub(super) fn give_beyond(&mut self, node: NodeId, id: TaskId) -> bool {
        let task = self.state.task(id).filter(|task| self.fits(node, task));
        let offer = task.and_then(|task| self.try_offer(node, id, task, 1));
        offer.map(|offer| self.give(node, offer)).is_some()
    }

    /// A gift of a task, of so many runs at the most.
    fn try_offer(&self, node: NodeId, id: TaskId, task: &Task, most_runs: u64) -> Option<Offer> {
        let peer = self.presence.get(&node)?;
        let purse = self.state.purse(task.root)?;
        let estimate = self.estimates.get(&self.estimate_of(id, task)).copied().unwrap_or_default();
        let act = self.act_for(node, peer.solves, task);
        let chunk = place::chunk(task.terms.chunk, &estimate, peer.speed);
        let most = most_fuel(task, matches!(act, Act::Solve { .. }));
        let raised = task.parts.raised;
        let mut fuel = estimate.fuel_limit(Fuel(u64::MAX)).times(if estimate.seen() { chunk } else { 1 });
        fuel = fuel.max(raised).min(most);
        let mut price = Credits::reserved(fuel);
        if matches!(act, Act::Solve { .. }) && !estimate.seen() && raised == Fuel(0) {
            let all = purse.free().plus(self.state.may_hold(task.root));
            let share = Credits(all.0 / task.parts.todo().max(1));
            price = price.max(share.min(Credits::reserved(limits::FUEL_PIECE)));
            fuel = price.buys();
        }
        if price >= Credits::reserved(most) {
            // Whoever pays for all that the job allows gets all of it, so that a run that is stopped is stopped at the
            // same instruction wherever it is run again.
            fuel = most;
        }
        let free = purse.free();
        if raised == Fuel(0) && self.customer_of(task).is_some() {
            // What a neighbour pays for its piece is shared out, so that many can work on it.
            let share = Credits(free.0 / task.parts.todo().max(1)).max(Credits::reserved(limits::FUEL_LEAST));
            price = price.min(share);
            fuel = fuel.min(price.buys());
        }
        if price > free
            && purse.reserved == Credits(0)
            && raised == Fuel(0)
            && free >= Credits::reserved(limits::FUEL_LEAST)
            && self.state.may_hold(task.root) == Credits(0)
        {
            // What is left buys one run at least, if it is a cheap one.
            (fuel, price) = (free.buys(), free);
        }
        let affordable = free.0 / price.0.max(1);
        if affordable == 0 && !planted::is(Bug::IgnoreBudget) {
            return None;
        }
        let carried = carries(task);
        let todo = task.parts.todo().div_ceil(chunk);
        let runs =
            place::runs(&estimate, peer, chunk, todo, self.slots_all, carried).min(affordable.max(1)).min(most_runs);
        // A piece to be solved becomes one task there: one gift, one run. Answers that will all be run again, because
        // nothing is known yet of who gives them, come one at a time.
        let claim = self.claim_of(node, task, Span { first: 0, len: 0 }, false);
        // Nor do among peers the pieces of a tool's own cut: how long they take, fuel does not tell, and each is large.
        let cut = self.config.solves && task.terms.source.is_none();
        let runs = if act == Act::Run && !cut && !verify::on_probation(claim) { runs } else { 1 };
        let pieces = task.parts.first_todo(runs.saturating_mul(chunk), RANGES_PER_GIFT);
        let pieces = at_most(pieces, chunk, runs);
        Some(Offer { task: id, act, why: Why::Try, pieces, chunk, fuel, price, kind: Kind::Work })
    }

    /// A job whose purse buys nothing more, and to which nothing will come back, is over.
    fn give_up_unpaid(&mut self, id: TaskId) {
        let Some(task) = self.state.task(id) else { return };
        let root = task.root;
        let waits = self.state.purse(root).is_some_and(|purse| purse.reserved > Credits(0));
        let judging = !task.parts.pending.is_empty();
        if !waits && !judging && task.parts.ending.is_none() {
            self.end_tree(root, Standing::Unpaid);
        }
    }

    /// An input becomes a task of its own, so that its tool can cut it.
    fn open_input(&mut self) -> bool {
        if self.state.wants().splitting.len() >= SPLITTING_MAX || self.open_tasks() >= limits::OPEN_TASKS_MAX {
            return false;
        }
        let Some(parent) = self.state.wants().openings.first() else {
            return false;
        };
        let item = self.state.task(parent).and_then(|task| task.parts.first_todo(1, 1).first().map(|span| span.first));
        let Some(item) = item else { return false };
        let task = self.state.next_task();
        self.record(Fact::Opened { task, parent, item });
        true
    }

    /// A gift whose holder is slow is given once more.
    fn give_copy(&mut self, node: NodeId) -> bool {
        let Some((id, of)) = self.slow_lease(node) else {
            return false;
        };
        let Some((_, grant)) = self.state.lease(of) else {
            return false;
        };
        let Some(task) = self.state.task(id) else { return false };
        let act = if grant.inner { self.act_for(node, self.solves(node), task) } else { Act::Run };
        if grant.inner && act == Act::Run {
            // A whole piece as one run is no help.
            return false;
        }
        let (root, most, price, chunk) = (task.root, most_fuel(task, grant.inner), grant.price, grant.chunk);
        // Runs that the slow holder has still to answer, whole: its pieces are cut the same way.
        let pieces = grant.open_pieces();
        let runs: u64 = pieces.iter().map(|piece| piece.pieces(chunk)).sum();
        if pieces.len() > RANGES_PER_GIFT * 4 || !self.can_pay(root, Credits(price.0.saturating_mul(runs))) {
            return false;
        }
        let fuel = price.buys().min(most);
        self.give(node, Offer { task: id, act, why: Why::Copy { of }, pieces, chunk, fuel, price, kind: Kind::Work });
        true
    }

    fn solves(&self, node: NodeId) -> bool {
        self.presence.get(&node).is_some_and(|peer| peer.solves)
    }

    /// What a neighbour is asked to do with a part.
    fn act_for(&self, node: NodeId, solves: bool, task: &Task) -> Act {
        if solves && node != self.config.id && split::is_cut(task) {
            Act::Solve { depth: task.depth + 1 }
        } else {
            Act::Run
        }
    }

    /// Where it is kept what a part of a task costs: for a whole job, but of what peers cut further and further, for
    /// each cut.
    pub(super) fn estimate_of(&self, id: TaskId, task: &Task) -> TaskId {
        match task.owner {
            Owner::Parent { task: parent, .. } if parent != task.root => id,
            Owner::Parent { .. } if self.customer_of(task).is_some() => id,
            _ => task.root,
        }
    }

    fn slow_lease(&self, node: NodeId) -> Option<(TaskId, Lease)> {
        let slow = self.state.wants().slow.iter().filter_map(|id| Some((*id, self.state.task(*id)?)));
        slow.filter(|(_, task)| self.fits(node, task))
            // Whoever gave a piece has others to give.
            .filter(|(_, task)| !matches!(task.owner, Owner::Peer { node: giver, .. } if giver == node))
            .flat_map(|(id, task)| {
                task.parts.out.iter().take(RANGES_PER_GIFT).map(move |(lease, grant)| (id, *lease, grant))
            })
            .find(|(_, lease, grant)| {
                grant.to != node && grant.why == Why::Try && grant.twin.is_none() && self.is_slow(*lease, self.now)
            })
            .map(|(id, lease, _)| (id, lease))
    }

    /// When the first gift counts as slow, if somebody could take it over.
    pub(super) fn slow_at(&self) -> Option<Millis> {
        if self.hungry.is_empty() {
            return None;
        }
        let slow = self.state.wants().slow.iter().filter_map(|id| self.state.task(*id));
        let open = slow.flat_map(|task| task.parts.out.iter().take(RANGES_PER_GIFT));
        let free = open.filter(|(_, grant)| grant.why == Why::Try && grant.twin.is_none());
        let due = free.filter_map(|(lease, _)| self.watched.get(lease)).map(|one| one.given.plus(one.patience));
        due.filter(|due| *due > self.now).min()
    }

    pub(super) fn give(&mut self, to: NodeId, offer: Offer) {
        let Offer { task: id, act, why, pieces, chunk, fuel, price, kind } = offer;
        let Some(task) = self.state.task(id) else { return };
        let (job, tool, check) = (task.job, Arc::clone(&task.terms.tool), task.terms.check);
        let feed = self.feed(id, task, act);
        let lease = self.state.next_lease();
        let inputs = match feed.from {
            FeedFrom::Numbers { from } if act == Act::Run => Inputs::Numbers { from: from.saturating_add(feed.shift) },
            _ => Inputs::Carried { data: Vec::new() },
        };
        let gift = Gift { lease, job, tool, act, pieces, chunk, inputs, fuel, price, check };
        let runs = gift.run_count();
        let estimate = self.estimates.get(&self.estimate_of(id, task)).copied().unwrap_or_default();
        let items: u64 = gift.pieces.iter().map(|span| span.len).sum();
        let expected = estimate.items(items).unwrap_or_default();
        let speed = self.presence.get(&to).map_or(0, |peer| peer.speed);
        let ahead = self.presence.get(&to).map_or(Millis(0), |peer| peer.busy_for());
        let time = estimate.time(items, speed).map(|time| time.plus(ahead));
        let watched = Watched {
            holder: to,
            given: self.now,
            patience: place::patience(time, matches!(act, Act::Solve { .. })),
            run: Fuel(expected.0 / runs.max(1)),
        };
        self.watched.insert(lease, watched);
        if let Some(peer) = self.presence.get_mut(&to) {
            peer.load = peer.load.plus(expected);
        }
        let (pieces, inner) = (gift.pieces.clone(), matches!(act, Act::Solve { .. }));
        if let (Act::Split { ways }, Why::Try) = (act, why) {
            self.record(Fact::Cut { task: id, ways });
        }
        self.record(Fact::Given { lease, task: id, to, why, pieces, chunk, price, inner });
        self.tell(News::Given { job, task: id, lease, to, runs, kind });
        self.touched.insert(to);
        self.giving.entry(to).or_default().push((gift, feed));
    }
}

/// Whether one right answer settles this task, and another lender looks for it: when it is found, a second one has
/// worked in vain. As long as there are other tasks, each lender is better off with its own.
fn is_raced(task: &Task, node: NodeId) -> bool {
    let settles = task.terms.tool.abilities.first && task.owner != Owner::Person;
    settles && task.parts.out.values().any(|grant| grant.to != node && grant.why == Why::Try)
}

/// What a part may cost at the most: one run what its job says, a whole piece as much as all runs that it may become.
pub(super) fn most_fuel(task: &Task, inner: bool) -> Fuel {
    let one = task.terms.tool.caps.fuel;
    if inner { one.times(limits::WAYS_MAX) } else { one }
}

/// Whether a gift of this task has to carry its inputs.
pub(super) fn carries(task: &Task) -> bool {
    !matches!(task.terms.source, Some(Source::Numbers { .. }))
}

/// What repeating an answer may cost: the same work, with some room.
pub(super) fn second_price(fuel: Fuel) -> Credits {
    Credits::reserved(fuel.times(2).max(limits::FUEL_LEAST))
}

/// The first pieces that make at most so many runs.
fn at_most(pieces: Vec<Span>, chunk: u64, runs: u64) -> Vec<Span> {
    let mut left = runs;
    let mut kept = Vec::new();
    for piece in pieces {
        if left == 0 {
            break;
        }
        let len = piece.len.min(left.saturating_mul(chunk));
        left -= Span { first: piece.first, len }.pieces(chunk).min(left);
        kept.push(Span { first: piece.first, len });
    }
    kept
}
