//! A short run of every target, and all that was ever found.

use fuzz::{Fuzzer, Target};
use std::sync::Mutex;
use std::time::Duration;

/// What panics say and how much memory is held is noted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn nothing_that_a_stranger_sends_breaks_a_decoder() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let fuzzer = Fuzzer { seed: 7, time: Duration::from_millis(300) };
    let mut found = Vec::new();
    for target in fuzz::all().unwrap() {
        match fuzzer.run(&target) {
            Ok((tried, ends)) => assert!(tried > 20 && ends > 1, "{}: {tried} inputs, {ends} ends", target.name),
            Err(finding) => found.push(format!("{finding}\nkept as {}", finding.keep().unwrap().display())),
        }
    }
    // Panics were noted, not printed: but for this one.
    let _ = std::panic::take_hook();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_decoder_that_breaks_is_found_and_its_input_made_small() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let breaks = |input: &[u8]| {
        let large = if input.starts_with(b"much") { vec![0_u8; 64 << 20] } else { Vec::new() };
        assert!(!input.windows(2).any(|two| two == b"\0\x7f"), "two bytes that it does not like");
        input.len() as u64 % 16 + large.len() as u64
    };
    let target = Target { name: "none", samples: vec![vec![b'a'; 100]], run: breaks };
    let found = Fuzzer { seed: 1, time: Duration::from_secs(20) }.run(&target).unwrap_err();
    assert!(found.why.contains("does not like") && found.input.len() < 10, "{found}");
    let target = Target { name: "none", samples: vec![b"much".to_vec()], run: breaks };
    let found = Fuzzer { seed: 1, time: Duration::from_secs(20) }.run(&target).unwrap_err();
    let _ = std::panic::take_hook();
    assert!(found.why.contains("allocates"), "{found}");
}
