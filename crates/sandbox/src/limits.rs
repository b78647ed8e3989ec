//! What a tool, a part and a frame may be at most, each with its reason. It knows nothing of jobs or of money.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A larger module is a program's whole distribution: CPython with its library is 41 MiB.
pub const TOOL_BYTES_MAX: usize = 64 << 20;
/// Files that travel with a script: more is a library that belongs elsewhere.
pub const PACKAGE_FILES_MAX: usize = 20_000;
/// Compiled code is one and a half times its module; beyond this the compiler is being used to fill a disk.
pub const CODE_BYTES_MAX: u64 = 512 << 20;
/// Enough to read why a tool failed; the rest of a noisy stderr helps nobody.
pub const STDERR_TAIL_BYTES: usize = 4 << 10;
/// WebAssembly frames of honest recursion (parsers, quicksort, CPython) fit; a runaway one ends in a trap.
pub const STACK_BYTES: usize = 1 << 20;
/// Function tables of the largest tools seen have 20,000 entries.
pub const TABLE_ELEMENTS_MAX: usize = 1 << 18;
/// Compilers make one table; hand-written modules a few.
pub const TABLES_MAX: u32 = 4;
/// 32-bit memories cannot grow beyond it.
pub const MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Descriptors open at once inside one part.
pub const DESCRIPTORS_MAX: usize = 1024;
/// Longest path a part may name, as on the systems that tools are written for.
pub const PATH_BYTES_MAX: usize = 4096;
/// Longest single name in a path.
pub const NAME_BYTES_MAX: usize = 255;
/// Buffers gathered or scattered by one call, and subscriptions of one poll: the usual IOV_MAX.
pub const VECTORS_MAX: u32 = 1024;
/// Arguments of a part, all together: the usual ARG_MAX of a Linux command.
pub const ARGS_BYTES_MAX: usize = 2 << 20;
/// Fuel for a module's start function, which runs before the part's meter does (and compilers do not emit one).
pub const START_FUEL: u64 = 1_000_000;
/// A call into the host costs about 50 ns, which is about this much fuel; it is charged so that it is not free.
pub const CALL_FUEL: u64 = 500;
/// Copying a byte costs what WebAssembly's own bulk copies cost.
pub const BYTE_FUEL: u64 = 1;

/// One frame between a node and an executor: an order with its inputs, or a batch of answers.
pub const FRAME_BYTES_MAX: usize = 256 << 20;
/// Descriptors passed beside one frame: the file that holds compiled code, or will.
pub const PASSED_MAX: usize = 1;
/// Answers are written when so many are ready …
pub const FLUSH_ANSWERS: usize = 256;
/// … or so many bytes …
pub const FLUSH_BYTES: usize = 1 << 20;
/// … or after so long, whichever comes first, so that tiny parts share a write and single ones do not wait.
pub const FLUSH_AFTER: Duration = Duration::from_millis(1);

/// Writable memory of the process that compiles; CPython takes 1.1 GiB.
pub const COMPILE_DATA_BYTES: u64 = 2 << 30;
/// CPU time of the process that compiles; CPython takes 20 to 30 seconds, and twice that on a slow machine.
pub const COMPILE_CPU_SECONDS: u64 = 60;
/// Wall time after which a node stops waiting for a compilation on a busy machine.
pub const COMPILE_WALL: Duration = Duration::from_secs(120);
/// What an executor needs beside its tool's memory: code, inputs, outputs and the engine itself.
pub const EXECUTOR_DATA_BYTES: u64 = 768 << 20;

/// What one part may use; going beyond is a clear failure of that part and of nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Work, in WebAssembly operations; the only limit that depends on nothing but the tool and its input.
    pub fuel: u64,
    /// Linear memory and tables.
    pub memory_bytes: u64,
    /// Standard output.
    pub stdout_bytes: u64,
    /// All files written, together.
    pub files_bytes: u64,
    /// Files and folders that exist at one time.
    pub files_count: u32,
    /// Time on the wall, counted by the executor while it is not frozen.
    pub wall_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // About ten minutes of one core.
            fuel: 10_000_000_000_000,
            memory_bytes: 1 << 30,
            stdout_bytes: 16 << 20,
            files_bytes: 64 << 20,
            files_count: 1024,
            wall_ms: 30 * 60 * 1000,
        }
    }
}

impl Limits {
    /// The same limits, none larger than this crate can keep (an answer must fit into a frame).
    #[must_use]
    pub fn bounded(self) -> Self {
        let answer = (FRAME_BYTES_MAX / 4) as u64;
        Limits {
            memory_bytes: self.memory_bytes.min(MEMORY_BYTES_MAX),
            stdout_bytes: self.stdout_bytes.min(answer),
            files_bytes: self.files_bytes.min(answer),
            files_count: self.files_count.min(1 << 16),
            ..self
        }
    }
}
