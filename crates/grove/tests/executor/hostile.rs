//! Every hostile thing a tool can do, against real processes: each is a clear failure of its own part, and the
//! next part runs as if nothing had been.

use super::support::{Bench, echo, order, parts, spin, tool};
use grove::executor::{CodeError, RunError};
use grove_sandbox::{CompileOptions, Limits, Outcome, Part, Status};
use rustix::process::{Pid, Signal};
use std::fmt::Write;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Runs a hostile tool, then an honest one.
async fn ends(wasm: &[u8], limits: Limits) -> Status {
    let bench = Bench::new();
    let status = bench.run_one(wasm, limits).await.status;
    let outcomes = bench.run(2, &echo(), parts(3), Limits::default()).await.expect("the next job runs");
    assert_eq!(outcomes[2].stdout, b"2");
    status
}

#[tokio::test]
async fn trap() {
    let status = ends(&tool(r#"(func (export "_start") unreachable)"#), Limits::default()).await;
    assert!(matches!(status, Status::Trap(_)), "{status:?}");
}

#[tokio::test]
async fn infinite_loop_within_fuel() {
    assert_eq!(ends(&spin(), Limits { fuel: 100_000_000, ..Limits::default() }).await, Status::OutOfFuel);
}

#[tokio::test]
async fn infinite_loop_on_the_wall() {
    assert_eq!(ends(&spin(), Limits { wall_ms: 300, ..Limits::default() }).await, Status::TimedOut);
}

#[tokio::test]
async fn memory_bomb() {
    let bomb = tool(
        r#"(func (export "_start")
            (loop $again (br_if $again (i32.ne (memory.grow (i32.const 256)) (i32.const -1))))
            unreachable)"#,
    );
    assert_eq!(ends(&bomb, Limits { memory_bytes: 256 << 20, ..Limits::default() }).await, Status::OutOfMemory);
}

#[tokio::test]
async fn memory_bomb_that_touches_every_page() {
    let bomb = tool(
        r#"(func (export "_start") (local $at i32)
            (loop $again
                (local.set $at (i32.mul (memory.grow (i32.const 256)) (i32.const 65536)))
                (memory.fill (local.get $at) (i32.const 1) (i32.const 16777216))
                (br $again)))"#,
    );
    let status = ends(&bomb, Limits { memory_bytes: 256 << 20, ..Limits::default() }).await;
    assert_eq!(status, Status::OutOfMemory);
}

#[tokio::test]
async fn stdout_flood() {
    let flood = tool(
        r#"(func (export "_start")
            (i32.store (i32.const 4) (i32.const 65536))
            (loop $again
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
                (br $again)))"#,
    );
    assert_eq!(ends(&flood, Limits::default()).await, Status::OutputTooLarge);
}

#[tokio::test]
async fn file_flood() {
    let flood = tool(
        r#"(data (i32.const 100) "f")
        (func (export "_start")
            (drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 100) (i32.const 1)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 50)))
            (i32.store (i32.const 4) (i32.const 65536))
            (loop $again
                (drop (call $fd_write (i32.load (i32.const 50)) (i32.const 0) (i32.const 1) (i32.const 12)))
                (br $again)))"#,
    );
    assert_eq!(ends(&flood, Limits::default()).await, Status::FilesTooLarge);
}

#[tokio::test]
async fn table_bomb() {
    let bomb = tool(
        r#"(table $t 1 funcref)
        (func (export "_start")
            (loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 65536)) (i32.const -1))))
            unreachable)"#,
    );
    assert_eq!(ends(&bomb, Limits::default()).await, Status::OutOfMemory);
}

#[tokio::test]
async fn deep_recursion() {
    let deep = tool(
        r#"(func $down (param i32) (result i32) (i32.add (i32.const 1) (call $down (local.get 0))))
        (func (export "_start") (drop (call $down (i32.const 0))))"#,
    );
    let status = ends(&deep, Limits::default()).await;
    assert_eq!(status, Status::StackTooDeep);
}

#[tokio::test]
async fn reading_etc_passwd() {
    let thief = tool(
        r#"(data (i32.const 100) "../../../../etc/passwd")
        (func (export "_start") (call $exit
            (call $path_open (i32.const 3) (i32.const 1) (i32.const 100) (i32.const 22)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 50))))"#,
    );
    assert_eq!(ends(&thief, Limits::default()).await, Status::Exit(63), "EPERM");
}

#[tokio::test]
async fn opening_a_socket() {
    let wasm = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "sock_open" (func (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (func (export "_start")))"#,
    )
    .expect("a module");
    let error = Bench::new().run(1, &wasm, parts(1), Limits::default()).await.expect_err("refused");
    assert!(
        matches!(error, RunError::NotATool(ref why) if why.contains("sock_open") && why.contains("hint:")),
        "{error}"
    );
}

/// Compiles something that is made to hurt the compiler: refused or run, in bounded time, and the node lives.
async fn compile_bomb(body: &str, limits: Limits) -> Result<Vec<Outcome>, RunError> {
    let bench = Bench::new();
    let bomb = wat::parse_str(format!(r#"(module (memory (export "memory") 1) {body})"#)).expect("a module");
    let begun = Instant::now();
    let done = bench.run(1, &bomb, parts(1), limits).await;
    assert!(begun.elapsed() < Duration::from_secs(110), "{:?}", begun.elapsed());
    bench.run(2, &echo(), parts(1), Limits::default()).await.expect("the next job runs");
    done
}

fn is_run_or_refused(done: &Result<Vec<Outcome>, RunError>) -> bool {
    matches!(done, Ok(_) | Err(RunError::NotATool(_) | RunError::Code(CodeError::Compile { .. })))
}

#[tokio::test]
async fn a_compilation_that_died_says_nothing_about_the_tool() {
    let bench = Bench::new();
    // Large enough that its compilation can be met.
    let functions = "(func (result i32) (i32.add (i32.const 1) (i32.const 2)))".repeat(20_000);
    let tool = format!(r#"(module (memory (export "memory") 1) {functions} (func (export "_start")))"#);
    let tool = wat::parse_str(tool).expect("a module");
    let mut killed = 0;
    while killed < 2 {
        let killing = async {
            loop {
                bench.executors.kill_all();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let order = order(1, &tool, parts(1), Limits::default());
        let (wasm, options) = (tool.clone(), CompileOptions::default());
        let preparing = bench.executors.prepare(order.tool, options, move || Ok(wasm));
        let prepared = tokio::select! { prepared = preparing => prepared, () = killing => Ok(()) };
        let error = prepared.expect_err("it is killed at once");
        assert!(matches!(error, RunError::Stopped), "whoever killed it had their reason: {error}");
        killed += 1;
    }
    bench.executors.thaw();
    tokio::time::sleep(Duration::from_secs(3)).await;
    bench.run(1, &tool, parts(1), Limits::default()).await.expect("it is a tool");
}

#[tokio::test]
async fn compile_bomb_of_many_functions() {
    let body = format!(r#"{} (func (export "_start"))"#, "(func)".repeat(200_000));
    let done = compile_bomb(&body, Limits::default()).await;
    assert!(is_run_or_refused(&done), "{done:?}");
}

#[tokio::test]
async fn compile_bomb_of_branch_tables() {
    let mut body = String::new();
    for _ in 0..40 {
        body.push_str("(func (param i32) (block (block (block (br_table");
        for target in 0..65_000 {
            write!(body, " {}", target % 3).expect("a string takes it");
        }
        body.push_str(" (local.get 0))))))");
    }
    body.push_str(r#"(func (export "_start"))"#);
    let done = compile_bomb(&body, Limits::default()).await;
    assert!(is_run_or_refused(&done), "{done:?}");
}

#[tokio::test]
async fn an_executor_killed_in_the_middle() {
    let bench = Bench::new();
    let spin = spin();
    let (outcome, ()) = tokio::join!(bench.run_one(&spin, Limits::default()), signal(&bench, Signal::KILL));
    assert!(matches!(outcome.status, Status::Died(ref how) if how.contains('9')), "{:?}", outcome.status);
    let outcomes = bench.run(1, &echo(), parts(2), Limits::default()).await.expect("the same job runs on");
    assert_eq!(outcomes[1].stdout, b"1");
}

#[tokio::test]
async fn an_executor_frozen_by_somebody_else() {
    let bench = Bench::new();
    let limits = Limits { wall_ms: 500, ..Limits::default() };
    let spin = spin();
    let (outcome, ()) = tokio::join!(bench.run_one(&spin, limits), signal(&bench, Signal::STOP));
    assert!(matches!(outcome.status, Status::Died(ref how) if how.contains("frozen")), "{:?}", outcome.status);
    bench.run(1, &echo(), parts(2), Limits::default()).await.expect("the same job runs on");
}

/// One part in a large batch kills its executor again and again: it alone fails.
#[tokio::test]
async fn a_killed_batch_loses_nothing() {
    let bench = Bench::new();
    let slow = tool(
        r#"(func (export "_start") (local $n i32)
            (loop $more
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $more (i32.lt_u (local.get $n) (i32.const 3000000)))))"#,
    );
    let (out, mut heard) = mpsc::channel(16);
    let module = slow.clone();
    let running = bench.executors.run(order(1, &slow, parts(400), Limits::default()), move || Ok(module), &out);
    let counting = async {
        let (mut answered, mut died, mut killed) = (0, 0, 0);
        while answered < 400 {
            let batch: Vec<(usize, Outcome)> = heard.recv().await.expect("answers");
            answered += batch.len();
            died += batch.iter().filter(|(_, outcome)| matches!(outcome.status, Status::Died(_))).count();
            if answered > 50 * (killed + 1) && killed < 3 {
                killed += 1;
                signal(&bench, Signal::KILL).await;
            }
        }
        died
    };
    let both = async { tokio::join!(running, counting) };
    let (done, died) = tokio::time::timeout(super::support::PATIENCE, both).await.expect("in time");
    done.expect("it ran");
    assert!(died <= 6, "{died} parts failed for three kills of at most two processes each");
}

#[tokio::test]
async fn an_input_beyond_a_frame_is_refused_alone() {
    let bench = Bench::new();
    let giant = Part { stdin: vec![0; 200 << 20].into(), ..Part::default() };
    let outcomes = bench.run(1, &echo(), vec![parts(1).remove(0), giant], Limits::default()).await.expect("it runs");
    assert_eq!(outcomes[0].status, Status::Exit(0));
    assert!(matches!(outcomes[1].status, Status::BadInput(_)), "{:?}", outcomes[1].status);
}

/// Signals every executor that runs parts now, as soon as there is one.
async fn signal(bench: &Bench, signal: Signal) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let pids = bench.executors.pids();
        for pid in &pids {
            let pid = Pid::from_raw(i32::try_from(*pid).expect("a process")).expect("not zero");
            // It may have ended in between, as in any race with a real process.
            let _ = rustix::process::kill_process(pid, signal);
        }
        if !pids.is_empty() {
            return;
        }
    }
}
