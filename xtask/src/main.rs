//! `cargo xtask …`: what maintainers and CI run. One subcommand, one file.

mod bench;
mod bless;
mod chaos;
mod circle;
mod fuzz;
mod owner;
mod peers;
#[cfg(feature = "proto")]
mod proto;
mod python;
mod sim;
mod test;
mod tools;

use clap::Parser;

/// Tasks around the product.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    Bench(bench::Bench),
    Bless(bless::Bless),
    Chaos(chaos::Chaos),
    Circle(circle::Circle),
    Owner(owner::Owner),
    Peers(peers::Peers),
    #[command(hide = true)]
    Relay(circle::relay::Relay),
    Fuzz(fuzz::Fuzz),
    Python(python::Python),
    Sim(sim::Sim),
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Tap(circle::tap::Tap),
    Test(test::Test),
    /// Make the Rust of the gRPC contract again (needs the feature `proto`: run `cargo proto`).
    #[cfg(feature = "proto")]
    Proto,
    Tools(tools::Tools),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Bench(task) => task.run(),
        Task::Bless(task) => task.run(),
        Task::Chaos(task) => task.run(),
        Task::Circle(task) => task.run(),
        Task::Owner(task) => task.run(),
        Task::Peers(task) => task.run(),
        Task::Relay(task) => task.run(),
        Task::Fuzz(task) => task.run(),
        Task::Python(task) => task.run(),
        Task::Sim(task) => task.run(),
        #[cfg(target_os = "linux")]
        Task::Tap(task) => task.run(),
        Task::Test(task) => task.run(),
        #[cfg(feature = "proto")]
        Task::Proto => proto::write(),
        Task::Tools(task) => task.run(),
    }
}
