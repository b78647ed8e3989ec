//! The same with real processes: a hub, its lenders and the executors of each, killed without warning.

use grove_sandbox::{CompileOptions, Engine, Part, Status, Terms, Tool};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/prebuilt").join(name)
}

/// What the kernel prints for each number, one after another, without any node.
fn sequential(numbers: std::ops::Range<u64>) -> Vec<String> {
    let engine = Engine::new(CompileOptions::default(), 1).unwrap();
    let tool = Tool::build(&engine, &std::fs::read(tool("kernels.wasm")).unwrap()).unwrap();
    let run = |number: u64| {
        let args = vec!["mul128".to_owned(), number.to_string()];
        let outcome = tool.run(&Part { args, ..Part::default() }, &Terms::default());
        assert_eq!(outcome.status, Status::Exit(0));
        String::from_utf8(outcome.stdout).unwrap().trim().to_owned()
    };
    numbers.map(run).collect()
}

/// A process that does not outlive its test.
struct Process(Child);

impl Process {
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Tells it to stop, and says how long that took.
    fn stop(mut self) -> Duration {
        let begun = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.0.wait().unwrap().success());
        begun.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is as good as killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A state folder and its ports, which stay the same through all lives of the hub.
struct Circle {
    home: TempDir,
    ports: Option<(String, String)>,
}

impl Circle {
    fn new() -> Circle {
        Circle { home: tempfile::tempdir().unwrap(), ports: None }
    }

    fn grove(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_grove"));
        command.args(args).env("GROVE_HOME", self.home.path()).env("GROVE_LOG", "warn").stdin(Stdio::null());
        command
    }

    fn start(&self, args: &[&str]) -> Process {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(self.home.path().join("log")).unwrap();
        Process(self.grove(args).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn hub(&mut self) -> Process {
        let any = "127.0.0.1:0".to_owned();
        let (api, link) = self.ports.clone().unwrap_or_else(|| (any.clone(), any));
        let announced = self.home.path().join("hub.json");
        let _ = std::fs::remove_file(&announced);
        let hub = self.start(&["up", "--no-lend", "--listen", &api, "--link", &link]);
        let begun = Instant::now();
        let text = loop {
            match std::fs::read_to_string(&announced) {
                Ok(text) => break text,
                Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => panic!("the hub does not come up: {}", self.log()),
            }
        };
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        let word = |key: &str| said[key].as_str().unwrap().to_owned();
        self.ports = Some((word("api"), word("link")));
        hub
    }

    fn lender(&self) -> Process {
        self.start(&["lend", "--always", "--slots", "1"])
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Runs a command to its end; what it printed, and its exit code.
    fn ask(&self, args: &[&str]) -> (String, i32) {
        let out = self.grove(args).stderr(Stdio::piped()).output().unwrap();
        (String::from_utf8(out.stdout).unwrap(), out.status.code().unwrap_or(-1))
    }

    fn submit(&self, numbers: std::ops::Range<u64>) -> String {
        let range = format!("{}..{}", numbers.start, numbers.end);
        let kernels = tool("kernels.wasm");
        let args = ["run", "-d", "--check", "trust", "--range", &range, kernels.to_str().unwrap(), "mul128", "{}"];
        let (id, code) = self.ask(&args);
        assert_eq!(code, 0, "{}", self.log());
        id.trim().to_owned()
    }

    /// Waits for the end of a job: its outputs, in order.
    fn outputs(&self, job: &str) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let (text, code) = self.ask(&["get", job, "--json"]);
            let said: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let is_over = said.iter().any(|line| line["type"] == "job" && line["standing"] == "done");
            if code == 0 && is_over {
                let results = said.iter().filter(|line| line["type"] == "result");
                return results.map(|line| line["stdout"].as_str().unwrap_or_default().trim().to_owned()).collect();
            }
            let view = self.ask(&["jobs", "--json"]).0;
            assert!(begun.elapsed() < PATIENCE, "{text}\n{view}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ledger_sum(&self) -> String {
        let (text, code) = self.ask(&["credits", "--json"]);
        assert_eq!(code, 0);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["ledger_sum"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_job_on_two_lenders_is_as_if_run_in_a_row_and_all_stop_when_told() {
    let mut circle = Circle::new();
    let hub = circle.hub();
    let lenders = [circle.lender(), circle.lender()];
    let job = circle.submit(1_000..1_600);
    assert_eq!(circle.outputs(&job), sequential(1_000..1_600));
    assert_eq!(circle.ledger_sum(), "0");
    for process in lenders.into_iter().chain([hub]) {
        let took = process.stop();
        assert!(took < Duration::from_secs(10), "{took:?}\n{}", circle.log());
    }
}

#[test]
fn a_hub_killed_five_times_loses_nothing_that_it_acknowledged() {
    let mut circle = Circle::new();
    let mut hub = circle.hub();
    let _lenders = [circle.lender(), circle.lender()];
    let mut jobs = Vec::new();
    for life in 0..5_u64 {
        let from = 20_000 + life * 1_000;
        jobs.push((circle.submit(from..from + 400), from));
        // Between the first gift and the last answer, at another moment each time.
        std::thread::sleep(Duration::from_millis(40 * (life + 1)));
        hub.kill();
        hub = circle.hub();
    }
    for (job, from) in jobs {
        assert_eq!(circle.outputs(&job), sequential(from..from + 400), "{job}");
    }
    assert_eq!(circle.ledger_sum(), "0");
    hub.stop();
}

#[test]
fn a_killed_lender_costs_nothing_but_time() {
    let mut circle = Circle::new();
    let hub = circle.hub();
    let (first, _second) = (circle.lender(), circle.lender());
    let job = circle.submit(20_000..20_800);
    std::thread::sleep(Duration::from_millis(300));
    first.kill();
    let _third = circle.lender();
    assert_eq!(circle.outputs(&job), sequential(20_000..20_800));
    assert_eq!(circle.ledger_sum(), "0");
    hub.stop();
}

#[test]
fn a_tool_that_is_none_is_a_clear_failure() {
    let mut circle = Circle::new();
    let _hub = circle.hub();
    let path = circle.home.path().join("text.wasm");
    std::fs::File::create(&path).unwrap().write_all(b"no module at all").unwrap();
    let out = circle.grove(&["run", path.to_str().unwrap(), ":::", "1"]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && said.contains("not a WebAssembly module") && said.contains("hint: "), "{said}");
}
