//! What honest tools and their nodes may expect.

use super::support::{Bench, echo, order, parts, settings, spin, tool};
use grove::executor::{Executors, Order, RunError};
use grove_core::id::JobId;
use grove_sandbox::{Limits, Outcome, Part, Status};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

#[tokio::test]
async fn ten_thousand_parts_are_each_answered_once_with_their_own_output() {
    let bench = Bench::new();
    let outcomes = bench.run(1, &echo(), parts(10_000), Limits::default()).await.expect("it runs");
    for (n, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.status, Status::Exit(0), "part {n}");
        assert_eq!(outcome.stdout, n.to_string().as_bytes(), "part {n}");
    }
}

#[tokio::test]
async fn two_processes_give_the_same_clock_dice_and_fuel() {
    let wasm = tool(
        r#"(func (export "_start")
            (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 100)))
            (drop (call $random_get (i32.const 108) (i32.const 24)))
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.const 32))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))"#,
    );
    let bench = Bench::new();
    let timeless = |outcome: Outcome| Outcome { cpu_us: 0, wall_us: 0, ..outcome };
    let mut answers = Vec::new();
    for job in [1, 2] {
        let outcomes = bench.run(job, &wasm, parts(3), Limits::default()).await.expect("it runs");
        answers.push(outcomes.into_iter().map(timeless).collect::<Vec<_>>());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][0].stdout.len(), 32);
    assert_ne!(answers[0][0].stdout, answers[0][1].stdout, "another part has other dice");
}

#[tokio::test]
async fn another_job_gets_another_process() {
    let bench = Bench::new();
    let mut seen = Vec::new();
    for job in [1, 2, 3] {
        bench.run(job, &echo(), parts(1), Limits::default()).await.expect("it runs");
        let now = bench.executors.pids();
        bench.executors.end(JobId(job));
        assert!(bench.executors.pids().is_empty(), "an ended job keeps no process");
        seen.extend(now);
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count, "a process served two jobs: {seen:?}");
}

#[tokio::test]
async fn a_canary_of_one_job_is_not_in_the_memory_of_the_next() {
    // Fills its memory with a canary, or looks for one and exits with what it found.
    let canary = tool(
        r#"(func (export "_start") (local $at i32) (local $found i32)
            (loop $more
                (local.set $found (i32.or (local.get $found)
                    (i64.eq (i64.load (local.get $at)) (i64.const 0x5ec2e75ec2e75ec2))))
                (i64.store (local.get $at) (i64.const 0x5ec2e75ec2e75ec2))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $more (i32.lt_u (local.get $at) (i32.const 131072))))
            (if (i32.ne (memory.grow (i32.const 64)) (i32.const -1)) (then
                (loop $more
                    (local.set $found (i32.or (local.get $found)
                        (i64.eq (i64.load (local.get $at)) (i64.const 0x5ec2e75ec2e75ec2))))
                    (i64.store (local.get $at) (i64.const 0x5ec2e75ec2e75ec2))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $more (i32.lt_u (local.get $at) (i32.const 4325376))))))
            (call $exit (local.get $found)))"#,
    );
    let bench = Bench::new();
    for job in [1, 2] {
        let outcomes = bench.run(job, &canary, parts(20), Limits::default()).await.expect("it runs");
        assert!(outcomes.iter().all(|outcome| outcome.status == Status::Exit(0)), "{:?}", outcomes[0].status);
    }
}

#[tokio::test]
async fn compiled_code_is_kept_and_damaged_code_is_compiled_anew() {
    let bench = Bench::new();
    bench.run(1, &echo(), parts(1), Limits::default()).await.expect("it runs");
    let folder = bench.folder.path().join("compiled");
    let kept = || std::fs::read_dir(&folder).expect("compiled tools").map(|entry| entry.expect("entry").path());
    let code = kept().find(|path| path.extension().is_none()).expect("compiled code");
    let never = order(2, &echo(), parts(1), Limits::default());
    let again = Executors::start(settings(&bench.folder)).expect("executors");
    let (out, _heard) = mpsc::channel(4);
    again.run(never.clone(), || panic!("it was compiled before"), &out).await.expect("it runs");

    let mut bytes = std::fs::read(&code).expect("code");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::remove_file(&code).expect("removed");
    std::fs::write(&code, bytes).expect("damaged");
    let again = Executors::start(settings(&bench.folder)).expect("executors");
    again.run(never, || Ok(echo()), &out).await.expect("it runs");
}

#[tokio::test]
async fn dropping_an_order_stops_its_process() {
    let bench = Bench::new();
    let (out, _heard) = mpsc::channel(4);
    let order = order(1, &spin(), parts(1), Limits::default());
    let running = bench.executors.run(order, || Ok(spin()), &out);
    assert!(tokio::time::timeout(Duration::from_secs(3), running).await.is_err(), "it never ends by itself");
    assert_eq!(bench.executors.pids(), [] as [u32; 0]);
}

#[tokio::test]
async fn a_small_job_does_not_wait_for_the_end_of_a_large_one() {
    let bench = Bench::new();
    let limits = Limits { fuel: 200_000_000, ..Limits::default() };
    let spin = spin();
    let large = async {
        bench.run(1, &spin, parts(40), limits).await.expect("it runs");
        Instant::now()
    };
    let small = async {
        while bench.executors.pids().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bench.run(2, &echo(), parts(10), Limits::default()).await.expect("it runs");
        Instant::now()
    };
    let (large, small) = tokio::join!(large, small);
    assert!(small < large, "the small job ended {:?} after the large one", small - large);
}

#[tokio::test]
async fn a_split_does_not_wait_for_long_parts_of_its_own_job() {
    let bench = Bench::new();
    let spins_for_nought = tool(
        r#"(func (export "_start")
            (drop (call $args_get (i32.const 32) (i32.const 100)))
            (if (i32.eq (i32.load8_u (i32.load (i32.const 36))) (i32.const 48)) (then (loop $again (br $again)))))"#,
    );
    let part = |word: &str| Part { args: vec![word.into()], ..Part::default() };
    let all_lanes = bench.run(1, &spins_for_nought, vec![part("0"), part("0")], Limits::default());
    let split = async {
        while bench.executors.pids().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let order = order(1, &spins_for_nought, vec![part("1")], Limits::default());
        bench.run_order(Order { beyond: true, ..order }, &spins_for_nought).await
    };
    tokio::select! {
        done = all_lanes => panic!("they never end by themselves: {done:?}"),
        done = tokio::time::timeout(Duration::from_secs(30), split) => {
            assert_eq!(done.expect("it waited").expect("it runs")[0].status, Status::Exit(0));
        }
    }
}

#[tokio::test]
async fn freezing_stands_still_and_thawing_goes_on() {
    let bench = Bench::new();
    let limits = Limits { fuel: 3_000_000_000, ..Limits::default() };
    let begun = Instant::now();
    let spin = spin();
    let (outcome, ()) = tokio::join!(bench.run_one(&spin, limits), async {
        while bench.executors.pids().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bench.executors.freeze();
        tokio::time::sleep(Duration::from_millis(200)).await;
        for pid in bench.executors.pids() {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
            assert!(state.contains(") T "), "{state}");
        }
        tokio::time::sleep(Duration::from_millis(1800)).await;
        bench.executors.thaw();
    });
    assert_eq!(outcome.status, Status::OutOfFuel);
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[tokio::test]
async fn killing_all_ends_every_order_at_once() {
    let bench = Bench::new();
    let spin = spin();
    let (done, ()) = tokio::join!(bench.run(1, &spin, parts(4), Limits::default()), async {
        while bench.executors.pids().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        bench.executors.kill_all();
    });
    assert!(matches!(done, Err(RunError::Stopped)));
    bench.executors.thaw();
    let outcomes = bench.run(2, &echo(), parts(2), Limits::default()).await.expect("it runs again");
    assert_eq!(outcomes[1].stdout, b"1");
}

#[tokio::test]
async fn nothing_is_left_when_the_executors_go() {
    let bench = Bench::new();
    bench.run(1, &echo(), parts(5), Limits::default()).await.expect("it runs");
    let pids = bench.executors.pids();
    assert!(!pids.is_empty());
    drop(bench);
    let gone = |pid: &u32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    let begun = Instant::now();
    while !pids.iter().all(gone) {
        assert!(begun.elapsed() < super::support::PATIENCE, "left behind, or a zombie: {pids:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
