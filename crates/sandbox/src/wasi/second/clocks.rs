//! Clocks, waiting and chance.

use wasmtime::Caller;

use super::lower::{Answer, act, give};
use super::{Handle, Host};
use crate::wasi::errno::Errno;

/// What a reading moves the clock on by.
const RESOLUTION_NS: u64 = 1_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Things that one call can wait for: as many as a part can have open.
const WAITED_MAX: u32 = crate::limits::DESCRIPTORS_MAX as u32;
/// Random bytes of one call; a program that wants more asks again.
const CHANCE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn now(caller: &mut Caller<'_, Host>) -> wasmtime::Result<u64> {
    act(caller, |host, _| Ok(host.world.passed_ns()))
}

pub(super) fn resolution(caller: &mut Caller<'_, Host>) -> wasmtime::Result<u64> {
    act(caller, |_, _| Ok(RESOLUTION_NS))
}

pub(super) fn today(caller: &mut Caller<'_, Host>, ret: u32) -> wasmtime::Result<()> {
    let ns = act(caller, |host, _| Ok(host.world.wall_ns()))?;
    Answer::default().u64(0, ns / SECOND_NS).u32(8, (ns % SECOND_NS) as u32).put(caller, ret)
}

pub(super) fn wall_resolution(caller: &mut Caller<'_, Host>, ret: u32) -> wasmtime::Result<()> {
    let ns = resolution(caller)?;
    Answer::default().u64(0, 0).u32(8, ns as u32).put(caller, ret)
}

pub(super) fn at(caller: &mut Caller<'_, Host>, when: u64) -> wasmtime::Result<u32> {
    act(caller, |host, _| Ok(host.give(Handle::Moment(Some(when)))?))
}

pub(super) fn after(caller: &mut Caller<'_, Host>, long: u64) -> wasmtime::Result<u32> {
    act(caller, |host, _| {
        let when = host.world.passed_ns().saturating_add(long);
        Ok(host.give(Handle::Moment(Some(when)))?)
    })
}

pub(super) fn block(caller: &mut Caller<'_, Host>, it: u32) -> wasmtime::Result<()> {
    act(caller, |host, _| {
        if let Handle::Moment(Some(when)) = host.handle(it)? {
            host.wait_until(when);
        }
        Ok(())
    })
}

/// Waits until one of several moments is there, and says which are.
pub(super) fn poll(caller: &mut Caller<'_, Host>, list: u32, count: u32, ret: u32) -> wasmtime::Result<()> {
    let ready = act(caller, |host, guest| {
        if count == 0 || count > WAITED_MAX {
            return Err(Errno::INVAL.into());
        }
        let mut moments = Vec::with_capacity(count as usize);
        for index in 0..count {
            let handle = guest.u32(list.checked_add(index * 4).ok_or(Errno::FAULT)?)?;
            match host.handle(handle)? {
                Handle::Moment(when) => moments.push(when.unwrap_or(0)),
                _ => return Err(Errno::BADF.into()),
            }
        }
        let first = moments.iter().copied().min().unwrap_or(0);
        host.wait_until(first);
        let there = host.world.passed_ns().max(first);
        let ready = (0..count).zip(moments).filter(|(_, when)| *when <= there);
        Ok(ready.flat_map(|(index, _)| index.to_le_bytes()).collect::<Vec<u8>>())
    })?;
    let at = give(caller, &ready, 4)?;
    Answer::default().u32(0, at).u32(4, ready.len() as u32 / 4).put(caller, ret)
}

pub(super) fn chance(caller: &mut Caller<'_, Host>, count: u64, ret: u32) -> wasmtime::Result<()> {
    let bytes = act(caller, |host, _| {
        if count > CHANCE_BYTES_MAX {
            return Err(Errno::INVAL.into());
        }
        host.charge(count)?;
        let mut bytes = vec![0; count as usize];
        if host.world.roll(&mut bytes) { Ok(bytes) } else { Err(Errno::NOSYS.into()) }
    })?;
    let at = give(caller, &bytes, 1)?;
    Answer::default().u32(0, at).u32(4, bytes.len() as u32).put(caller, ret)
}

impl Host {
    fn wait_until(&mut self, when: u64) {
        let now = self.world.passed_ns();
        if when > now {
            self.world.sleep(when - now);
        }
    }
}
