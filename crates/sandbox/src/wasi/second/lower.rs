//! How answers get into a tool's memory: results as the canonical ABI lays them out, lists where the tool itself makes
//! room for them. Nothing here knows what is answered.

use wasmtime::{Caller, Trap};

use crate::wasi::errno::{Errno, Fault};
use crate::wasi::guest::Guest;
use crate::wasi::{Host, metered};

/// Longest answer with everything in it: the state of a file.
const ANSWER_BYTES_MAX: usize = 104;

/// Runs one call that cannot fail in the tool's eyes: whatever goes wrong ends the part.
pub(super) fn act<T>(
    caller: &mut Caller<'_, Host>,
    act: impl FnOnce(&mut Host, &mut Guest<'_>) -> Result<T, Fault>,
) -> wasmtime::Result<T> {
    attempt(caller, act)?.map_err(|errno| wasmtime::Error::msg(format!("a call broke the rules of WASI: {errno:?}")))
}

/// Runs one call. A pointer that leads out of the memory ends a component.
pub(super) fn attempt<T>(
    caller: &mut Caller<'_, Host>,
    act: impl FnOnce(&mut Host, &mut Guest<'_>) -> Result<T, Fault>,
) -> wasmtime::Result<Result<T, Errno>> {
    match metered(caller, act)? {
        Err(Errno::FAULT) => Err(Trap::MemoryOutOfBounds.into()),
        said => Ok(said),
    }
}

/// Puts bytes where the tool makes room for them; they are the tool's from then on.
pub(super) fn give(caller: &mut Caller<'_, Host>, bytes: &[u8], align: u32) -> wasmtime::Result<u32> {
    if bytes.is_empty() {
        return Ok(align);
    }
    let Some(realloc) = caller.data().realloc else {
        return Err(Trap::UnreachableCodeReached.into());
    };
    let len = u32::try_from(bytes.len()).map_err(|_| Trap::MemoryOutOfBounds)?;
    let realloc = realloc.typed::<(u32, u32, u32, u32), u32>(&*caller)?;
    let at = realloc.call(&mut *caller, (0, 0, align, len))?;
    act(caller, |host, guest| {
        host.charge(u64::from(len))?;
        Ok(guest.put(at, bytes)?)
    })?;
    Ok(at)
}

/// The bytes of an answer, by their places.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: [u8; ANSWER_BYTES_MAX],
    len: usize,
}

impl Default for Answer {
    fn default() -> Answer {
        Answer { bytes: [0; ANSWER_BYTES_MAX], len: 0 }
    }
}

impl Answer {
    /// A `result` that went wrong; what went wrong stands where a value would.
    pub(super) fn error(value_at: usize, code: u8) -> Answer {
        Answer::default().u8(0, 1).u8(value_at, code)
    }

    pub(super) fn u8(self, at: usize, value: u8) -> Answer {
        self.bytes(at, &[value])
    }

    pub(super) fn u32(self, at: usize, value: u32) -> Answer {
        self.bytes(at, &value.to_le_bytes())
    }

    pub(super) fn u64(self, at: usize, value: u64) -> Answer {
        self.bytes(at, &value.to_le_bytes())
    }

    fn bytes(mut self, at: usize, value: &[u8]) -> Answer {
        let end = at + value.len();
        self.bytes[at..end].copy_from_slice(value);
        self.len = self.len.max(end);
        self
    }

    /// Writes it at the place that the tool named.
    pub(super) fn put(self, caller: &mut Caller<'_, Host>, ret: u32) -> wasmtime::Result<()> {
        let memory = caller.data().memory.ok_or(Trap::MemoryOutOfBounds)?;
        Guest::new(memory.data_mut(&mut *caller))
            .put(ret, &self.bytes[..self.len])
            .map_err(|_| Trap::MemoryOutOfBounds.into())
    }
}
