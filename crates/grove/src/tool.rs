//! What a WebAssembly module says about itself, in the words of a job.

use grove_core::job::Abilities;

/// Modules larger than this are not tools.
pub const BYTES_MAX: u64 = grove_sandbox::limits::TOOL_BYTES_MAX as u64;

/// Why a module cannot be a tool here.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error(transparent)]
    NotATool(#[from] grove_sandbox::NotATool),
    #[error("the tool needs what is not given here: {}\nhint: compile it for wasm32-wasip1, without threads or sockets", .0.join(", "))]
    Missing(Vec<String>),
}

/// The module without what it says about its maker; none where it says nothing.
pub fn bare(module: &[u8]) -> Option<Vec<u8>> {
    grove_sandbox::bare(module)
}

/// For a script: the interpreter's image that it needs, by its hash.
pub fn image_of(module: &[u8]) -> Option<[u8; 32]> {
    grove_sandbox::package::Package::image_of(module)
}

/// Reads what the module can do beside running. Compiles and runs nothing.
pub fn inspect(module: &[u8]) -> Result<Abilities, ToolError> {
    let found = grove_sandbox::inspect(module)?;
    if !found.missing.is_empty() {
        return Err(ToolError::Missing(found.missing));
    }
    let can = |ability: &str| found.abilities.iter().any(|word| word == ability);
    Ok(Abilities { split: can("split"), merge: can("merge"), check: can("check"), first: can("first") })
}
