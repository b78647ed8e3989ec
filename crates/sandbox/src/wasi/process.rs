//! Calls about the program itself: arguments, environment (always empty), clocks, waiting, chance. Sockets are
//! named here only to be refused.

use super::Host;
use super::errno::{Done, Errno};
use super::guest::{Guest, few};

const CLOCK_REALTIME: u32 = 0;
const CLOCK_LAST: u32 = 3;
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;
const EVENT_CLOCK: u8 = 0;
const EVENT_WRITE: u8 = 2;
const CLOCK_ABSOLUTE: u16 = 1;

pub(super) fn args_sizes_get(host: &mut Host, guest: &mut Guest<'_>, count: u32, size: u32) -> Done {
    let bytes: usize = host.args.iter().map(|arg| arg.len() + 1).sum();
    guest.put_u32(count, u32::try_from(host.args.len()).map_err(|_| Errno::INVAL)?)?;
    guest.put_u32(size, u32::try_from(bytes).map_err(|_| Errno::INVAL)?)?;
    Ok(())
}

pub(super) fn args_get(host: &mut Host, guest: &mut Guest<'_>, pointers: u32, buffer: u32) -> Done {
    let (mut pointer, mut at) = (pointers, buffer);
    for arg in &host.args {
        guest.put_u32(pointer, at)?;
        guest.put(at, arg.as_bytes())?;
        // Past the end of a full 4 GiB memory the address wraps, and overwrites only the tool's own bytes.
        at = at.wrapping_add(arg.len() as u32);
        guest.put(at, &[0])?;
        (pointer, at) = (pointer.wrapping_add(4), at.wrapping_add(1));
    }
    Ok(())
}

pub(super) fn environ_sizes_get(_: &mut Host, guest: &mut Guest<'_>, count: u32, size: u32) -> Done {
    guest.put_u32(count, 0)?;
    guest.put_u32(size, 0)?;
    Ok(())
}

pub(super) fn environ_get(_: &mut Host, _: &mut Guest<'_>, _pointers: u32, _buffer: u32) -> Done {
    Ok(())
}

pub(super) fn clock_res_get(_: &mut Host, guest: &mut Guest<'_>, id: u32, out: u32) -> Done {
    if id > CLOCK_LAST {
        return Err(Errno::INVAL.into());
    }
    Ok(guest.put_u64(out, 1_000)?)
}

pub(super) fn clock_time_get(host: &mut Host, guest: &mut Guest<'_>, id: u32, _precision: u64, out: u32) -> Done {
    Ok(guest.put_u64(out, read_clock(host, id)?)?)
}

fn read_clock(host: &mut Host, id: u32) -> Result<u64, Errno> {
    match id {
        CLOCK_REALTIME => Ok(host.world.wall_ns()),
        id if id <= CLOCK_LAST => Ok(host.world.passed_ns()),
        _ => Err(Errno::INVAL),
    }
}

/// Waits. Streams and files are always ready here, so only a wait for clocks alone lets time pass.
pub(super) fn poll_oneoff(
    host: &mut Host,
    guest: &mut Guest<'_>,
    input: u32,
    output: u32,
    count: u32,
    out: u32,
) -> Done {
    if few(count)? == 0 {
        return Err(Errno::INVAL.into());
    }
    let mut ready = Vec::new();
    let mut clocks = Vec::new();
    for index in 0..count {
        let at = index.checked_mul(SUBSCRIPTION_BYTES).and_then(|by| input.checked_add(by)).ok_or(Errno::FAULT)?;
        let raw: [u8; SUBSCRIPTION_BYTES as usize] = guest.array(at)?;
        let word = |from: usize| u64::from_le_bytes(std::array::from_fn(|i| raw[from + i]));
        let (user, kind) = (word(0), raw[8]);
        if kind > EVENT_WRITE {
            return Err(Errno::INVAL.into());
        }
        if kind != EVENT_CLOCK {
            let known = host.descriptor(word(16) as u32);
            ready.push((user, kind, known.err().map_or(0, Errno::number)));
            continue;
        }
        let (id, timeout, flags) = (word(16) as u32, word(24), word(40) as u16);
        let wait = if flags & CLOCK_ABSOLUTE == 0 { timeout } else { timeout.saturating_sub(read_clock(host, id)?) };
        clocks.push((wait, user));
    }
    if let (true, Some(&(shortest, _))) = (ready.is_empty(), clocks.iter().min()) {
        host.world.sleep(shortest);
        let rung = clocks.iter().filter(|(wait, _)| *wait <= shortest);
        ready.extend(rung.map(|&(_, user)| (user, EVENT_CLOCK, 0)));
    }
    let mut at = output;
    for (user, kind, errno) in &ready {
        let mut event = [0; EVENT_BYTES as usize];
        event[..8].copy_from_slice(&user.to_le_bytes());
        event[8..10].copy_from_slice(&errno.to_le_bytes());
        event[10] = *kind;
        // How many bytes are ready is not told; readers of preview 1 read until nothing comes.
        event[16] = u8::from(*kind != EVENT_CLOCK);
        guest.put(at, &event)?;
        at = at.checked_add(EVENT_BYTES).ok_or(Errno::FAULT)?;
    }
    Ok(guest.put_u32(out, ready.len() as u32)?)
}

pub(super) fn proc_raise(_: &mut Host, _: &mut Guest<'_>, _signal: u32) -> Done {
    Err(Errno::NOSYS.into())
}

pub(super) fn sched_yield(_: &mut Host, _: &mut Guest<'_>) -> Done {
    Ok(())
}

pub(super) fn random_get(host: &mut Host, guest: &mut Guest<'_>, at: u32, len: u32) -> Done {
    host.charge(u64::from(len))?;
    if host.world.roll(guest.bytes_mut(at, len)?) { Ok(()) } else { Err(Errno::NOSYS.into()) }
}

/// Sockets: nothing that a part is given is one, and none can be made.
fn no_socket(host: &Host, fd: u32) -> Done {
    host.descriptor(fd)?;
    Err(Errno::NOTSOCK.into())
}

pub(super) fn sock_accept(host: &mut Host, _: &mut Guest<'_>, fd: u32, _flags: u32, _out: u32) -> Done {
    no_socket(host, fd)
}

#[expect(clippy::too_many_arguments, reason = "the signature is WASI's")]
pub(super) fn sock_recv(host: &mut Host, _: &mut Guest<'_>, fd: u32, _: u32, _: u32, _: u32, _: u32, _: u32) -> Done {
    no_socket(host, fd)
}

pub(super) fn sock_send(host: &mut Host, _: &mut Guest<'_>, fd: u32, _: u32, _: u32, _: u32, _: u32) -> Done {
    no_socket(host, fd)
}

pub(super) fn sock_shutdown(host: &mut Host, _: &mut Guest<'_>, fd: u32, _how: u32) -> Done {
    no_socket(host, fd)
}
