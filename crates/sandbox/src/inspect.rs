//! Reads what a module says about itself, without compiling or running any of it: anybody may hand us anything.

use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

use crate::limits::TOOL_BYTES_MAX;
use crate::package::{BadPackage, Package};
use crate::wasi;

/// The custom section in which a tool declares itself.
pub const MANIFEST_SECTION: &str = "grove";
/// A manifest is a few lines.
const MANIFEST_BYTES_MAX: usize = 16 << 10;
/// Imports that a person is told of; a hundred names help no more than the first.
const MISSING_MAX: usize = 8;

/// What a module is and wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What the tool can do besides running (`split`, `merge`, `check`, `first`), as its manifest says.
    pub abilities: Vec<String>,
    /// Imports that we do not give, as `module.name`; a tool that has any cannot run.
    pub missing: Vec<String>,
    /// Whether the tool can open files, so that `/in` and `/out` are worth having.
    pub folders: bool,
    /// For a package: the interpreter that runs it, by the hash of its image.
    pub image: Option<[u8; 32]>,
}

/// Why some bytes are not a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotATool {
    /// Nothing at all.
    #[error("the file is empty\nhint: give a WebAssembly module, such as one made for the target wasm32-wasip1")]
    Empty,
    /// Some other kind of file.
    #[error("this is not a WebAssembly module\nhint: compile the program for the target wasm32-wasip1")]
    NotWasm,
    /// WebAssembly's text form.
    #[error(
        "this is WebAssembly text, not a module\nhint: turn it into a module with `wat2wasm` or `wasm-tools parse`"
    )]
    Text,
    /// The typed form, which comes later.
    #[error(
        "this is a WebAssembly component, which is not supported yet\nhint: compile for wasm32-wasip1, not wasm32-wasip2"
    )]
    Component,
    /// More than the limit.
    #[error(
        "the module has {bytes} bytes, the limit is {TOOL_BYTES_MAX}\nhint: strip debug information (`-s`, `strip = true`)"
    )]
    TooLarge { bytes: usize },
    /// A script's package that is none.
    #[error(transparent)]
    Package(#[from] BadPackage),
    /// Broken or made for a newer engine.
    #[error("the module is damaged or too new, at byte {offset}: {why}\nhint: compile it again for wasm32-wasip1")]
    Damaged { offset: u64, why: String },
    /// A library, not a command.
    #[error("the module has no `{0}`, so it is a library and not a command\nhint: build a program with a `main`")]
    NotACommand(&'static str),
}

/// Reads a module's sections.
///
/// # Errors
/// When the bytes cannot be a tool; the message ends with a hint.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, NotATool> {
    if Package::is_one(bytes) {
        let package = Package::read(bytes)?;
        return Ok(Inspection {
            abilities: package.abilities,
            folders: true,
            image: Some(package.image),
            ..Inspection::default()
        });
    }
    recognise(bytes)?;
    let mut inspection = Inspection::default();
    let (mut start, mut memory) = (false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| damaged(&error))? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| damaged(&error))?;
                    note_import(&mut inspection, import.module, import.name, &import.ty);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(|error| damaged(&error))?;
                    start |= export.kind == ExternalKind::Func && export.name == "_start";
                    memory |= export.kind == ExternalKind::Memory && export.name == "memory";
                }
            }
            Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => {
                read_manifest(&mut inspection, section.data());
            }
            _ => {}
        }
    }
    match (start, memory) {
        (false, _) => Err(NotATool::NotACommand("_start")),
        (true, false) => Err(NotATool::NotACommand("memory")),
        (true, true) => Ok(inspection),
    }
}

fn recognise(bytes: &[u8]) -> Result<(), NotATool> {
    match bytes {
        [] => Err(NotATool::Empty),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Err(NotATool::Component),
        [0, b'a', b's', b'm', ..] if bytes.len() > TOOL_BYTES_MAX => Err(NotATool::TooLarge { bytes: bytes.len() }),
        [0, b'a', b's', b'm', ..] => Ok(()),
        _ if bytes.trim_ascii_start().starts_with(b"(module") => Err(NotATool::Text),
        _ => Err(NotATool::NotWasm),
    }
}

fn damaged(error: &wasmparser::BinaryReaderError) -> NotATool {
    NotATool::Damaged { offset: error.offset() as u64, why: error.message().to_owned() }
}

fn note_import(inspection: &mut Inspection, module: &str, name: &str, kind: &TypeRef) {
    inspection.folders |= name.starts_with("path_") || module.starts_with(wasi::second::PREFIX);
    let known = module == wasi::MODULE && wasi::CALLS.contains(&name) || wasi::second::CALLS.contains(&(module, name));
    let given = known && matches!(kind, TypeRef::Func(_));
    if !given && inspection.missing.len() < MISSING_MAX {
        inspection.missing.push(format!("{module}.{name}"));
    }
}

/// Lines of `key: words`; unknown keys are for newer versions and are passed over.
fn read_manifest(inspection: &mut Inspection, data: &[u8]) {
    let Some(text) = data.get(..data.len().min(MANIFEST_BYTES_MAX)).and_then(|data| std::str::from_utf8(data).ok())
    else {
        return;
    };
    for line in text.lines() {
        if let Some(("abilities", words)) = line.split_once(':').map(|(key, words)| (key.trim(), words)) {
            inspection.abilities = words.split_whitespace().map(str::to_owned).collect();
        }
    }
}
