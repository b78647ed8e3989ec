//! What a job runs: a WebAssembly module, or a Python script in its package. Read here, and sent to the hub.

use super::script::{self, Brought, Script};
use super::spool::{self, Spool};
use crate::cli::hub::Hub;
use crate::cli::{Exit, Failure, say};
use crate::python;
use crate::shape::PythonShape;
use grove_core::job::Abilities;
use grove_sandbox::package::Package;
use serde::Serialize;
use std::path::Path;

const MAKE_IMAGE: &str = "`cargo xtask python`, in grove's source, makes it once (37 MB); on the hub's machine one serves \
                          everybody, and GROVE_PYTHON names one that lies elsewhere";

/// The program of a job, and what it can do.
#[derive(Debug)]
pub(super) struct Program {
    code: Code,
    pub(super) abilities: Abilities,
    /// A script's own name, which stays here.
    script: Option<String>,
}

#[derive(Debug)]
enum Code {
    Module(Vec<u8>),
    /// Without the image that runs it: which one that is, the hub has a say in.
    Script(Package),
}

impl Program {
    /// Reads a tool; `reads` says whether inputs come on standard input.
    pub(super) fn open(tool: &Path, brought: Brought<'_>, reads: bool) -> Result<Program, Failure> {
        let Some(script) = Script::named(tool) else {
            if !brought.is_nothing() {
                return Err(Failure::usage("--with and --requirements are for Python scripts")
                    .hint("a WebAssembly module has all that it needs inside"));
            }
            let (module, abilities) = read_module(tool)?;
            return Ok(Program { code: Code::Module(module), abilities, script: None });
        };
        let (package, abilities) = script.pack(brought, reads)?;
        Ok(Program { code: Code::Script(package), abilities, script: Some(script.name()) })
    }

    /// A program that gets its inputs as arguments, and would open what they name.
    pub(super) fn is_file_reader(&self) -> bool {
        matches!(&self.code, Code::Script(package) if !script::calls_a_function(package))
    }

    /// A script that cuts what it is given: of a range it gets whole chunks.
    pub(super) fn cuts_ranges(&self) -> bool {
        self.is_script() && self.abilities.split && self.abilities.merge
    }

    pub(super) fn is_script(&self) -> bool {
        matches!(self.code, Code::Script(_))
    }

    /// What a script is called by whoever runs it.
    pub(super) fn script_name(&self) -> Option<&str> {
        self.script.as_deref()
    }

    /// Another one where the program is another, or is called in another way; the image that runs scripts is none of it.
    pub(super) fn mark(&self, called: &impl Serialize) -> Result<String, Failure> {
        let mut hash = blake3::Hasher::new();
        match &self.code {
            Code::Module(module) => hash.update(module),
            Code::Script(package) => {
                hash.update(&package.clone().write().map_err(|error| Failure::caused(Exit::Error, &error))?)
            }
        };
        hash.update(serde_json::json!(called).to_string().as_bytes());
        Ok(hash.finalize().to_hex().to_string())
    }

    /// Sends what the hub does not have yet; the blob that a job names.
    pub(super) fn send(self, hub: &Hub) -> Result<String, Failure> {
        let bytes = match self.code {
            Code::Module(module) => module,
            Code::Script(package) => {
                let package = Package { image: image(hub)?, ..package };
                package.write().map_err(|error| Failure::caused(Exit::Error, &error))?
            }
        };
        spool::send_bytes(hub, &bytes)
    }
}

/// What a job is called that is given no name.
pub(super) fn stem(path: &Path) -> String {
    let script = Script::named(path);
    let path = script.as_ref().map_or(path, Script::path);
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    name.chars().filter(|c| !say::is_unsafe(*c)).take(60).collect()
}

/// The image that runs scripts: the hub's if it has one, so that lenders compile one only; else this machine's.
fn image(hub: &Hub) -> Result<[u8; 32], Failure> {
    let theirs: PythonShape = hub.insist(|| hub.get("/v1/python"))?;
    if let Some(image) = theirs.image.and_then(|image| blake3::Hash::from_hex(image).ok()) {
        return Ok(*image.as_bytes());
    }
    let own = python::image().map_err(|error| {
        let failure = Failure::caused(Exit::Error, &error);
        Failure { message: format!("{}, and none on the hub's", failure.message), ..failure }.hint(MAKE_IMAGE)
    })?;
    let blob = blake3::Hash::from_bytes(own.hash).to_hex().to_string();
    if hub.insist(|| hub.missing_from(&blob))?.is_some() {
        say::talk("sending Python to the hub, once");
        Spool::open_any(&own.path)?.send(hub)?;
    }
    Ok(own.hash)
}

/// The module, and what it can do.
fn read_module(path: &Path) -> Result<(Vec<u8>, Abilities), Failure> {
    let unreadable = |error: &std::io::Error| {
        Failure::new(Exit::Error, format!("cannot read the tool {}: {error}", path.display()))
            .hint("give the path of a WebAssembly module, or of a Python script that ends in .py")
    };
    let word = path.to_string_lossy();
    if word.starts_with(":::") {
        return Err(Failure::usage("the tool is missing").hint("grove run tool.wasm {} ::: a b c"));
    }
    if word.starts_with('-') && !path.exists() {
        let apart = word.starts_with("-o");
        let hint = if apart { "short options stand apart: `-o FOLDER`" } else { "grove run --help lists them" };
        return Err(Failure::usage(format!("there is no option {word}")).hint(hint));
    }
    let found = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if found.len() > crate::tool::BYTES_MAX {
        let message =
            format!("{} has {} bytes; a tool has at most {}", path.display(), found.len(), crate::tool::BYTES_MAX);
        return Err(Failure::new(Exit::Error, message).hint("is it a WebAssembly module? strip its debug information"));
    }
    let module = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let abilities = crate::tool::inspect(&module).map_err(|error| {
        let failure = Failure::caused(Exit::Error, &error);
        Failure { message: format!("cannot use {} as a tool: {}", path.display(), failure.message), ..failure }
    })?;
    Ok((module, abilities))
}
