//! Calls that name a file by its path, always below a folder that the part has open.

#![expect(clippy::too_many_arguments, reason = "the signatures are WASI's")]

use super::Host;
use super::descriptors::{Descriptor, FileStat, OPEN_READ, OPEN_WRITE, sound_times};
use super::errno::{Done, Errno, Fault};
use super::guest::Guest;
use super::tree::{Kind, Node, Place};

const CREATE: u32 = 1;
const FOLDER: u32 = 2;
const EXCLUSIVE: u32 = 4;
const TRUNCATE: u32 = 8;

pub(super) fn path_open(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    _follow: u32,
    path: u32,
    len: u32,
    how: u32,
    rights: u64,
    _inheriting: u64,
    flags: u32,
    out: u32,
) -> Done {
    let path = guest.text(path, len)?;
    let wanted = Wanted { how, read: rights & OPEN_READ != 0, write: rights & OPEN_WRITE != 0 };
    let opened = match host.open_at(host.folder(fd)?, path, wanted)? {
        Opened::Folder(node) => Descriptor::folder(node, None),
        Opened::File(node) => Descriptor::File { node, at: 0, read: wanted.read, write: wanted.write, flags },
    };
    let opened = host.open(opened)?;
    Ok(guest.put_u32(out, opened)?)
}

/// How something is to be opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) how: u32,
    pub(super) read: bool,
    pub(super) write: bool,
}

/// What was opened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Opened {
    Folder(Node),
    File(Node),
}

pub(super) fn path_filestat_get(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    _follow: u32,
    path: u32,
    len: u32,
    out: u32,
) -> Done {
    let node = host.tree.find(host.folder(fd)?, guest.text(path, len)?)?;
    Ok(guest.put(out, &FileStat::of(&host.tree, node).encode())?)
}

/// Times are neutral and stay so; setting them is granted, as `touch`-like programs expect, and has no effect.
pub(super) fn path_filestat_set_times(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    _follow: u32,
    path: u32,
    len: u32,
    _accessed: u64,
    _modified: u64,
    flags: u32,
) -> Done {
    sound_times(flags)?;
    let node = host.tree.find(host.folder(fd)?, guest.text(path, len)?)?;
    if host.tree.writable(node) { Ok(()) } else { Err(Errno::ROFS.into()) }
}

pub(super) fn path_create_directory(host: &mut Host, guest: &mut Guest<'_>, fd: u32, path: u32, len: u32) -> Done {
    host.make_folder_at(host.folder(fd)?, guest.text(path, len)?)
}

pub(super) fn path_remove_directory(host: &mut Host, guest: &mut Guest<'_>, fd: u32, path: u32, len: u32) -> Done {
    host.remove_folder_at(host.folder(fd)?, guest.text(path, len)?)
}

pub(super) fn path_unlink_file(host: &mut Host, guest: &mut Guest<'_>, fd: u32, path: u32, len: u32) -> Done {
    host.remove_file_at(host.folder(fd)?, guest.text(path, len)?)
}

pub(super) fn path_rename(
    host: &mut Host,
    guest: &mut Guest<'_>,
    from_fd: u32,
    from: u32,
    from_len: u32,
    fd: u32,
    path: u32,
    len: u32,
) -> Done {
    let source = (host.folder(from_fd)?, guest.text(from, from_len)?);
    let target = (host.folder(fd)?, guest.text(path, len)?);
    host.rename_at(source, target)
}

/// Links could make a path lead elsewhere, so there are none.
pub(super) fn path_link(
    _: &mut Host,
    _: &mut Guest<'_>,
    _from_fd: u32,
    _follow: u32,
    _from: u32,
    _from_len: u32,
    _fd: u32,
    _path: u32,
    _len: u32,
) -> Done {
    Err(Errno::NOTSUP.into())
}

pub(super) fn path_symlink(
    _: &mut Host,
    _: &mut Guest<'_>,
    _target: u32,
    _target_len: u32,
    _fd: u32,
    _path: u32,
    _len: u32,
) -> Done {
    Err(Errno::NOTSUP.into())
}

/// Nothing here is a link.
pub(super) fn path_readlink(
    host: &mut Host,
    guest: &mut Guest<'_>,
    fd: u32,
    path: u32,
    len: u32,
    _buffer: u32,
    _size: u32,
    _out: u32,
) -> Done {
    host.tree.find(host.folder(fd)?, guest.text(path, len)?)?;
    Err(Errno::INVAL.into())
}

/// What names a file by its path, whichever version of WASI asks.
impl Host {
    pub(super) fn open_at(&mut self, folder: Node, path: &str, wanted: Wanted) -> Result<Opened, Fault> {
        let Wanted { how, write, .. } = wanted;
        let (node, created) = match self.tree.walk(folder, path)? {
            Place::Here(node) => (Some(node), None),
            Place::In { node: Some(node), slash, .. } => {
                if slash && self.tree.kind(node) != Kind::Folder {
                    return Err(Errno::NOTDIR.into());
                }
                (Some(node), None)
            }
            Place::In { slash: true, .. } => (None, None),
            Place::In { folder, name, node: None, slash: false } => (None, Some((folder, name))),
        };
        let node = match (node, created) {
            (Some(_), _) if how & CREATE != 0 && how & EXCLUSIVE != 0 => return Err(Errno::EXIST.into()),
            (Some(node), _) => node,
            (None, Some((folder, name))) if how & CREATE != 0 && how & FOLDER == 0 => {
                self.tree.make_file(folder, name)?
            }
            (None, _) => return Err(Errno::NOENT.into()),
        };
        match self.tree.kind(node) {
            Kind::Folder if how & TRUNCATE != 0 || write => Err(Errno::ISDIR.into()),
            Kind::Folder => Ok(Opened::Folder(node)),
            Kind::File { .. } if how & FOLDER != 0 => Err(Errno::NOTDIR.into()),
            Kind::File { .. } => {
                if (write || how & TRUNCATE != 0) && !self.tree.writable(node) {
                    return Err(Errno::ROFS.into());
                }
                if how & TRUNCATE != 0 {
                    self.tree.resize(node, 0)?;
                }
                Ok(Opened::File(node))
            }
        }
    }

    pub(super) fn make_folder_at(&mut self, folder: Node, path: &str) -> Done {
        match self.tree.walk(folder, path)? {
            Place::In { folder, name, node: None, .. } => {
                self.tree.make_folder(folder, name)?;
                Ok(())
            }
            Place::In { .. } | Place::Here(_) => Err(Errno::EXIST.into()),
        }
    }

    pub(super) fn remove_folder_at(&mut self, folder: Node, path: &str) -> Done {
        let Place::In { folder, name, node, .. } = self.tree.walk(folder, path)? else {
            return Err(Errno::INVAL.into());
        };
        if self.tree.list(node.ok_or(Errno::NOENT)?, 0)?.next().is_some() {
            return Err(Errno::NOTEMPTY.into());
        }
        self.remove(folder, &name)
    }

    pub(super) fn remove_file_at(&mut self, folder: Node, path: &str) -> Done {
        let Place::In { folder, name, node, slash } = self.tree.walk(folder, path)? else {
            return Err(Errno::ISDIR.into());
        };
        match self.tree.kind(node.ok_or(Errno::NOENT)?) {
            Kind::Folder => Err(Errno::ISDIR.into()),
            Kind::File { .. } if slash => Err(Errno::NOTDIR.into()),
            Kind::File { .. } => self.remove(folder, &name),
        }
    }

    fn remove(&mut self, folder: Node, name: &str) -> Done {
        let node = self.tree.unlink(folder, name)?;
        self.forget_if_closed(node);
        Ok(())
    }

    pub(super) fn rename_at(&mut self, source: (Node, &str), target: (Node, &str)) -> Done {
        let (
            Place::In { folder: old_folder, name: old_name, node, slash: old_slash },
            Place::In { folder, name, node: replaced, slash },
        ) = (self.tree.walk(source.0, source.1)?, self.tree.walk(target.0, target.1)?)
        else {
            return Err(Errno::INVAL.into());
        };
        let node = node.ok_or(Errno::NOENT)?;
        if !self.tree.writable(old_folder) || !self.tree.writable(folder) {
            return Err(Errno::ROFS.into());
        }
        let is_folder = self.tree.kind(node) == Kind::Folder;
        if !is_folder && (slash || old_slash) {
            return Err(Errno::NOTDIR.into());
        }
        if is_folder && self.tree.holds(node, folder) {
            return Err(Errno::INVAL.into());
        }
        if replaced == Some(node) {
            return Ok(());
        }
        if let Some(replaced) = replaced {
            match (is_folder, self.tree.kind(replaced) == Kind::Folder) {
                (true, false) => return Err(Errno::NOTDIR.into()),
                (false, true) => return Err(Errno::ISDIR.into()),
                (true, true) if self.tree.list(replaced, 0)?.next().is_some() => return Err(Errno::NOTEMPTY.into()),
                (true, true) | (false, false) => self.remove(folder, &name)?,
            }
        }
        self.tree.unlink(old_folder, &old_name)?;
        self.tree.relink(folder, name, node);
        Ok(())
    }
}
