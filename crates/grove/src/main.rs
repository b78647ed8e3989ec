//! The program. All that it does is in the library, where tests reach it.

fn main() -> std::process::ExitCode {
    // An executor shuts itself in before anything else of this program has started.
    if std::env::args_os().nth(1).is_some_and(|first| first == "executor") {
        return grove_sandbox::executor::main();
    }
    grove::cli::main()
}
