//! The people's faces as people meet them: the real `grove` program against the API of a real node. Only the tools are
//! functions of this process, so that nothing is compiled and every run is quick.

mod api;
mod broken;
mod canary;
#[cfg(unix)]
mod circle;
#[cfg(unix)]
mod crowd;
#[cfg(target_os = "linux")]
mod followed;
mod guide;
mod mistakes;
#[cfg(unix)]
mod node;
#[cfg(target_os = "linux")]
mod owner;
#[cfg(unix)]
mod peers;
#[cfg(unix)]
mod python;
#[cfg(unix)]
mod revoked;
mod routes;
mod runs;

use grove::api::{About, bind, router, serve};
use grove::config::{Home, Hub as HubFile};
use grove::shell::{self, Executors, Order, Results, Role, RunError, Running, Soon, WireError, Wires};
use grove_core::id::{Digest, Lease, NodeId};
use grove_core::message::Message;
use grove_sandbox::{Outcome, Part, Status};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// A node with an API, for as long as this lives.
pub(super) struct Hub {
    pub(super) dir: TempDir,
    pub(super) address: SocketAddr,
    pub(super) token: String,
    _stop: watch::Sender<bool>,
    running: Option<Running>,
    runtime: Runtime,
}

/// What a command left behind.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Hub {
    /// A hub that lends so many slots.
    pub(super) fn start(slots: u32) -> Hub {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path().join("home"));
        home.create().unwrap();
        let token = home.token_or_new().unwrap();
        let opened = shell::open(home.path(), Role { slots, ..Role::default() }).unwrap();
        let door = opened.door();
        let (running, address, stop) = runtime.block_on(async {
            let running = opened.start(Arc::new(NoWires), Arc::new(Functions), Handle::current()).unwrap();
            let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
            let address = listener.local_addr().unwrap();
            let about = About { walls: vec!["none: a test".to_owned()], link: address, reach: None, near: None };
            let (stop, stopped) = watch::channel(false);
            tokio::spawn(serve(listener, router(door.clone(), &token, about), stopped));
            (running, address, stop)
        });
        home.announce(&HubFile { v: 1, api: address, link: address, pid: std::process::id(), key: None }).unwrap();
        Hub { dir, address, token, _stop: stop, running: Some(running), runtime }
    }

    pub(super) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Runs a command against this hub.
    pub(super) fn grove(&self, words: &[&str]) -> Ran {
        grove_in(&self.home(), self.dir.path(), words, b"")
    }

    /// Runs a command that gets something on its standard input.
    pub(super) fn grove_piped(&self, words: &[&str], stdin: &[u8]) -> Ran {
        grove_in(&self.home(), self.dir.path(), words, stdin)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A test that failed before shows its own failure.
            let _ = self.runtime.block_on(running.stop());
        }
    }
}

/// Runs the program with a home folder, in a folder.
pub(super) fn grove_in(home: &Path, folder: &Path, words: &[&str], stdin: &[u8]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grove"));
    command.args(words).current_dir(folder).env_clear();
    command.env("GROVE_HOME", home).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Whoever does not read its input may have ended before.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        // A picture is no text.
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A real module, which is looked at and never run here.
pub(super) fn noop() -> String {
    format!("{}/../../tools/prebuilt/noop.wasm", env!("CARGO_MANIFEST_DIR"))
}

#[derive(Debug)]
struct NoWires;

impl Wires for NoWires {
    fn send(&self, _: NodeId, _: Message) {}

    fn fetch(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> {
        unreachable!("no neighbours")
    }

    fn read(&self, _: NodeId, _: Lease, _: Digest, _: usize) -> Soon<'_, Result<Arc<[u8]>, WireError>> {
        unreachable!("no neighbours")
    }

    fn bring(&self, _: NodeId, _: Lease, _: Digest) -> Soon<'_, Result<(), WireError>> {
        unreachable!("no neighbours")
    }

    fn close(&self) -> Soon<'_, ()> {
        Box::pin(async {})
    }
}

/// Tools that are functions.
#[derive(Debug)]
struct Functions;

impl Executors for Functions {
    fn run(&self, order: Order, out: Results) -> Soon<'_, Result<(), RunError>> {
        Box::pin(async move {
            let results = order.parts.iter().map(act).enumerate().collect();
            // Nobody waits for the order any more.
            let _ = out.send(results).await;
            Ok(())
        })
    }
}

/// Prints its arguments and what it reads; fails, prints much, oddly or to a file where an argument says so.
fn act(part: &Part) -> Outcome {
    let mut outcome = Outcome {
        status: Status::Exit(0),
        stdout: Vec::new(),
        stderr_tail: Vec::new(),
        files: Vec::new(),
        fuel: 1_000_000,
        cpu_us: 1,
        wall_us: 1,
    };
    let text = part.args.join(" ");
    outcome.stdout = match text.as_str() {
        "big" => vec![b'x'; 100_000],
        "bytes" => vec![0xff, 0xfe, 0],
        "slow" => {
            std::thread::sleep(std::time::Duration::from_secs(3));
            b"slow\n".to_vec()
        }
        _ => [format!("[{text}]").as_bytes(), &part.stdin, b"\n"].concat(),
    };
    if text.contains("fail") {
        outcome.status = Status::Exit(3);
        outcome.stderr_tail = b"it was asked to \x1b[31mfail\n".to_vec();
    }
    if text.contains("file") {
        let file = |path: &str| grove_sandbox::Written { path: path.to_owned(), bytes: b"in a file".to_vec() };
        outcome.files = vec![file("sub/one.txt")];
    }
    outcome
}
