//! What a hostile tool can do within its own process: each ends in a clear status, and the next part runs.

use grove_sandbox::{Limits, Part, Status, Terms};

use crate::support::{build, command, run, run_within};

const SPIN: &str = r#"(func (export "_start") (loop $again (br $again)))"#;

#[test]
fn trap() {
    let outcome = run(&command("", r#"(func (export "_start") unreachable)"#), &Part::default());
    assert!(matches!(outcome.status, Status::Trap(ref what) if what.contains("unreachable")), "{:?}", outcome.status);
}

#[test]
fn infinite_loop_runs_out_of_fuel_at_the_same_place() {
    let limits = Limits { fuel: 1_000_000, ..Limits::default() };
    let outcome = run_within(&command("", SPIN), limits);
    assert_eq!(outcome.status, Status::OutOfFuel);
    assert_eq!(outcome.fuel, 1_000_000);
}

#[test]
fn a_loop_of_host_calls_runs_out_of_fuel() {
    let body = r#"(func (export "_start")
        (loop $again (drop (call $random_get (i32.const 0) (i32.const 65536))) (br $again)))"#;
    let outcome = run_within(&command("random_get", body), Limits { fuel: 10_000_000, ..Limits::default() });
    assert_eq!(outcome.status, Status::OutOfFuel);
}

#[test]
fn memory_bomb_is_refused_and_named() {
    let bomb = r#"(func (export "_start")
        (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        unreachable)"#;
    let outcome = run_within(&command("", bomb), Limits { memory_bytes: 32 << 20, ..Limits::default() });
    assert_eq!(outcome.status, Status::OutOfMemory);
}

#[test]
fn a_memory_declared_too_large_is_refused() {
    let wasm = wat::parse_str(r#"(module (memory (export "memory") 60000) (func (export "_start")))"#).expect("wat");
    assert_eq!(run(&wasm, &Part::default()).status, Status::OutOfMemory);
}

#[test]
fn table_bomb_is_refused() {
    let bomb = r#"(table $t 1 funcref) (func (export "_start")
        (loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 4096)) (i32.const -1))))
        unreachable)"#;
    assert_eq!(run(&command("", bomb), &Part::default()).status, Status::OutOfMemory);
}

#[test]
fn deep_recursion_ends_in_a_trap() {
    let body = r#"(func $down (param i32) (result i32)
            (i32.add (i32.const 1) (call $down (local.get 0))))
        (func (export "_start") (drop (call $down (i32.const 1))))"#;
    let outcome = run(&command("", body), &Part::default());
    assert_eq!(outcome.status, Status::StackTooDeep);
}

#[test]
fn stdout_flood_stops_the_part() {
    let flood = r#"(func (export "_start")
        (i32.store (i32.const 0) (i32.const 0))
        (i32.store (i32.const 4) (i32.const 65536))
        (loop $again (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))) (br $again)))"#;
    let outcome = run_within(&command("fd_write", flood), Limits { stdout_bytes: 1 << 20, ..Limits::default() });
    assert_eq!(outcome.status, Status::OutputTooLarge);
    assert!(outcome.stdout.len() <= 1 << 20);
}

#[test]
fn stderr_flood_keeps_only_its_tail() {
    let flood = r#"(func (export "_start") (local $n i32)
        (i32.store (i32.const 0) (i32.const 0))
        (i32.store (i32.const 4) (i32.const 65536))
        (loop $again
            (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 12)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 100)))))"#;
    let outcome = run(&command("fd_write", flood), &Part::default());
    assert_eq!(outcome.status, Status::Exit(0));
    assert_eq!(outcome.stderr_tail.len(), 4096);
}

#[test]
fn a_stderr_flood_without_end_stops_the_part_too() {
    let flood = r#"(func (export "_start")
        (i32.store (i32.const 0) (i32.const 0))
        (i32.store (i32.const 4) (i32.const 65536))
        (loop $again (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 12))) (br $again)))"#;
    let outcome = run_within(&command("fd_write", flood), Limits { stdout_bytes: 1 << 20, ..Limits::default() });
    assert_eq!(outcome.status, Status::OutputTooLarge);
    assert_eq!(outcome.stderr_tail.len(), 4096);
}

#[test]
fn pointers_outside_memory_are_refused() {
    let wild = r#"(func (export "_start") (local $e i32)
        (local.set $e (call $random_get (i32.const -8) (i32.const 64)))
        (local.set $e (i32.add (local.get $e) (call $fd_write (i32.const 1) (i32.const -4) (i32.const 1) (i32.const 0))))
        (local.set $e (i32.add (local.get $e) (call $args_get (i32.const -1) (i32.const -1))))
        (call $proc_exit (local.get $e)))"#;
    let outcome = run(&command("random_get fd_write args_get proc_exit", wild), &Part::default());
    assert_eq!(outcome.status, Status::Exit(3 * 21), "EFAULT from each");
}

#[test]
fn sockets_are_not_there() {
    let body = r#"(func (export "_start")
        (call $proc_exit (call $sock_accept (i32.const 0) (i32.const 0) (i32.const 0))))"#;
    assert_eq!(run(&command("sock_accept proc_exit", body), &Part::default()).status, Status::Exit(57), "ENOTSOCK");
}

#[test]
fn the_next_part_of_the_same_tool_is_not_harmed() {
    let tool = build(&command("", SPIN));
    for _ in 0..50 {
        let terms = Terms { limits: Limits { fuel: 1000, ..Limits::default() }, real_time: false };
        assert_eq!(tool.run(&Part::default(), &terms).status, Status::OutOfFuel);
    }
}
