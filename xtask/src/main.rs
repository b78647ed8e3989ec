//! `cargo xtask …`: what maintainers and CI run. One subcommand, one file.

mod tools;

use clap::Parser;

/// Tasks around the product.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    Tools(tools::Tools),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Tools(task) => task.run(),
    }
}
