//! The map of a blob: a hash for each block, so that a piece is checked without reading the whole, and how many lines
//! end before each block, so that any line is found by reading one block. Made while the blob streams in, kept beside
//! it, made anew when it is missing or does not check. It is never the truth: the blob's own name is.
//!
//! BLAKE3 is a tree: the hashes of the blocks are nodes of it, so that every byte is hashed once for both.

use std::fs;
use std::io::Write;
use std::path::Path;

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::super::error::{StoreError, io_error};
use super::super::folder::{self, private_options};
use super::BlobId;

/// Large enough that the map is 1/2,700 of the blob, small enough to be hashed in some 20 us. A power of two, as the
/// nodes of a BLAKE3 tree are.
pub(super) const BLOCK: usize = 64 * 1024;
/// What is kept of a block's node.
const HASH: usize = 16;
const ENTRY: usize = HASH + 8;
/// Maps of another kind do not check, and are made anew.
const MAGIC: &[u8] = b"grove blob map 2";

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
        self.blocks.get(block).is_some_and(|known| known.hash == kept(&node(block, bytes)))
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

/// Counted in bytes as long as no count can pass one, which a processor does for many at a time.
fn newlines(block: &[u8]) -> u64 {
    let count = |some: &[u8]| some.iter().fold(0_u8, |count, byte| count + u8::from(*byte == b'\n'));
    block.chunks(u8::MAX as usize).map(|some| u64::from(count(some))).sum()
}

/// The node of a block in the tree of its blob.
fn node(block: usize, bytes: &[u8]) -> ChainingValue {
    let offset = block as u64 * BLOCK as u64;
    Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root()
}

fn kept(node: &ChainingValue) -> [u8; HASH] {
    let mut hash = [0; HASH];
    hash.copy_from_slice(&node[..HASH]);
    hash
}

/// Makes the map and the blob's name from the bytes as they stream by.
#[derive(Debug, Default)]
pub(super) struct Surveyor {
    /// Subtrees that are whole, the largest first.
    tree: Vec<ChainingValue>,
    blocks: Vec<Block>,
    /// The block that is being filled. Whether it is the only one decides how it is hashed: a full one waits for more.
    block: Vec<u8>,
    newlines: u64,
    last: Option<u8>,
}

impl Surveyor {
    pub(super) fn len(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK as u64 + self.block.len() as u64
    }

    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        self.last = bytes.last().copied().or(self.last);
        while !bytes.is_empty() {
            if self.block.len() == BLOCK {
                let block = std::mem::take(&mut self.block);
                self.close_block(&block);
                self.block = block;
                self.block.clear();
            }
            if self.block.is_empty() && bytes.len() > BLOCK {
                let (whole, rest) = bytes.split_at(BLOCK);
                self.close_block(whole);
                bytes = rest;
                continue;
            }
            let (now, rest) = bytes.split_at((BLOCK - self.block.len()).min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = rest;
        }
    }

    pub(super) fn finish(mut self) -> (BlobId, Map) {
        let len = self.len();
        let only = self.blocks.is_empty().then(|| blake3::hash(&self.block));
        let block = std::mem::take(&mut self.block);
        if !block.is_empty() {
            self.close_block(&block);
        }
        let id = only.unwrap_or_else(|| self.root());
        let open_line = self.last.is_some_and(|byte| byte != b'\n');
        let lines = self.newlines + u64::from(open_line);
        (BlobId(*id.as_bytes()), Map { len, lines, blocks: self.blocks })
    }

    fn close_block(&mut self, block: &[u8]) {
        // Two subtrees of one size are one of the next, as soon as it is known that more comes behind them.
        while self.tree.len() > self.blocks.len().count_ones() as usize {
            self.merge();
        }
        let node = node(self.blocks.len(), block);
        self.tree.push(node);
        self.blocks.push(Block { hash: kept(&node), newlines_before: self.newlines });
        self.newlines += newlines(block);
    }

    fn merge(&mut self) {
        if let (Some(right), Some(left)) = (self.tree.pop(), self.tree.pop()) {
            self.tree.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }

    /// The hash of all blocks, of which there are two at least.
    fn root(&mut self) -> blake3::Hash {
        while self.tree.len() > 2 {
            self.merge();
        }
        match self.tree[..] {
            [left, right] => merge_subtrees_root(&left, &right, Mode::Hash),
            _ => blake3::hash(b""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_hash_of_all_bytes_whatever_the_length_and_the_pieces() {
        let bytes: Vec<u8> = (0..40 * BLOCK as u32 + 77).map(|n| (n % 253) as u8).collect();
        let lens = (0..40).flat_map(|blocks| [0, 1, BLOCK - 1].map(|more| blocks * BLOCK + more));
        for (nth, len) in lens.chain([bytes.len()]).enumerate() {
            let mut surveyor = Surveyor::default();
            let piece = [1 << 20, 1_000, BLOCK, BLOCK + 1][nth % 4];
            bytes[..len].chunks(piece).for_each(|piece| surveyor.take(piece));
            assert_eq!(surveyor.len(), len as u64);
            let (id, map) = surveyor.finish();
            assert_eq!(id, BlobId::of(&bytes[..len]), "{len} bytes, {piece} at a time");
            for (block, piece) in bytes[..len].chunks(BLOCK).enumerate() {
                assert!(map.check(block, piece));
                assert!(!map.check(block + 1, piece), "a block belongs to its place");
            }
            assert_eq!(map.blocks(), len.div_ceil(BLOCK));
        }
    }
}
