//! `cargo xtask sim --planted`: the test of the simulator. The switches exist only under the feature `planted`, which
//! the product is never built with; so this starts itself again with it.

/// Plants each known bug and looks for a seed that finds it.
#[cfg(not(feature = "planted"))]
pub(super) fn run(seeds: u64) -> anyhow::Result<()> {
    use std::process::Command;

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--package", "xtask", "--features", "planted", "--"]).args([
        "sim",
        "--planted",
        "--seeds",
        &seeds.to_string(),
    ]);
    let status = cargo.status()?;
    anyhow::ensure!(status.success(), "the simulator missed a planted bug, or could not be built");
    Ok(())
}

/// Plants each known bug and looks for a seed that finds it.
#[cfg(feature = "planted")]
pub(super) fn run(seeds: u64) -> anyhow::Result<()> {
    use grove_core::planted::{Bug, plant};
    use grove_core::sim::Mode;

    let bugs = Bug::ALL.len() as u64;
    // A switch belongs to one thread, so each bug is tried by one thread.
    let missed = super::run_all(0, bugs, |number| {
        let bug = Bug::ALL[usize::try_from(number).ok()?];
        plant(Some(bug));
        let found = (0..seeds).find_map(|seed| super::try_seed(seed, Mode::Any).err().map(|what| (seed, what)));
        plant(None);
        match found {
            Some((seed, what)) => {
                let words: String = what.chars().map(|c| if c == '\n' { ' ' } else { c }).take(WORDS_MAX).collect();
                println!("{bug:?}: seed {seed}: {words}");
                None
            }
            None => Some(format!("{bug:?}: not found by {seeds} seeds")),
        }
    });
    println!("{bugs} planted bugs, {missed} not found");
    anyhow::ensure!(missed == 0, "the simulator is blind to a planted bug");
    Ok(())
}

/// What is shown of a failure: the first words name the promise.
#[cfg(feature = "planted")]
const WORDS_MAX: usize = 160;
