//! A node's executors over a scratch folder, and tools written as text.

use grove::executor::{Executors, Order, RunError, Settings};
use grove_core::id::{Digest, JobId};
use grove_sandbox::{CompileOptions, Limits, Outcome, Part, Terms};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Longer than anything here takes on a busy machine; a test that waits for it has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Bench {
    pub(super) executors: Executors,
    pub(super) folder: TempDir,
}

pub(super) fn settings(folder: &TempDir) -> Settings {
    Settings {
        program: PathBuf::from(env!("CARGO_BIN_EXE_grove")),
        lanes: 2,
        blanks: 1,
        ..Settings::new(folder.path().to_owned())
    }
}

impl Bench {
    pub(super) fn new() -> Bench {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let executors = Executors::start(settings(&folder)).expect("executors");
        Bench { executors, folder }
    }

    /// Runs parts and puts the outcomes in order.
    pub(super) async fn run(
        &self,
        job: u64,
        wasm: &[u8],
        parts: Vec<Part>,
        limits: Limits,
    ) -> Result<Vec<Outcome>, RunError> {
        self.run_order(order(job, wasm, parts, limits), wasm).await
    }

    pub(super) async fn run_order(&self, order: Order, wasm: &[u8]) -> Result<Vec<Outcome>, RunError> {
        let count = order.parts.len();
        let (out, mut heard) = mpsc::channel(16);
        let wasm = wasm.to_vec();
        let running = async {
            let done = self.executors.run(order, move || Ok(wasm), &out).await;
            drop(out);
            done
        };
        let listening = async {
            let mut outcomes = vec![None; count];
            while let Some(batch) = heard.recv().await {
                for (place, outcome) in batch {
                    assert!(outcomes[place].replace(outcome).is_none(), "part {place} was answered twice");
                }
            }
            outcomes
        };
        let (done, outcomes) =
            tokio::time::timeout(PATIENCE, async { tokio::join!(running, listening) }).await.expect("in time");
        done.map(|()| outcomes.into_iter().map(|outcome| outcome.expect("every part is answered")).collect())
    }

    pub(super) async fn run_one(&self, wasm: &[u8], limits: Limits) -> Outcome {
        let outcomes = self.run(1, wasm, vec![Part::default()], limits).await.expect("it runs");
        outcomes.into_iter().next().expect("one part")
    }
}

pub(super) fn order(job: u64, wasm: &[u8], parts: Vec<Part>, limits: Limits) -> Order {
    Order {
        job: JobId(job),
        tool: Digest(*blake3::hash(wasm).as_bytes()),
        package: None,
        options: CompileOptions::default(),
        terms: Terms { limits, real_time: false },
        beyond: false,
        parts,
    }
}

pub(super) fn parts(count: u64) -> Vec<Part> {
    (0..count).map(|seed| Part { args: vec![seed.to_string()], seed, ..Part::default() }).collect()
}

pub(super) fn tool(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_open"
                (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 2)
            {body})"#
    );
    wat::parse_str(text).expect("a module")
}

/// Prints its first argument, which is at most eight bytes long.
pub(super) fn echo() -> Vec<u8> {
    tool(
        r#"(func (export "_start") (local $n i32)
            (drop (call $args_get (i32.const 32) (i32.const 100)))
            (i32.store (i32.const 0) (i32.load (i32.const 36)))
            (loop $more
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $more (i32.load8_u (i32.add (i32.load (i32.const 0)) (local.get $n)))))
            (i32.store (i32.const 4) (local.get $n))
            (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))))"#,
    )
}

pub(super) fn spin() -> Vec<u8> {
    tool(r#"(func (export "_start") (loop $again (br $again)))"#)
}
