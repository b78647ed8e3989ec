//! Streams: standard input, output and error, and files read or written from a place on.

use wasmtime::Caller;

use super::lower::{Answer, act, attempt, give};
use super::{Handle, Host};
use crate::wasi::errno::Errno;

/// Where the value of a stream's `result` stands when it is a handle, a list or an error.
const VALUE: usize = 4;
/// Of a stream's errors, the one without a reason: the end.
const CLOSED: u8 = 1;
/// Read at one time; programs ask again for more.
const READ_MAX: u64 = 1 << 20;
/// Written at one time.
const WRITE_MAX: u64 = 1 << 20;

pub(super) fn stdin(caller: &mut Caller<'_, Host>) -> wasmtime::Result<u32> {
    act(caller, |host, _| Ok(host.give(Handle::Stdin)?))
}

pub(super) fn stdout(caller: &mut Caller<'_, Host>) -> wasmtime::Result<u32> {
    act(caller, |host, _| Ok(host.give(Handle::Stdout)?))
}

pub(super) fn stderr(caller: &mut Caller<'_, Host>) -> wasmtime::Result<u32> {
    act(caller, |host, _| Ok(host.give(Handle::Stderr)?))
}

/// Streams are always ready: nothing here waits for anybody.
pub(super) fn subscribe(caller: &mut Caller<'_, Host>, _it: u32) -> wasmtime::Result<u32> {
    act(caller, |host, _| Ok(host.give(Handle::Moment(None))?))
}

pub(super) fn read(caller: &mut Caller<'_, Host>, it: u32, most: u64, ret: u32) -> wasmtime::Result<()> {
    let most = most.min(READ_MAX) as usize;
    let read = attempt(caller, |host, _| match host.handle(it)? {
        Handle::Stdin => {
            let from = host.stdin_at;
            let bytes = host.stdin[from..].iter().take(most).copied().collect::<Vec<u8>>();
            host.stdin_at += bytes.len();
            Ok(bytes)
        }
        Handle::Reading { node, at } => {
            let bytes = host.tree.read(node, at, most)?.to_vec();
            host.set(it, Handle::Reading { node, at: at.saturating_add(bytes.len() as u64) });
            Ok(bytes)
        }
        _ => Err(Errno::BADF.into()),
    })?;
    match read {
        Ok(bytes) if bytes.is_empty() && most > 0 => Answer::error(VALUE, CLOSED).put(caller, ret),
        Ok(bytes) => {
            let at = give(caller, &bytes, 1)?;
            Answer::default().u8(0, 0).u32(VALUE, at).u32(VALUE + 4, bytes.len() as u32).put(caller, ret)
        }
        Err(_) => Answer::error(VALUE, CLOSED).put(caller, ret),
    }
}

pub(super) fn check_write(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    // A number of eight bytes stands at a multiple of eight.
    match attempt(caller, |host, _| Ok(host.handle(it)?))? {
        Ok(_) => Answer::default().u8(0, 0).u64(8, WRITE_MAX).put(caller, ret),
        Err(_) => Answer::error(8, CLOSED).put(caller, ret),
    }
}

pub(super) fn write(caller: &mut Caller<'_, Host>, it: u32, at: u32, len: u32, ret: u32) -> wasmtime::Result<()> {
    let written = attempt(caller, |host, guest| {
        host.charge(u64::from(len))?;
        let bytes = guest.bytes(at, len)?;
        match host.handle(it)? {
            Handle::Stdout => host.print(bytes),
            Handle::Stderr => host.complain(bytes),
            Handle::Writing { node, at } => {
                host.write_file(node, at, bytes)?;
                host.set(it, Handle::Writing { node, at: at.saturating_add(bytes.len() as u64) });
                Ok(())
            }
            Handle::Appending { node } => {
                let end = host.size_of(node);
                host.write_file(node, end, bytes)
            }
            _ => Err(Errno::BADF.into()),
        }
    })?;
    done(caller, written, ret)
}

/// What was written is there at once.
pub(super) fn flush(caller: &mut Caller<'_, Host>, it: u32, ret: u32) -> wasmtime::Result<()> {
    let known = attempt(caller, |host, _| Ok(host.handle(it).map(drop)?))?;
    done(caller, known, ret)
}

fn done(caller: &mut Caller<'_, Host>, said: Result<(), Errno>, ret: u32) -> wasmtime::Result<()> {
    match said {
        Ok(()) => Answer::default().u8(0, 0).put(caller, ret),
        Err(_) => Answer::error(VALUE, CLOSED).put(caller, ret),
    }
}
