//! Reading blobs: block by block, each checked before a byte of it is handed out.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::super::error::{StoreError, io_error};
use super::super::folder::private_options;
use super::map::{BLOCK, Map, Surveyor};
use super::write::survey;
use super::{BlobId, Blobs};

/// A line longer than this is not text that could be a part's input.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// One call answers at most this much, whatever number of lines was asked for.
const LINES_BYTES_MAX: usize = 8 << 20;

/// One line without its newline.
pub type Line = Vec<u8>;

/// An open blob. As a `Read` it streams from the start; `read_at` reads a piece.
#[derive(Debug)]
pub struct BlobReader {
    file: File,
    path: PathBuf,
    map: Map,
    position: u64,
    /// The block read last, and its number.
    block: Vec<u8>,
    block_number: Option<usize>,
}

impl Blobs {
    pub fn open_blob(&self, id: &BlobId) -> Result<BlobReader, StoreError> {
        let path = self.path(id);
        let mut file = match private_options().read(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::NoBlob { id: *id }),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        let len = file.metadata().map_err(io_error("look at", &path))?.len();
        let map = match Map::load(id, len, &self.map_path(id)) {
            Some(map) => map,
            None => self.make_map(id, &mut file, &path)?,
        };
        Ok(BlobReader { file, path, map, position: 0, block: Vec::new(), block_number: None })
    }

    /// How many lines a blob has.
    pub fn lines(&self, id: &BlobId) -> Result<u64, StoreError> {
        Ok(self.open_blob(id)?.lines())
    }

    /// Up to `count` lines from line `from` on (the first is 0). Fewer come back at the end of the blob and where an
    /// answer would grow too large; asked again from where it stopped, it goes on.
    pub fn line_range(&self, id: &BlobId, from: u64, count: usize) -> Result<Vec<Line>, StoreError> {
        self.open_blob(id)?.line_range(from, count)
    }

    /// Goes through the whole blob, which is also its check.
    fn make_map(&self, id: &BlobId, file: &mut File, path: &Path) -> Result<Map, StoreError> {
        let mut surveyor = Surveyor::default();
        survey(file, path, &mut surveyor)?;
        let (found, map) = surveyor.finish();
        if found != *id {
            return Err(StoreError::DamagedBlob { file: path.to_owned(), offset: 0 });
        }
        if map.is_kept() {
            map.save(id, &self.new_path(), &self.map_path(id))?;
        }
        Ok(map)
    }
}

impl BlobReader {
    pub fn len(&self) -> u64 {
        self.map.len
    }

    pub fn is_empty(&self) -> bool {
        self.map.len == 0
    }

    pub fn lines(&self) -> u64 {
        self.map.lines
    }

    /// Reads at `offset` what fits into `out` without leaving the block; 0 at the end.
    pub fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<usize, StoreError> {
        if offset >= self.map.len || out.is_empty() {
            return Ok(0);
        }
        let number = usize::try_from(offset / BLOCK as u64).unwrap_or(usize::MAX);
        self.load_block(number)?;
        let within = usize::try_from(offset % BLOCK as u64).unwrap_or(BLOCK);
        let bytes = self.block.get(within..).unwrap_or_default();
        let read = bytes.len().min(out.len());
        out[..read].copy_from_slice(&bytes[..read]);
        Ok(read)
    }

    /// So many bytes from `offset` on; fewer only at the end. Whole blocks are checked where they lie.
    pub fn piece(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let left = usize::try_from(self.map.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut piece = Vec::with_capacity(left.min(len));
        if offset.is_multiple_of(BLOCK as u64) {
            self.read_blocks(offset, left.min(len), &mut piece)?;
        }
        let mut filled = piece.len();
        piece.resize(left.min(len), 0);
        while filled < piece.len() {
            filled += self.read_at(offset + filled as u64, &mut piece[filled..])?;
        }
        Ok(piece)
    }

    /// Reads the blocks that lie wholly within so many bytes; the last block of a blob may be shorter.
    fn read_blocks(&mut self, offset: u64, len: usize, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let to_the_end = offset + len as u64 == self.map.len;
        let whole = if to_the_end { len } else { len - len % BLOCK };
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| (&mut self.file).take(whole as u64).read_to_end(out))
            .map_err(io_error("read", &self.path))?;
        let first = usize::try_from(offset / BLOCK as u64).unwrap_or(usize::MAX);
        for (nth, block) in out.chunks(BLOCK).enumerate() {
            if !self.map.check(first + nth, block) {
                let offset = offset + (nth * BLOCK) as u64;
                return Err(StoreError::DamagedBlob { file: self.path.clone(), offset });
            }
        }
        if out.len() == whole { Ok(()) } else { Err(StoreError::DamagedBlob { file: self.path.clone(), offset }) }
    }

    pub fn line_range(&mut self, from: u64, count: usize) -> Result<Vec<Line>, StoreError> {
        let mut lines = Vec::new();
        let count = u64::try_from(count).unwrap_or(u64::MAX).min(self.map.lines.saturating_sub(from));
        if count == 0 {
            return Ok(lines);
        }
        let (mut number, newlines_before) = self.map.block_of_line(from);
        let mut skip = from - newlines_before;
        let (mut line, mut bytes) = (Line::new(), 0);
        while number < self.map.blocks() {
            self.load_block(number)?;
            number += 1;
            let mut rest = self.block.as_slice();
            while !rest.is_empty() {
                let end = rest.iter().position(|byte| *byte == b'\n');
                let (now, after) = end.map_or((rest, &rest[..0]), |end| (&rest[..end], &rest[end + 1..]));
                rest = after;
                if skip > 0 {
                    skip -= u64::from(end.is_some());
                    continue;
                }
                line.extend_from_slice(now);
                if line.len() > LINE_BYTES_MAX {
                    let (bytes, max) = (line.len() as u64, LINE_BYTES_MAX as u64);
                    return Err(StoreError::TooLarge { what: "a line", bytes, max });
                }
                if end.is_some() {
                    bytes += line.len();
                    lines.push(std::mem::take(&mut line));
                    if lines.len() as u64 == count || bytes >= LINES_BYTES_MAX {
                        return Ok(lines);
                    }
                }
            }
        }
        // The last line, without a newline.
        lines.push(line);
        Ok(lines)
    }

    fn load_block(&mut self, number: usize) -> Result<(), StoreError> {
        if self.block_number == Some(number) {
            return Ok(());
        }
        self.block_number = None;
        let offset = number as u64 * BLOCK as u64;
        self.block.clear();
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| (&mut self.file).take(BLOCK as u64).read_to_end(&mut self.block))
            .map_err(io_error("read", &self.path))?;
        if !self.map.check(number, &self.block) {
            self.block.clear();
            return Err(StoreError::DamagedBlob { file: self.path.clone(), offset });
        }
        self.block_number = Some(number);
        Ok(())
    }
}

impl Read for BlobReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.read_at(self.position, out).map_err(io::Error::other)?;
        self.position += read as u64;
        Ok(read)
    }
}
