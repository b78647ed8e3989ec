//! Samples of all facts, each with something in every field.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grove_core::circle::{Invitation, Machine, Person, Roles, Session};
use grove_core::id::{Digest, Incarnation, JobId, Lease, NodeId, PersonId, TaskId};
use grove_core::job::{Abilities, Caps, Check, Chunk, Job, Source, Standing, Tool};
use grove_core::ledger::Account;
use grove_core::message::{Signed, Totals};
use grove_core::peer::{Favours, Record, Trust};
use grove_core::state::{Fact, JobBook, Purse, Then};
use grove_core::task::{Grant, Owner, Parts, Pending, Proof, Span, Spans, Stage, Task, Terms, Unvested, Why};
use grove_core::units::{Credits, Fuel, Millis};

use super::{messages, samples};

const TASK: TaskId = TaskId(1 << 40 | 1);
const LEASE: Lease = Lease(1 << 40 | 9);
const NODE: NodeId = NodeId(0xfeed_face_cafe_beef);
const JOB: JobId = JobId(0x0123_4567_89ab_cdef);
const KEY: Digest = Digest([0xab; 32]);
const LENDS: Roles = Roles { lend: true, run: false, admin: true };
const SPAN: Span = Span { first: 300, len: 7 };

pub(super) fn samples() -> Vec<(String, Fact)> {
    samples!(Fact:
        Started => [Fact::Started { incarnation: Incarnation(77), secret: u64::MAX }],
        Moved => [Fact::Moved { from: Account::Mint, to: Account::Person(PersonId(1)), amount: Credits(1_000_000_000) }],
        Submitted => [Fact::Submitted { job: Box::new(job()), root: TASK, at: Millis(1_790_000_000_000) }],
        Extended => [Fact::Extended { job: JOB, count: 500 }],
        Closed => [Fact::Closed { job: JOB }],
        Taken => [Fact::Taken { task: TASK, from: NODE, gift: Box::new(messages::gift()), stage: Stage::Split }],
        Opened => [Fact::Opened { task: TASK, parent: TaskId(4), item: 12 }],
        Met => [Fact::Met { node: NODE, incarnation: Incarnation(78) }],
        Given => [Fact::Given {
            lease: LEASE,
            task: TASK,
            to: NODE,
            why: Why::Copy { of: Lease(8) },
            pieces: vec![SPAN, Span { first: 400, len: 1 }],
            chunk: 2,
            price: Credits(999),
            inner: true,
        }],
        Answered => [Fact::Answered { lease: LEASE, spans: vec![SPAN], fuel: Fuel(123_456) }],
        SetAside => [Fact::SetAside { lease: LEASE, pending: vec![pending()] }],
        Proved => [Fact::Proved { task: TASK, lease: LEASE, firsts: vec![300, 302] }],
        Unsettled => [
            Fact::Unsettled { task: TASK, lease: LEASE, firsts: vec![300], then: Then::Audit },
            Fact::Unsettled { task: TASK, lease: LEASE, firsts: vec![300], then: Then::Count },
            Fact::Unsettled { task: TASK, lease: LEASE, firsts: vec![300], then: Then::Doubt },
        ],
        Refuted => [Fact::Refuted { task: TASK, lease: LEASE, first: 300 }],
        Corrected => [Fact::Corrected { lease: LEASE, span: SPAN, fuel: Fuel(55), failed: true }],
        Caught => [Fact::Caught { node: NODE }],
        Returned => [Fact::Returned { leases: vec![LEASE, Lease(3)] }],
        Broke => [Fact::Broke { lease: LEASE, span: SPAN }],
        GaveUp => [Fact::GaveUp { task: TASK, span: SPAN }],
        Dearer => [Fact::Dearer { lease: LEASE, span: SPAN, limit: Fuel(1 << 45) }],
        Settled => [Fact::Settled { task: TASK, first: 300 }],
        Ending => [Fact::Ending { task: TASK, standing: Standing::Cancelled }],
        Vested => [Fact::Vested { task: TASK, node: NODE, all: true, pay: Credits(71) }],
        Staged => [Fact::Staged { task: TASK, stage: Stage::Merge { level: 1 }, count: 40 }],
        Ended => [Fact::Ended { task: TASK, standing: Standing::Done, fuel: Fuel(1 << 50), at: Millis(1_790_000_001_000) }],
        Retried => [Fact::Retried { job: JOB, at: Millis(1_790_000_002_000), budget: Credits(5_000) }],
        Forgotten => [Fact::Forgotten { job: JOB }],
        Credited => [Fact::Credited { node: NODE, total: Credits(1 << 33) }],
        Balance => [Fact::Balance { account: Account::Hold(TASK), balance: -12_345 }],
        Known => [Fact::Known { node: NODE, record: record() }],
        Numbered => [Fact::Numbered { next_task: TASK, next_lease: LEASE, refused: 2 }],
        JobStands => [
            Fact::JobStands { book: Box::new(book()), purse: Some(purse()) },
            Fact::JobStands { book: Box::new(JobBook { ended: None, ..book() }), purse: None },
        ],
        TaskStands => [Fact::TaskStands { task: TASK, whole: Box::new(task()) }],
        Believed => [Fact::Believed { task: TASK, firsts: vec![2, 300] }],
        Member => [Fact::Member { person: PersonId(2), whole: Box::new(Person {
            name: "Ann".into(),
            roles: LENDS,
            password: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
            since: Millis(1_790_000_000_000),
            revoked: true,
        }) }],
        Enrolled => [Fact::Enrolled { key: KEY, whole: Box::new(Machine {
            owner: PersonId(2),
            name: "kitchen".into(),
            roles: LENDS,
            since: Millis(1_790_000_000_001),
            revoked: true,
        }) }],
        Invited => [Fact::Invited { secret: KEY, whole: Box::new(Invitation {
            by: PersonId(1),
            of: Some(PersonId(2)),
            roles: LENDS,
            grant: Credits(10_000_000),
            uses_left: 3,
            expires: Millis(1_790_000_000_002),
        }) }],
        Uninvited => [Fact::Uninvited { secret: KEY }],
        LoggedIn => [Fact::LoggedIn {
            token: KEY,
            whole: Session { person: PersonId(2), expires: Millis(1_790_000_000_003) },
        }],
        LoggedOut => [Fact::LoggedOut { token: KEY }],
        Claimed => [Fact::Claimed { node: NODE, key: KEY }],
        Cancelled => [Fact::Cancelled { job: JOB, at: Millis(1_790_000_000_003) }],
        Earns => [Fact::Earns { node: NODE, person: PersonId(1) }],
        Accepted => [Fact::Accepted {
            job: Box::new(job()),
            root: TASK,
            at: Millis(1_790_000_000_000),
            held: Credits(100_000),
        }],
        Held => [Fact::Held { root: TASK, amount: Credits(200_000) }],
        Favoured => [Fact::Favoured {
            node: NODE,
            favours: Favours { theirs: Credits(700), ours: Credits(1), served: Credits(9_000) },
        }],
        Cut => [Fact::Cut { task: TASK, ways: 12 }],
        Withdrawn => [Fact::Withdrawn { task: TASK, first: 7 }],
        Signed => [Fact::Signed { node: NODE, signed: signed() }],
        Recalled => [Fact::Recalled { node: NODE, totals: signed().totals }],
    )
}

pub(super) fn signed() -> Signed {
    Signed { totals: Totals { yours: Credits(700), mine: Credits(9_000) }, seal: Arc::from([1, 2, 3]) }
}

pub(super) fn digest(seed: u8) -> Digest {
    Digest(std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(at as u8)))
}

pub(super) fn tool() -> Tool {
    Tool {
        module: digest(3),
        abilities: Abilities { split: true, merge: false, check: true, first: true },
        args: vec!["--from".into(), "{1}".into(), "ünï".into()],
        stdin: true,
        real_time: false,
        caps: Caps { fuel: Fuel(1 << 44), wall: Millis(3_600_000), memory_bytes: 1 << 30, output_bytes: 64 << 20 },
    }
}

fn job() -> Job {
    Job {
        id: JOB,
        owner: PersonId(1),
        name: Arc::from("first words"),
        tool: Arc::new(tool()),
        source: Source::Lines { blob: digest(4), count: 10_000_000 },
        chunk: Chunk::Items(64),
        check: Check::Prove { spot_per_mille: 50 },
        merge: false,
        open: true,
        budget: Credits(1 << 40),
        fails_max: 3,
    }
}

fn book() -> JobBook {
    JobBook {
        job: Arc::new(job()),
        root: TASK,
        standing: Standing::Failed,
        submitted: Millis(1_790_000_000_000),
        ended: Some(Millis(1_790_000_003_000)),
        spent: Credits(4_321),
        fuel: Fuel(4_321_000_000),
    }
}

fn purse() -> Purse {
    let from = Account::Person(PersonId(1));
    Purse { from, held: Credits(10_000), reserved: Credits(2_000), owed: Fuel(3_000_000), paid: Fuel(4_000_000) }
}

fn record() -> Record {
    Record {
        incarnation: Incarnation(78),
        trust: Trust { passed: 12, caught: true },
        leases: BTreeSet::from([LEASE]),
        paid_us: Credits(5),
        paid_them: Credits(6),
        favours: Favours::default(),
        signed: None,
    }
}

fn pending() -> Pending {
    Pending {
        by: NODE,
        span: SPAN,
        digest: digest(5),
        fuel: Fuel(777),
        failed: true,
        inner: false,
        proof: Proof::Audit,
        at: Some(LEASE),
    }
}

fn task() -> Task {
    let terms = Terms {
        tool: Arc::new(tool()),
        check: Check::Copies,
        chunk: Chunk::Timed,
        merge: true,
        source: Some(Source::Numbers { from: 5, count: 1_000 }),
        fails_max: 9,
    };
    Task {
        job: JOB,
        root: TaskId(2),
        owner: Owner::Parent { task: TaskId(2), item: 6 },
        terms: Arc::new(terms),
        stage: Stage::Work,
        items: 1_000,
        parts: parts(),
        satisfied: true,
        depth: 3,
        over: false,
    }
}

fn parts() -> Parts {
    let unvested = Unvested { older: (Spans::of(SPAN), Fuel(70)), fresh: (Spans::default(), Fuel(0)), passed: 4 };
    Parts {
        count: 1_000,
        open: false,
        next: 500,
        again: Spans::of(Span { first: 20, len: 5 }),
        answered: Spans::of(Span { first: 0, len: 20 }),
        failed: Spans::of(Span { first: 3, len: 1 }),
        opened: BTreeMap::from([(40, TaskId(9))]),
        out: BTreeMap::from([(LEASE, grant())]),
        pending: BTreeMap::from([(300, pending())]),
        unproved: BTreeSet::from([(Proof::Second, 310)]),
        unvested: BTreeMap::from([(NODE, unvested)]),
        broken: BTreeMap::from([(41, 2)]),
        settled: Some(17),
        ending: Some(Standing::Done),
        raised: Fuel(1 << 42),
    }
}

fn grant() -> Grant {
    Grant {
        to: NODE,
        why: Why::Try,
        chunk: 1,
        pieces: vec![SPAN],
        left: Spans::of(Span { first: 302, len: 2 }),
        price: Credits(50),
        twin: Some(Lease(8)),
        inner: false,
    }
}
