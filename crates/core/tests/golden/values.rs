//! Samples of the enums that facts and messages hold: each variant has its number for ever.

use grove_core::id::{Lease, NodeId, PersonId, TaskId};
use grove_core::job::{Check, Chunk, Source, Standing};
use grove_core::ledger::Account;
use grove_core::message::{Data, Decline, Inputs, Outcome, Trap};
use grove_core::task::{Act, Owner, Proof, Stage, Why};

use super::{Golden, facts, messages, samples};

pub(super) fn check(golden: &mut Golden) {
    conditions(golden);
    answers(golden);
    books(golden);
}

fn conditions(golden: &mut Golden) {
    golden.check(samples!(Source:
        Numbers => [Source::Numbers { from: 3, count: 1_000 }],
        Listed => [Source::Listed { count: 4 }],
        Lines => [Source::Lines { blob: facts::digest(2), count: 1 << 30 }],
    ));
    golden.check(samples!(Chunk:
        Items => [Chunk::Items(64)],
        Timed => [Chunk::Timed],
    ));
    golden.check(samples!(Check:
        Prove => [Check::Prove { spot_per_mille: 50 }],
        Spot => [Check::Spot { per_mille: 1_000 }],
        Copies => [Check::Copies],
        Trust => [Check::Trust],
    ));
    golden.check(samples!(Standing:
        Running => [Standing::Running],
        Done => [Standing::Done],
        Failed => [Standing::Failed],
        Cancelled => [Standing::Cancelled],
        Unpaid => [Standing::Unpaid],
    ));
}

fn answers(golden: &mut Golden) {
    golden.check(samples!(Inputs:
        Numbers => [Inputs::Numbers { from: 77 }],
        Carried => [Inputs::Carried { data: vec![Data::empty()] }],
    ));
    golden.check(samples!(Data:
        Inline => [messages::inline()],
        Blob => [messages::blob()],
    ));
    golden.check(samples!(Outcome:
        Right => [Outcome::Right],
        Exit => [Outcome::Exit { code: -3 }, Outcome::Exit { code: 1 }],
        Trapped => [Outcome::Trapped { trap: Trap::Crashed }],
        OutOfFuel => [Outcome::OutOfFuel],
        Broken => [Outcome::Broken],
    ));
    golden.check(samples!(Trap:
        Crashed => [Trap::Crashed],
        OutOfMemory => [Trap::OutOfMemory],
        OutputTooLarge => [Trap::OutputTooLarge],
        FilesTooLarge => [Trap::FilesTooLarge],
        TooSlow => [Trap::TooSlow],
        OutOfFuel => [Trap::OutOfFuel],
        NotATool => [Trap::NotATool],
        Contradicts => [Trap::Contradicts],
        StackTooDeep => [Trap::StackTooDeep],
    ));
    golden.check(samples!(Decline:
        Full => [Decline::Full],
        Paused => [Decline::Paused],
        Ancestor => [Decline::Ancestor],
        TooDeep => [Decline::TooDeep],
        Absurd => [Decline::Absurd],
    ));
    golden.check(samples!(Act:
        Run => [Act::Run],
        Split => [Act::Split { ways: 4_096 }],
        Merge => [Act::Merge],
        Check => [Act::Check],
        Solve => [Act::Solve { depth: 8 }],
    ));
}

fn books(golden: &mut Golden) {
    golden.check(samples!(Account:
        Mint => [Account::Mint],
        Person => [Account::Person(PersonId(1))],
        Node => [Account::Node(NodeId(u64::MAX))],
        Hold => [Account::Hold(TaskId(1 << 40))],
    ));
    golden.check(samples!(Owner:
        Person => [Owner::Person],
        Parent => [Owner::Parent { task: TaskId(3), item: 200 }],
        Peer => [Owner::Peer { node: NodeId(4), lease: Lease(5) }],
    ));
    golden.check(samples!(Stage:
        Split => [Stage::Split],
        Work => [Stage::Work],
        Merge => [Stage::Merge { level: 3 }],
    ));
    golden.check(samples!(Why:
        Try => [Why::Try],
        Copy => [Why::Copy { of: Lease(6) }],
        Proof => [Why::Proof(Proof::Prove), Why::Proof(Proof::Second)],
    ));
    golden.check(samples!(Proof:
        Prove => [Proof::Prove],
        Audit => [Proof::Audit],
        Second => [Proof::Second],
    ));
}
