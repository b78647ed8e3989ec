//! `grove run` and what belongs to it, when all is well.

use super::{Hub, grove_in, noop};
use std::fs;

#[test]
fn inputs_become_results_in_their_order() {
    let hub = Hub::start(2);
    let ran = hub.grove(&["run", &noop(), "-x", "{}", ":::", "b", "a", "c d"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[-x b]\n[-x a]\n[-x c d]\n", 0), "{}", ran.err);
    assert!(ran.err.contains("is done: 3 of 3 done, 0 failed"), "{}", ran.err);
    let ran = hub.grove(&["run", &noop(), "{2}{1}", ":::", "a", "b", ":::", "1", "2"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[1a]\n[2a]\n[1b]\n[2b]\n", 0), "{}", ran.err);
}

#[test]
fn a_tool_without_inputs_runs_once_with_what_is_piped_in() {
    let hub = Hub::start(1);
    let ran = hub.grove_piped(&["run", &noop(), "-q"], b"some text");
    assert_eq!((ran.out.as_str(), ran.code), ("[-q]some text\n", 0), "{}", ran.err);
}

#[test]
fn files_lines_and_numbers_are_inputs() {
    let hub = Hub::start(2);
    let lines: String = (0..3_000).map(|n| format!("line {n}\n")).collect();
    fs::write(hub.dir.path().join("in.txt"), &lines).unwrap();
    for words in [vec!["run", "--each-line", "in.txt"], vec!["run"]] {
        let (tool, file) = (noop(), ["::::", "in.txt"]);
        let rest = if words.len() == 1 { &file[..] } else { &[] };
        let ran = hub.grove(&[&words[..], &[&tool], rest].concat());
        let expect: String = (0..3_000).map(|n| format!("[line {n}]\n")).collect();
        assert_eq!((ran.out == expect, ran.code), (true, 0), "{}", ran.err);
    }
    let ran = hub.grove_piped(&["run", &noop(), "::::", "-"], b"one\ntwo");
    assert_eq!((ran.out.as_str(), ran.code), ("[one]\n[two]\n", 0), "{}", ran.err);
    let ran = hub.grove_piped(&["run", "--each-line", "-", "--chunk", "2", &noop()], b"one\ntwo\nthree\n");
    assert_eq!((ran.out.as_str(), ran.code), ("[]one\ntwo\n\n[]three\n\n", 0), "whole lines; {}", ran.err);
    let ran = hub.grove(&["run", "--range", "5..=7", &noop()]);
    assert_eq!((ran.out.as_str(), ran.code), ("[5]\n[6]\n[7]\n", 0), "{}", ran.err);
    let ran = hub.grove(&["run", "--range", "0..10", "--chunk", "4", &noop(), "{1}-{2}"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[0-4]\n[4-8]\n[8-10]\n", 0), "{}", ran.err);
    let ran = hub.grove(&["run", "--stdin", &noop(), ":::", "in.txt", "word"]);
    assert_eq!((ran.out == format!("[]{lines}\n[]word\n"), ran.code), (true, 0), "{}", ran.err);
}

#[test]
fn what_is_no_tool_and_what_is_over_is_said_as_it_is() {
    let hub = Hub::start(1);
    let ran = hub.grove(&["run", "--bogus", &noop(), ":::", "a"]);
    assert_eq!((ran.code, ran.err.contains("there is no option --bogus")), (2, true), "{}", ran.err);
    let ran = hub.grove(&["run", ":::", "a"]);
    assert_eq!((ran.code, ran.err.contains("the tool is missing")), (2, true), "{}", ran.err);
    fs::write(hub.dir.path().join("some"), "text\n").unwrap();
    for (option, amount) in
        [("--timeout", "0"), ("--memory", "0"), ("--memory", "1K"), ("--memory", "4.1GiB"), ("--bytes", "0")]
    {
        let split: &[&str] = if option == "--bytes" { &["--split", "some"] } else { &[] };
        let ran = hub.grove(&[&["run", option, amount], split, &[&noop()]].concat());
        assert!(ran.code == 2 && ran.err.contains(option) && ran.err.contains("hint: "), "{ran:?}");
    }
    fs::write(hub.dir.path().join("taken"), "").unwrap();
    let ran = hub.grove(&["run", "-o", "taken", &noop(), ":::", "a"]);
    assert!(ran.code == 2 && ran.err.contains("taken is no folder"), "{}", ran.err);
    let jobs = hub.grove(&["jobs", "--json"]);
    assert!(!jobs.out.contains("noop"), "nothing was submitted: {}", jobs.out);
    assert_eq!(hub.grove(&["run", "--memory", "1.5GiB", &noop(), ":::", "a"]).code, 0);
    let ran = hub.grove(&["cancel", "last"]);
    assert!(ran.err.contains("had ended before"), "{}", ran.err);
    let ran = hub.grove(&["retry", "last"]);
    assert!(ran.err.contains("nothing of job") && ran.err.contains("has failed"), "{}", ran.err);
}

#[test]
fn folders_are_mirrored_and_what_is_there_is_not_run_again() {
    let hub = Hub::start(2);
    let dir = hub.dir.path();
    fs::create_dir_all(dir.join("in/deep er")).unwrap();
    for (name, text) in [("in/a", "1"), ("in/deep er/\u{1f600}\n.csv", "2"), ("in/deep er/z", "3")] {
        fs::write(dir.join(name), text).unwrap();
    }
    let ran = hub.grove(&["run", "-o", "out", "--stdin", &noop(), ":::", "in"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    let read = |name: &str| fs::read_to_string(dir.join("out").join(name)).unwrap();
    assert_eq!([read("a.txt"), read("deep er/\u{1f600}_.csv.txt")], ["[]1\n", "[]2\n"]);
    fs::remove_file(dir.join("out/deep er/z.txt")).unwrap();
    let ran = hub.grove(&["run", "-o", "out", "--resume", "--stdin", &noop(), ":::", "in"]);
    assert!(ran.code == 0 && ran.err.contains("2 results in out already"), "{}", ran.err);
    assert!(ran.err.contains("1 result in out already") && !ran.err.contains("done"), "it was paid for: {}", ran.err);
    assert_eq!(read("deep er/z.txt"), "[]3\n");
    let ran = hub.grove(&["run", "-o", "out", "--resume", "--stdin", &noop(), ":::", "in"]);
    assert!(ran.code == 0 && ran.err.contains("3 results in out already") && !ran.err.contains("done"), "{}", ran.err);
}

#[test]
fn a_result_whose_input_or_tool_has_changed_is_made_again() {
    let hub = Hub::start(2);
    let dir = hub.dir.path();
    fs::create_dir(dir.join("in")).unwrap();
    fs::write(dir.join("in/a"), "1").unwrap();
    fs::write(dir.join("in/b"), "2").unwrap();
    let resume = |args: &[&str]| {
        let ran = hub.grove(&[&["run", "-o", "out", "--resume", "--stdin", &noop()], args, &[":::", "in"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.err
    };
    let read = |name: &str| fs::read_to_string(dir.join("out").join(name)).unwrap();
    assert!(resume(&[]).contains("0 results in out already\n"));
    fs::write(dir.join("in/b"), "two").unwrap();
    let said = resume(&[]);
    assert!(said.contains("1 result in out already; 1 more were made") && said.contains("1 of 1 done"), "{said}");
    assert_eq!([read("a.txt"), read("b.txt")], ["[]1\n", "[]two\n"]);
    assert!(resume(&[]).contains("2 results in out already\n"), "what was made again holds");
    let said = resume(&["-x"]);
    assert!(said.contains("0 results in out already; 2 more") && said.contains("2 of 2 done"), "{said}");
    assert_eq!([read("a.txt"), read("b.txt")], ["[-x]1\n", "[-x]two\n"]);
    // Nobody remembers who made a result that lies there from elsewhere.
    fs::write(dir.join("in/c"), "3").unwrap();
    fs::write(dir.join("out/c.txt"), "mine").unwrap();
    assert!(resume(&["-x"]).contains("3 results in out already\n"));
    // Of what is cut from one file, too.
    fs::write(dir.join("big"), "1\n2\n").unwrap();
    let cut = || hub.grove(&["run", "-o", "cut", "--resume", "--split", "big", "--lines", "1", &noop()]).err;
    assert!(cut().contains("2 of 2 done") && cut().contains("2 results in cut already\n"));
    fs::write(dir.join("big"), "1\n3 \n").unwrap();
    assert!(cut().contains("2 more were made"));
}

/// The one who ran it was killed, and could say nothing to the hub.
#[test]
fn a_job_that_a_run_left_behind_is_followed_and_not_paid_twice() {
    let hub = Hub::start(1);
    let words = ["run", "-o", "out", &noop(), ":::", "a", "slow", "slow", "slow", "slow", "b"];
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_grove"));
    command.args(words).current_dir(hub.dir.path()).env("GROVE_HOME", hub.home()).stderr(std::process::Stdio::null());
    let mut broken = command.spawn().unwrap();
    let submitted = || fs::read_dir(hub.home().join("runs")).is_ok_and(|jobs| jobs.count() > 0);
    let begun = std::time::Instant::now();
    while !submitted() {
        assert!(begun.elapsed().as_secs() < 20, "nothing was submitted");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    broken.kill().unwrap();
    broken.wait().unwrap();
    let resume = |args: &[&str], inputs: &[&str]| {
        hub.grove(&[&["run", "-o", "out", "--resume"], args, &[&noop(), ":::"], inputs].concat())
    };
    let ran = resume(&["--detach"], &words[5..]);
    assert!(ran.code == 0 && ran.out.len() == 14 && ran.err.contains("still works for out"), "{ran:?}");
    let other = hub.grove(&["run", "-o", "out", "--resume", &noop(), "-x", ":::", "a", "b"]);
    assert!(other.code == 2 && other.err.contains("still works for out, with another"), "{other:?}");
    // It ends while nobody is there to fetch its results.
    assert_eq!(hub.grove(&["watch", "last"]).code, 0);
    let ran = resume(&[], &words[5..]);
    assert!(ran.code == 0 && fs::read_dir(hub.dir.path().join("out")).unwrap().count() == 6, "{ran:?}");
    let jobs: serde_json::Value = serde_json::from_str(&hub.grove(&["jobs", "--json"]).out).unwrap();
    assert_eq!(jobs["total"], 1, "nothing was submitted again: {jobs}");
    let more = resume(&[], &["a", "c"]);
    assert!(more.code == 0 && hub.dir.path().join("out/c.txt").exists(), "{more:?}");
}

#[test]
fn whoever_stops_reading_ends_a_command_quietly() {
    let hub = Hub::start(1);
    assert_eq!(hub.grove(&["run", &noop(), ":::", "big", "big"]).code, 0);
    let into = |words: &[&str], out: std::process::Stdio| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_grove"));
        command.args(words).current_dir(hub.dir.path()).env("GROVE_HOME", hub.home());
        command.stdout(out).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
    };
    let all: [&[&str]; 7] = [
        &["run", &noop(), ":::", "big", "big"],
        &["run", "--json", &noop(), ":::", "big"],
        &["get", "last"],
        &["get", "--json"],
        &["jobs"],
        &["jobs", "--json"],
        &["watch", "last", "--json"],
    ];
    for words in all {
        let (code, err) = into(words, std::process::Stdio::piped());
        assert!(code == 0 && !err.contains("error"), "{words:?} {code} {err}");
        #[cfg(target_os = "linux")]
        {
            let full = fs::File::options().write(true).open("/dev/full").unwrap();
            let (code, err) = into(words, full.into());
            assert!(code == 1 && err.contains("cannot write to standard output: No space left"), "{words:?} {err}");
            assert!(err.contains("\nhint: "), "{words:?} {err}");
        }
    }
}

#[test]
fn one_file_is_cut_into_inputs_behind_whole_records() {
    let hub = Hub::start(2);
    let dir = hub.dir.path();
    fs::write(dir.join("big.csv"), "n,text\n1,\"a\nb\"\n2,c\n3,d\n").unwrap();
    let cut = ["run", "-o", "out", "--split", "big.csv", "--records", "--header", "--lines", "2"];
    let ran = hub.grove(&[&cut[..], &[&noop()]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let read = |name: &str| fs::read_to_string(dir.join("out").join(name)).unwrap();
    assert_eq!(read("big.1.csv.txt"), "[]n,text\n1,\"a\nb\"\n2,c\n\n");
    assert_eq!(read("big.2.csv.txt"), "[]n,text\n3,d\n\n");
    let ran = hub.grove(&["run", "--split", "big.csv", "--bytes", "8", &noop()]);
    assert_eq!((ran.out.as_str(), ran.code), ("[]n,text\n\n[]1,\"a\nb\"\n\n[]2,c\n3,d\n\n", 0), "{}", ran.err);
    let ran = hub.grove(&["run", "--split", "no.csv", &noop()]);
    assert!(ran.code == 1 && ran.err.contains("no.csv") && ran.err.contains("hint: "), "{}", ran.err);
    let ran = hub.grove(&["run", "--split", "big.csv", &noop(), ":::", "a"]);
    assert!(ran.code == 2 && ran.err.contains("--split"), "{}", ran.err);
}

#[test]
fn results_become_files_named_after_their_inputs() {
    let hub = Hub::start(2);
    let ran = hub.grove(&["run", "-o", "out", &noop(), ":::", "x/a.csv", "y/a.csv", "../up", "big", "file", "fail"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
    let read = |name: &str| fs::read_to_string(hub.dir.path().join("out").join(name)).unwrap();
    assert_eq!(read("a.csv.txt"), "[x/a.csv]\n");
    assert_eq!(read("a.csv-2.txt"), "[y/a.csv]\n");
    assert_eq!(read("up.txt"), "[../up]\n");
    assert_eq!(read("big.txt"), "x".repeat(100_000), "a blob");
    assert_eq!(read("file/sub/one.txt"), "in a file");
    assert!(!hub.dir.path().join("up").exists() && !hub.dir.path().join("up.txt").exists());
    assert!(ran.err.contains("part 6 (fail) failed: exit code 3\n  it was asked to \\u{1b}[31mfail"), "{}", ran.err);
    assert!(ran.err.contains("run them again: grove retry "), "{}", ran.err);
    assert!(!hub.dir.path().join("out/fail.txt").exists(), "what a failed part printed is no result");
    let ran = hub.grove(&["get", "last", "-o", "again"]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert_eq!(fs::read_to_string(hub.dir.path().join("again/a.csv.txt")).unwrap(), "[x/a.csv]\n");
}

#[test]
fn what_failed_parts_printed_is_never_among_the_results() {
    let hub = Hub::start(1);
    let ran = hub.grove(&["run", &noop(), ":::", "a", "fail 1", "b", "fail 2"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[a]\n[b]\n", 3), "{}", ran.err);
    let told = "part 2 (fail 1) failed: exit code 3\n  it was asked to \\u{1b}[31mfail\n  it printed: [fail 1]\n";
    assert!(ran.err.contains(told), "{}", ran.err);
    assert!(ran.err.contains("2 of 4 done, 2 failed") && ran.err.contains("grove get --failed "), "{}", ran.err);
    let ran = hub.grove(&["get", "last"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[a]\n[b]\n", 3), "{}", ran.err);
    let ran = hub.grove(&["get", "last", "--failed"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[fail 1]\n[fail 2]\n", 3), "{}", ran.err);
    assert!(ran.err.contains("part 4 (fail 2) failed: exit code 3") && !ran.err.contains("it printed"), "{}", ran.err);
    let ran = hub.grove(&["get", "last", "--failed", "-o", "bad"]);
    let read = |name: &str| fs::read_to_string(hub.dir.path().join("bad").join(name));
    assert_eq!((read("fail 2.txt").unwrap().as_str(), ran.code), ("[fail 2]\n", 3), "{}", ran.err);
    assert!(read("a.txt").is_err(), "only what failed");
    let lines = |ran: super::Ran| ran.out.lines().filter(|line| line.contains(r#""type":"result""#)).count();
    assert_eq!(lines(hub.grove(&["get", "last", "--json"])), 4, "each says how it ended");
    assert_eq!(lines(hub.grove(&["get", "last", "--json", "--failed"])), 2);
    assert_eq!(hub.grove(&["run", &noop(), ":::", "a"]).code, 0);
    let ran = hub.grove(&["get", "--failed"]);
    assert_eq!((ran.out.as_str(), ran.code, ran.err.contains("no part has failed")), ("", 0, true), "{}", ran.err);
}

#[test]
fn json_is_for_programs() {
    let hub = Hub::start(1);
    let ran = hub.grove(&["run", "--json", &noop(), ":::", "a", "bytes"]);
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), ran.code), (3, 0), "{}", ran.err);
    assert!(lines.iter().all(|line| line["v"] == 1));
    assert_eq!((lines[0]["type"].as_str(), lines[0]["stdout"].as_str()), (Some("result"), Some("[a]\n")));
    assert_eq!(lines[1]["stdout"]["base64"], "//4A");
    assert_eq!((lines[2]["type"].as_str(), lines[2]["standing"].as_str()), (Some("job"), Some("done")));
    for words in [&["jobs"][..], &["status"], &["credits"], &["why", "last"], &["why"], &["doctor"]] {
        let ran = hub.grove(&[words, &["--json"]].concat());
        let value: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((&value["v"], ran.code), (&1.into(), 0), "{words:?} {}", ran.err);
    }
    let status: serde_json::Value = serde_json::from_str(&hub.grove(&["status", "--json"]).out).unwrap();
    assert_eq!(status["status"]["credits"]["ledger_sum"], "0");
    let ran = hub.grove(&["watch", "last", "--json"]);
    assert!(ran.code == 0 && ran.out.contains(r#""type":"ended""#), "{ran:?}");
}

#[test]
fn a_job_is_followed_by_its_id_and_stopped() {
    let hub = Hub::start(0);
    let ran = hub.grove(&["run", "--detach", &noop(), ":::", "a"]);
    let id = ran.out.trim().to_owned();
    assert_eq!((ran.code, id.len()), (0, 13), "{ran:?}");
    assert!(ran.err.contains("no lender yet: waiting\nhint: grove lend"), "{}", ran.err);
    let ran = hub.grove(&["why", &id[..5]]);
    assert!(ran.code == 0 && ran.out.contains("- nobody lends\n  hint: "), "{ran:?}");
    let ran = hub.grove(&["get", "last"]);
    assert!(ran.code == 0 && ran.err.contains("still runs: 0 of 1 done"), "{ran:?}");
    let ran = hub.grove(&["cancel", &id[..5]]);
    assert!(ran.code == 0 && ran.err.contains("is cancelled"), "{ran:?}");
    let ran = hub.grove(&["watch"]);
    assert!(ran.code == 1 && ran.err.contains("is cancelled: 0 of 1 done"), "{ran:?}");
}

#[test]
fn an_open_job_takes_inputs_and_gives_results_at_once() {
    let hub = Hub::start(1);
    let ran = hub.grove(&["run", "--open", &noop()]);
    let id = ran.out.trim().to_owned();
    assert_eq!((ran.code, id.len()), (0, 13), "{ran:?}");
    let ran = hub.grove(&["send", &id, ":::", "a", "b"]);
    assert_eq!((ran.out.as_str(), ran.code), ("[a]\n[b]\n", 0), "{}", ran.err);
    let ran = hub.grove_piped(&["send", &id], b"c\nfail\n");
    assert_eq!((ran.out.as_str(), ran.code), ("[c]\n", 3), "{}", ran.err);
    let big = hub.grove(&[&["send", &id, ":::"][..], &["big"; 50]].concat());
    assert_eq!((big.out.len(), big.code), (50 * 100_000, 0), "{}", big.err);
    let long: Vec<String> = (0..3_000).map(|n| format!("{n}{}", "y".repeat(2_000))).collect();
    let ran = hub.grove_piped(&["send", &id], long.join("\n").as_bytes());
    assert_eq!((ran.out.lines().count(), ran.code), (3_000, 0), "{}", ran.err);
    let ran = hub.grove(&["send", &id, "--close"]);
    assert!(ran.code == 0 && ran.err.contains("takes no more inputs"), "{ran:?}");
    let ran = hub.grove(&["watch", &id]);
    assert!(ran.code == 3 && ran.err.contains("3053 of 3054 done, 1 failed"), "{ran:?}");
    let ran = hub.grove(&["send", &id, ":::", "late"]);
    assert!(ran.code == 1 && ran.err.contains("takes no inputs"), "{ran:?}");
    let ran = hub.grove(&["retry", &id]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn ten_million_inputs_are_accepted_at_once_and_read_by_page() {
    let hub = Hub::start(0);
    let begun = std::time::Instant::now();
    let ran = hub.grove(&["run", "--detach", "--range", "0..10_000_000", &noop()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    let ran = hub.grove(&["jobs"]);
    assert!(ran.out.contains("0/10000000"), "{}", ran.out);
}

#[test]
fn what_needs_no_hub_asks_none() {
    let folder = tempfile::tempdir().unwrap();
    for (words, expect) in [
        (&["completions", "bash"][..], "_grove()"),
        (&["config"], "keep = \"30d\""),
        (&["run", "--help"], "grove run square.wasm ::: 1 2 3"),
    ] {
        let ran = grove_in(folder.path(), folder.path(), words, b"");
        assert!(ran.code == 0 && ran.out.contains(expect), "{ran:?}");
    }
    let ran = grove_in(folder.path(), folder.path(), &["--help"], b"");
    assert!(ran.out.contains("  130  Ctrl-C; the job keeps running"), "{}", ran.out);
}
