//! Seeds that every change runs, and the bugs that the simulator has to find.

use super::*;

fn check(seeds: std::ops::Range<u64>, mode: Mode) {
    for seed in seeds {
        let report = run(seed, mode);
        if let Some(failure) = report.failure {
            panic!("seed {seed} {mode:?} {failure}\nrepeat: cargo xtask sim --seed {seed}");
        }
    }
}

#[test]
fn hubs_keep_their_promises() {
    check(0..150, Mode::Hub);
}

#[test]
fn peers_keep_their_promises() {
    check(0..100, Mode::Peers);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        assert_eq!(run(seed, Mode::Any), run(seed, Mode::Any));
    }
}

#[cfg(feature = "planted")]
#[test]
fn every_planted_bug_is_found() {
    use crate::planted::{Bug, plant};
    let found = |bug: Bug| {
        plant(Some(bug));
        // A broken promise may also show as a failed assertion of the node itself.
        let fails = |seed| std::panic::catch_unwind(|| run(seed, Mode::Any).failure.is_some()).unwrap_or(true);
        let found = (0..400).find(|seed| fails(*seed));
        plant(None);
        found
    };
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let results: Vec<(Bug, Option<u64>)> = Bug::ALL.into_iter().map(|bug| (bug, found(bug))).collect();
    std::panic::set_hook(quiet);
    for (bug, seed) in &results {
        println!("{bug:?}: {}", seed.map_or("not found".to_owned(), |seed| format!("seed {seed}")));
    }
    assert!(results.iter().all(|(_, seed)| seed.is_some()), "{results:?}");
}
