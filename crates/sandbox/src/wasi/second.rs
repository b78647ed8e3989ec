//! WASI 0.2, as an interpreter's image calls it: the same world under other names. The calls are those that a
//! component's functions come down to (the canonical ABI), since an image is one plain module by the time it is here.

mod clocks;
mod files;
mod lower;
mod streams;

use wasmtime::{Caller, Linker};

use super::errno::Errno;
use super::tree::Node;
use super::{Host, Stop};
use crate::limits::DESCRIPTORS_MAX;
use lower::Answer;

/// Its interfaces are called so; preview 1 is one module of another name.
pub(crate) const PREFIX: &str = "wasi:";

/// Something that a handle stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Handle {
    Folder(Node),
    File {
        node: Node,
        read: bool,
        write: bool,
    },
    Stdin,
    Stdout,
    Stderr,
    /// The bytes of a file from a place on.
    Reading {
        node: Node,
        at: u64,
    },
    Writing {
        node: Node,
        at: u64,
    },
    Appending {
        node: Node,
    },
    /// Names in a folder from the so-manieth on.
    Listing {
        node: Node,
        next: usize,
    },
    /// A moment to wait for, in nanoseconds since the part began; none is always there.
    Moment(Option<u64>),
}

impl Handle {
    pub(super) fn node(self) -> Option<Node> {
        match self {
            Handle::Folder(node)
            | Handle::File { node, .. }
            | Handle::Reading { node, .. }
            | Handle::Writing { node, .. }
            | Handle::Appending { node }
            | Handle::Listing { node, .. } => Some(node),
            Handle::Stdin | Handle::Stdout | Handle::Stderr | Handle::Moment(_) => None,
        }
    }
}

impl Host {
    fn handle(&self, handle: u32) -> Result<Handle, Errno> {
        let at = (handle as usize).checked_sub(1).ok_or(Errno::BADF)?;
        self.handles.get(at).copied().flatten().ok_or(Errno::BADF)
    }

    fn set(&mut self, handle: u32, now: Handle) {
        if let Some(slot) = (handle as usize).checked_sub(1).and_then(|at| self.handles.get_mut(at)) {
            *slot = Some(now);
        }
    }

    /// Handles begin at 1, as those of components do.
    fn give(&mut self, made: Handle) -> Result<u32, Errno> {
        let at = self.handles.iter().position(Option::is_none).unwrap_or(self.handles.len());
        if at >= DESCRIPTORS_MAX {
            return Err(Errno::MFILE);
        }
        match self.handles.get_mut(at) {
            Some(slot) => *slot = Some(made),
            None => self.handles.push(Some(made)),
        }
        Ok(at as u32 + 1)
    }

    fn drop_handle(&mut self, handle: u32) {
        let slot = (handle as usize).checked_sub(1).and_then(|at| self.handles.get_mut(at));
        let node = slot.and_then(Option::take).and_then(Handle::node);
        if let Some(node) = node.filter(|node| !self.tree.linked(*node)) {
            self.forget_if_closed(node);
        }
    }
}

/// Declares the calls once: for the linker, and as the list that `inspect` compares a tool's imports with.
macro_rules! calls {
    ($($interface:literal $name:literal => $act:path, ($($arg:ident : $kind:ty),*) $(-> $back:ty)?;)*) => {
        /// The calls that are given, by interface and name.
        pub(crate) const CALLS: &[(&str, &str)] = &[$(($interface, $name),)*];

        /// Gives all calls to a linker.
        pub(crate) fn give(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
            $(linker.func_wrap(
                $interface,
                $name,
                |mut caller: Caller<'_, Host>, $($arg: $kind),*| -> wasmtime::Result<calls!(@back $($back)?)> {
                    $act(&mut caller, $($arg),*)
                },
            )?;)*
            Ok(())
        }
    };
    (@back) => { () };
    (@back $back:ty) => { $back };
}

calls! {
    "grove:tool/part@0.1" "arguments" => arguments, (ret: u32);
    "grove:tool/part@0.1" "exit" => exit, (code: u32);
    "wasi:cli/environment@0.2" "get-arguments" => arguments, (ret: u32);
    "wasi:cli/environment@0.2" "get-environment" => nothing, (ret: u32);
    "wasi:cli/exit@0.2" "exit" => exit, (code: u32);
    "wasi:cli/stdin@0.2" "get-stdin" => streams::stdin, () -> u32;
    "wasi:cli/stdout@0.2" "get-stdout" => streams::stdout, () -> u32;
    "wasi:cli/stderr@0.2" "get-stderr" => streams::stderr, () -> u32;
    "wasi:cli/terminal-input@0.2" "[resource-drop]terminal-input" => drop_one, (it: u32);
    "wasi:cli/terminal-output@0.2" "[resource-drop]terminal-output" => drop_one, (it: u32);
    "wasi:cli/terminal-stdin@0.2" "get-terminal-stdin" => nothing, (ret: u32);
    "wasi:cli/terminal-stdout@0.2" "get-terminal-stdout" => nothing, (ret: u32);
    "wasi:cli/terminal-stderr@0.2" "get-terminal-stderr" => nothing, (ret: u32);
    "wasi:clocks/monotonic-clock@0.2" "now" => clocks::now, () -> u64;
    "wasi:clocks/monotonic-clock@0.2" "resolution" => clocks::resolution, () -> u64;
    "wasi:clocks/monotonic-clock@0.2" "subscribe-instant" => clocks::at, (when: u64) -> u32;
    "wasi:clocks/monotonic-clock@0.2" "subscribe-duration" => clocks::after, (long: u64) -> u32;
    "wasi:clocks/wall-clock@0.2" "now" => clocks::today, (ret: u32);
    "wasi:clocks/wall-clock@0.2" "resolution" => clocks::wall_resolution, (ret: u32);
    "wasi:io/poll@0.2" "[resource-drop]pollable" => drop_one, (it: u32);
    "wasi:io/poll@0.2" "[method]pollable.block" => clocks::block, (it: u32);
    "wasi:io/poll@0.2" "poll" => clocks::poll, (list: u32, count: u32, ret: u32);
    "wasi:random/random@0.2" "get-random-bytes" => clocks::chance, (count: u64, ret: u32);
    "wasi:io/error@0.2" "[resource-drop]error" => drop_one, (it: u32);
    "wasi:io/streams@0.2" "[resource-drop]input-stream" => drop_one, (it: u32);
    "wasi:io/streams@0.2" "[resource-drop]output-stream" => drop_one, (it: u32);
    "wasi:io/streams@0.2" "[method]input-stream.read" => streams::read, (it: u32, most: u64, ret: u32);
    "wasi:io/streams@0.2" "[method]input-stream.subscribe" => streams::subscribe, (it: u32) -> u32;
    "wasi:io/streams@0.2" "[method]output-stream.check-write" => streams::check_write, (it: u32, ret: u32);
    "wasi:io/streams@0.2" "[method]output-stream.write" => streams::write, (it: u32, at: u32, len: u32, ret: u32);
    "wasi:io/streams@0.2" "[method]output-stream.blocking-write-and-flush" => streams::write, (it: u32, at: u32, len: u32, ret: u32);
    "wasi:io/streams@0.2" "[method]output-stream.blocking-flush" => streams::flush, (it: u32, ret: u32);
    "wasi:io/streams@0.2" "[method]output-stream.subscribe" => streams::subscribe, (it: u32) -> u32;
    "wasi:filesystem/preopens@0.2" "get-directories" => files::folders, (ret: u32);
    "wasi:filesystem/types@0.2" "[resource-drop]descriptor" => drop_one, (it: u32);
    "wasi:filesystem/types@0.2" "[resource-drop]directory-entry-stream" => drop_one, (it: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.read-via-stream" => files::reading, (it: u32, at: u64, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.write-via-stream" => files::writing, (it: u32, at: u64, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.append-via-stream" => files::appending, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.advise" => files::advise, (it: u32, at: u64, len: u64, advice: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.sync-data" => files::sync, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.sync" => files::sync, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.get-flags" => files::flags, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.set-size" => files::set_size, (it: u32, size: u64, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.set-times" => files::set_times, (it: u32, a: u32, b: u64, c: u32, d: u32, e: u64, f: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.set-times-at" => files::set_times_at, (it: u32, follow: u32, path: u32, len: u32, a: u32, b: u64, c: u32, d: u32, e: u64, f: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.read" => files::read, (it: u32, most: u64, at: u64, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.write" => files::write, (it: u32, bytes: u32, len: u32, at: u64, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.read-directory" => files::list, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]directory-entry-stream.read-directory-entry" => files::entry, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.stat" => files::stat, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.stat-at" => files::stat_at, (it: u32, follow: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.metadata-hash" => files::hash, (it: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.metadata-hash-at" => files::hash_at, (it: u32, follow: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.open-at" => files::open_at, (it: u32, follow: u32, path: u32, len: u32, how: u32, flags: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.create-directory-at" => files::make_folder_at, (it: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.remove-directory-at" => files::remove_folder_at, (it: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.unlink-file-at" => files::remove_file_at, (it: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.rename-at" => files::rename_at, (it: u32, from: u32, from_len: u32, other: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.link-at" => files::link_at, (it: u32, follow: u32, from: u32, from_len: u32, other: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.symlink-at" => files::symlink_at, (it: u32, from: u32, from_len: u32, path: u32, len: u32, ret: u32);
    "wasi:filesystem/types@0.2" "[method]descriptor.readlink-at" => files::readlink_at, (it: u32, path: u32, len: u32, ret: u32);
}

/// What the tool was called with.
fn arguments(caller: &mut Caller<'_, Host>, ret: u32) -> wasmtime::Result<()> {
    let args = lower::act(caller, |host, _| Ok(host.args.clone()))?;
    let mut list = Vec::with_capacity(args.len() * 8);
    for arg in &args {
        let at = lower::give(caller, arg.as_bytes(), 1)?;
        list.extend_from_slice(&at.to_le_bytes());
        list.extend_from_slice(&(arg.len() as u32).to_le_bytes());
    }
    let at = lower::give(caller, &list, 4)?;
    Answer::default().u32(0, at).u32(4, args.len() as u32).put(caller, ret)
}

fn exit(caller: &mut Caller<'_, Host>, code: u32) -> wasmtime::Result<()> {
    lower::act(caller, |_, _| Err(Stop::Exit(code).into()))
}

/// An empty list or none: there is no environment, and no terminal.
fn nothing(caller: &mut Caller<'_, Host>, ret: u32) -> wasmtime::Result<()> {
    lower::act(caller, |_, _| Ok(()))?;
    Answer::default().u32(0, 0).u32(4, 0).put(caller, ret)
}

fn drop_one(caller: &mut Caller<'_, Host>, it: u32) -> wasmtime::Result<()> {
    lower::act(caller, |host, _| {
        host.drop_handle(it);
        Ok(())
    })
}
