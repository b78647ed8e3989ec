//! The program. All that it does is in the library, where tests reach it.

fn main() -> std::process::ExitCode {
    grove::cli::main()
}
