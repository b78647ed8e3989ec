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
