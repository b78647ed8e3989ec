//! A disk in memory that keeps a record of every operation, so that a test can ask what a power cut after any of
//! them would have left, and that fails on command.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

/// What a drive writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Clone, Debug)]
pub(super) enum Op {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
    Sync,
}

/// The bytes of the database and of the log.
pub(super) type Image = [Vec<u8>; 2];

/// One of the two files of a store; the other one is on the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    inner: Arc<Mutex<Inner>>,
    file: usize,
}

#[derive(Debug, Default)]
struct Inner {
    bytes: Image,
    ops: Vec<(usize, Op)>,
    record: bool,
    /// The operation that fails, counted from now.
    fail_in: Option<usize>,
}

impl Disk {
    pub(super) fn holding(bytes: Image) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { bytes, ..Inner::default() })), file: 0 }
    }

    /// The file beside the database.
    pub(super) fn log(&self) -> Self {
        Self { file: 1, ..self.clone() }
    }

    pub(super) fn bytes(&self) -> Image {
        self.inner.lock().unwrap().bytes.clone()
    }

    pub(super) fn flip(&self, byte: usize, bit: u32) {
        self.inner.lock().unwrap().bytes[self.file][byte] ^= 1 << bit;
    }

    /// From now on, operations are kept.
    pub(super) fn record(&self) {
        self.inner.lock().unwrap().record = true;
    }

    pub(super) fn ops(&self) -> Vec<(usize, Op)> {
        self.inner.lock().unwrap().ops.clone()
    }

    pub(super) fn ops_so_far(&self) -> usize {
        self.inner.lock().unwrap().ops.len()
    }

    /// Lets `count` more operations pass; the next one fails, and those after it work again, as a drive's may.
    pub(super) fn fail_in(&self, count: usize) {
        self.inner.lock().unwrap().fail_in = Some(count);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.inner.lock().unwrap().fail_in.is_none()
    }

    fn operate(&self, op: Op) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap();
        match inner.fail_in {
            Some(0) => {
                inner.fail_in = None;
                return Err(io::Error::other("input/output error"));
            }
            Some(left) => inner.fail_in = Some(left - 1),
            None => {}
        }
        apply(&mut inner.bytes[self.file], &op);
        if inner.record {
            inner.ops.push((self.file, op));
        }
        Ok(())
    }
}

pub(super) fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, data } => {
            bytes.resize(bytes.len().max(offset + data.len()), 0);
            bytes[*offset..offset + data.len()].copy_from_slice(data);
        }
        Op::SetLen(len) => bytes.resize(*len, 0),
        Op::Sync => {}
    }
}

/// What is left of operations that were not synced: each sector of each write made it or did not, as `kept` decides.
pub(super) fn apply_torn(bytes: &mut Vec<u8>, op: &Op, mut kept: impl FnMut() -> bool) {
    match op {
        Op::Write { offset, data } => {
            for (nth, sector) in data.chunks(SECTOR).enumerate() {
                if kept() {
                    apply(bytes, &Op::Write { offset: offset + nth * SECTOR, data: sector.to_vec() });
                }
            }
        }
        _ if kept() => apply(bytes, op),
        _ => {}
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner.lock().unwrap().bytes[self.file].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.inner.lock().unwrap();
        let from = offset as usize;
        let found = inner.bytes[self.file].get(from..from + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(Op::SetLen(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(Op::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.operate(Op::Write { offset: offset as usize, data: data.to_vec() })
    }
}
