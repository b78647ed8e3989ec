//! Benchmarks, one file each. `cargo xtask bench NAME` builds and runs them; `--json` prints one object.

mod chaos;
mod clock;
mod cold;
mod compute;
mod core;
mod crowd;
mod data;
mod files;
mod idle;
mod latency;
mod others;
mod owner;
mod program;
mod python;
mod restart;
mod scale;
mod tiny;

use clap::Parser;
use serde_json::Value;

/// Measures one thing and says what explains the figure.
#[derive(Parser)]
struct Arguments {
    /// Which one.
    name: String,
    /// One JSON object instead of lines for people.
    #[arg(long)]
    json: bool,
    /// `core`: only so many lenders.
    #[arg(long, value_name = "N")]
    lenders: Option<u64>,
    /// `core` and `scale`: so many parts for the node alone.
    #[arg(long, value_name = "N", default_value_t = core::PARTS)]
    parts: u64,
    /// `tiny`: with TLS on every connection.
    #[arg(long)]
    tls: bool,
    /// `chaos`: how often the hub is killed.
    #[arg(long, value_name = "N", default_value_t = 50)]
    kills: u64,
    /// `owner`: how often the owner comes back.
    #[arg(long, value_name = "N", default_value_t = 100)]
    returns: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let found = match arguments.name.as_str() {
        "chaos" => chaos::run(arguments.kills)?,
        "cold" => cold::run()?,
        "compute" => compute::run()?,
        "crowd" => crowd::run()?,
        "data" => data::run()?,
        "files" => files::run()?,
        "idle" => idle::run()?,
        "latency" => latency::run()?,
        "owner" => owner::run(arguments.returns)?,
        "python" => python::run()?,
        "restart" => restart::run()?,
        "scale" => scale::run(arguments.parts)?,
        "tiny" => tiny::run(arguments.tls)?,
        "core" => core::run(arguments.lenders, arguments.parts),
        other => anyhow::bail!("there is no bench {other}"),
    };
    show(&found, arguments.json);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "figures are what this program is for")]
fn show(found: &Value, json: bool) {
    if json {
        return println!("{found}");
    }
    for (name, value) in found.as_object().into_iter().flatten() {
        println!("{name:>16}  {value}");
    }
}
