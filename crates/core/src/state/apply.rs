//! How each fact changes the state. Live and restart use this code and no other.

mod answers;

use super::turns::Payer;
use super::{Fact, JobBook, Purse, State, terms_of_input};
use crate::id::{Incarnation, JobId, Lease, NodeId, TaskId};
use crate::job::{Chunk, Job, Source, Standing};
use crate::ledger::Account;
use crate::message::Gift;
use crate::planted::{self, Bug};
use crate::task::{Act, Grant, Owner, Parts, Span, Spans, Stage, Task, Terms, Why};
use crate::units::{Credits, Fuel, Millis};
use std::sync::Arc;

/// Numbers that one life of a node may use up.
const BLOCK_BITS: u32 = 40;

fn next_block(number: u64) -> u64 {
    ((number >> BLOCK_BITS) + 1) << BLOCK_BITS
}

impl State {
    /// Makes a fact true. Never fails: what does not fit is counted and ignored.
    pub fn apply(&mut self, fact: &Fact) {
        if self.fit(fact).is_none() {
            self.misfits += 1;
        }
    }

    fn fit(&mut self, fact: &Fact) -> Option<()> {
        match fact {
            Fact::Started { incarnation, secret } => self.started(*incarnation, *secret),
            Fact::Moved { from, to, amount } => self.moved(*from, *to, *amount),
            // Of old, all of its budget.
            Fact::Submitted { job, root, at } => self.submitted(job, *root, *at, job.budget),
            Fact::Accepted { job, root, at, held } => self.submitted(job, *root, *at, *held),
            Fact::Held { root, amount } => self.held(*root, *amount),
            Fact::Extended { job, count } => self.on_root(*job, |parts| parts.count += count),
            Fact::Closed { job } => self.on_root(*job, |parts| parts.open = false),
            Fact::Taken { task, from, gift, stage } => self.taken(*task, *from, gift, *stage),
            Fact::Opened { task, parent, item } => self.opened(*task, *parent, *item),
            Fact::Met { node, incarnation } => self.met(*node, *incarnation),
            Fact::Given { lease, task, to, why, pieces, chunk, price, inner } => {
                let (to, why, chunk, price, inner) = (*to, *why, *chunk, *price, *inner);
                let (left, twin) = (Spans::default(), None);
                let grant = Grant { to, why, chunk, pieces: pieces.clone(), left, price, twin, inner };
                self.given(*lease, *task, grant)
            }
            Fact::Answered { lease, spans, fuel } => self.answered(*lease, spans, *fuel),
            Fact::SetAside { lease, pending } => self.set_aside(*lease, pending),
            Fact::Proved { task, lease, firsts } => self.proved(*task, *lease, firsts),
            Fact::Unsettled { task, lease, firsts, then } => self.unsettled(*task, *lease, firsts, *then),
            Fact::Refuted { task, lease, first } => self.refuted(*task, *lease, *first),
            Fact::Corrected { lease, span, fuel, failed } => self.corrected(*lease, *span, *fuel, *failed),
            Fact::Caught { node } => self.caught(*node),
            Fact::Returned { leases } => self.returned(leases),
            Fact::Broke { lease, span } => self.broke(*lease, *span),
            Fact::GaveUp { task, span } => self.gave_up(*task, *span),
            Fact::Dearer { lease, span, limit } => self.dearer(*lease, *span, *limit),
            Fact::Settled { task, first } => self.on_task(*task, |task| task.parts.settled = Some(*first)),
            Fact::Ending { task, standing } => self.on_task(*task, |task| task.parts.ending = Some(*standing)),
            Fact::Vested { task, node, all, pay } => self.vested(*task, *node, *all, *pay),
            Fact::Staged { task, stage, count } => self.staged(*task, *stage, *count),
            Fact::Ended { task, standing, fuel, at } => self.ended(*task, *standing, *fuel, *at),
            Fact::Retried { job, at: _, budget } => self.retried(*job, *budget),
            Fact::Forgotten { job } => self.forgotten(*job),
            Fact::Credited { node, total } => self.credited(*node, *total),
            Fact::Balance { account, balance } => {
                self.ledger.restore(*account, *balance);
                Some(())
            }
            Fact::Known { node, record } => self.known(*node, record),
            Fact::Numbered { next_task, next_lease, refused } => {
                (self.next_task, self.next_lease, self.refused) = (*next_task, *next_lease, *refused);
                Some(())
            }
            Fact::JobStands { book, purse } => {
                self.purses.extend(purse.map(|purse| (book.root, purse)));
                self.jobs.insert(book.job.id, (**book).clone());
                Some(())
            }
            Fact::TaskStands { task, whole } => self.stands(*task, whole),
            Fact::Believed { task, firsts } => self.believed(*task, firsts),
            Fact::Member { .. }
            | Fact::Enrolled { .. }
            | Fact::Invited { .. }
            | Fact::Uninvited { .. }
            | Fact::LoggedIn { .. }
            | Fact::LoggedOut { .. }
            | Fact::Claimed { .. }
            | Fact::Earns { .. } => self.circle_changed(fact),
            Fact::Cancelled { job, at } => self.cancelled(*job, *at),
            Fact::Favoured { node, favours } => self.favoured(*node, *favours),
            Fact::Signed { node, signed } => self.signed(*node, signed),
            Fact::Recalled { node, totals } => self.recalled(*node, *totals),
            Fact::Cut { task, ways } => self.cut_into(*task, *ways),
            Fact::Withdrawn { task, first } => self.withdrawn(*task, *first),
        }
    }

    fn returned(&mut self, leases: &[Lease]) -> Option<()> {
        leases.iter().for_each(|lease| self.end_lease(*lease));
        Some(())
    }

    fn cut_into(&mut self, task: TaskId, ways: u64) -> Option<()> {
        self.tasks.contains_key(&task).then(|| self.ways.insert(task, ways))?;
        Some(())
    }

    fn started(&mut self, incarnation: Incarnation, secret: u64) -> Option<()> {
        (self.incarnation, self.secret) = (incarnation, secret);
        // What a node did for its neighbours is not journaled: each life numbers in a block of its own.
        self.next_task = TaskId(next_block(self.next_task.0));
        let from = if planted::is(Bug::LeasesFromZero) { 0 } else { self.next_lease.0 };
        self.next_lease = Lease(next_block(from));
        Some(())
    }

    fn cancelled(&mut self, job: JobId, at: Millis) -> Option<()> {
        let book = self.jobs.get_mut(&job)?;
        (book.standing, book.ended) = (Standing::Cancelled, Some(at));
        Some(())
    }

    fn moved(&mut self, from: Account, to: Account, amount: Credits) -> Option<()> {
        self.ledger.transfer(from, to, amount).ok()?;
        if let Account::Node(node) = to {
            self.credit(node, amount);
        }
        Some(())
    }

    fn held(&mut self, root: TaskId, amount: Credits) -> Option<()> {
        let purse = self.purses.get_mut(&root)?;
        self.ledger.transfer(purse.from, Account::Hold(root), amount).ok()?;
        purse.held = purse.held.plus(amount);
        Some(())
    }

    fn submitted(&mut self, job: &Job, root: TaskId, at: Millis, held: Credits) -> Option<()> {
        let from = Account::Person(job.owner);
        self.ledger.transfer(from, Account::Hold(root), held).ok()?;
        self.purses.insert(root, Purse { from, held, reserved: Credits(0), owed: Fuel(0), paid: Fuel(0) });
        let terms = Arc::new(Terms {
            tool: Arc::clone(&job.tool),
            check: job.check,
            chunk: job.chunk,
            merge: job.merge,
            source: Some(job.source),
            fails_max: job.fails_max,
        });
        let task = Task {
            job: job.id,
            root,
            owner: Owner::Person,
            stage: Stage::Work,
            items: job.source.count(),
            parts: Parts::new(job.source.count(), job.open, Fuel(0)),
            terms,
            satisfied: true,
            depth: 0,
            over: false,
        };
        let book = JobBook {
            job: Arc::new(job.clone()),
            root,
            standing: Standing::Running,
            submitted: at,
            ended: None,
            spent: Credits(0),
            fuel: Fuel(0),
        };
        self.jobs.insert(job.id, book);
        self.hold_task(root, task);
        self.count_in(root);
        Some(())
    }

    fn taken(&mut self, id: TaskId, from: NodeId, gift: &Gift, stage: Stage) -> Option<()> {
        let Act::Solve { depth } = gift.act else { return None };
        let held = Credits(gift.price.0.saturating_mul(gift.run_count()));
        self.purses
            .insert(id, Purse { from: Account::Node(from), held, reserved: Credits(0), owed: Fuel(0), paid: Fuel(0) });
        let tool = Arc::clone(&gift.tool);
        let terms = Terms {
            check: gift.check,
            chunk: Chunk::Items(1),
            merge: tool.abilities.merge,
            source: None::<Source>,
            fails_max: u64::MAX,
            tool,
        };
        let task = Task {
            job: gift.job,
            root: id,
            owner: Owner::Peer { node: from, lease: gift.lease },
            stage,
            items: 1,
            parts: Parts::new(1, false, Fuel(0)),
            terms: Arc::new(terms),
            satisfied: stage == Stage::Work,
            depth,
            over: false,
        };
        self.hold_task(id, task);
        Some(())
    }

    fn opened(&mut self, id: TaskId, parent: TaskId, item: u64) -> Option<()> {
        let above = self.tasks.get_mut(&parent)?;
        above.parts.again.remove(Span { first: item, len: 1 });
        above.parts.next = above.parts.next.max(item + 1);
        above.parts.opened.insert(item, id);
        let task = Task {
            job: above.job,
            root: above.root,
            owner: Owner::Parent { task: parent, item },
            terms: Arc::new(terms_of_input(&above.terms)),
            stage: Stage::Split,
            items: 1,
            parts: Parts::new(1, false, above.parts.raised),
            satisfied: false,
            depth: above.depth + 1,
            over: false,
        };
        self.note(parent);
        self.hold_task(id, task);
        Some(())
    }

    fn given(&mut self, lease: Lease, id: TaskId, mut grant: Grant) -> Option<()> {
        grant.pieces.iter().for_each(|piece| grant.left.add(*piece));
        if let Why::Copy { of } = grant.why {
            grant.twin = Some(of);
        }
        let task = self.tasks.get_mut(&id)?;
        let (to, reserved, root) = (grant.to, grant.reserved(), task.root);
        let free = grant.price == Credits(0);
        task.parts.give(lease, grant);
        let purse = self.purses.get_mut(&root)?;
        purse.reserved.0 += reserved.0;
        self.wants.given(Payer { account: purse.from, root }, lease, free);
        self.leases.insert(lease, id);
        self.peers.entry(to).or_default().leases.insert(lease);
        self.next_lease = Lease(self.next_lease.0.max(lease.0 + 1));
        self.note(id);
        Some(())
    }

    fn vested(&mut self, id: TaskId, node: NodeId, all: bool, pay: Credits) -> Option<()> {
        let task = self.tasks.get_mut(&id)?;
        let (fuel, root, job, pays) = (task.parts.vest(node, all), task.root, task.job, self.is_durable(id));
        self.unowe(root, fuel);
        let purse = self.purses.get_mut(&root)?;
        purse.held = purse.held.minus(pay);
        purse.paid = purse.paid.plus(fuel);
        // A task done for a neighbour is paid from the neighbour's own account, by a fact that lasts.
        if pays {
            let earner = self.circle.earner(node).map_or(Account::Node(node), Account::Person);
            self.ledger.transfer(Account::Hold(root), earner, pay).ok()?;
            let book = self.jobs.get_mut(&job)?;
            book.spent = book.spent.plus(pay);
            book.fuel = book.fuel.plus(fuel);
            self.credit(node, pay);
        }
        if planted::is(Bug::PayTwice) {
            self.ledger.restore(Account::Node(node), self.ledger.signed(Account::Node(node)) + 1);
        }
        self.note(id);
        Some(())
    }

    fn staged(&mut self, id: TaskId, stage: Stage, count: u64) -> Option<()> {
        if !self.tasks.get(&id)?.parts.unvested.is_empty() {
            return None;
        }
        self.on_task(id, |task| {
            if task.stage == Stage::Split {
                // No piece means that the tool is satisfied: the input is the one item of the work.
                task.satisfied = count == 0;
                task.items = count.max(1);
            }
            task.stage = stage;
            task.parts = Parts::new(task.items, false, task.parts.raised);
        })
    }

    fn ended(&mut self, id: TaskId, standing: Standing, _fuel: Fuel, at: Millis) -> Option<()> {
        let task = self.tasks.get_mut(&id)?;
        if !task.parts.unvested.is_empty() {
            return None;
        }
        let (owner, job, root) = (task.owner, task.job, task.root);
        self.count_out(id);
        let task = self.tasks.get_mut(&id)?;
        task.over = true;
        task.items = task.items.max(task.parts.count);
        if let Owner::Parent { task: parent, item } = owner {
            self.drop_task(id);
            let above = self.tasks.get_mut(&parent)?;
            above.parts.opened.remove(&item);
            above.parts.answered.add(Span { first: item, len: 1 });
            if standing != Standing::Done {
                above.parts.failed.add(Span { first: item, len: 1 });
            }
            self.note(parent);
            return Some(());
        }
        let purse = self.purses.remove(&root)?;
        if planted::is(Bug::KeepTheHold) {
            return Some(());
        }
        if owner == Owner::Person {
            self.ledger.transfer(Account::Hold(root), purse.from, purse.held).ok()?;
            let book = self.jobs.get_mut(&job)?;
            if book.ended.is_none() {
                (book.standing, book.ended) = (standing, Some(at));
            }
            self.note(id);
        } else {
            self.drop_task(id);
        }
        self.wants.over(root);
        Some(())
    }

    fn retried(&mut self, job: JobId, budget: Credits) -> Option<()> {
        let book = self.jobs.get_mut(&job)?;
        let (root, from) = (book.root, Account::Person(book.job.owner));
        self.ledger.transfer(from, Account::Hold(root), budget).ok()?;
        (book.standing, book.ended) = (Standing::Running, None);
        // What is set aside now is all that it may cost beyond what it has cost.
        Arc::make_mut(&mut book.job).budget = book.spent.plus(budget);
        self.purses.insert(root, Purse { from, held: budget, reserved: Credits(0), owed: Fuel(0), paid: Fuel(0) });
        self.on_task(root, |task| {
            let items = task.items;
            let parts = &mut task.parts;
            let failed = std::mem::take(&mut parts.failed);
            failed.iter().for_each(|span| parts.answered.remove(span));
            parts.again.join(&failed);
            (parts.count, parts.ending) = (items, None);
            (task.stage, task.over) = (Stage::Work, false);
        })?;
        self.count_in(root);
        Some(())
    }

    fn forgotten(&mut self, job: JobId) -> Option<()> {
        let book = self.jobs.remove(&job)?;
        self.drop_task(book.root);
        Some(())
    }

    fn stands(&mut self, id: TaskId, whole: &Task) -> Option<()> {
        let payer = self.payer(whole.root);
        for (lease, grant) in &whole.parts.out {
            self.leases.insert(*lease, id);
            self.peers.entry(grant.to).or_default().leases.insert(*lease);
            if let Some(payer) = payer {
                self.wants.given(payer, *lease, grant.price == Credits(0));
            }
        }
        self.hold_task(id, whole.clone());
        self.count_in(id);
        Some(())
    }

    /// Answers arrived: their items are no longer out. Says who held the lease.
    pub(super) fn clear(&mut self, lease: Lease, spans: &[Span]) -> Option<NodeId> {
        let id = *self.leases.get(&lease)?;
        let task = self.tasks.get_mut(&id)?;
        let grant = task.parts.out.get(&lease)?;
        let (to, twin, root) = (grant.to, grant.twin, task.root);
        let released = spans.iter().fold(Credits(0), |sum, span| sum.plus(task.parts.clear(lease, *span)));
        self.release(root, released);
        for ended in [Some(lease), twin].into_iter().flatten() {
            if self.tasks.get(&id).is_some_and(|task| task.parts.out.get(&ended).is_none_or(|g| g.left.is_empty())) {
                self.end_lease(ended);
            }
        }
        Some(to)
    }

    pub(super) fn end_lease(&mut self, lease: Lease) {
        let Some(id) = self.leases.remove(&lease) else { return };
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let root = task.root;
        if let Some(grant) = task.parts.out.get(&lease) {
            let free = grant.price == Credits(0);
            if let Some(record) = self.peers.get_mut(&grant.to) {
                record.leases.remove(&lease);
            }
            if let Some(purse) = self.purses.get(&root) {
                self.wants.ended(Payer { account: purse.from, root }, free);
            }
        }
        let released = task.parts.end(lease);
        self.release(root, released);
        self.note(id);
    }

    fn on_root(&mut self, job: JobId, change: impl FnOnce(&mut Parts)) -> Option<()> {
        let root = self.jobs.get(&job)?.root;
        self.count_out(root);
        self.on_task(root, |task| {
            change(&mut task.parts);
            task.items = task.parts.count;
        })?;
        self.count_in(root);
        Some(())
    }

    fn on_task(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) -> Option<()> {
        change(self.tasks.get_mut(&id)?);
        self.note(id);
        Some(())
    }

    fn hold_task(&mut self, id: TaskId, task: Task) {
        self.next_task = TaskId(self.next_task.0.max(id.0 + 1));
        self.tasks.insert(id, task);
        self.note(id);
    }

    fn drop_task(&mut self, id: TaskId) {
        self.tasks.remove(&id);
        self.ways.remove(&id);
        self.note(id);
    }

    pub(super) fn note(&mut self, id: TaskId) {
        let task = self.tasks.get(&id);
        self.wants.note(id, task.and_then(|task| Some((task, self.payer(task.root)?))));
    }

    fn payer(&self, root: TaskId) -> Option<Payer> {
        self.purses.get(&root).map(|purse| Payer { account: purse.from, root })
    }

    fn release(&mut self, root: TaskId, released: Credits) {
        if let Some(purse) = self.purses.get_mut(&root) {
            purse.reserved = purse.reserved.minus(released);
        }
    }

    pub(super) fn owe(&mut self, id: TaskId, fuel: Fuel) {
        let root = self.tasks.get(&id).map(|task| task.root);
        if let Some(purse) = root.and_then(|root| self.purses.get_mut(&root)) {
            purse.owed = purse.owed.plus(fuel);
        }
    }

    pub(super) fn unowe(&mut self, root: TaskId, fuel: Fuel) {
        if let Some(purse) = self.purses.get_mut(&root) {
            purse.owed = Fuel(purse.owed.0.saturating_sub(fuel.0));
        }
    }
}
