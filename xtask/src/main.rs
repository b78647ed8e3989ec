//! `cargo xtask …`: what maintainers and CI run. One subcommand, one file.

mod bless;
mod sim;
mod test;
mod tools;

use clap::Parser;

/// Tasks around the product.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    Bless(bless::Bless),
    Sim(sim::Sim),
    Test(test::Test),
    Tools(tools::Tools),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Bless(task) => task.run(),
        Task::Sim(task) => task.run(),
        Task::Test(task) => task.run(),
        Task::Tools(task) => task.run(),
    }
}
