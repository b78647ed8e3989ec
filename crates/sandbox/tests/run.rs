//! What an honest tool gets: arguments, input, output, a clock and dice that repeat.

use grove_sandbox::{Part, Status, Terms};

use crate::support::{build, command, run, timeless};

/// Copies its input to its output, 64 bytes at a time.
const CAT: &str = r#"
    (func (export "_start")
        (loop $more
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.const 64))
            (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
            (br_if $more (i32.load (i32.const 8)))))"#;

/// Prints two clock readings and 16 random bytes.
const DICE: &str = r#"
    (func (export "_start")
        (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 100)))
        (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 108)))
        (drop (call $random_get (i32.const 116) (i32.const 16)))
        (i32.store (i32.const 0) (i32.const 100))
        (i32.store (i32.const 4) (i32.const 32))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))"#;

#[test]
fn input_becomes_output() {
    let text = b"a line\n".repeat(100);
    let part = Part { stdin: text.clone().into(), ..Part::default() };
    let outcome = run(&command("fd_read fd_write", CAT), &part);
    assert_eq!(outcome.status, Status::Exit(0));
    assert_eq!(outcome.stdout, text);
}

#[test]
fn arguments_arrive_after_the_tools_name() {
    let print = r#"
        (func (export "_start")
            (drop (call $args_sizes_get (i32.const 20) (i32.const 24)))
            (drop (call $args_get (i32.const 32) (i32.const 100)))
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.load (i32.const 24)))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))"#;
    let part = Part { args: vec!["one".into(), "zwei".into()], ..Part::default() };
    let outcome = run(&command("args_sizes_get args_get fd_write", print), &part);
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "tool\0one\0zwei\0");
}

#[test]
fn exit_code_and_complaint_come_back() {
    let complain = r#"
        (data (i32.const 100) "no such number")
        (func (export "_start")
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.const 14))
            (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 12)))
            (call $proc_exit (i32.const 3)))"#;
    let outcome = run(&command("fd_write proc_exit", complain), &Part::default());
    assert_eq!(outcome.status, Status::Exit(3));
    assert_eq!(outcome.stderr_tail, b"no such number");
}

#[test]
fn the_same_part_gives_the_same_clock_dice_and_fuel() {
    let wasm = command("clock_time_get random_get fd_write", DICE);
    let (here, there) = (build(&wasm), build(&wasm));
    let part = Part { seed: 7, ..Part::default() };
    let first = timeless(here.run(&part, &Terms::default()));
    assert_eq!(first.stdout.len(), 32);
    assert_eq!(first, timeless(here.run(&part, &Terms::default())));
    assert_eq!(first, timeless(there.run(&part, &Terms::default())));
    let other = timeless(here.run(&Part { seed: 8, ..part }, &Terms::default()));
    assert_eq!(first.stdout[..16], other.stdout[..16], "the clock does not depend on the seed");
    assert_ne!(first.stdout[16..], other.stdout[16..], "the dice do");
}

#[test]
fn real_time_is_real() {
    let tool = build(&command("clock_time_get random_get fd_write", DICE));
    let terms = Terms { real_time: true, ..Terms::default() };
    let (one, two) = (tool.run(&Part::default(), &terms), tool.run(&Part::default(), &terms));
    assert_ne!(one.stdout[16..], two.stdout[16..]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let told = u64::from_le_bytes(one.stdout[..8].try_into().expect("eight bytes")) / 1_000_000_000;
    assert!(now.abs_diff(told) < 60);
}

#[test]
fn sleeping_takes_no_time_where_time_is_made() {
    // One subscription to the monotonic clock, an hour from now.
    let sleep = r#"
        (func (export "_start")
            (i32.store (i32.const 216) (i32.const 1))
            (i64.store (i32.const 224) (i64.const 3600000000000))
            (drop (call $poll_oneoff (i32.const 200) (i32.const 300) (i32.const 1) (i32.const 400)))
            (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 100)))
            (i32.store (i32.const 0) (i32.const 100))
            (i32.store (i32.const 4) (i32.const 8))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))"#;
    let outcome = run(&command("poll_oneoff clock_time_get fd_write", sleep), &Part::default());
    let told = u64::from_le_bytes(outcome.stdout[..].try_into().expect("eight bytes"));
    assert!((3_600_000_000_000..3_600_001_000_000).contains(&told), "{told}");
    assert!(outcome.wall_us < 60_000_000);
}

#[test]
fn the_environment_is_empty() {
    let count = r#"
        (func (export "_start")
            (drop (call $environ_sizes_get (i32.const 20) (i32.const 24)))
            (call $proc_exit (i32.load (i32.const 20))))"#;
    assert_eq!(run(&command("environ_sizes_get proc_exit", count), &Part::default()).status, Status::Exit(0));
}

#[test]
fn a_fresh_instance_for_every_part() {
    // Exits with what memory held, then changes it.
    let count = r#"
        (global $seen (mut i32) (i32.const 0))
        (func (export "_start") (local $was i32)
            (local.set $was (i32.add (global.get $seen) (i32.load (i32.const 50000))))
            (global.set $seen (i32.const 1))
            (i32.store (i32.const 50000) (i32.const 7))
            (call $proc_exit (local.get $was)))"#;
    let tool = build(&command("proc_exit", count));
    for _ in 0..3 {
        assert_eq!(tool.run(&Part::default(), &Terms::default()).status, Status::Exit(0));
    }
}

#[test]
fn the_tag_names_the_engine_we_are_built_with() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).expect("lock file");
    let version = lock.split("name = \"wasmtime\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    assert!(
        grove_sandbox::ENGINE.starts_with(&format!("wasmtime-{}/", version.expect("wasmtime is in the lock file")))
    );
}
