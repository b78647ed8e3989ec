//! `cargo xtask test`: everything that must hold before a change is merged. It needs Rust and a C compiler and nothing
//! else; what else it could use and does not find, it names as skipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, iter};

use anyhow::{Context, bail};

use crate::python::Python;
use crate::sim::Sim;
use crate::tools::Tools;

/// Run all tests
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Seeds of the simulator, beside those that the core's own tests run
    #[arg(long, default_value_t = 300, value_name = "N")]
    seeds: u64,
}

impl Test {
    /// All steps are tried, so that one failure does not hide another; cargo's own results come last.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let root = root();
        let builds = build_folder(root);
        let tools_builds = builds.join("tools-native");
        let workspace = || cargo(root, &builds, &["test", "--workspace", "--no-fail-fast"]);
        let tools = || cargo(&root.join("tools"), &tools_builds, &["test", "--workspace", "--locked"]);
        let steps: [(&str, &dyn Fn() -> anyhow::Result<()>); 5] = [
            ("prebuilt tools", &|| Tools::checked().run()),
            ("python image", &python_image),
            ("simulator", &|| Sim::of(self.seeds).run()),
            ("example tools", &tools),
            ("workspace", &workspace),
        ];
        eprintln!("building in {}", builds.display());
        install_bare_target();
        let mut failed = Vec::new();
        for (name, step) in steps {
            eprintln!("== {name}");
            if let Err(error) = step() {
                eprintln!("{name}: {error:#}");
                failed.push(name);
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", failed.join(", "))
    }
}

/// Scripts need an image; where it cannot be made their tests say that they are skipped.
fn python_image() -> anyhow::Result<()> {
    if let Err(error) = Python::made() {
        println!("skipped: the image that runs scripts cannot be made here: {error:#}");
    }
    Ok(())
}

/// One test compiles the core for a machine without an operating system. Without rustup it will say that it is skipped.
fn install_bare_target() {
    let rustup = Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]).output();
    match rustup {
        Ok(output) if output.status.success() => {}
        Ok(output) => eprintln!("rustup: {}", String::from_utf8_lossy(&output.stderr).trim()),
        Err(_) => eprintln!("no rustup here, so the target wasm32-unknown-unknown is used only if it is installed"),
    }
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where things are built: as the caller says; else in the repository, if the program was built there before; else in
/// the caller's cache, so that each fresh clone does not compile Cranelift again.
fn build_folder(root: &Path) -> PathBuf {
    if let Some(folder) = env::var_os("CARGO_TARGET_DIR") {
        return folder.into();
    }
    let own = root.join("target");
    let ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    let home = env::var_os("HOME").map(PathBuf::from);
    match home {
        Some(home) if ci || !own.join("debug/grove").exists() => home.join(".cache/grove/target"),
        _ => own,
    }
}

fn cargo(folder: &Path, builds: &Path, args: &[&str]) -> anyhow::Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder).args(args).env("CARGO_TARGET_DIR", builds);
    // Cargo told this process where xtask itself lies; what it starts must not take that for its own.
    for variable in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME"] {
        cargo.env_remove(variable);
    }
    let line: Vec<&str> = iter::once("cargo").chain(args.iter().copied()).collect();
    let status = cargo.status().with_context(|| format!("cannot start {}", line.join(" ")))?;
    if !status.success() {
        bail!("{} ended with {status}", line.join(" "));
    }
    Ok(())
}
