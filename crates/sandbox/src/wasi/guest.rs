//! The tool's memory, every access checked. Pointers come from the tool and are never trusted.

use super::errno::Errno;
use crate::limits::VECTORS_MAX;

/// A tool's memory during one call.
#[derive(Debug)]
pub(super) struct Guest<'a> {
    memory: &'a mut [u8],
}

impl<'a> Guest<'a> {
    pub(super) fn new(memory: &'a mut [u8]) -> Guest<'a> {
        Guest { memory }
    }

    pub(super) fn bytes(&self, at: u32, len: u32) -> Result<&[u8], Errno> {
        self.memory.get(at as usize..).and_then(|rest| rest.get(..len as usize)).ok_or(Errno::FAULT)
    }

    pub(super) fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8], Errno> {
        self.memory.get_mut(at as usize..).and_then(|rest| rest.get_mut(..len as usize)).ok_or(Errno::FAULT)
    }

    pub(super) fn put(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::FAULT)?;
        self.bytes_mut(at, len)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn text(&self, at: u32, len: u32) -> Result<&str, Errno> {
        std::str::from_utf8(self.bytes(at, len)?).map_err(|_| Errno::ILSEQ)
    }

    pub(super) fn array<const N: usize>(&self, at: u32) -> Result<[u8; N], Errno> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(at, N as u32)?);
        Ok(out)
    }

    pub(super) fn u32(&self, at: u32) -> Result<u32, Errno> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(super) fn put_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.put(at, &value.to_le_bytes())
    }

    pub(super) fn put_u64(&mut self, at: u32, value: u64) -> Result<(), Errno> {
        self.put(at, &value.to_le_bytes())
    }

    /// One buffer of a scattered read or a gathered write: its address and length.
    pub(super) fn vector(&self, vectors: u32, index: u32) -> Result<(u32, u32), Errno> {
        let at = vectors.checked_add(index.checked_mul(8).ok_or(Errno::FAULT)?).ok_or(Errno::FAULT)?;
        Ok((self.u32(at)?, self.u32(at.checked_add(4).ok_or(Errno::FAULT)?)?))
    }
}

/// Refuses more buffers than any program needs in one call.
pub(super) fn few(count: u32) -> Result<u32, Errno> {
    if count > VECTORS_MAX { Err(Errno::INVAL) } else { Ok(count) }
}
