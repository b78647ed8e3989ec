//! `cargo xtask …`: what maintainers and CI run. One subcommand, one file.

mod bench;
mod bless;
mod chaos;
<<<<<<< HEAD
mod circle;
=======
mod fuzz;
>>>>>>> c37dc82 (Large inputs go through memory and are hashed once; benches of data and of a crowd; a fuzzer on a stable compiler; logs show nothing raw)
#[cfg(feature = "proto")]
mod proto;
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
<<<<<<< HEAD
    Circle(circle::Circle),
    #[command(hide = true)]
    Relay(circle::relay::Relay),
=======
    Fuzz(fuzz::Fuzz),
>>>>>>> c37dc82 (Large inputs go through memory and are hashed once; benches of data and of a crowd; a fuzzer on a stable compiler; logs show nothing raw)
    Sim(sim::Sim),
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
<<<<<<< HEAD
        Task::Circle(task) => task.run(),
        Task::Relay(task) => task.run(),
=======
        Task::Fuzz(task) => task.run(),
>>>>>>> c37dc82 (Large inputs go through memory and are hashed once; benches of data and of a crowd; a fuzzer on a stable compiler; logs show nothing raw)
        Task::Sim(task) => task.run(),
        Task::Test(task) => task.run(),
        #[cfg(feature = "proto")]
        Task::Proto => proto::write(),
        Task::Tools(task) => task.run(),
    }
}
