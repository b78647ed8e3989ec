//! Files and folders.

#![expect(clippy::too_many_arguments, reason = "the signatures are WASI's")]

use wasmtime::Caller;

use super::lower::{Answer, act, attempt, give};
use super::{Handle, Host};
use crate::wasi::errno::{Errno, Fault};
use crate::wasi::guest::Guest;
use crate::wasi::paths::{Opened, Wanted};
use crate::wasi::tree::{Kind, Node};

const TYPE_FOLDER: u8 = 3;
const TYPE_FILE: u8 = 6;
const FLAG_READ: u8 = 1;
const FLAG_WRITE: u8 = 2;
const FLAG_CHANGE_FOLDER: u8 = 1 << 5;
/// Read at one time; programs ask again for more.
const READ_MAX: u64 = 1 << 20;

/// Where a text lies in the tool's memory, and how long it is.
type Text = (u32, u32);

impl Host {
    fn folder_of(&self, it: u32) -> Result<Node, Errno> {
        match self.handle(it)? {
            Handle::Folder(node) => Ok(node),
            Handle::File { .. } => Err(Errno::NOTDIR),
            _ => Err(Errno::BADF),
        }
    }

    fn node_of(&self, it: u32) -> Result<Node, Errno> {
        match self.handle(it)? {
            Handle::Folder(node) | Handle::File { node, .. } => Ok(node),
            _ => Err(Errno::BADF),
        }
    }

    /// What a path leads to.
    fn found(&self, guest: &Guest<'_>, it: u32, (path, len): Text) -> Result<Node, Fault> {
        Ok(self.tree.find(self.folder_of(it)?, guest.text(path, len)?)?)
    }

    fn written(&self, it: u32) -> Result<Node, Errno> {
        match self.handle(it)? {
            Handle::File { node, write: true, .. } => Ok(node),
            Handle::Folder(_) => Err(Errno::ISDIR),
            _ => Err(Errno::BADF),
        }
    }

    fn read_of(&self, it: u32) -> Result<Node, Errno> {
        match self.handle(it)? {
            Handle::File { node, read: true, .. } => Ok(node),
            Handle::Folder(_) => Err(Errno::ISDIR),
            _ => Err(Errno::BADF),
        }
    }
}

/// The folders that are there from the start.
pub(super) fn folders(caller: &mut Caller<'_, Host>, ret: u32) -> wasmtime::Result<()> {
    let given = act(caller, |host, _| {
        let mut given = Vec::new();
        for (name, node) in host.preopened.clone() {
            given.push((host.give(Handle::Folder(node))?, name));
        }
        Ok(given)
    })?;
    let mut list = Vec::new();
    for (handle, name) in &given {
        let at = give(caller, name.as_bytes(), 1)?;
        for word in [*handle, at, name.len() as u32] {
            list.extend_from_slice(&word.to_le_bytes());
        }
    }
    let at = give(caller, &list, 4)?;
    Answer::default().u32(0, at).u32(4, given.len() as u32).put(caller, ret)
}

pub(super) fn reading(caller: &mut Caller<'_, Host>, it: u32, at: u64, ret: u32) -> wasmtime::Result<()> {
    handed(caller, ret, |host, _| Ok(Handle::Reading { node: host.read_of(it)?, at }))
}

pub(super) fn writing(caller: &mut Caller<'_, Host>, it: u32, at: u64, ret: u32) -> wasmtime::Result<()> {
    handed(caller, ret, |host, _| Ok(Handle::Writing { node: host.written(it)?, at }))
}

pub(super) fn appending(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    handed(caller, ret, |host, _| Ok(Handle::Appending { node: host.written(it)? }))
}

pub(super) fn list(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    handed(caller, ret, |host, _| Ok(Handle::Listing { node: host.folder_of(it)?, next: 0 }))
}

pub(super) fn open_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    _follow: u32,
    path: u32,
    len: u32,
    how: u32,
    flags: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    let wants = |flag: u8| flags & u32::from(flag) != 0;
    let wanted = Wanted { how, read: wants(FLAG_READ), write: wants(FLAG_WRITE) };
    handed(caller, ret, |host, guest| {
        Ok(match host.open_at(host.folder_of(it)?, guest.text(path, len)?, wanted)? {
            Opened::Folder(node) => Handle::Folder(node),
            Opened::File(node) => Handle::File { node, read: wanted.read, write: wanted.write },
        })
    })
}

pub(super) fn advise(caller: &mut Caller<'_, Host>, it: u32, _: u64, _: u64, _: u32, ret: u32) -> wasmtime::Result<()> {
    plain(caller, ret, |host, _| Ok(host.handle(it).map(drop)?))
}

/// Nothing outlives the part, so there is nothing to make durable.
pub(super) fn sync(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    plain(caller, ret, |host, _| Ok(host.handle(it).map(drop)?))
}

pub(super) fn flags(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    let flags = attempt(caller, |host, _| {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        Ok(match host.handle(it)? {
            Handle::File { read, write, .. } => flag(read, FLAG_READ) | flag(write, FLAG_WRITE),
            Handle::Folder(node) => FLAG_READ | flag(host.tree.writable(node), FLAG_CHANGE_FOLDER),
            _ => return Err(Errno::BADF.into()),
        })
    })?;
    put(caller, ret, 1, flags, |flags| Answer::default().u8(0, 0).u8(1, flags))
}

pub(super) fn set_size(caller: &mut Caller<'_, Host>, it: u32, size: u64, ret: u32) -> wasmtime::Result<()> {
    plain(caller, ret, |host, _| {
        let node = host.written(it)?;
        host.charge(size.min(host.limits.files_bytes))?;
        host.tree.resize(node, size)
    })
}

/// Times are neutral and stay so; setting them is granted and has no effect.
pub(super) fn set_times(
    caller: &mut Caller<'_, Host>,
    it: u32,
    _: u32,
    _: u64,
    _: u32,
    _: u32,
    _: u64,
    _: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    plain(caller, ret, |host, _| Ok(host.node_of(it).map(drop)?))
}

pub(super) fn set_times_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    _follow: u32,
    path: u32,
    len: u32,
    _: u32,
    _: u64,
    _: u32,
    _: u32,
    _: u64,
    _: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    plain(caller, ret, |host, guest| {
        let node = host.found(guest, it, (path, len))?;
        if host.tree.writable(node) { Ok(()) } else { Err(Errno::ROFS.into()) }
    })
}

pub(super) fn read(caller: &mut Caller<'_, Host>, it: u32, most: u64, at: u64, ret: u32) -> wasmtime::Result<()> {
    let most = most.min(READ_MAX) as usize;
    let read = attempt(caller, |host, _| {
        let node = host.read_of(it)?;
        let Kind::File { size } = host.tree.kind(node) else { return Err(Errno::ISDIR.into()) };
        let bytes = host.tree.read(node, at, most)?.to_vec();
        let end = at.saturating_add(bytes.len() as u64) >= size;
        Ok((bytes, end))
    })?;
    match read {
        Ok((bytes, end)) => {
            let at = give(caller, &bytes, 1)?;
            Answer::default().u8(0, 0).u32(4, at).u32(8, bytes.len() as u32).u8(12, u8::from(end))
        }
        Err(errno) => Answer::error(4, errno.second()),
    }
    .put(caller, ret)
}

pub(super) fn write(
    caller: &mut Caller<'_, Host>,
    it: u32,
    bytes: u32,
    len: u32,
    at: u64,
    ret: u32,
) -> wasmtime::Result<()> {
    let written = attempt(caller, |host, guest| {
        host.charge(u64::from(len))?;
        let node = host.written(it)?;
        host.write_file(node, at, guest.bytes(bytes, len)?)
    })?;
    put(caller, ret, 8, written, |()| Answer::default().u8(0, 0).u64(8, u64::from(len)))
}

/// The next name in a folder, in the order of names.
pub(super) fn entry(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    let entry = attempt(caller, |host, _| {
        let Handle::Listing { node, next } = host.handle(it)? else { return Err(Errno::BADF.into()) };
        host.charge(next as u64)?;
        let found = host.tree.list(node, next)?.next().map(|(name, node)| (name.to_owned(), node));
        host.set(it, Handle::Listing { node, next: next.saturating_add(1) });
        Ok(found.map(|(name, node)| (name, kind(host.tree.kind(node)).0)))
    })?;
    match entry {
        Ok(None) => Answer::default().u8(0, 0).u8(4, 0),
        Ok(Some((name, kind))) => {
            let at = give(caller, name.as_bytes(), 1)?;
            Answer::default().u8(0, 0).u8(4, 1).u8(8, kind).u32(12, at).u32(16, name.len() as u32)
        }
        Err(errno) => Answer::error(4, errno.second()),
    }
    .put(caller, ret)
}

pub(super) fn stat(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    let found = attempt(caller, |host, _| Ok(host.tree.kind(host.node_of(it)?)))?;
    told(caller, found, ret)
}

pub(super) fn stat_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    _follow: u32,
    path: u32,
    len: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    let found = attempt(caller, |host, guest| {
        let node = host.found(guest, it, (path, len))?;
        Ok(host.tree.kind(node))
    })?;
    told(caller, found, ret)
}

/// Kind and size; the three times are left out, and the same for all files then.
fn told(caller: &mut Caller<'_, Host>, found: Result<Kind, Errno>, ret: u32) -> wasmtime::Result<()> {
    put(caller, ret, 8, found.map(kind), |(kind, size)| {
        Answer::default().u8(0, 0).u8(8, kind).u64(16, 1).u64(24, size).u64(32, 0).u64(56, 0).u64(80, 0)
    })
}

fn kind(kind: Kind) -> (u8, u64) {
    match kind {
        Kind::Folder => (TYPE_FOLDER, 0),
        Kind::File { size } => (TYPE_FILE, size),
    }
}

pub(super) fn hash(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    let found = attempt(caller, |host, _| Ok(host.node_of(it)?))?;
    numbered(caller, found, ret)
}

pub(super) fn hash_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    _follow: u32,
    path: u32,
    len: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    let found = attempt(caller, |host, guest| host.found(guest, it, (path, len)))?;
    numbered(caller, found, ret)
}

/// What tells one file from another.
fn numbered(caller: &mut Caller<'_, Host>, found: Result<Node, Errno>, ret: u32) -> wasmtime::Result<()> {
    put(caller, ret, 8, found, |node| Answer::default().u8(0, 0).u64(8, node as u64 + 1).u64(16, 0))
}

pub(super) fn make_folder_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    path: u32,
    len: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    below(caller, it, (path, len), ret, Host::make_folder_at)
}

pub(super) fn remove_folder_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    path: u32,
    len: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    below(caller, it, (path, len), ret, Host::remove_folder_at)
}

pub(super) fn remove_file_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    path: u32,
    len: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    below(caller, it, (path, len), ret, Host::remove_file_at)
}

pub(super) fn rename_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    from: u32,
    from_len: u32,
    other: u32,
    path: u32,
    len: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    plain(caller, ret, |host, guest| {
        let source = (host.folder_of(it)?, guest.text(from, from_len)?);
        host.rename_at(source, (host.folder_of(other)?, guest.text(path, len)?))
    })
}

/// Links could make a path lead elsewhere, so there are none.
pub(super) fn link_at(
    caller: &mut Caller<'_, Host>,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    no_links(caller, ret)
}

pub(super) fn symlink_at(
    caller: &mut Caller<'_, Host>,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    no_links(caller, ret)
}

fn no_links(caller: &mut Caller<'_, Host>, ret: u32) -> wasmtime::Result<()> {
    plain(caller, ret, |_, _| Err(Errno::NOTSUP.into()))
}

/// Nothing here is a link.
pub(super) fn readlink_at(
    caller: &mut Caller<'_, Host>,
    it: u32,
    path: u32,
    len: u32,
    ret: u32,
) -> wasmtime::Result<()> {
    let found = attempt(caller, |host, guest| host.found(guest, it, (path, len)))?;
    Answer::error(4, found.err().unwrap_or(Errno::INVAL).second()).put(caller, ret)
}

/// A call whose answer is that it went well, or why not.
fn plain(
    caller: &mut Caller<'_, Host>,
    ret: u32,
    act: impl FnOnce(&mut Host, &mut Guest<'_>) -> Result<(), Fault>,
) -> wasmtime::Result<()> {
    let done = attempt(caller, act)?;
    put(caller, ret, 1, done, |()| Answer::default().u8(0, 0))
}

/// The same for what a path names below a folder.
fn below(
    caller: &mut Caller<'_, Host>,
    it: u32,
    (path, len): Text,
    ret: u32,
    act: impl FnOnce(&mut Host, Node, &str) -> Result<(), Fault>,
) -> wasmtime::Result<()> {
    plain(caller, ret, |host, guest| act(host, host.folder_of(it)?, guest.text(path, len)?))
}

/// A call whose answer is a handle.
fn handed(
    caller: &mut Caller<'_, Host>,
    ret: u32,
    act: impl FnOnce(&mut Host, &mut Guest<'_>) -> Result<Handle, Fault>,
) -> wasmtime::Result<()> {
    let given = attempt(caller, |host, guest| {
        let made = act(host, guest)?;
        Ok(host.give(made)?)
    })?;
    put(caller, ret, 4, given, |handle| Answer::default().u8(0, 0).u32(4, handle))
}

/// An answer; why there is none stands where its first value would.
fn put<T>(
    caller: &mut Caller<'_, Host>,
    ret: u32,
    value_at: usize,
    said: Result<T, Errno>,
    answer: impl FnOnce(T) -> Answer,
) -> wasmtime::Result<()> {
    said.map_or_else(|errno| Answer::error(value_at, errno.second()), answer).put(caller, ret)
}
