//! Calls on what is open: the three streams, folders and files.

use super::errno::{Done, Errno, Fault};
use super::guest::{Guest, few};
use super::tree::{Kind, Node, Tree};
use super::{Host, Stop};
use crate::limits::{DESCRIPTORS_MAX, STDERR_TAIL_BYTES};

pub(super) const OPEN_READ: u64 = 1 << 1;
pub(super) const OPEN_WRITE: u64 = 1 << 6;
/// Every right there is: what is not given is not there, rather than there and refused.
const RIGHTS_ALL: u64 = (1 << 30) - 1;
/// A folder's: no reading, writing, seeking or sizing of its own bytes, nor sizing by path.
const RIGHTS_FOLDER: u64 = RIGHTS_ALL & !(0b1_1110_0110 | 1 << 19 | 1 << 22);
/// Streams can be read and written, not sought in: by this a C library knows them for pipes, not terminals.
const RIGHTS_STREAM: u64 = OPEN_READ | OPEN_WRITE | 1 << 3 | 1 << 21 | 1 << 27;
const TYPE_UNKNOWN: u8 = 0;
const TYPE_FOLDER: u8 = 3;
const TYPE_FILE: u8 = 4;
const FLAG_APPEND: u32 = 1;
/// All flags that a file may have; only appending means anything in memory.
const FLAGS_ALL: u32 = 31;
const DIRENT_BYTES: usize = 24;

/// Something open.
#[derive(Debug, Clone)]
pub(super) enum Descriptor {
    Stdin,
    Stdout,
    Stderr,
    Folder { node: Node, preopened: Option<&'static str> },
    File { node: Node, at: u64, read: bool, write: bool, flags: u32 },
}

impl Descriptor {
    pub(super) fn folder(node: Node, preopened: Option<&'static str>) -> Descriptor {
        Descriptor::Folder { node, preopened }
    }

    fn node(&self) -> Option<Node> {
        match self {
            Descriptor::Folder { node, .. } | Descriptor::File { node, .. } => Some(*node),
            Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => None,
        }
    }
}

impl Host {
    pub(super) fn descriptor(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.descriptors.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::BADF)
    }

    fn descriptor_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.descriptors.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::BADF)
    }

    pub(super) fn folder(&self, fd: u32) -> Result<Node, Errno> {
        match self.descriptor(fd)? {
            Descriptor::Folder { node, .. } => Ok(*node),
            Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr | Descriptor::File { .. } => Err(Errno::NOTDIR),
        }
    }

    /// The lowest free number, as POSIX programs expect.
    pub(super) fn open(&mut self, opened: Descriptor) -> Result<u32, Errno> {
        let fd = self.descriptors.iter().position(Option::is_none).unwrap_or(self.descriptors.len());
        if fd >= DESCRIPTORS_MAX {
            return Err(Errno::MFILE);
        }
        match self.descriptors.get_mut(fd) {
            Some(slot) => *slot = Some(opened),
            None => self.descriptors.push(Some(opened)),
        }
        Ok(fd as u32)
    }

    /// Frees what an unlinked file held, once nothing has it open.
    pub(super) fn forget_if_closed(&mut self, node: Node) {
        let described = self.descriptors.iter().flatten().any(|open| open.node() == Some(node));
        if !described && !self.handles.iter().flatten().any(|open| open.node() == Some(node)) {
            self.tree.drop_node(node);
        }
    }

    pub(super) fn print(&mut self, bytes: &[u8]) -> Done {
        if (self.stdout.len() + bytes.len()) as u64 > self.limits.stdout_bytes {
            return Err(Stop::OutputTooLarge.into());
        }
        self.stdout.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn complain(&mut self, bytes: &[u8]) -> Done {
        self.stderr_bytes = self.stderr_bytes.saturating_add(bytes.len() as u64);
        if self.stderr_bytes > self.limits.stdout_bytes {
            return Err(Stop::OutputTooLarge.into());
        }
        // Twice the tail is kept before the front is cut, so that cutting costs little per byte.
        let tail = &bytes[bytes.len().saturating_sub(STDERR_TAIL_BYTES)..];
        self.stderr.extend_from_slice(tail);
        if self.stderr.len() > 2 * STDERR_TAIL_BYTES {
            self.stderr.drain(..self.stderr.len() - STDERR_TAIL_BYTES);
        }
        Ok(())
    }

    pub(super) fn size_of(&self, node: Node) -> u64 {
        match self.tree.kind(node) {
            Kind::File { size } => size,
            Kind::Folder => 0,
        }
    }

    /// Writes, after paying for the zeros that a jump past the end leaves behind.
    pub(super) fn write_file(&mut self, node: Node, at: u64, bytes: &[u8]) -> Done {
        if let Kind::File { size } = self.tree.kind(node)
            && !bytes.is_empty()
        {
            self.charge(at.saturating_sub(size).min(self.limits.files_bytes))?;
            self.tree.write(node, at, bytes)?;
        }
        Ok(())
    }
}

pub(super) fn fd_close(host: &mut Host, _: &mut Guest<'_>, fd: u32) -> Done {
    host.descriptor(fd)?;
    let closed = host.descriptors[fd as usize].take();
    if let Some(node) = closed.and_then(|closed| closed.node())
        && !host.tree.linked(node)
    {
        host.forget_if_closed(node);
    }
    Ok(())
}

pub(super) fn fd_renumber(host: &mut Host, guest: &mut Guest<'_>, from: u32, to: u32) -> Done {
    let moved = host.descriptor(from)?.clone();
    host.descriptor(to)?;
    if from != to {
        fd_close(host, guest, to)?;
        host.descriptors[from as usize] = None;
        host.descriptors[to as usize] = Some(moved);
    }
    Ok(())
}

pub(super) fn fd_read(host: &mut Host, guest: &mut Guest<'_>, fd: u32, vectors: u32, count: u32, out: u32) -> Done {
    match *host.descriptor(fd)? {
        Descriptor::Stdin => {
            let stdin = host.stdin.clone();
            let mut total = 0;
            for index in 0..few(count)? {
                let (at, len) = guest.vector(vectors, index)?;
                let rest = &stdin[host.stdin_at..];
                let take = rest.len().min(len as usize);
                guest.put(at, &rest[..take])?;
                host.charge(take as u64)?;
                host.stdin_at += take;
                total += take as u32;
                if take < len as usize {
                    break;
                }
            }
            Ok(guest.put_u32(out, total)?)
        }
        Descriptor::File { at, .. } => {
            let read = read_file(host, guest, fd, vectors, count, at)?;
            if let Descriptor::File { at, .. } = host.descriptor_mut(fd)? {
                *at += u64::from(read);
            }
            Ok(guest.put_u32(out, read)?)
        }
        Descriptor::Folder { .. } => Err(Errno::ISDIR.into()),
        Descriptor::Stdout | Descriptor::Stderr => Err(Errno::BADF.into()),
    }
}

pub(super) fn fd_pread(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Done {
    match host.descriptor(fd)? {
        Descriptor::File { .. } => {
            let read = read_file(host, guest, fd, vectors, count, offset)?;
            Ok(guest.put_u32(out, read)?)
        }
        Descriptor::Folder { .. } => Err(Errno::ISDIR.into()),
        Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => Err(Errno::SPIPE.into()),
    }
}

fn read_file(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    mut from: u64,
) -> Result<u32, Fault> {
    let Descriptor::File { node, read: true, .. } = *host.descriptor(fd)? else {
        return Err(Errno::BADF.into());
    };
    let mut total = 0_u32;
    for index in 0..few(count)? {
        let (at, len) = guest.vector(vectors, index)?;
        let bytes = host.tree.read(node, from, len as usize)?;
        guest.put(at, bytes)?;
        let took = bytes.len() as u64;
        host.charge(took)?;
        total = total.checked_add(took as u32).ok_or(Errno::INVAL)?;
        from = from.saturating_add(took);
        if took < u64::from(len) {
            break;
        }
    }
    Ok(total)
}

pub(super) fn fd_write(host: &mut Host, guest: &mut Guest<'_>, fd: u32, vectors: u32, count: u32, out: u32) -> Done {
    let mut total = 0_u32;
    for index in 0..few(count)? {
        let (at, len) = guest.vector(vectors, index)?;
        host.charge(u64::from(len))?;
        write_once(host, fd, guest.bytes(at, len)?)?;
        total = total.checked_add(len).ok_or(Errno::INVAL)?;
    }
    if count == 0 {
        write_once(host, fd, &[])?;
    }
    Ok(guest.put_u32(out, total)?)
}

fn write_once(host: &mut Host, fd: u32, bytes: &[u8]) -> Done {
    match *host.descriptor(fd)? {
        Descriptor::Stdout => host.print(bytes)?,
        Descriptor::Stderr => host.complain(bytes)?,
        Descriptor::File { node, at, write: true, flags, .. } => {
            let from = match (flags & FLAG_APPEND != 0, host.tree.kind(node)) {
                (true, Kind::File { size }) => size,
                (true, Kind::Folder) | (false, _) => at,
            };
            host.write_file(node, from, bytes)?;
            if let Descriptor::File { at, .. } = host.descriptor_mut(fd)? {
                *at = from + bytes.len() as u64;
            }
        }
        Descriptor::Folder { .. } => return Err(Errno::ISDIR.into()),
        Descriptor::Stdin | Descriptor::File { .. } => return Err(Errno::BADF.into()),
    }
    Ok(())
}

pub(super) fn fd_pwrite(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    vectors: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Done {
    let node = match *host.descriptor(fd)? {
        Descriptor::File { node, write: true, .. } => node,
        Descriptor::File { .. } => return Err(Errno::BADF.into()),
        Descriptor::Folder { .. } => return Err(Errno::ISDIR.into()),
        Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => return Err(Errno::SPIPE.into()),
    };
    let mut total = 0_u32;
    for index in 0..few(count)? {
        let (at, len) = guest.vector(vectors, index)?;
        host.charge(u64::from(len))?;
        let from = offset.checked_add(u64::from(total)).ok_or(Errno::INVAL)?;
        host.write_file(node, from, guest.bytes(at, len)?)?;
        total = total.checked_add(len).ok_or(Errno::INVAL)?;
    }
    Ok(guest.put_u32(out, total)?)
}

pub(super) fn fd_seek(host: &mut Host, guest: &mut Guest<'_>, fd: u32, offset: i64, whence: u32, out: u32) -> Done {
    let size = match host.descriptor(fd)? {
        Descriptor::File { node, .. } => host.size_of(*node),
        Descriptor::Folder { .. } => return Err(Errno::BADF.into()),
        Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => return Err(Errno::SPIPE.into()),
    };
    let Descriptor::File { at, .. } = host.descriptor_mut(fd)? else {
        return Err(Errno::BADF.into());
    };
    let base = match whence {
        0 => 0,
        1 => *at,
        2 => size,
        _ => return Err(Errno::INVAL.into()),
    };
    *at = base.checked_add_signed(offset).ok_or(Errno::INVAL)?;
    let now = *at;
    Ok(guest.put_u64(out, now)?)
}

pub(super) fn fd_tell(host: &mut Host, guest: &mut Guest<'_>, fd: u32, out: u32) -> Done {
    fd_seek(host, guest, fd, 0, 1, out)
}

pub(super) fn fd_fdstat_get(host: &mut Host, guest: &mut Guest<'_>, fd: u32, out: u32) -> Done {
    let (kind, flags, rights) = match host.descriptor(fd)? {
        Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => (TYPE_UNKNOWN, 0, RIGHTS_STREAM),
        Descriptor::Folder { .. } => (TYPE_FOLDER, 0, RIGHTS_FOLDER),
        Descriptor::File { read, write, flags, .. } => {
            let shut = if *read { 0 } else { OPEN_READ } | if *write { 0 } else { OPEN_WRITE };
            (TYPE_FILE, *flags as u16, RIGHTS_ALL & !shut)
        }
    };
    let mut stat = [0; 24];
    stat[0] = kind;
    stat[2..4].copy_from_slice(&flags.to_le_bytes());
    stat[8..16].copy_from_slice(&rights.to_le_bytes());
    stat[16..24].copy_from_slice(&RIGHTS_ALL.to_le_bytes());
    Ok(guest.put(out, &stat)?)
}

pub(super) fn fd_fdstat_set_flags(host: &mut Host, _: &mut Guest<'_>, fd: u32, wanted: u32) -> Done {
    if let Descriptor::File { flags, .. } = host.descriptor_mut(fd)? {
        *flags = wanted & FLAGS_ALL;
    }
    Ok(())
}

/// Rights can be given up. Of those that mean anything here, reading and writing are taken away.
pub(super) fn fd_fdstat_set_rights(host: &mut Host, _: &mut Guest<'_>, fd: u32, base: u64, _inheriting: u64) -> Done {
    if let Descriptor::File { read, write, .. } = host.descriptor_mut(fd)? {
        *read &= base & OPEN_READ != 0;
        *write &= base & OPEN_WRITE != 0;
    }
    Ok(())
}

/// What a tool is told of a file: its kind and size. Times, owners and devices are the same for all.
#[derive(Debug)]
pub(super) struct FileStat {
    number: u64,
    kind: u8,
    size: u64,
}

impl FileStat {
    pub(super) fn of(tree: &Tree, node: Node) -> FileStat {
        let (kind, size) = match tree.kind(node) {
            Kind::Folder => (TYPE_FOLDER, 0),
            Kind::File { size } => (TYPE_FILE, size),
        };
        FileStat { number: node as u64 + 1, kind, size }
    }

    pub(super) fn encode(&self) -> [u8; 64] {
        let mut raw = [0; 64];
        raw[8..16].copy_from_slice(&self.number.to_le_bytes());
        raw[16] = self.kind;
        raw[24] = 1;
        raw[32..40].copy_from_slice(&self.size.to_le_bytes());
        raw
    }
}

pub(super) fn fd_filestat_get(host: &mut Host, guest: &mut Guest<'_>, fd: u32, out: u32) -> Done {
    let stat = match host.descriptor(fd)?.node() {
        Some(node) => FileStat::of(&host.tree, node),
        None => FileStat { number: 0, kind: TYPE_UNKNOWN, size: 0 },
    };
    Ok(guest.put(out, &stat.encode())?)
}

pub(super) fn fd_filestat_set_size(host: &mut Host, _: &mut Guest<'_>, fd: u32, size: u64) -> Done {
    match *host.descriptor(fd)? {
        Descriptor::File { node, write: true, .. } => {
            host.charge(size.min(host.limits.files_bytes))?;
            host.tree.resize(node, size)
        }
        Descriptor::Stdin | Descriptor::Stdout | Descriptor::Stderr => Err(Errno::INVAL.into()),
        Descriptor::Folder { .. } | Descriptor::File { .. } => Err(Errno::BADF.into()),
    }
}

pub(super) fn fd_filestat_set_times(
    host: &mut Host,
    _: &mut Guest<'_>,
    fd: u32,
    _accessed: u64,
    _modified: u64,
    flags: u32,
) -> Done {
    host.descriptor(fd)?;
    Ok(sound_times(flags)?)
}

/// A time is either told or now, not both.
pub(super) fn sound_times(flags: u32) -> Result<(), Errno> {
    let both = |told: u32| flags & (told | told << 1) == told | told << 1;
    if flags > 15 || both(1) || both(4) { Err(Errno::INVAL) } else { Ok(()) }
}

pub(super) fn fd_allocate(host: &mut Host, guest: &mut Guest<'_>, fd: u32, offset: u64, len: u64) -> Done {
    let end = offset.checked_add(len).ok_or(Errno::INVAL)?;
    match *host.descriptor(fd)? {
        Descriptor::File { node, .. } if matches!(host.tree.kind(node), Kind::File { size } if size >= end) => Ok(()),
        _ => fd_filestat_set_size(host, guest, fd, end),
    }
}

pub(super) fn fd_advise(host: &mut Host, _: &mut Guest<'_>, fd: u32, _offset: u64, _len: u64, _advice: u32) -> Done {
    host.descriptor(fd)?;
    Ok(())
}

/// Nothing outlives the part, so there is nothing to make durable.
pub(super) fn fd_sync(host: &mut Host, _: &mut Guest<'_>, fd: u32) -> Done {
    host.descriptor(fd)?;
    Ok(())
}

pub(super) fn fd_datasync(host: &mut Host, guest: &mut Guest<'_>, fd: u32) -> Done {
    fd_sync(host, guest, fd)
}

pub(super) fn fd_prestat_get(host: &mut Host, guest: &mut Guest<'_>, fd: u32, out: u32) -> Done {
    let Descriptor::Folder { preopened: Some(name), .. } = host.descriptor(fd)? else {
        return Err(Errno::BADF.into());
    };
    guest.put_u32(out, 0)?;
    guest.put_u32(out.checked_add(4).ok_or(Errno::FAULT)?, name.len() as u32)?;
    Ok(())
}

pub(super) fn fd_prestat_dir_name(host: &mut Host, guest: &mut Guest<'_>, fd: u32, path: u32, len: u32) -> Done {
    let Descriptor::Folder { preopened: Some(name), .. } = host.descriptor(fd)? else {
        return Err(Errno::BADF.into());
    };
    if (len as usize) < name.len() {
        return Err(Errno::NAMETOOLONG.into());
    }
    Ok(guest.put(path, name.as_bytes())?)
}

/// Lists a folder in the order of names; the cookie counts entries, `.` and `..` first.
pub(super) fn fd_readdir(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    buffer: u32,
    len: u32,
    cookie: u64,
    out: u32,
) -> Done {
    let folder = host.folder(fd)?;
    let skip = usize::try_from(cookie).map_err(|_| Errno::INVAL)?;
    host.charge(cookie.min(u64::from(host.limits.files_count)))?;
    let dots = [(".", folder), ("..", folder)].into_iter().skip(skip);
    let mut listed = Vec::new();
    let entries = dots.chain(host.tree.list(folder, skip.saturating_sub(2))?);
    for (index, (name, node)) in entries.enumerate() {
        let stat = FileStat::of(&host.tree, node);
        let mut entry = [0; DIRENT_BYTES];
        entry[..8].copy_from_slice(&(cookie + index as u64 + 1).to_le_bytes());
        entry[8..16].copy_from_slice(&stat.number.to_le_bytes());
        entry[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
        entry[20] = stat.kind;
        listed.extend_from_slice(&entry);
        listed.extend_from_slice(name.as_bytes());
        if listed.len() >= len as usize {
            break;
        }
    }
    listed.truncate(len as usize);
    host.charge(listed.len() as u64)?;
    guest.put(buffer, &listed)?;
    Ok(guest.put_u32(out, listed.len() as u32)?)
}
