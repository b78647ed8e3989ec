//! The map of a blob: a hash for each block, so that a piece is checked without reading the whole, and how many lines
//! end before each block, so that any line is found by reading one block. Made while the blob streams in, kept beside
//! it, made anew when it is missing or does not check. It is never the truth: the blob's own name is.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::super::error::{StoreError, io_error};
use super::super::folder::{self, private_options};
use super::BlobId;

/// Large enough that the map is 1/2,700 of the blob, small enough to be hashed in some 20 us.
pub(super) const BLOCK: usize = 64 * 1024;
const HASH: usize = 16;
const ENTRY: usize = HASH + 8;
const MAGIC: &[u8] = b"grove blob map 1";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Map {
    /// Bytes of the blob.
    pub(super) len: u64,
    /// Lines, the last counted even if no newline ends it.
    pub(super) lines: u64,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    hash: [u8; HASH],
    newlines_before: u64,
}

impl Map {
    /// Whether the block's bytes are the ones the map was made from.
    pub(super) fn check(&self, block: usize, bytes: &[u8]) -> bool {
        self.blocks.get(block).is_some_and(|known| known.hash == block_hash(bytes))
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The block in which the newline before `line` stands, and how many newlines end before that block.
    pub(super) fn block_of_line(&self, line: u64) -> (usize, u64) {
        let after = self.blocks.partition_point(|block| block.newlines_before < line);
        let block = after.saturating_sub(1);
        (block, self.blocks.get(block).map_or(0, |block| block.newlines_before))
    }

    /// Whether a blob of this length gets a map file; a smaller one is a single block that is hashed in no time.
    pub(super) fn is_kept(&self) -> bool {
        self.blocks.len() > 1
    }

    /// Not synced: a map that a crash has torn does not check and is made anew.
    pub(super) fn save(&self, id: &BlobId, temporary: &Path, path: &Path) -> Result<(), StoreError> {
        let mut bytes = [MAGIC, &id.0, &self.len.to_le_bytes(), &self.lines.to_le_bytes()].concat();
        for block in &self.blocks {
            bytes.extend_from_slice(&block.hash);
            bytes.extend_from_slice(&block.newlines_before.to_le_bytes());
        }
        let check = blake3::hash(&bytes);
        bytes.extend_from_slice(check.as_bytes());
        let mut file =
            private_options().write(true).create_new(true).open(temporary).map_err(io_error("create", temporary))?;
        let written = file
            .write_all(&bytes)
            .map_err(io_error("write", temporary))
            .and_then(|()| fs::rename(temporary, path).map_err(io_error("rename", temporary)));
        if written.is_err() {
            folder::remove(temporary)?;
        }
        written
    }

    /// `None` if it is missing, torn, damaged or another blob's.
    pub(super) fn load(id: &BlobId, len: u64, path: &Path) -> Option<Self> {
        let bytes = fs::read(path).ok()?;
        let (bytes, check) = bytes.split_last_chunk::<32>()?;
        if blake3::hash(bytes).as_bytes() != check {
            return None;
        }
        let bytes = bytes.strip_prefix(MAGIC)?.strip_prefix(&id.0)?;
        let (found_len, bytes) = bytes.split_first_chunk()?;
        let (lines, bytes) = bytes.split_first_chunk()?;
        let blocks = bytes.chunks_exact(ENTRY).map(Block::decode).collect::<Option<Vec<_>>>()?;
        let map = Self { len: u64::from_le_bytes(*found_len), lines: u64::from_le_bytes(*lines), blocks };
        (map.len == len && map.blocks.len() as u64 == len.div_ceil(BLOCK as u64)).then_some(map)
    }
}

impl Block {
    fn decode(entry: &[u8]) -> Option<Self> {
        let (hash, newlines) = entry.split_first_chunk()?;
        Some(Self { hash: *hash, newlines_before: u64::from_le_bytes(newlines.try_into().ok()?) })
    }
}

fn block_hash(bytes: &[u8]) -> [u8; HASH] {
    let mut hash = [0; HASH];
    hash.copy_from_slice(&blake3::hash(bytes).as_bytes()[..HASH]);
    hash
}

/// Makes the map and the blob's name from the bytes as they stream by.
#[derive(Debug, Default)]
pub(super) struct Surveyor {
    hasher: blake3::Hasher,
    blocks: Vec<Block>,
    /// The block that is being filled.
    block: Vec<u8>,
    len: u64,
    newlines: u64,
    last: Option<u8>,
}

impl Surveyor {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        self.last = bytes.last().copied().or(self.last);
        while !bytes.is_empty() {
            let room = (BLOCK - self.block.len()).min(bytes.len());
            let (now, rest) = bytes.split_at(room);
            self.block.extend_from_slice(now);
            bytes = rest;
            if self.block.len() == BLOCK {
                self.close_block();
            }
        }
    }

    pub(super) fn finish(mut self) -> (BlobId, Map) {
        if !self.block.is_empty() {
            self.close_block();
        }
        let open_line = self.last.is_some_and(|byte| byte != b'\n');
        let lines = self.newlines + u64::from(open_line);
        (BlobId(*self.hasher.finalize().as_bytes()), Map { len: self.len, lines, blocks: self.blocks })
    }

    fn close_block(&mut self) {
        self.blocks.push(Block { hash: block_hash(&self.block), newlines_before: self.newlines });
        self.newlines += self.block.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.block.clear();
    }
}
