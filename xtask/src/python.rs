//! `cargo xtask python`: makes the image that runs Python scripts, once for a machine, from componentize-py and the
//! sources in `sdk/python/image`. It does not know what scripts do.

mod flatten;
mod house;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use etcetera::BaseStrategy;

use crate::test::root;

/// What makes a component of CPython and our few files: it brings CPython 3.14 along.
const COMPONENTIZE: &str = "componentize-py==0.25.1";
/// The image's manifest: what it is, and made from what.
const MANIFEST: &str = "python: 3.14\nmade by: componentize-py 0.25.1\n";

/// Build the image that runs Python scripts, once for this machine
#[derive(Debug, clap::Args)]
pub(crate) struct Python {
    /// Build it again, though it is there
    #[arg(long)]
    again: bool,
}

impl Python {
    /// Where the image is, which is made if it is not there.
    pub(crate) fn made() -> anyhow::Result<PathBuf> {
        Python { again: false }.make()
    }

    #[expect(clippy::print_stdout, reason = "the path is what was asked for")]
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        println!("{}", self.make()?.display());
        Ok(())
    }

    fn make(&self) -> anyhow::Result<PathBuf> {
        let image = place()?;
        let sources = root().join("sdk/python/image");
        let made_of = image.with_extension("made-of");
        let now = fingerprint(&sources)?;
        let as_before = fs::read_to_string(&made_of).is_ok_and(|before| before == now);
        if image.exists() && as_before && !self.again {
            return Ok(image);
        }
        let scratch = root().join("target/python");
        let component = componentize(&sources, &scratch)?;
        let module = flatten::flatten(&component, MANIFEST).context("the component cannot be made one module")?;
        let folder = image.parent().context("the image lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let part = image.with_extension("part");
        fs::write(&part, &module).with_context(|| format!("cannot write {}", part.display()))?;
        fs::rename(&part, &image).with_context(|| format!("cannot write {}", image.display()))?;
        fs::write(&made_of, now).with_context(|| format!("cannot write {}", made_of.display()))?;
        eprintln!("{} bytes, {}", module.len(), blake3::hash(&module).to_hex());
        Ok(image)
    }
}

/// Where the program looks for it: in the caches of this user, not in the state of a node.
/// The image, if it was made.
pub(crate) fn there() -> Option<PathBuf> {
    place().ok().filter(|image| image.exists())
}

fn place() -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os("GROVE_PYTHON") {
        return Ok(named.into());
    }
    let caches = etcetera::choose_base_strategy().context("there is no home folder")?.cache_dir();
    Ok(caches.join("grove/python.wasm"))
}

/// What the image is made of: it is built again when one of these changes.
fn fingerprint(sources: &Path) -> anyhow::Result<String> {
    let mut hash = blake3::Hasher::new();
    hash.update(COMPONENTIZE.as_bytes()).update(MANIFEST.as_bytes());
    hash.update(include_bytes!("python/flatten.rs")).update(include_bytes!("python/house.rs"));
    for folder in ["wit", "app"] {
        let mut files: Vec<PathBuf> = fs::read_dir(sources.join(folder))?.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.is_file());
        files.sort();
        for file in files {
            hash.update(&fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
    }
    Ok(hash.finalize().to_hex().to_string())
}

fn componentize(sources: &Path, scratch: &Path) -> anyhow::Result<Vec<u8>> {
    let programs = scratch.join("venv").join(if cfg!(windows) { "Scripts" } else { "bin" });
    if !programs.join("componentize-py").exists() {
        let python = if cfg!(windows) { "python" } else { "python3" };
        run(Command::new(python).args(["-m", "venv"]).arg(scratch.join("venv")))
            .context("a virtual environment cannot be made\nhint: install Python 3.10 or later, with venv")?;
        run(Command::new(programs.join("pip")).args(["install", "--quiet", COMPONENTIZE]))
            .context("componentize-py cannot be fetched from PyPI\nhint: is this machine online?")?;
    }
    // Python leaves compiled files beside what it imports, so it imports a copy.
    let app = scratch.join("app");
    let _ = fs::remove_dir_all(&app);
    fs::create_dir_all(&app).with_context(|| format!("cannot make {}", app.display()))?;
    for entry in fs::read_dir(sources.join("app"))?.flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(entry.path(), app.join(entry.file_name()))?;
    }
    let component = scratch.join("python.component.wasm");
    // It asks the first Python of the path where packages lie, and holds all of those in its hands.
    let path = env::join_paths(
        [programs.clone()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
    )?;
    let mut command = Command::new(programs.join("componentize-py"));
    command.env("PATH", path).env("PYTHONHASHSEED", "0").arg("-d").arg(sources.join("wit"));
    command.args(["-w", "python", "componentize", "app", "-p"]).arg(&app).arg("-o").arg(&component);
    run(&mut command)?;
    fs::read(&component).with_context(|| format!("cannot read {}", component.display()))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}\n{said}", command.get_program().display(), output.status);
    }
    Ok(())
}
