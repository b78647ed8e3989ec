//! Experiments with crowds of peers, each with the number that it has to reach.

use anyhow::ensure;
use grove_core::sim::{self, Reciprocity, Waits};

/// Thousandths of the ideal that a job has to reach.
const NEAR_ENOUGH: u64 = 900;
/// Thousandths of what a job needs that may be burned while peers die.
const BURNED_MAX: u64 = 2_000;
/// Two to the power of so many numbers: half a minute of sixty-four cores, and eight seconds of sixteen.
const LARGE: u8 = 17;
const SMALL: u8 = 13;

/// How near peers come to the ideal, by how many they are.
pub(super) fn makespan(seed: u64) -> anyhow::Result<()> {
    println!("peers  ideal s   took s  of ideal  burned  messages");
    let mut last = 0;
    for (peers, bits) in [(1, 11), (4, 13), (16, 15), (64, LARGE)] {
        let one = sim::makespan(seed, peers, bits);
        last = one.per_mille();
        println!(
            "{peers:>5} {:>8} {:>8} {:>8}% {:>6}% {:>9}",
            seconds(one.ideal.0),
            seconds(one.took.0),
            tenths(last),
            tenths(one.burned_per_mille),
            one.messages
        );
        ensure!(
            one.failure.is_none(),
            "a promise was broken: {}",
            one.failure.map_or(String::new(), |f| f.to_string())
        );
    }
    ensure!(last >= NEAR_ENOUGH, "64 peers reach {}% of the ideal, not {}%", tenths(last), tenths(NEAR_ENOUGH));
    Ok(())
}

/// What deaths cost.
pub(super) fn mortal(first: u64, seeds: u64) -> anyhow::Result<()> {
    let burned = std::sync::Mutex::new(Vec::new());
    let failures = super::run_all(first, seeds, |seed| {
        let peers = 8 + (seed % 17) as usize;
        let one = std::panic::catch_unwind(|| sim::mortal(seed, peers, SMALL));
        let Ok(one) = one else { return Some(format!("seed {seed}: panicked")) };
        burned.lock().expect("nobody panics here").push(one.burned_per_mille);
        match one.failure {
            Some(failure) => Some(format!("seed {seed}, {peers} peers: {failure}")),
            None if one.burned_per_mille > BURNED_MAX => {
                Some(format!("seed {seed}, {peers} peers: {}% was burned", tenths(one.burned_per_mille)))
            }
            None => None,
        }
    });
    let mut burned = burned.into_inner().expect("nobody panics here");
    burned.sort_unstable();
    let at =
        |share: usize| tenths(burned.get(burned.len() * share / 100).or_else(|| burned.last()).copied().unwrap_or(0));
    println!(
        "burned of what was needed: half of the runs up to {}%, 99 of 100 up to {}%, all up to {}%",
        at(50),
        at(99),
        at(100)
    );
    println!("{seeds} seeds, {failures} failures");
    ensure!(failures == 0, "deaths cost an answer, or too much");
    Ok(())
}

/// Who waits how long, where not everybody can be served.
pub(super) fn favours(seed: u64) -> anyhow::Result<()> {
    let Reciprocity { peers, givers, riders, newcomers, messages, failure } = sim::reciprocity(seed, 1_000);
    println!("{peers} peers, {messages} messages");
    println!("              jobs     done   mean s  longest s");
    for (name, waits) in [("givers", givers), ("free riders", riders), ("newcomers", newcomers)] {
        let Waits { jobs, done, mean, longest } = waits;
        println!("{name:<12} {jobs:>5} {done:>8} {:>8} {:>10}", seconds(mean.0), seconds(longest.0));
    }
    if let Some(failure) = failure {
        anyhow::bail!("a promise was broken: {failure}");
    }
    ensure!(givers.mean.0 * 2 <= riders.mean.0, "givers wait more than half as long as free riders");
    ensure!(newcomers.jobs > 0 && newcomers.done == newcomers.jobs, "a newcomer's first job was never done");
    Ok(())
}

fn seconds(millis: u64) -> String {
    format!("{}.{}", millis / 1_000, millis % 1_000 / 100)
}

fn tenths(per_mille: u64) -> String {
    format!("{}.{}", per_mille / 10, per_mille % 10)
}
