//! Computers that are namespaces on one machine, on one network: for a circle a hub, two that run and two that lend, and
//! one machine that reaches the hub through somebody in between only; for peers as many as there are.

use anyhow::{Context, bail, ensure};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Who is on the hub's network, by the last digits of their addresses.
const HERE: [(&str, u8); 6] = [("hub", 1), ("ann", 2), ("bob", 3), ("cat", 4), ("dan", 5), ("mallory", 66)];
/// The cable that joins them.
const SWITCH: &str = "lan";
/// What listens does so within this.
const READY: Duration = Duration::from_secs(10);

/// Why there can be no namespaces here.
pub(crate) fn missing() -> Option<&'static str> {
    let can = |words: &[&str]| Command::new(words[0]).args(&words[1..]).output().is_ok_and(|out| out.status.success());
    if !can(&["ip", "-V"]) {
        return Some("there is no `ip` here (the package iproute2, on Linux)");
    }
    if can(&["unshare", "--net", "true"]) { None } else { Some("network namespaces need root") }
}

/// All of it, taken away again when this is dropped.
pub(crate) struct Net {
    /// What the names of the namespaces begin with.
    prefix: String,
    /// All of them.
    names: Vec<String>,
    folder: tempfile::TempDir,
    program: PathBuf,
}

/// One computer, and the folder of its node.
#[derive(Clone)]
pub(crate) struct Place {
    namespace: String,
    pub(crate) home: PathBuf,
    pub(crate) address: String,
    program: PathBuf,
    disguise: Option<Disguise>,
}

/// What a computer seems to be: its environment, its name, its people.
#[derive(Clone)]
struct Disguise {
    told: Vec<(String, String)>,
    machine: String,
    people: PathBuf,
}

/// Somebody at a computer's cable.
pub(crate) struct Tapping {
    _running: Running,
    record: PathBuf,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A process that goes when this does.
pub(crate) struct Running {
    child: Child,
    ready: String,
}

impl Net {
    pub(crate) fn make(program: &Path) -> anyhow::Result<Net> {
        let mut net = Net::lan(program, "gc", &HERE)?;
        net.add("eve")?;
        net.cable(("mallory", "eve"), ("eve", "eth0"), "10.78.0.2/24")?;
        net.inside("mallory", &["addr", "add", "10.78.0.1/24", "dev", "eve"])?;
        Ok(net)
    }

    /// Computers on one cable, with these last digits.
    pub(crate) fn lan(program: &Path, prefix: &str, here: &[(&str, u8)]) -> anyhow::Result<Net> {
        let folder = tempfile::Builder::new().prefix("grove-net").tempdir()?;
        let prefix = format!("{prefix}{}", std::process::id());
        let mut net = Net { prefix, names: Vec::new(), folder, program: program.to_owned() };
        net.add(SWITCH)?;
        net.inside(SWITCH, &["link", "add", "br0", "type", "bridge"])?;
        net.inside(SWITCH, &["link", "set", "br0", "up"])?;
        for (name, digit) in here {
            net.add(name)?;
            net.cable((SWITCH, name), (name, "eth0"), &format!("10.77.0.{digit}/24"))?;
            net.inside(SWITCH, &["link", "set", name, "master", "br0"])?;
        }
        Ok(net)
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        let digit = HERE.iter().find(|(here, _)| *here == name).map_or(0, |(_, digit)| *digit);
        Place {
            namespace: self.named(name),
            home: self.folder.path().join(name).join("home"),
            address: format!("10.77.0.{digit}"),
            program: self.program.clone(),
            disguise: None,
        }
    }

    fn named(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    fn add(&mut self, name: &str) -> anyhow::Result<()> {
        self.names.push(name.to_owned());
        ip(&["netns", "add", &self.named(name)])?;
        self.inside(name, &["link", "set", "lo", "up"])
    }

    /// A cable with two ends; the second one gets the address.
    fn cable(&self, from: (&str, &str), to: (&str, &str), address: &str) -> anyhow::Result<()> {
        let (near, far) = (self.named(from.0), self.named(to.0));
        ip(&["link", "add", "name", from.1, "netns", &near, "type", "veth", "peer", "name", to.1, "netns", &far])?;
        self.inside(from.0, &["link", "set", from.1, "up"])?;
        self.inside(to.0, &["addr", "add", address, "dev", to.1])?;
        self.inside(to.0, &["link", "set", to.1, "up"])
    }

    fn inside(&self, name: &str, words: &[&str]) -> anyhow::Result<()> {
        ip(&[&["-n", &self.named(name)], words].concat())
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            // One that was not made cannot be taken away.
            let _ = ip(&["netns", "del", &self.named(name)]);
        }
    }
}

fn ip(words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(words).output()?;
    ensure!(output.status.success(), "ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

impl Place {
    /// The same computer, another folder.
    pub(crate) fn beside(&self, name: &str) -> Place {
        Place { home: self.home.with_file_name(name), ..self.clone() }
    }

    /// The same computer, as what and whose it seems to be.
    pub(crate) fn disguised(self, told: &[(String, String)], machine: &str) -> anyhow::Result<Place> {
        let people = self.home.with_extension("people");
        std::fs::create_dir_all(&self.home)?;
        let login = machine.replace("machine", "login");
        std::fs::write(&people, format!("{login}:x:0:0:{login}:/home/{login}:/bin/sh\n"))?;
        let disguise = Disguise { told: told.to_vec(), machine: machine.to_owned(), people };
        Ok(Place { disguise: Some(disguise), ..self })
    }

    fn command(&self, program: &Path, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace]);
        let mut log = "error";
        if let Some(Disguise { told, machine, people }) = &self.disguise {
            let change = r#"hostname "$1" && mount --bind "$2" /etc/passwd && shift 2 && exec "$@""#;
            command.args(["unshare", "--uts", "--mount", "sh", "-c", change, "sh", machine]).arg(people);
            command.envs(told.iter().map(|(name, canary)| (name, canary))).env("HOME", &self.home);
            command.envs(crate::python::there().map(|image| ("GROVE_PYTHON", image)));
            log = "trace";
        }
        command.arg(program).args(words);
        command.env("GROVE_HOME", &self.home).env("XDG_CONFIG_HOME", &self.home).env("GROVE_LOG", log);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program there.
    pub(crate) fn grove(&self, words: &[&str]) -> anyhow::Result<Told> {
        let Output { status, stdout, stderr } = self.command(&self.program, words).output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Told { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) })
    }

    /// What it prints, when it goes well.
    pub(crate) fn right(&self, words: &[&str]) -> anyhow::Result<String> {
        let told = self.grove(words)?;
        ensure!(told.code == 0, "grove {}: {told:?}", words.join(" "));
        Ok(told.out)
    }

    /// A node, when it is ready.
    pub(crate) fn start(&self, words: &[&str]) -> anyhow::Result<Running> {
        let mut command = self.command(&self.program, &[words, &["--json"]].concat());
        if self.disguise.is_some() {
            // It talks much, and nobody listens.
            command.stderr(std::fs::File::create(self.home.join("said.log"))?);
        }
        let mut child = command.spawn()?;
        let mut ready = String::new();
        let out = child.stdout.take().context("its output was asked for")?;
        BufReader::new(out).read_line(&mut ready)?;
        let running = Running { child, ready };
        ensure!(!running.ready.is_empty(), "grove {} did not start", words.join(" "));
        Ok(running)
    }

    /// Somebody who passes on whatever comes, and writes it down.
    pub(crate) fn relay(&self, listen: &str, to: &str, record: &Path) -> anyhow::Result<Running> {
        let record = record.to_string_lossy().into_owned();
        let own = std::env::current_exe()?;
        let child = self.command(&own, &["relay", "--listen", listen, "--to", to, "--record", &record]).spawn()?;
        let running = Running { child, ready: String::new() };
        let began = Instant::now();
        while !Path::new(&record).exists() {
            ensure!(began.elapsed() < READY, "nothing passes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(running)
    }

    /// Says again what was said before.
    pub(crate) fn replay(&self, to: &str, record: &Path) -> anyhow::Result<()> {
        let record = record.to_string_lossy().into_owned();
        let own = std::env::current_exe()?;
        let output = self.command(&own, &["relay", "--to", to, "--record", &record, "--again"]).output()?;
        if output.status.success() { Ok(()) } else { bail!("{}", String::from_utf8_lossy(&output.stderr)) }
    }

    /// Writes down every packet from now on.
    pub(crate) fn tap(&self) -> anyhow::Result<Tapping> {
        let record = self.home.with_extension("packets");
        let own = std::env::current_exe()?;
        let plain = Place { disguise: None, ..self.clone() };
        let child = plain.command(&own, &["tap", "--record", &record.to_string_lossy()]).spawn()?;
        let running = Running { child, ready: String::new() };
        let began = Instant::now();
        while !record.exists() {
            ensure!(began.elapsed() < READY, "nothing writes packets down");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Tapping { _running: running, record })
    }

    /// The number of its network card.
    pub(crate) fn hardware(&self) -> anyhow::Result<String> {
        let output = Command::new("ip").args(["-n", &self.namespace, "link", "show", "eth0"]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, rest) = text.split_once("link/ether ").context("a card has a number")?;
        Ok(rest.split(' ').next().unwrap_or_default().to_owned())
    }

    /// Rules of its firewall, as `nft -f` reads them; what it lists afterwards comes back.
    pub(crate) fn firewall(&self, rules: &str) -> anyhow::Result<String> {
        let nft = |words: &[&str]| {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", &self.namespace, "nft"]).args(words);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        };
        let mut child = nft(&["-f", "-"]).spawn()?;
        child.stdin.take().context("its input was asked for")?.write_all(rules.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr).trim());
        let listed = nft(&["list", "ruleset"]).stdin(Stdio::null()).output()?;
        Ok(String::from_utf8_lossy(&listed.stdout).into_owned())
    }

    /// Whom this computer has spoken to.
    pub(crate) fn neighbours(&self) -> anyhow::Result<String> {
        let output = Command::new("ip").args(["-n", &self.namespace, "neigh"]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Tapping {
    /// All packets so far.
    pub(crate) fn packets(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let bytes = std::fs::read(&self.record)?;
        let (mut packets, mut rest) = (Vec::new(), &bytes[..]);
        while let Some((len, more)) = rest.split_first_chunk::<4>() {
            let Some((packet, more)) = more.split_at_checked(u32::from_le_bytes(*len) as usize) else { break };
            packets.push(packet.to_vec());
            rest = more;
        }
        Ok(packets)
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a cable that is pulled out would: without a word.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// What it said of itself when it was ready.
    pub(crate) fn said(&self, what: &str) -> anyhow::Result<String> {
        let ready: serde_json::Value = serde_json::from_str(&self.ready)?;
        Ok(ready[what].as_str().with_context(|| format!("it says no {what}"))?.to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
