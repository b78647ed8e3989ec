//! `kernels NAME SIZE` computes one of the kernels and prints its number.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let asked = match &args[..] {
        [name, size] => kernels::by_name(name).zip(size.parse().ok()),
        _ => None,
    };
    let Some((kernel, size)) = asked else {
        let names: Vec<&str> = kernels::KERNELS.iter().map(|(name, _)| *name).collect();
        eprintln!("expected the name of a kernel ({}) and a size", names.join(", "));
        return ExitCode::FAILURE;
    };
    println!("{}", kernel(size));
    ExitCode::SUCCESS
}
