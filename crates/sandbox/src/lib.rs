//! Runs one tool on one input under limits, and meters it. It knows WebAssembly and the walls around an executor
//! process; it knows no network, no jobs, and no money.

mod bare;
mod bytes;
mod cpu;
#[cfg(unix)]
pub mod executor;
#[cfg(unix)]
pub mod frame;
mod inspect;
pub mod limits;
pub mod order;
pub mod package;
mod part;
mod tool;
pub mod walls;
mod wasi;

pub use bare::bare;
pub use inspect::{Inspection, MANIFEST_SECTION, NotATool, inspect};
pub use limits::Limits;
pub use part::{Bytes, Outcome, Part, Status, Terms, Written};
pub use tool::{CompileOptions, ENGINE, Engine, Tool, ToolError};
