//! What people do wrong, and what they are told: the text, the hint and the exit code.

use super::{Hub, Ran, grove_in, noop};
use std::fs;
use std::net::TcpListener;

fn check(ran: &Ran, code: i32, expect: &str) {
    let has = expect.split('|').all(|part| ran.err.contains(part));
    assert!(has && ran.code == code, "expected {code} {expect:?}, found {} {:?}", ran.code, ran.err);
    assert!(ran.err.contains("\nhint: "), "an error ends in a hint: {:?}", ran.err);
    assert_eq!(ran.out, "", "nothing of it is data");
}

#[test]
fn what_is_no_tool_is_named() {
    let hub = Hub::start(1);
    let write = |name: &str, bytes: &[u8]| fs::write(hub.dir.path().join(name), bytes).unwrap();
    write("text.wasm", b"#!/bin/sh\n");
    check(
        &hub.grove(&["run", "text.wasm", ":::", "a"]),
        1,
        "cannot use text.wasm as a tool: this is not a WebAssembly",
    );
    write("empty.wasm", b"");
    check(&hub.grove(&["run", "empty.wasm", ":::", "a"]), 1, "cannot use empty.wasm as a tool: the file is empty");
    write("component.wasm", b"\0asm\x0d\0\x01\0");
    check(&hub.grove(&["run", "component.wasm", ":::", "a"]), 1, "component.wasm|component, which is not supported");
    check(&hub.grove(&["run", "missing.wasm", ":::", "a"]), 1, "cannot read the tool missing.wasm: No such file");
    // `(import "env" "socket" (func))`, a memory and an empty `_start`.
    let module =
        b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x0e\x01\x03env\x06socket\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\
        \x07\x13\x02\x06memory\x02\0\x06_start\0\x01\x0a\x04\x01\x02\0\x0b";
    write("socket.wasm", module);
    check(&hub.grove(&["run", "socket.wasm", ":::", "a"]), 1, "socket.wasm|needs what is not given here: env.socket");
}

#[test]
fn inputs_that_are_not_there_are_named() {
    let hub = Hub::start(1);
    fs::write(hub.dir.path().join("empty.txt"), "").unwrap();
    let tool = noop();
    check(&hub.grove(&["run", &tool, ":::"]), 2, "no inputs stand after :::");
    check(&hub.grove(&["run", &tool, "::::", "empty.txt"]), 2, "there are no inputs in empty.txt");
    check(&hub.grove(&["run", &tool, "::::", "missing.txt"]), 1, "cannot read missing.txt: No such file");
    check(&hub.grove(&["run", "--split", "-", &tool]), 2, "- is not a file that can be read twice|in a file first");
    check(&hub.grove(&["run", "--range", "5..5", &tool]), 2, "there are no numbers in 5..5|5..=5");
    check(&hub.grove(&["run", "--range", "5", &tool]), 2, "has no `..`|a range is FIRST..END");
    check(&hub.grove(&["run", "--range", "-5..3", &tool]), 2, "-5 is negative");
    check(&hub.grove(&["run", "--range", "9..3", &tool]), 2, "9 is more than 3|3..9");
    check(&hub.grove(&["run", "--range", "0..18446744073709551615", &tool]), 2, "at most 1099511627776 inputs");
    check(&hub.grove(&["run", &tool, "--range", "0..5"]), 2, "--range stands after the tool");
    check(&hub.grove(&["run", "--range", "0..5", &tool, ":::", "a"]), 2, "inputs come from one of");
    fs::create_dir(hub.dir.path().join("empty")).unwrap();
    check(&hub.grove(&["run", "--stdin", &tool, ":::", "empty"]), 2, "there are no inputs in those folders");
    let ran = hub.grove(&["run", "--check", "believe", &tool, ":::", "a"]);
    assert!(ran.code == 2 && ran.err.contains("spot=PERCENT"), "{ran:?}");
}

#[test]
fn a_mistyped_file_is_no_text_where_others_are_files() {
    let hub = Hub::start(1);
    fs::write(hub.dir.path().join("a.txt"), "inside").unwrap();
    fs::write(hub.dir.path().join("lines"), "b.txt\n").unwrap();
    fs::write(hub.dir.path().join("script.py"), "print()").unwrap();
    let tool = noop();
    check(&hub.grove(&["run", "--stdin", &tool, ":::", "a.txt", "b.txt"]), 2, "there is no file b.txt|`:::: FILE`");
    check(&hub.grove(&["run", "script.py", ":::", "a.txt", "b.txt"]), 2, "there is no file b.txt|say `{}`");
    let ran = hub.grove(&["run", "--stdin", &tool, ":::", "b.txt"]);
    assert!(ran.code == 0 && ran.out == "[]b.txt\n" && ran.err.contains("there is no file b.txt, so"), "{ran:?}");
    let ran = hub.grove(&["run", "--stdin", &tool, "::::", "lines"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "[]b.txt\n"), "{ran:?}");
    // Before anything is sent: here is no Python.
    let ran = hub.grove(&["run", "script.py", ":::", "numbrs/a.txt"]);
    assert!(ran.err.contains("there is no file numbrs/a.txt, so the tool gets these letters"), "{ran:?}");
    let ran = hub.grove(&["run", "script.py", ":::", "numbers/*.txt"]);
    assert!(ran.err.contains("hint: a shell puts names in the place of *"), "{ran:?}");
    #[cfg(unix)]
    for words in [&["--stdin", &tool][..], &["script.py"]] {
        let words = [&["run"], words, &[":::", "/dev/null"]].concat();
        check(&hub.grove(&words), 1, "/dev/null is neither a file nor a folder|keep what comes out of it in a file");
    }
}

#[cfg(unix)]
#[test]
fn what_a_folder_holds_besides_files_is_said() {
    let hub = Hub::start(1);
    let path = |name: &str| hub.dir.path().join(name);
    fs::create_dir(path("in")).unwrap();
    fs::write(path("in/a"), "1").unwrap();
    std::os::unix::fs::symlink("/nonexist", path("in/dangle")).unwrap();
    std::os::unix::fs::symlink("..", path("in/up")).unwrap();
    let ran = hub.grove(&["run", "--stdin", &noop(), ":::", "in"]);
    assert!(ran.code == 0 && ran.out == "[]1\n", "{ran:?}");
    let said = "2 left out of in: in/dangle (a link that leads nowhere), in/up (a link to a folder";
    assert!(ran.err.contains(said), "{ran:?}");
}

#[test]
fn a_limit_of_failures_that_ends_a_job_is_named_and_so_is_the_input_of_a_sample() {
    let hub = Hub::start(1);
    let words = ["--max-fails", "0", "--check", "trust", &noop(), ":::", "fail", "slow", "slow", "slow", "slow"];
    let ran = hub.grove(&[&["run"], &words[..]].concat());
    assert!(ran.code == 3 && ran.err.contains("is over, stopped by --max-fails: "), "{ran:?}");
    assert!(ran.err.contains(" of 5 done, 1 failed, ") && ran.err.contains(" not run, in "), "{ran:?}");
    let ran = hub.grove(&["run", "--dry-run", &noop(), ":::", "a", "fail here", "b"]);
    assert!(ran.code == 3 && ran.err.contains("part 2 (fail here) failed: exit code 3"), "{ran:?}");
    let ran = hub.grove_piped(&["run", "--dry-run", &noop(), "::::", "-"], b"a\nb\nfail\n");
    assert!(ran.code == 3 && ran.err.contains("part 3 (fail) failed: exit code 3"), "{ran:?}");
}

#[test]
fn results_that_could_not_be_kept_are_not_worked_for() {
    let hub = Hub::start(1);
    fs::write(hub.dir.path().join("file"), "mine").unwrap();
    let tool = noop();
    check(&hub.grove(&["run", "-o", "file", &tool, ":::", "a"]), 2, "file is no folder|name a folder");
    check(&hub.grove(&["run", "-o", "file/below", &tool, ":::", "a"]), 1, "no results can be written into file/below");
    #[cfg(target_os = "linux")]
    check(&hub.grove(&["run", "-o", "/proc", &tool, ":::", "a"]), 1, "no results can be written into /proc");
    assert!(hub.grove(&["jobs"]).err.contains("no jobs yet"), "nothing was submitted");
    assert_eq!(hub.grove(&["run", &tool, ":::", "a"]).code, 0);
    check(&hub.grove(&["get", "-o", "file"]), 2, "file is no folder");
    check(&hub.grove(&["retry", "-o", "file"]), 2, "file is no folder");
    for words in [&["get", "-o", "-"][..], &["run", "-o", "-", &tool, ":::", "a"]] {
        check(&hub.grove(words), 2, "-o names a folder, and - is not one|standard output");
    }
    assert!(!hub.dir.path().join("-").exists());
    assert_eq!(fs::read(hub.dir.path().join("file")).unwrap(), b"mine");
}

#[test]
fn money_that_is_not_there_is_named() {
    let hub = Hub::start(1);
    let tool = noop();
    check(
        &hub.grove(&["run", "--budget", "0", &tool, ":::", "a"]),
        7,
        "the budget buys not even one part|credits or more",
    );
    check(&hub.grove(&["run", "--budget", "5000", &tool, ":::", "a"]), 7, "more than the 1000.00 credits|grove lend");
    check(&hub.grove(&["run", "--check", "prove", &tool, ":::", "a"]), 2, "cannot check answers|--check spot");
    check(&hub.grove(&["run", "--merge", &tool, ":::", "a"]), 2, "cannot merge answers");
}

#[test]
fn a_job_that_is_not_there_is_named_and_an_ambiguous_one_lists_what_it_could_be() {
    let hub = Hub::start(0);
    check(&hub.grove(&["watch", "last"]), 1, "there are no jobs yet");
    check(&hub.grove(&["get", "zzzz"]), 1, "there is no job \"zzzz\"|`grove jobs` lists them");
    check(&hub.grove(&["cancel", "0000000000000"]), 1, "there is no job");
    check(&hub.grove(&["why", "../../x"]), 1, "there is no job \"../../x\"");
    let tool = noop();
    // Ids begin with one of sixteen digits: of seventeen jobs two begin alike.
    let ids: Vec<String> =
        (0..17).map(|_| hub.grove(&["run", "--detach", &tool, ":::", "a"]).out.trim().to_owned()).collect();
    let alike = |digit: char| ids.iter().filter(|id| id.starts_with(digit)).count();
    let digit = ids.iter().filter_map(|id| id.chars().next()).find(|digit| alike(*digit) > 1).unwrap();
    let ran = hub.grove(&["watch", &digit.to_string()]);
    check(&ran, 1, "is the beginning of several jobs: ");
    assert_eq!(ids.iter().filter(|id| ran.err.contains(*id)).count(), alike(digit).min(8), "{}", ran.err);
}

#[test]
fn nobody_lends() {
    let hub = Hub::start(0);
    let ran = hub.grove(&["run", "--no-wait", &noop(), ":::", "a"]);
    check(&ran, 4, "nobody lends, so job|was cancelled|grove lend");
}

#[test]
fn a_hub_that_is_not_there_and_a_token_that_is_not_right() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let grove = |words: &[&str]| grove_in(&home, folder.path(), words, b"");
    check(&grove(&["jobs"]), 6, "no hub has been started here|hub.json is missing|grove up");
    check(&grove(&["--hub", "10.0.0.1:80", "jobs"]), 2, "the key of the hub at 10.0.0.1:80 is not known here");
    check(&grove(&["--hub", "127.0.0.1:1", "jobs"]), 5, "there is no token in|home/token");
    fs::create_dir(&home).unwrap();
    grove::config::Home::at(home.clone()).token_or_new().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    check(&grove(&["--hub", &port, "jobs"]), 6, &format!("the hub at {port} does not answer"));
    let hub = Hub::start(0);
    check(&grove(&["--hub", &hub.address.to_string(), "jobs"]), 5, "the token is missing or wrong");
    let ran = grove(&["--hub", &port, "doctor"]);
    assert!(ran.code == 1 && ran.out.contains("bad  hub") && ran.out.contains("     hint: "), "{ran:?}");
}

#[test]
fn words_that_mean_nothing_here_get_a_hint_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let grove = |words: &[&str]| grove_in(&home, folder.path(), words, b"");
    check(&grove(&["stauts"]), 2, "error: there is no command stauts|did you mean `grove status`");
    check(&grove(&["send"]), 2, "error: missing: <JOB>|grove send <JOB>");
    check(&grove(&["run"]), 2, "error: missing: <TOOL ARGS|grove run");
    check(&grove(&["get", "--fialed"]), 2, "--fialed|did you mean --failed?");
    check(&grove(&["run", "--timeout", "5w", "x"]), 2, "'5w'|90s, 10m|`grove run --help`");
    for command in ["get", "watch", "why", "cancel", "retry", "send"] {
        check(&grove(&[command, ""]), 2, "a job is its id, the beginning of one, or `last`");
    }
    check(&grove(&["jobs", "-n", "0"]), 2, "from 1 to 1000");
    check(&grove(&["up", "--slots", "0"]), 2, "one slot at the least|--no-lend");
    check(&grove(&["up", "--slots", "-1"]), 2, "it is not a number of parts");
    check(&grove(&["up", "--slots", "100000"]), 2, "100000 slots are too many|parts at one time at the most");
    check(&grove(&["lend", "--slots", "1025"]), 2, "1025 slots are too many");
    for words in
        [&["status"][..], &["jobs"], &["lend"], &["get"], &["why"], &["credits"], &["run", &noop()], &["doctor"]]
    {
        let ran = grove(words);
        assert!(ran.code != 0 && !home.exists(), "who only looks leaves no folder: {words:?} {ran:?}");
    }
}

#[cfg(unix)]
#[test]
fn bytes_that_are_no_text_reach_the_tool_as_they_are_or_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let hub = Hub::start(1);
    let odd = OsStr::from_bytes(b"gr\xfcn.txt");
    fs::write(hub.dir.path().join(odd), "inside").unwrap();
    fs::write(hub.dir.path().join("latin.txt"), b"gr\xfcn\nblau\n").unwrap();
    let run = |words: &[&OsStr]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_grove"));
        command.arg("--home").arg(hub.home()).arg("run").args(words).current_dir(hub.dir.path());
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        (output.status.code(), output.stdout, String::from_utf8(output.stderr).unwrap())
    };
    let noop = noop();
    let [noop, stdin, here, out] = [noop.as_str(), "--stdin", ":::", "--out=out"].map(OsStr::new);
    let (code, stdout, err) = run(&[stdin, noop, here, odd]);
    assert_eq!((code, stdout.as_slice()), (Some(0), &b"[]inside\n"[..]), "a file: {err}");
    let (code, stdout, err) = run(&[stdin, noop, here, OsStr::from_bytes(b"\xff\xfe")]);
    assert_eq!((code, stdout.as_slice()), (Some(0), &b"[]\xff\xfe\n"[..]), "just bytes: {err}");
    let (code, _, err) = run(&[out, stdin, noop, here, odd]);
    assert_eq!((code, hub.dir.path().join("out/gr\u{fffd}n.txt.txt").exists()), (Some(0), true), "{err}");
    for words in [&[noop, here, odd][..], &[noop, odd], &[noop, OsStr::new("::::"), OsStr::new("latin.txt")]] {
        let (code, stdout, err) = run(words);
        assert!(code == Some(2) && stdout.is_empty() && err.contains("UTF-8") && err.contains("\nhint: "), "{err}");
    }
    let (code, stdout, err) = run(&[stdin, noop, OsStr::new("::::"), OsStr::new("latin.txt")]);
    assert_eq!((code, stdout.as_slice()), (Some(0), &b"[]gr\xfcn\n[]blau\n"[..]), "{err}");
}

#[test]
fn copies_where_nobody_lends_but_the_hub_say_so_at_once() {
    let hub = Hub::start(1);
    let ran = hub.grove(&["run", "--detach", "--check", "copies", &noop(), ":::", "a"]);
    assert!(ran.code == 0 && ran.err.contains("nobody lends now but the hub itself, which is believed"), "{ran:?}");
}

#[test]
fn whoever_waits_for_a_job_that_is_cancelled_is_told() {
    let hub = Hub::start(0);
    let job = hub.grove(&["run", "--open", &noop(), "{}"]).out;
    let sent = std::thread::scope(|scope| {
        let sending = scope.spawn(|| hub.grove(&["send", job.trim(), ":::", "a", "b"]));
        let begun = std::time::Instant::now();
        while !hub.grove(&["jobs", "--json"]).out.contains(r#""items":2"#) {
            assert!(begun.elapsed().as_secs() < 20, "nothing was sent");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(hub.grove(&["cancel", job.trim()]).code, 0);
        sending.join().unwrap()
    });
    check(&sent, 1, "is cancelled: 0 of 2 done");
}

#[test]
fn settings_that_are_wrong_are_named_with_their_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("grove")).unwrap();
    fs::write(folder.path().join("grove/config.toml"), "lisen = 3\n").unwrap();
    let ran = grove_in(&folder.path().join("home"), folder.path(), &["jobs"], b"");
    check(&ran, 2, "grove/config.toml are wrong|lisen");
}
