//! Runs seeds: `cargo run -p grove-core --example seeds FIRST COUNT`.
use grove_core::sim::{Mode, run};
fn main() {
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (first, count) = (args.next().unwrap_or(0), args.next().unwrap_or(100));
    let mut failures = 0;
    for seed in first..first + count {
        let report = std::panic::catch_unwind(|| run(seed, Mode::Any));
        match report {
            Ok(report) => {
                if let Some(failure) = report.failure {
                    failures += 1;
                    let text: String = failure.to_string().chars().take(900).collect();
                    println!("seed {seed}: {text}");
                }
            }
            Err(_) => {
                failures += 1;
                println!("seed {seed}: panicked");
            }
        }
    }
    println!("{count} seeds, {failures} failures");
}
