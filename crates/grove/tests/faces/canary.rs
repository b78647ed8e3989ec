//! Runner and lender learn nothing of one another: each carries canaries in all that a machine knows of itself, all bytes
//! that reach the other side are recorded inside of TLS, and none of them holds a canary, raw, in hex or in base64.

use super::circle::{beside, hub, invite, join};
use super::node::home;
use super::noop;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grove::config::Home;
use grove::device::{Device, Speech, nameless};
use grove_core::id::Digest;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What a machine's environment tells: each name is a canary's. `cargo xtask circle` has the same.
const TOLD: &str = include_str!("told.txt");
/// A file was last changed then: a number that is found nowhere else.
const CHANGED: u64 = 1_234_567_891;

/// All bytes that went one way.
type Heard = Arc<Mutex<Vec<u8>>>;

/// One of the two, with what it must keep to itself.
struct Side {
    home: PathBuf,
    secrets: Vec<(&'static str, String)>,
}

impl Side {
    /// `who` is in every canary, so that no two are the same.
    fn new(root: &Path, who: &'static str) -> Side {
        let canary = |what: &str| format!("canary{who}{}", what.to_lowercase().replace('_', ""));
        let mut secrets: Vec<_> = TOLD.lines().map(|name| (name, canary(name))).collect();
        secrets.extend(["person", "machine", "folder"].map(|what| (what, canary(what))));
        Side { home: beside(root, &canary("folder")), secrets }
    }

    fn secret(&self, what: &str) -> &str {
        &self.secrets.iter().find(|(name, _)| *name == what).unwrap().1
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grove"));
        command.args(words).env_clear().stdin(Stdio::null()).current_dir(&self.home);
        let told = self.secrets.iter().filter(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'));
        command.envs(told.map(|(name, canary)| (*name, canary.as_str())));
        command.env("GROVE_HOME", &self.home).env("HOME", &self.home).env("XDG_CONFIG_HOME", &self.home);
        command.env("GROVE_LOG", "trace");
        command
    }

    /// Comes in, then speaks only through somebody who writes everything down.
    fn join(&mut self, root: &Path, role: &str, taps: &Taps) {
        let word = invite(root, &["--role", role]);
        let invite: grove::invite::Invite = word.parse().unwrap();
        self.secrets.push(("invitation", invite.secret.iter().map(|byte| format!("{byte:02x}")).collect()));
        join(&self.home, &word, self.secret("person"));
        let path = self.home.join("joined.json");
        let mut joined: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        joined["api"] = serde_json::json!([taps.people.to_string()]);
        joined["link_port"] = taps.nodes.port().into();
        std::fs::write(&path, joined.to_string()).unwrap();
        let home = Home::at(self.home.clone());
        self.secrets.push(("key", Device::of(&home).unwrap().fingerprint().to_string()));
        self.secrets.push(("private key", home.key().unwrap().unwrap()));
    }
}

/// Stands in the hub's place with the hub's own key, in the machine's with the machine's, and writes down what it hears.
struct Taps {
    people: SocketAddr,
    nodes: SocketAddr,
    heard: Heard,
}

impl Taps {
    /// Before the machine has a key it can be made, so the key is read when somebody calls.
    async fn begin(root: &Path, machine: &Path, hub: (SocketAddr, SocketAddr)) -> Taps {
        let heard = Heard::default();
        let people = tap(root, machine, Speech::People, hub.0, &heard).await;
        let nodes = tap(root, machine, Speech::Nodes, hub.1, &heard).await;
        Taps { people, nodes, heard }
    }
}

async fn tap(root: &Path, machine: &Path, speech: Speech, hub: SocketAddr, heard: &Heard) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let own = Device::of(&Home::at(root.to_owned())).unwrap();
    let acceptor = TlsAcceptor::from(own.hears(speech).unwrap());
    let (machine, heard, key) = (machine.to_owned(), Arc::clone(heard), own.fingerprint());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, machine, heard) = (acceptor.clone(), machine.clone(), Arc::clone(&heard));
            tokio::spawn(async move {
                let device = Device::of(&Home::at(machine)).unwrap();
                let connector = TlsConnector::from(device.calls(speech, key).unwrap());
                let Ok(near) = acceptor.accept(stream).await else { return };
                let Ok(far) = TcpStream::connect(hub).await else { return };
                let Ok(far) = connector.connect(nameless(), far).await else { return };
                let (near_reads, near_writes) = tokio::io::split(near);
                let (far_reads, far_writes) = tokio::io::split(far);
                let unheard = Heard::default();
                tokio::join!(copy(near_reads, far_writes, &unheard), copy(far_reads, near_writes, &heard));
            });
        }
    });
    address
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, heard: &Heard) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        heard.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() || to.flush().await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// In which clothes a canary may come: as it is, in hex, and in base64 wherever it begins.
fn clothes(canary: &str) -> Vec<Vec<u8>> {
    let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![canary.into(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for ahead in 0..3 {
        let padded = [&vec![0; ahead][..], canary.as_bytes()].concat();
        let whole = padded.len() / 3 * 3;
        let text = STANDARD.encode(&padded[..whole]);
        // The first digits also hold what stands before.
        all.push(text.as_bytes()[if ahead == 0 { 0 } else { 4 }..].to_vec());
    }
    all
}

fn found(bytes: &[u8], canary: &str) -> bool {
    clothes(canary).iter().any(|dressed| bytes.windows(dressed.len()).any(|part| part == dressed))
}

/// Everything in a folder: names and contents.
fn folder(path: &Path, bytes: &mut Vec<u8>) {
    for entry in std::fs::read_dir(path).unwrap().filter_map(Result::ok) {
        bytes.extend_from_slice(entry.file_name().as_encoded_bytes());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => folder(&entry.path(), bytes),
            _ => bytes.extend(std::fs::read(entry.path()).unwrap_or_default()),
        }
    }
}

/// A command that prints the environment it is given, and whose module tells of whoever made it.
fn teller(maker: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module ${maker}
            (@custom "producers" "{maker}")
            (@custom ".debug_line" "/home/{maker}/src/main.c")
            (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func ${maker}f (export "_start")
                (drop (call $sizes (i32.const 0) (i32.const 4)))
                (drop (call $environ (i32.const 64) (i32.const 1024)))
                (i32.store (i32.const 16) (i32.const 1024))
                (i32.store (i32.const 20) (i32.load (i32.const 4)))
                (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#
    ))
    .unwrap()
}

/// One that breaks, with names that a trace would show.
fn breaker(maker: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module (memory (export "memory") 1) (func ${maker}b (unreachable)) (func (export "_start") (call ${maker}b)))"#
    ))
    .unwrap()
}

/// Asks each page as the runner, and hears all that is said.
async fn ask_all(runner: &Side, at: SocketAddr, key: Digest, job: &str) {
    let device = Device::of(&Home::at(runner.home.clone())).unwrap();
    let connector = TlsConnector::from(device.calls(Speech::People, key).unwrap());
    let pages = grove::api::listed().into_iter().filter(|(method, ..)| method == axum::http::Method::GET);
    for (_, path, _) in pages {
        let path = path.replace("{id}", job);
        let stream = TcpStream::connect(at).await.unwrap();
        let mut stream = connector.connect(nameless(), stream).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        // News have no end.
        let _ = tokio::time::timeout(Duration::from_millis(300), stream.read_to_end(&mut heard)).await;
        assert!(heard.starts_with(b"HTTP/1.1 "), "{path}");
    }
}

struct Lending(Child);

impl Drop for Lending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lend(lender: &Side) -> Lending {
    let log = std::fs::File::create(lender.home.join("said.log")).unwrap();
    let words = ["lend", "--always", "--slots", "1", "--json"];
    Lending(lender.command(&words).stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

/// All that the runner's commands print, and the jobs it made.
fn work(runner: &mut Side) -> (Vec<u8>, String) {
    let maker = runner.secret("person").to_owned();
    let tool = |name: &str, bytes: Vec<u8>| {
        let path = runner.home.join(format!("{maker}-{name}.wasm"));
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (teller, breaker) = (tool("teller", teller(&maker)), tool("breaker", breaker(&maker)));
    let input = runner.home.join(format!("{maker}-input.txt"));
    let file = std::fs::File::create(&input).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(CHANGED)).unwrap();
    std::fs::write(&input, "three words here\n").unwrap();
    let file = std::fs::File::options().write(true).open(&input).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(CHANGED)).unwrap();
    let input = input.to_str().unwrap();
    let counts = noop().replace("noop", "wordcount");
    let (noop, spin) = (noop(), noop().replace("noop", "spin"));
    let mut said = Vec::new();
    let mut run = |code: i32, words: &[&str]| {
        let output = runner.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {output:?}");
        said.extend_from_slice(&[&output.stdout[..], &output.stderr].concat());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(0, &["run", "--json", &teller, ":::", "a", "b", "c"]);
    run(3, &["run", "--json", &breaker, ":::", "a"]);
    run(0, &["run", "--json", "--stdin", &counts, ":::", input]);
    for check in ["trust", "spot=100"] {
        run(0, &["run", "--check", check, &noop, "{}", ":::", "x", "y"]);
    }
    let spinning = run(0, &["run", "--detach", &spin, ":::", "1000000000000"]);
    std::thread::sleep(Duration::from_millis(500));
    run(0, &["cancel", spinning.trim()]);
    // What a script is called stays here. Any tool will do for an image: the package travels all the same.
    let script = runner.home.join(format!("{maker}.py"));
    std::fs::write(&script, "words_of_a_script = 1\n").unwrap();
    let image = runner.home.join("image.wasm");
    std::fs::copy(&noop, &image).unwrap();
    let words = ["run", script.to_str().unwrap(), ":::", "a"];
    let ran = runner.command(&words).env("GROVE_PYTHON", &image).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let job = run(0, &["run", "--detach", "--name", &maker, &teller, ":::", "d"]).trim().to_owned();
    for words in
        [&["watch", &job[..]][..], &["get", &job], &["why", &job], &["jobs"], &["status"], &["credits"], &["machines"]]
    {
        run(0, words);
    }
    run(0, &["doctor", "--json"]);
    runner.secrets.push(("job", job.clone()));
    (said, job)
}

#[test]
fn runner_and_lender_learn_nothing_of_one_another() {
    let (_dir, root) = home();
    let process = hub(&root);
    let at = |which: &str| process.ready[which].as_str().unwrap().parse::<SocketAddr>().unwrap();
    let (mut runner, mut lender) = (Side::new(&root, "runner"), Side::new(&root, "lender"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let [to_runner, to_lender] =
        [&runner, &lender].map(|side| runtime.block_on(Taps::begin(&root, &side.home, (at("api"), at("link")))));
    runner.join(&root, "run", &to_runner);
    lender.join(&root, "lend", &to_lender);
    let lending = lend(&lender);
    let begun = Instant::now();
    while !super::node::grove(&root, &["status", "--json"]).out.contains(r#""lenders":1"#) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody lends");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (printed, job) = work(&mut runner);
    let key = Device::of(&Home::at(root.clone())).unwrap().fingerprint();
    runtime.block_on(ask_all(&runner, to_runner.people, key, &job));
    let peers = super::node::grove(&root, &["status", "--json"]).out;
    let peers: serde_json::Value = serde_json::from_str(&peers).unwrap();
    let node = |peer: &serde_json::Value| peer["node"].as_str().unwrap().to_owned();
    let lenders: Vec<String> =
        peers["peers"].as_array().unwrap().iter().filter(|peer| peer["here"] == false).map(node).collect();
    assert_eq!(lenders.len(), 1);
    lender.secrets.push(("node", lenders[0].clone()));
    drop(lending);

    let mut of_lender = to_lender.heard.lock().unwrap().clone();
    for work in ["three words here", "words_of_a_script"] {
        assert!(found(&of_lender, work), "the work itself went over the wire, and is seen there");
    }
    folder(&lender.home, &mut of_lender);
    let of_runner = [&to_runner.heard.lock().unwrap()[..], &printed].concat();
    assert!(found(&of_runner, "outcome") && found(&of_runner, &job), "answers are seen");
    let mut leaks = Vec::new();
    for (side, bytes, other) in [(&runner, &of_lender, "lender"), (&lender, &of_runner, "runner")] {
        assert!(side.secrets.len() >= 20, "{}", side.secrets.len());
        let found = side.secrets.iter().filter(|(_, canary)| found(bytes, canary));
        leaks.extend(found.map(|(what, canary)| format!("the {other} learns {what}: {canary}")));
    }
    let time = CHANGED.to_string();
    leaks.extend(found(&of_lender, &time).then(|| "the lender learns when a file was changed".to_owned()));
    assert!(leaks.is_empty(), "\n{}", leaks.join("\n"));
}

#[test]
fn canaries_are_found_in_all_their_clothes() {
    let canary = "canaryrunnerhostname";
    for ahead in ["", "x", "xy", "xyz"] {
        let said = format!("{ahead}{canary} and more");
        let hex: String = said.bytes().map(|byte| format!("{byte:02x}")).collect();
        for bytes in [said.clone().into_bytes(), hex.into_bytes(), STANDARD.encode(&said).into_bytes()] {
            assert!(found(&bytes, canary), "{}", String::from_utf8_lossy(&bytes));
        }
    }
    assert!(!found(b"something else altogether", canary));
}
