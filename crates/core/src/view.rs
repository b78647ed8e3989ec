//! What can be seen of a node. Every face (command line, page, API, metrics) is rendered from this.

use crate::circle::FOUNDER;
use crate::id::{JobId, Lease, NodeId, PersonId, TaskId};
use crate::job::{Job, Standing};
use crate::ledger::Account;
use crate::peer::{Favours, Presence, Record};
use crate::state::{JobBook, State};
use crate::task::{Grant, Owner, Stage, Task, Why};
use crate::units::{Credits, Fuel, Millis};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A job as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobView {
    pub job: Arc<Job>,
    pub root: TaskId,
    pub standing: Standing,
    /// Work, then merges: where the root is.
    pub stage: Stage,
    pub submitted: Millis,
    pub ended: Option<Millis>,
    pub counts: Counts,
    pub spent: Credits,
    pub fuel: Fuel,
    /// Whether the job has one merged answer, and where the answers lie: the stage and first item.
    pub merged: bool,
    pub answer: (u8, u64),
    pub open: bool,
}

/// Items of a job's root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub items: u64,
    /// Answered, failed ones not included.
    pub done: u64,
    pub failed: u64,
    /// At work, as far as lenders have slots for what they hold, or a task of their own.
    pub running: u64,
    /// With a lender, behind others.
    pub queued: u64,
    /// Answered, but not proved yet.
    pub checking: u64,
    pub waiting: u64,
}

/// A neighbour as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    pub node: NodeId,
    pub linked: bool,
    /// It said goodbye, or has not been here since this node started.
    pub left: bool,
    pub slots: u32,
    /// Bytes that one part may have there; 0 where nothing is said.
    pub memory: u64,
    /// Running jobs with waiting parts that may want more.
    pub too_large: u64,
    pub gifts: usize,
    pub trusted: bool,
    pub caught: bool,
    pub audits_passed: u32,
    pub speed: u64,
    /// What is in its own account, or, below zero, what it owes.
    pub balance: i64,
    /// What its work here was worth.
    pub earned: Credits,
    pub silent: Millis,
    pub resting: bool,
    /// Takes whole pieces and splits them further: a peer.
    pub solves: bool,
    /// What it and this node have done for one another.
    pub favours: Favours,
}

/// Who lends, told apart by what keeps them from work. Each lender is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crew {
    /// Nothing does.
    pub able: u64,
    /// They declined, or their machines broke tries, a moment ago.
    pub resting: u64,
    /// Their owners are back.
    pub paused: u64,
    /// They went without a word, or what they hold is not back yet.
    pub gone: u64,
    /// They were found lying.
    pub caught: u64,
}

/// Why a job is not further than it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is over.
    Over { standing: Standing },
    /// Parts are out: so many lenders are at work.
    AtWork { lenders: u64, parts: u64 },
    /// Parts are with lenders that are not here; they are given to others when their leases end.
    OutOfReach { lenders: u64, parts: u64 },
    /// Answers wait to be proved.
    Checking { answers: u64 },
    /// Nobody ever lent.
    NoLender,
    /// No lender may work now, these because they rest.
    LendersResting { lenders: u64 },
    /// No lender may work now, these because their owners are back.
    LendersPaused { lenders: u64 },
    /// No lender may work now, these because they are not here any more.
    LendersGone { lenders: u64 },
    /// No lender may work now, these because they were found lying.
    LendersCaught { lenders: u64 },
    /// These lend less memory than one part may want.
    LendersSmall { lenders: u64, wanted: u64 },
    /// A part of this job took too long on these: for a moment they get no more of it, so that others try.
    LendersSlow { lenders: u64 },
    /// All lenders that may work are busy.
    LendersBusy { lenders: u64 },
    /// All slots are taken, and several accounts share them; the job's has so many gifts out. Whoever has least is next.
    Shared { accounts: u64, slots: u64, held: u64 },
    /// What is left of the budget buys no further part until parts in flight have come back.
    Budget { left: Credits },
    /// What is left of the budget would do, but its owner's account has no more: other jobs are paid from it too.
    Account { left: Credits },
    /// The job is open and has no inputs to work on.
    NoInputs,
    /// None of these peers owes this node anything: when they are busy, whoever has worked for them is served first.
    LastInLine { peers: u64 },
}

/// Counts the items of a root task.
pub fn counts(state: &State, presence: &BTreeMap<NodeId, Presence>, task: &Task) -> Counts {
    let parts = &task.parts;
    if task.stage != Stage::Work {
        // All of the work is done; what runs now is the merge.
        return Counts { items: task.items, done: task.items, ..Counts::default() };
    }
    // Of two at the same items one counts; whoever proves an answer is not at work on it.
    let counted = |grant: &&Grant| match grant.why {
        Why::Try => true,
        Why::Copy { .. } => grant.twin.is_none(),
        Why::Proof(_) => false,
    };
    // A slot works on one gift, and a lender begins with those that it got first, whosever they are.
    let begun = |lease: &Lease, to: NodeId| {
        let slots = presence.get(&to).filter(|peer| peer.linked).map_or(0, |peer| peer.slots);
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        state.peer(to).is_some_and(|record| record.leases.iter().take(slots).any(|first| first == lease))
    };
    let (mut out, mut at_work) = (0, 0);
    for (lease, grant) in parts.out.iter().filter(|(_, grant)| counted(grant)) {
        out += grant.left.count();
        at_work += if begun(lease, grant.to) { grant.chunk.min(grant.left.count()) } else { 0 };
    }
    let running = (at_work + parts.opened.len() as u64).min(parts.count);
    let pending: u64 = parts.pending.values().map(|pending| pending.span.len).sum();
    let failed = parts.failed.count();
    Counts {
        items: parts.count,
        done: parts.answered.count() - failed,
        failed,
        running,
        queued: (out - at_work).min(parts.count - running),
        checking: pending,
        waiting: parts.todo(),
    }
}

/// One job.
pub fn job(state: &State, presence: &BTreeMap<NodeId, Presence>, book: &JobBook) -> Option<JobView> {
    let task = state.task(book.root)?;
    let (stage, first) = crate::state::answer_row(task);
    let owed = state.purse(book.root).map(|purse| Credits::earned(purse.owed)).unwrap_or_default();
    Some(JobView {
        job: Arc::clone(&book.job),
        root: book.root,
        standing: book.standing,
        stage: task.stage,
        submitted: book.submitted,
        ended: book.ended,
        counts: counts(state, presence, task),
        spent: book.spent.plus(owed),
        fuel: book.fuel,
        merged: book.job.merge,
        answer: (stage.row(), first),
        open: task.parts.open,
    })
}

/// All neighbours, this node among them.
pub fn peers(state: &State, presence: &BTreeMap<NodeId, Presence>, now: Millis) -> Vec<PeerView> {
    let nothing = (Presence::default(), Record::default());
    let wanted = wanted(state);
    let nodes: BTreeSet<NodeId> = presence.keys().chain(state.peers().keys()).copied().collect();
    let view = |node: NodeId| {
        let here = presence.get(&node).unwrap_or(&nothing.0);
        let record = state.peer(node).unwrap_or(&nothing.1);
        PeerView {
            node,
            linked: here.linked,
            left: here.left && !here.linked,
            slots: here.slots,
            memory: here.memory,
            too_large: (wanted.len() - wanted.partition_point(|bytes| here.fits(*bytes))) as u64,
            gifts: record.leases.len(),
            trusted: here.trusted,
            caught: record.trust.caught,
            audits_passed: record.trust.passed,
            speed: here.speed,
            balance: state.ledger().signed(Account::Node(node)),
            earned: record.paid_them,
            silent: now.since(here.heard),
            resting: here.rests(now),
            solves: here.solves,
            favours: record.favours,
        }
    };
    nodes.into_iter().map(view).collect()
}

/// What one part of each running job may want that has parts waiting for a lender, in bytes; the least first.
pub fn wanted(state: &State) -> Vec<u64> {
    let running = state.jobs().values().filter(|book| book.standing == Standing::Running);
    let waits = |book: &&JobBook| state.task(book.root).is_some_and(|task| task.parts.todo() > 0);
    let mut wanted: Vec<u64> = running.filter(waits).map(|book| book.job.tool.caps.memory_bytes).collect();
    wanted.sort_unstable();
    wanted
}

/// When a waiting job may get its next part, as far as that can be told: a lender's rest ends, or work that is expected.
pub fn soonest(presence: &BTreeMap<NodeId, Presence>, now: Millis, wanted: u64) -> Option<Millis> {
    let may = presence.values().filter(|peer| peer.linked && peer.slots > 0 && peer.fits(wanted));
    may.map(|peer| peer.resting_until.since(now).max(peer.busy_for())).min()
}

/// Who lends to somebody.
pub fn crew(state: &State, presence: &BTreeMap<NodeId, Presence>, now: Millis, of: PersonId) -> Crew {
    let known: BTreeSet<NodeId> = presence.keys().chain(state.peers().keys()).copied().collect();
    let mut crew = Crew::default();
    for node in known {
        let caught = state.peer(node).is_some_and(|record| record.trust.caught);
        let counted = match presence.get(&node) {
            _ if caught => &mut crew.caught,
            // A hub need not lend.
            Some(peer) if peer.trusted && peer.slots == 0 => continue,
            Some(peer) if peer.linked && (peer.slots == 0 || peer.own_only && of != FOUNDER) => &mut crew.paused,
            Some(peer) if peer.linked && peer.rests(now) => &mut crew.resting,
            Some(peer) if peer.linked => &mut crew.able,
            Some(peer) if !peer.left => &mut crew.gone,
            Some(_) | None => continue,
        };
        *counted += 1;
    }
    crew
}

/// Why no lender may work; nothing if one may.
pub fn nobody(crew: Crew) -> Vec<Reason> {
    let Crew { able, resting, paused, gone, caught } = crew;
    if able > 0 {
        return Vec::new();
    }
    let all = [
        (resting, Reason::LendersResting { lenders: resting }),
        (paused, Reason::LendersPaused { lenders: paused }),
        (gone, Reason::LendersGone { lenders: gone }),
        (caught, Reason::LendersCaught { lenders: caught }),
    ];
    let mut reasons: Vec<Reason> =
        all.into_iter().filter(|(lenders, _)| *lenders > 0).map(|(_, reason)| reason).collect();
    if reasons.is_empty() {
        reasons.push(Reason::NoLender);
    }
    reasons
}

/// Why a job waits, the most important reason first.
pub fn why(state: &State, presence: &BTreeMap<NodeId, Presence>, now: Millis, job: JobId) -> Vec<Reason> {
    let Some(book) = state.job(job) else { return Vec::new() };
    if book.standing != Standing::Running {
        let over = Reason::Over { standing: book.standing };
        let account = (book.standing == Standing::Unpaid).then(|| account(state, book)).flatten();
        return account.into_iter().chain([over]).collect();
    }
    let mut reasons = Vec::new();
    let tree = || state.tasks().values().filter(|task| task.job == job && !matches!(task.owner, Owner::Peer { .. }));
    let (mut here, mut away) = ((BTreeSet::new(), 0), (BTreeSet::new(), 0));
    for grant in tree().flat_map(|task| task.parts.out.values()) {
        let linked = presence.get(&grant.to).is_some_and(|peer| peer.linked);
        let (lenders, parts) = if linked { &mut here } else { &mut away };
        lenders.insert(grant.to);
        *parts += grant.runs_left();
    }
    if !here.0.is_empty() {
        reasons.push(Reason::AtWork { lenders: here.0.len() as u64, parts: here.1 });
    }
    if !away.0.is_empty() {
        reasons.push(Reason::OutOfReach { lenders: away.0.len() as u64, parts: away.1 });
    }
    let answers = tree().map(|task| task.parts.pending.len() as u64).sum();
    if answers > 0 {
        reasons.push(Reason::Checking { answers });
    }
    let todo: u64 = tree().map(|task| task.parts.todo()).sum();
    if todo == 0 && reasons.is_empty() {
        reasons.push(Reason::NoInputs);
    }
    if todo > 0 {
        reasons.extend(waiting(state, presence, now, book));
    }
    reasons
}

fn waiting(state: &State, presence: &BTreeMap<NodeId, Presence>, now: Millis, book: &JobBook) -> Vec<Reason> {
    let crew = crew(state, presence, now, book.job.owner);
    if crew.able == 0 {
        return nobody(crew);
    }
    let free = state.purse(book.root).map(|purse| purse.free()).unwrap_or_default();
    let raised = state.task(book.root).map_or(Fuel(0), |task| task.parts.raised);
    let free = free.plus(state.may_hold(book.root));
    if free < Credits::reserved(raised.max(crate::limits::FUEL_LEAST)) {
        return vec![account(state, book).unwrap_or(Reason::Budget { left: free })];
    }
    let wanted = book.job.tool.caps.memory_bytes;
    let caught = |node: &NodeId| state.peer(*node).is_some_and(|record| record.trust.caught);
    let able = presence.iter().filter(|(node, peer)| peer.is_able(now) && !caught(node));
    let (mut lenders, mut slow) = (0, 0);
    for (_, peer) in able {
        lenders += u64::from(!peer.fits(wanted));
        slow += u64::from(peer.fits(wanted) && peer.rests_from(book.root, now));
    }
    let small = (lenders > 0).then_some(Reason::LendersSmall { lenders, wanted });
    let took_long = (slow > 0).then_some(Reason::LendersSlow { lenders: slow });
    let busy = (lenders + slow < crew.able)
        .then(|| shared(state, presence, book).unwrap_or(Reason::LendersBusy { lenders: crew.able - lenders - slow }));
    took_long.into_iter().chain(busy).chain(small).chain(last_in_line(state, presence)).collect()
}

/// What the account behind a job has left, if that is less than what its budget leaves: a budget that nobody named is
/// only a bound, and several jobs may count on the same credits.
fn account(state: &State, book: &JobBook) -> Option<Reason> {
    let held = state.purse(book.root).map(|purse| purse.held).unwrap_or_default();
    let left = state.ledger().balance(Account::Person(book.job.owner));
    (left < book.job.budget.minus(book.spent).minus(held)).then_some(Reason::Account { left })
}

/// How many peers might help, if this node has done nothing for any of them that they have not given back.
fn last_in_line(state: &State, presence: &BTreeMap<NodeId, Presence>) -> Option<Reason> {
    let here = presence.iter().filter(|(_, peer)| peer.linked && peer.solves);
    let (mut peers, mut owing) = (0, 0);
    for (node, _) in here {
        peers += 1;
        owing += u64::from(state.peer(*node).is_some_and(|record| record.favours.ours > Credits(0)));
    }
    (peers > 0 && owing == 0).then_some(Reason::LastInLine { peers })
}

/// With how many the owner of a job shares the lenders, if it is several.
fn shared(state: &State, presence: &BTreeMap<NodeId, Presence>, book: &JobBook) -> Option<Reason> {
    let (loads, own) = (&state.wants().loads, Account::Person(book.job.owner));
    let others: BTreeSet<Account> = loads.holders().map(|(account, _)| account).filter(|one| *one != own).collect();
    let accounts = others.len() as u64 + 1;
    let slots = presence.values().filter(|peer| peer.linked).map(|peer| u64::from(peer.slots)).sum();
    (accounts > 1).then_some(Reason::Shared { accounts, slots, held: loads.account(own).held })
}
