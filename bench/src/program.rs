//! The program as real processes on loopback, in a folder of their own: a hub that only hands out work, and lenders.

use anyhow::{Context, bail, ensure};
use grove::config::Home;
use grove::device::{Device, Speech, nameless};
use grove_core::id::Digest;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A process that is not there after this long will not come.
const START_TIME: Duration = Duration::from_secs(20);
/// The kernel counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

pub(crate) struct Program {
    home: tempfile::TempDir,
    hub: Child,
    /// Where the hub hears its lenders.
    link: String,
    lenders: Vec<Child>,
    agent: ureq::Agent,
    /// Where the hub is asked, and what it is shown.
    door: OnceLock<(String, String)>,
    /// How it is called, where it speaks TLS.
    tls: Option<Arc<ClientConfig>>,
}

/// Processor seconds that processes have used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub hub: f64,
    pub lenders: f64,
    /// The executors of both: the sandbox and what feeds it.
    pub executors: f64,
    /// `grove` as a person calls it, to its end.
    pub commands: f64,
}

impl Used {
    /// What was used after an earlier look.
    pub(crate) fn since(self, before: Used) -> Used {
        Used {
            hub: self.hub - before.hub,
            lenders: self.lenders - before.lenders,
            executors: self.executors - before.executors,
            commands: self.commands - before.commands,
        }
    }
}

impl Program {
    /// A hub and so many lenders of one slot each, all linked.
    pub(crate) fn start(lenders: usize) -> anyhow::Result<Program> {
        Program::start_with(lenders, false)
    }

    /// The same, with TLS on every connection if wanted.
    pub(crate) fn start_with(lenders: usize, tls: bool) -> anyhow::Result<Program> {
        let home = tempfile::tempdir()?;
        let flags = if tls { &["--tls", "--admin", "Root"][..] } else { &[] };
        let hub = spawn(home.path(), &[&HUB, flags].concat())?;
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let mut program = Program {
            home,
            hub,
            link: String::new(),
            lenders: Vec::new(),
            agent: config.into(),
            door: OnceLock::new(),
            tls: None,
        };
        program.until("the hub", |program| program.hub_file().map(|_| true))?;
        if tls {
            program.tls = Some(calls(&Home::at(program.home.path().to_owned()), &program.hub_file()?)?);
        }
        program.until("its API", |program| program.get("/v1/status").map(|_| true))?;
        program.link = program.hub_file()?["link"].as_str().context("hub.json names no link")?.to_owned();
        for _ in 0..lenders {
            program.lend()?;
        }
        Ok(program)
    }

    /// One more lender, linked when this comes back.
    pub(crate) fn lend(&mut self) -> anyhow::Result<()> {
        self.lend_with(&LENDER).map(drop)
    }

    /// One more lender on terms of its own, linked when this comes back; its process.
    pub(crate) fn lend_with(&mut self, words: &[&str]) -> anyhow::Result<u32> {
        let lender = spawn(self.home.path(), words)?;
        let pid = lender.id();
        self.lenders.push(lender);
        let wanted = self.lenders.len() as u64;
        self.until("a lender", |program| {
            Ok(program.get("/v1/status")?["lenders"].as_u64().is_some_and(|lenders| lenders >= wanted))
        })?;
        Ok(pid)
    }

    /// Kills the hub as a power cut would.
    pub(crate) fn kill_hub(&mut self) -> anyhow::Result<()> {
        self.hub.kill()?;
        self.hub.wait()?;
        let _ = std::fs::remove_file(self.home.path().join("hub.json"));
        self.door = OnceLock::new();
        Ok(())
    }

    /// Starts the hub again, where its lenders call it.
    pub(crate) fn start_hub(&mut self) -> anyhow::Result<()> {
        let mut words = HUB;
        words[5] = &self.link;
        self.hub = spawn(self.home.path(), &words)?;
        Ok(())
    }

    /// Kills a lender as if its machine were gone.
    pub(crate) fn kill_lender(&mut self, nth: usize) -> anyhow::Result<()> {
        self.lenders[nth].kill()?;
        self.lenders[nth].wait()?;
        Ok(())
    }

    /// Starts a lender again, with the folder that it had.
    pub(crate) fn start_lender(&mut self, nth: usize) -> anyhow::Result<()> {
        self.lenders[nth] = spawn(self.home.path(), &LENDER)?;
        Ok(())
    }

    /// The folder outlasts this program, for whoever has to find out why something failed.
    pub(crate) fn keep(&mut self) -> &Path {
        self.home.disable_cleanup(true);
        self.home.path()
    }

    /// Waits for something that comes soon.
    pub(crate) fn until(
        &self,
        what: &str,
        mut done: impl FnMut(&Program) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_TIME {
            if done(self).unwrap_or(false) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("{what} did not come within {START_TIME:?}")
    }

    /// `grove` with these arguments, to its end; its standard output.
    pub(crate) fn grove(&self, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let output = command(self.home.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "grove {} ended with {}: {told}", arguments.join(" "), output.status);
        Ok(output.stdout)
    }

    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Value> {
        let (address, token) = self.door()?;
        if self.tls.is_some() {
            return self.line()?.get(path);
        }
        let request = self.agent.get(format!("http://{address}{path}"));
        answer(request.header("authorization", token).call()?)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (address, token) = self.door()?;
        if self.tls.is_some() {
            return self.line()?.post(path, body);
        }
        let request = self.agent.post(format!("http://{address}{path}"));
        answer(request.header("authorization", token).send_json(body)?)
    }

    /// A connection to the hub that stays open.
    pub(crate) fn line(&self) -> anyhow::Result<Line> {
        let (address, token) = self.door()?;
        Line::open(address, self.tls.as_ref(), Some(token))
    }

    /// Where the hub's API is.
    pub(crate) fn address(&self) -> anyhow::Result<&str> {
        Ok(&self.door()?.0)
    }

    /// Where the hub hears its lenders.
    pub(crate) fn link(&self) -> &str {
        &self.link
    }

    /// Somebody else, on a machine of their own, who may run jobs here.
    pub(crate) fn guest(&self, name: &str) -> anyhow::Result<Guest> {
        let folder = tempfile::tempdir()?;
        let invited = String::from_utf8(self.grove(&["invite", "--role", "run"])?)?;
        let word = invited.trim().strip_prefix("grove join ").context("an invitation is a command")?;
        let joined = command(folder.path(), &["join", word, "--name", name]).output()?;
        ensure!(joined.status.success(), "{name} cannot join: {}", String::from_utf8_lossy(&joined.stderr));
        let tls = calls(&Home::at(folder.path().to_owned()), &self.hub_file()?)?;
        Ok(Guest { _folder: folder, address: self.address()?.to_owned(), tls })
    }

    /// Sends a prebuilt tool; the name of its blob.
    pub(crate) fn send_tool(&self, name: &str) -> anyhow::Result<String> {
        self.send(&std::fs::read(tool(name))?)
    }

    /// Sends bytes; the name of their blob.
    pub(crate) fn send(&self, bytes: &[u8]) -> anyhow::Result<String> {
        let blob = blake3::hash(bytes).to_hex().to_string();
        if self.tls.is_some() {
            self.line()?.put(&format!("/v1/blobs/{blob}?offset=0"), bytes)?;
            return Ok(blob);
        }
        let (address, token) = self.door()?;
        let request = self.agent.put(format!("http://{address}/v1/blobs/{blob}?offset=0"));
        let sent = request.header("authorization", token).send(bytes)?;
        ensure!(sent.status().is_success(), "a blob was not taken: {}", sent.status());
        Ok(blob)
    }

    /// Processor seconds so far.
    pub(crate) fn used(&self) -> Used {
        let nodes: Vec<u32> = self.processes();
        let seconds = |pids: &[u32]| pids.iter().map(|pid| cpu_seconds(*pid)).sum();
        let executors: Vec<u32> = nodes.iter().flat_map(|pid| descendants(*pid)).collect();
        let (hub, lenders) = nodes.split_at(1);
        Used {
            hub: seconds(hub),
            lenders: seconds(lenders),
            // An executor ends with its job; whoever started it then has its time on the books.
            executors: seconds(&executors)
                + nodes.iter().chain(&executors).map(|pid| ended_children(*pid)).sum::<f64>(),
            commands: ended_children(std::process::id()),
        }
    }

    /// Memory of all processes, shared pages counted once among those that share them, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let nodes = self.processes();
        let executors: Vec<u32> = nodes.iter().flat_map(|pid| descendants(*pid)).collect();
        nodes.iter().chain(&executors).map(|pid| proportional_bytes(*pid)).sum()
    }

    fn processes(&self) -> Vec<u32> {
        std::iter::once(&self.hub).chain(&self.lenders).map(Child::id).collect()
    }

    fn hub_file(&self) -> anyhow::Result<Value> {
        let text = std::fs::read_to_string(self.home.path().join("hub.json"))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Looked up once: who asks a thousand times does not read two files each time.
    fn door(&self) -> anyhow::Result<&(String, String)> {
        if let Some(door) = self.door.get() {
            return Ok(door);
        }
        let address = self.hub_file()?["api"].as_str().context("hub.json names no address")?.to_owned();
        let token = std::fs::read_to_string(self.home.path().join("token"))?;
        Ok(self.door.get_or_init(|| (address, format!("Bearer {}", token.trim()))))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        for process in std::iter::once(&mut self.hub).chain(&mut self.lenders) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Somebody else's machine.
pub(crate) struct Guest {
    _folder: tempfile::TempDir,
    address: String,
    tls: Arc<ClientConfig>,
}

impl Guest {
    pub(crate) fn line(&self) -> anyhow::Result<Line> {
        Line::open(&self.address, Some(&self.tls), None)
    }
}

/// How a folder's machine calls a hub over TLS.
fn calls(home: &Home, hub: &Value) -> anyhow::Result<Arc<ClientConfig>> {
    let key = blake3::Hash::from_hex(hub["key"].as_str().context("the hub has no key")?)?;
    Ok(Device::of(home)?.calls(Speech::People, Digest(*key.as_bytes()))?)
}

/// HTTP by hand: where a round trip takes a millisecond, a library's own tenth of it would count as the hub's.
pub(crate) struct Line {
    stream: Box<dyn Stream>,
    head: String,
    heard: Vec<u8>,
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl Line {
    fn open(address: &str, tls: Option<&Arc<ClientConfig>>, token: Option<&str>) -> anyhow::Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match tls {
            Some(tls) => Box::new(StreamOwned::new(ClientConnection::new(Arc::clone(tls), nameless())?, stream)),
            None => Box::new(stream),
        };
        let shown = token.map(|token| format!("\r\nAuthorization: {token}")).unwrap_or_default();
        let head = format!("HTTP/1.1\r\nHost: {address}{shown}");
        Ok(Line { stream, head, heard: Vec::new() })
    }

    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<Value> {
        self.say(&format!("GET {path} {}\r\n\r\n", self.head), b"")
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = body.to_string();
        let kind = "Content-Type: application/json";
        let head = format!("POST {path} {}\r\n{kind}\r\nContent-Length: {}\r\n\r\n", self.head, body.len());
        self.say(&head, body.as_bytes())
    }

    pub(crate) fn put(&mut self, path: &str, body: &[u8]) -> anyhow::Result<Value> {
        self.say(&format!("PUT {path} {}\r\nContent-Length: {}\r\n\r\n", self.head, body.len()), body)
    }

    fn say(&mut self, head: &str, body: &[u8]) -> anyhow::Result<Value> {
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        self.stream.flush()?;
        self.heard.clear();
        loop {
            let mut piece = [0; 4096];
            let read = self.stream.read(&mut piece)?;
            ensure!(read > 0, "the hub hung up");
            self.heard.extend_from_slice(&piece[..read]);
            if let Some(answer) = whole(&self.heard)? {
                return Ok(answer);
            }
        }
    }
}

/// The body of an answer, once all of it is there.
fn whole(heard: &[u8]) -> anyhow::Result<Option<Value>> {
    let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&heard[..end])?;
    let mut lines = head.lines();
    ensure!(lines.next().is_some_and(|line| line.starts_with("HTTP/1.1 2")), "refused: {head}");
    let length =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.context("an answer without a length")?.1.trim().parse()?;
    let body = heard.get(end + 4..end + 4 + length);
    let read = |body: &[u8]| if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) };
    Ok(body.map(read).transpose()?)
}

const HUB: [&str; 6] = ["up", "--no-lend", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"];
const LENDER: [&str; 4] = ["lend", "--always", "--slots", "1"];

/// A prebuilt example tool.
pub(crate) fn tool(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."));
    root.join("tools/prebuilt").join(name)
}

/// A job over numbers, as the API takes it.
pub(crate) fn job(module: &str, source: Value, open: bool) -> (String, Value) {
    use std::hash::{BuildHasher, Hasher};
    // The standard library's own chance is enough to tell jobs apart.
    let id = grove_core::id::JobId(std::collections::hash_map::RandomState::new().build_hasher().finish()).to_string();
    let tool = json!({"module": module, "stdin": true});
    let check = json!({"spot": {"per_mille": 30}});
    (
        id.clone(),
        json!({"v": 1, "id": id, "name": "bench", "tool": tool, "source": source, "open": open, "check": check}),
    )
}

/// The value below which so many per cent of the samples lie.
pub(crate) fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    let at = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
    samples.get(at).copied().unwrap_or(0.0)
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Value> {
    let status = response.status();
    let value: Value = response.body_mut().read_json()?;
    ensure!(status.is_success(), "{status}: {value}");
    Ok(value)
}

/// What it says goes to a log in the folder.
fn spawn(home: &Path, arguments: &[&str]) -> anyhow::Result<Child> {
    let log = std::fs::File::options().append(true).create(true).open(home.join("log"))?;
    Ok(command(home, arguments).stdout(Stdio::null()).stderr(log).spawn()?)
}

/// The program that was built beside this one.
pub(crate) fn command(home: &Path, arguments: &[&str]) -> Command {
    let beside = std::env::current_exe().map(|exe| exe.with_file_name("grove")).unwrap_or_default();
    let mut command = Command::new(beside);
    command.arg("--home").arg(home).args(arguments).stdin(Stdio::null()).env_remove("GROVE_HOME");
    // No node is to compile Python beside what is measured.
    command.env("GROVE_PYTHON", "none");
    command
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> f64 {
    ticks(&format!("/proc/{pid}/stat"), 11)
}

/// The same of its children that have ended.
fn ended_children(pid: u32) -> f64 {
    ticks(&format!("/proc/{pid}/stat"), 13)
}

/// Two fields of a process' papers, counted behind its name.
fn ticks(stat: &str, field: usize) -> f64 {
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = after_name.split_ascii_whitespace().skip(field).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let direct: Vec<u32> = children
        .flat_map(|line| line.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    direct.iter().flat_map(|child| std::iter::once(*child).chain(descendants(*child))).collect()
}

fn proportional_bytes(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
    line.split_ascii_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}
