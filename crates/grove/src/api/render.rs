//! Turns what core shows into the API's own shapes.

use super::alias::Aliases;
use crate::door::{Branch, Growth, Seen, Way};
use crate::shape::{
    Big, BranchShape, CheckShape, Content, FavoursShape, FileShape, JobShape, KnownShape, PeerShape, ReasonShape,
    ResultShape, Signed, SourceView, StandingShape, V,
};
use grove_core::id::{JobId, Lease, NodeId};
use grove_core::job::{Check, Source, Standing};
use grove_core::message::{Data, Outcome, Trap};
use grove_core::node::Kept;
use grove_core::task::Stage;
use grove_core::view::{JobView, PeerView, Reason};

pub(super) fn node_id(node: NodeId) -> String {
    format!("{:016x}", node.0)
}

/// How jobs, lenders and leases are called in what somebody is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names {
    /// Lenders by the numbers of their nodes: for who looks after the circle.
    True { jobs: Aliases },
    /// By names that mean nothing outside of one job, drawn from a secret of this node.
    OfTheJob { jobs: Aliases, secret: [u8; 32] },
}

impl Names {
    pub(super) fn of(self, job: JobId, node: NodeId) -> String {
        match self {
            Names::True { .. } => node_id(node),
            Names::OfTheJob { secret, .. } => format!("{:016x}", drawn(secret, job.0, node.0)),
        }
    }

    /// The lender knows its lease by its number: whoever runs the job must not.
    pub(super) fn lease(self, job: JobId, lease: Lease) -> Big {
        match self {
            Names::True { .. } => Big(lease.0),
            // Twice the secret, so that no node is called as a lease is.
            Names::OfTheJob { secret, .. } => Big(drawn(*blake3::hash(&secret).as_bytes(), job.0, lease.0)),
        }
    }

    /// What people call that job.
    pub(super) fn job(self, job: JobId) -> String {
        let (Names::True { jobs } | Names::OfTheJob { jobs, .. }) = self;
        jobs.said(job).to_string()
    }
}

fn drawn(secret: [u8; 32], job: u64, number: u64) -> u64 {
    let hash = blake3::keyed_hash(&secret, &[job.to_le_bytes(), number.to_le_bytes()].concat());
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

pub(super) fn job(names: Names, view: &JobView) -> JobShape {
    let (job, counts) = (&view.job, view.counts);
    JobShape {
        v: V,
        id: names.job(job.id),
        name: job.name.to_string(),
        standing: standing(view.standing),
        stage: stage(view.stage).to_owned(),
        submitted_ms: view.submitted.0,
        ended_ms: view.ended.map(|ended| ended.0),
        items: counts.items,
        done: counts.done,
        failed: counts.failed,
        running: counts.running,
        queued: counts.queued,
        checking: counts.checking,
        waiting: counts.waiting,
        spent: Big(view.spent.0),
        budget: Big(job.budget.0),
        fuel: Big(view.fuel.0),
        merged: view.merged,
        open: view.open,
        source: match job.source {
            Source::Listed { .. } => SourceView::Inputs,
            Source::Numbers { from, .. } => SourceView::Numbers { from: Big(from) },
            Source::Lines { blob, .. } => SourceView::Lines { blob: blob.to_string() },
        },
        check: check(job.check),
        tool: job.tool.module.to_string(),
        args: job.tool.args.iter().map(|arg| arg.to_string()).collect(),
    }
}

pub(super) fn standing(standing: Standing) -> StandingShape {
    match standing {
        Standing::Running => StandingShape::Running,
        Standing::Done => StandingShape::Done,
        Standing::Failed => StandingShape::Failed,
        Standing::Cancelled => StandingShape::Cancelled,
        Standing::Unpaid => StandingShape::Unpaid,
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Split => "split",
        Stage::Work => "work",
        Stage::Merge { .. } => "merge",
    }
}

fn check(check: Check) -> CheckShape {
    match check {
        Check::Prove { spot_per_mille } => CheckShape::Prove { spot_per_mille },
        Check::Spot { per_mille } => CheckShape::Spot { per_mille },
        Check::Copies => CheckShape::Copies,
        Check::Trust => CheckShape::Trust,
    }
}

/// A result of a job as it stands: what could not be merged is no part of it.
pub(super) fn result_of(names: Names, view: &JobView, kept: &Kept) -> ResultShape {
    let merging = kept.outcome.is_failure() && matches!(view.stage, Stage::Merge { .. });
    ResultShape { merging, ..result(names, view.job.id, kept) }
}

pub(super) fn result(names: Names, job: JobId, kept: &Kept) -> ResultShape {
    let (outcome, exit, trap) = match kept.outcome {
        Outcome::Right => ("right", None, None),
        Outcome::Exit { code } => ("exit", Some(code), None),
        Outcome::Trapped { trap } => ("trap", None, Some(self::trap(trap).to_owned())),
        Outcome::OutOfFuel => ("out_of_fuel", None, None),
        Outcome::Broken => ("broken", None, None),
    };
    let file =
        |(name, data): &(std::sync::Arc<str>, Data)| FileShape { name: name.to_string(), content: content(data) };
    ResultShape {
        item: kept.span.first,
        count: kept.span.len,
        outcome: outcome.to_owned(),
        exit,
        trap,
        stdout: content(&kept.output.stdout),
        files: kept.output.files.iter().map(file).collect(),
        note: kept.output.note.to_string(),
        fuel: Big(kept.fuel.0),
        micros: kept.micros,
        by: names.of(job, kept.by),
        merging: false,
    }
}

fn trap(trap: Trap) -> &'static str {
    match trap {
        Trap::Crashed => "crashed",
        Trap::OutOfMemory => "out_of_memory",
        Trap::OutputTooLarge => "output_too_large",
        Trap::FilesTooLarge => "files_too_large",
        Trap::TooSlow => "too_slow",
        Trap::OutOfFuel => "out_of_fuel",
        Trap::NotATool => "not_a_tool",
        Trap::Contradicts => "contradicts",
        Trap::StackTooDeep => "stack_too_deep",
    }
}

/// Bytes as JSON can carry them.
pub(super) fn content(data: &Data) -> Content {
    match data {
        Data::Inline { bytes } => match std::str::from_utf8(bytes) {
            Ok(text) => Content::Text(text.to_owned()),
            Err(_) => {
                use base64::Engine;
                Content::Bytes { base64: base64::engine::general_purpose::STANDARD.encode(bytes) }
            }
        },
        Data::Blob { id, len } => Content::Blob { blob: id.to_string(), len: *len, url: format!("/v1/blobs/{id}") },
    }
}

pub(super) fn peer(view: &PeerView, here: NodeId) -> PeerShape {
    PeerShape {
        node: node_id(view.node),
        here: view.node == here,
        linked: view.linked,
        left: view.left,
        slots: view.slots,
        memory: view.memory,
        too_large: view.too_large,
        gifts: view.gifts as u64,
        trusted: view.trusted,
        caught: view.caught,
        audits_passed: view.audits_passed,
        speed: view.speed,
        balance: Signed(i128::from(view.balance)),
        earned: Big(view.earned.0),
        silent_ms: if view.node == here { 0 } else { view.silent.0 },
        resting: view.resting,
        favours: (view.solves && view.node != here).then_some(FavoursShape {
            theirs: Big(view.favours.theirs.0),
            ours: Big(view.favours.ours.0),
            served: Big(view.favours.served.0),
        }),
    }
}

/// Somebody whom a peer knows.
pub(super) fn known(seen: &Seen) -> KnownShape {
    let way = |way: &Way| match way {
        Way::Ticket => "ticket",
        Way::Near => "near",
        Way::Came => "came",
        Way::Before => "before",
        Way::Told => "told",
    };
    let (address, linked_ms, called) = match seen.linked {
        Some((address, since, called)) => (Some(address.to_string()), u64::try_from(since.as_millis()).ok(), called),
        None => (None, None, false),
    };
    KnownShape {
        node: node_id(seen.node),
        key: seen.entry.key.iter().map(|byte| format!("{byte:02x}")).collect(),
        linked: seen.linked.is_some(),
        ways: seen.entry.ways.iter().map(|one| way(one).to_owned()).collect(),
        addresses: seen.entry.addresses.iter().map(ToString::to_string).collect(),
        address,
        called,
        linked_ms,
        problem: seen.entry.failed.clone().filter(|_| seen.linked.is_none()),
    }
}

/// One place of a tree, whoever holds it under the name that whoever asks may know.
pub(super) fn branch(names: Names, job: JobId, branch: &Branch) -> BranchShape {
    let state = match branch.state {
        Growth::Given => "given",
        Growth::Splitting => "splitting",
        Growth::Working => "working",
        Growth::Merging => "merging",
        Growth::Proving => "proving",
        Growth::Done => "done",
    };
    BranchShape {
        above: branch.above as u64,
        node: names.of(job, branch.node),
        state: state.to_owned(),
        done: branch.done,
        items: branch.items,
        millis: branch.millis,
        first: branch.first,
    }
}

/// The same words wherever somebody asks why.
pub(super) fn reason(reason: &Reason) -> ReasonShape {
    let many = |count: u64, one: &str| {
        if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
    };
    let (code, text, hint) = match *reason {
        Reason::Over { standing: Standing::Running } => ("running", "it is about to end".to_owned(), None),
        Reason::Over { standing: Standing::Done } => {
            ("done", "it is done".to_owned(), Some("`grove get` shows the results"))
        }
        Reason::Over { standing: Standing::Failed } => {
            ("failed", "it is over, and some parts failed".to_owned(), Some("`grove retry` runs them again"))
        }
        Reason::Over { standing: Standing::Cancelled } => ("cancelled", "somebody cancelled it".to_owned(), None),
        Reason::Over { standing: Standing::Unpaid } => (
            "unpaid",
            "its budget was spent before the work was done".to_owned(),
            Some("`grove retry --budget` goes on with more credits"),
        ),
        Reason::AtWork { lenders, parts } => {
            ("at_work", format!("{} with {} now", many(parts, "part"), many(lenders, "lender")), None)
        }
        Reason::OutOfReach { lenders, parts } => (
            "out_of_reach",
            format!("{} with {} that cannot be reached now", many(parts, "part"), many(lenders, "lender")),
            Some("wait: after half a minute others get them"),
        ),
        Reason::Checking { answers } => {
            ("checking", format!("{} being checked before they count", many(answers, "answer")), None)
        }
        Reason::NoLender => {
            ("no_lender", "nobody lends".to_owned(), Some("lend this or another machine: `grove lend`"))
        }
        Reason::LendersResting { lenders } => (
            "lenders_resting",
            format!("{} resting: declined, or broke a try, a moment ago", many(lenders, "lender")),
            Some("wait some seconds; if it stays so, `grove get` says what went wrong"),
        ),
        Reason::LendersPaused { lenders } => (
            "lenders_paused",
            format!("{} there, but not lending now: paused, or in use by whoever owns them", many(lenders, "lender")),
            Some("`grove why` on their machines says which; wait, or lend this machine: `grove lend`"),
        ),
        Reason::LendersGone { lenders } => (
            "lenders_gone",
            format!("{} not here any more", many(lenders, "lender")),
            Some("start it again, or lend this machine: `grove lend`"),
        ),
        Reason::LendersCaught { lenders } => (
            "lenders_caught",
            format!("{} found lying, and without work from now on", many(lenders, "lender")),
            Some("`grove why` names them; lend another machine: `grove lend`"),
        ),
        Reason::LendersSmall { lenders, wanted } => (
            "lenders_small",
            format!(
                "{} less memory than one part may want ({})",
                if lenders == 1 { "1 lender lends".to_owned() } else { format!("{lenders} lenders lend") },
                crate::amount::bytes_text(wanted)
            ),
            Some("say how little is enough: `grove run --memory 256MiB`; or lend more: `grove lend --memory`"),
        ),
        Reason::LendersSlow { lenders } => (
            "lenders_slow",
            format!("a part of this job took too long on {}: for some seconds others may try", many(lenders, "lender")),
            Some("if it fails there too, give it more time: `--timeout`"),
        ),
        Reason::LendersBusy { lenders } => (
            "lenders_busy",
            format!("all lenders that may work ({lenders}) have their hands full"),
            Some("wait, or lend another machine: `grove lend`"),
        ),
        Reason::Shared { accounts, slots, held } => (
            "shared",
            format!(
                "{} taken, shared by {accounts} people; {held} of what is out is yours: whoever has least is next",
                many(slots, "slot")
            ),
            Some("wait until a part ends, or lend another machine: `grove lend`"),
        ),
        Reason::Budget { left } => (
            "budget",
            format!(
                "what is left of the budget ({} credits) buys no further part before some in flight have come back",
                crate::amount::credits_text(i128::from(left.0))
            ),
            Some("a larger --budget lets more parts run at one time"),
        ),
        Reason::Account { left } => (
            "account",
            format!(
                "its budget is not spent, but its owner's credits are ({} left): other jobs were paid from them too",
                crate::amount::credits_text(i128::from(left.0))
            ),
            Some("lend to earn more, then `grove retry`; `grove run --budget` sets a job's credits aside at its start"),
        ),
        Reason::LastInLine { peers } => (
            "last_in_line",
            format!(
                "none of the {} here owes this one anything: when they are busy, whoever has worked for them is first",
                many(peers, "peer")
            ),
            Some(
                "this machine works for them while you are away: `grove why` without a job says what keeps it from that",
            ),
        ),
        Reason::NoInputs => (
            "no_inputs",
            "it is open and has no inputs to work on".to_owned(),
            Some("`grove send` adds some, `grove send --close` ends it"),
        ),
    };
    ReasonShape { code: code.to_owned(), text, hint: hint.map(str::to_owned) }
}
