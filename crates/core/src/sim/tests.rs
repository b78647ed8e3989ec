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

#[test]
fn peers_share_a_large_job() {
    let one = makespan(1, 16, 13);
    assert!(one.failure.is_none() && one.per_mille() >= 800, "{one:?}");
}

#[test]
fn deaths_cost_no_answer_and_little_work() {
    for seed in 0..10 {
        let one = mortal(seed, 12, 12);
        assert!(one.failure.is_none() && one.burned_per_mille <= 2_000, "seed {seed}: {one:?}");
    }
}

#[test]
fn under_contention_givers_wait_half_as_long_and_newcomers_are_served() {
    let one = reciprocity(1, 60);
    assert!(one.failure.is_none() && one.givers.mean.0 * 2 <= one.riders.mean.0, "{one:?}");
    assert!(one.newcomers.jobs > 0 && one.newcomers.done == one.newcomers.jobs, "{one:?}");
}

/// Whoever does this is found out, and the answer is right all the same.
fn is_found_out(bad: Honesty) {
    for seed in 0..5 {
        let (found, failure) = one_bad(seed, bad);
        assert!(found && failure.is_none(), "seed {seed}: {bad:?} found {found}, {failure:?}");
    }
}

#[test]
fn a_peer_that_merges_wrongly_is_found_out() {
    is_found_out(Honesty::Botcher);
}

#[test]
fn a_peer_that_says_it_cut_more_than_it_did_is_found_out() {
    is_found_out(Honesty::Oversplitter);
}

#[test]
fn a_peer_that_claims_fuel_it_never_burned_is_found_out() {
    is_found_out(Honesty::Overclaimer);
}

#[test]
fn a_peer_whose_parts_are_wrong_is_found_out() {
    is_found_out(Honesty::Liar);
}
