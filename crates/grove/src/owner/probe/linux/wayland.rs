//! Most Wayland compositors tell whoever asks when a seat becomes idle and when it is used again (`ext-idle-notify-v1`:
//! KDE, Sway, Hyprland, niri, COSMIC). A thread hears them; five requests and two events need no library.

use super::super::{NoSight, Probe};
use crate::owner::{Soon, now};
use grove_core::units::Millis;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// A seat is idle after this long: the first input then ends it, and is told at once.
const IDLE_AFTER_MS: u32 = 1_000;
/// A compositor on the same machine answers within some of these.
const ANSWERS_WITHIN: Duration = Duration::from_millis(5);
/// Whether anybody still wants to know is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longer messages are not sent to us.
const MESSAGE_BYTES_MAX: usize = 4_096;

/// Names of objects, as this side chooses them; the display has the first one.
const DISPLAY: u32 = 1;
const REGISTRY: u32 = 2;
const READY: u32 = 3;
const SEAT: u32 = 4;
const NOTIFIER: u32 = 5;
const NOTIFICATION: u32 = 6;

#[derive(Debug, Default)]
pub(super) struct Wayland {
    seen: Option<Arc<Mutex<Seat>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    /// Nobody has answered yet.
    Silent,
    /// Somebody uses it now.
    Used,
    IdleSince(Millis),
    /// Nobody tells any more.
    Gone,
}

impl Probe for Wayland {
    fn name(&self) -> &'static str {
        "wayland"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        let seen = Arc::clone(self.seen.get_or_insert_with(listen));
        Box::pin(async move {
            loop {
                match *seen.lock().unwrap_or_else(PoisonError::into_inner) {
                    Seat::Silent => {}
                    Seat::Used => return Ok(now()),
                    Seat::IdleSince(at) => return Ok(at),
                    Seat::Gone => break,
                }
                tokio::time::sleep(ANSWERS_WITHIN).await;
            }
            // The next attempt begins anew.
            self.seen = None;
            Err(NoSight::Nothing)
        })
    }
}

/// Once a compositor has answered, somebody is taken to be there until it says otherwise.
fn listen() -> Arc<Mutex<Seat>> {
    let seen = Arc::new(Mutex::new(Seat::Silent));
    let told = Arc::downgrade(&seen);
    let hear = move || {
        // Whatever ends it, nobody tells any more then.
        let _ = connect().and_then(|stream| follow(stream, &told));
        note(&told, Seat::Gone);
    };
    if std::thread::Builder::new().name("wayland".into()).spawn(hear).is_err() {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Seat::Gone;
    }
    seen
}

fn connect() -> io::Result<UnixStream> {
    let said = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let display = said("WAYLAND_DISPLAY").ok_or(io::ErrorKind::NotFound)?;
    let folder = PathBuf::from(said("XDG_RUNTIME_DIR").unwrap_or_default());
    UnixStream::connect(folder.join(display))
}

/// When nobody looks any more, nobody needs to be told.
fn note(seen: &Weak<Mutex<Seat>>, seat: Seat) -> bool {
    let Some(seen) = seen.upgrade() else { return false };
    *seen.lock().unwrap_or_else(PoisonError::into_inner) = seat;
    true
}

fn follow(mut stream: UnixStream, seen: &Weak<Mutex<Seat>>) -> io::Result<()> {
    stream.set_read_timeout(Some(LOOK_EVERY))?;
    // The registry names what there is; the callback says that it has named everything.
    stream.write_all(&[message(DISPLAY, 1, &[number(REGISTRY)]), message(DISPLAY, 0, &[number(READY)])].concat())?;
    let (mut seat, mut notifier) = (None, None);
    loop {
        let event = match receive(&mut stream) {
            Err(error) if is_only_late(&error) && seen.strong_count() > 0 => continue,
            event => event?,
        };
        match (event.object, event.opcode) {
            (REGISTRY, 0) => match event.global() {
                Some((name, interface)) if interface == b"wl_seat" => seat = seat.or(Some(name)),
                Some((name, interface)) if interface == b"ext_idle_notifier_v1" => notifier = Some(name),
                _ => {}
            },
            (READY, 0) => {
                let (Some(seat), Some(notifier)) = (seat, notifier) else {
                    return Err(io::ErrorKind::Unsupported.into());
                };
                stream.write_all(&ask(seat, notifier))?;
                note(seen, Seat::Used);
            }
            (NOTIFICATION, 0) => {
                let since = Millis(now().0.saturating_sub(u64::from(IDLE_AFTER_MS)));
                note(seen, Seat::IdleSince(since));
            }
            (NOTIFICATION, 1) => drop(note(seen, Seat::Used)),
            (DISPLAY, 0) => return Err(io::Error::other("the compositor reports an error")),
            _ => {}
        }
    }
}

/// Binds the seat and the notifier, and asks to be told.
fn ask(seat: u32, notifier: u32) -> Vec<u8> {
    let bind = |name: u32, interface: &[u8], id: u32| {
        message(REGISTRY, 0, &[number(name), text(interface), number(1), number(id)])
    };
    let told = [number(NOTIFICATION), number(IDLE_AFTER_MS), number(SEAT)];
    [bind(seat, b"wl_seat", SEAT), bind(notifier, b"ext_idle_notifier_v1", NOTIFIER), message(NOTIFIER, 1, &told)]
        .concat()
}

fn is_only_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What a compositor says.
struct Event {
    object: u32,
    opcode: u16,
    body: Vec<u8>,
}

impl Event {
    /// Of the registry: the number of something, and its interface.
    fn global(&self) -> Option<(u32, &[u8])> {
        let word = |at: usize| Some(u32::from_ne_bytes(self.body.get(at..at + 4)?.try_into().ok()?));
        let len = usize::try_from(word(4)?).ok()?.checked_sub(1)?;
        Some((word(0)?, self.body.get(8..8 + len)?))
    }
}

fn receive(stream: &mut UnixStream) -> io::Result<Event> {
    let mut head = [0; 8];
    // Only the first byte may be late: a compositor writes whole messages.
    stream.read_exact(&mut head)?;
    let [a, b, c, d, e, f, g, h] = head;
    let word = u32::from_ne_bytes([e, f, g, h]);
    let (size, opcode) = (usize::try_from(word >> 16).unwrap_or(0), (word & 0xffff) as u16);
    let len = size.checked_sub(head.len()).filter(|len| *len <= MESSAGE_BYTES_MAX).ok_or(io::ErrorKind::InvalidData)?;
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok(Event { object: u32::from_ne_bytes([a, b, c, d]), opcode, body })
}

fn message(object: u32, opcode: u32, arguments: &[Vec<u8>]) -> Vec<u8> {
    let body = arguments.concat();
    let size = u32::try_from(8 + body.len()).unwrap_or(u32::MAX);
    [number(object), number(size << 16 | opcode), body].concat()
}

/// In the byte order of this machine.
fn number(number: u32) -> Vec<u8> {
    number.to_ne_bytes().to_vec()
}

/// Its length with the zero at its end, then itself, in whole words.
fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = number(u32::try_from(text.len() + 1).unwrap_or(u32::MAX));
    bytes.extend(text);
    bytes.resize((bytes.len() + 1).next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global(name: u32, interface: &[u8]) -> Vec<u8> {
        message(REGISTRY, 0, &[number(name), text(interface), number(3)])
    }

    fn heard(stream: &mut UnixStream, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_seat_is_used_until_its_compositor_says_otherwise() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let seen = Arc::new(Mutex::new(Seat::Silent));
        let told = Arc::downgrade(&seen);
        let ear = std::thread::spawn(move || follow(ours, &told).map_err(|error| error.kind()));
        let becomes = |wanted: &dyn Fn(Seat) -> bool| {
            let begun = std::time::Instant::now();
            while !wanted(*seen.lock().unwrap()) {
                assert!(begun.elapsed().as_secs() < 10, "{seen:?}");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        assert_eq!(heard(&mut theirs, 24)[..12], message(DISPLAY, 1, &[number(REGISTRY)]));
        let all = [global(7, b"wl_shm"), global(8, b"wl_seat"), global(9, b"ext_idle_notifier_v1")].concat();
        theirs.write_all(&[all, message(READY, 0, &[number(0)])].concat()).unwrap();
        becomes(&|seat| seat == Seat::Used);
        let asked = heard(&mut theirs, ask(8, 9).len());
        assert_eq!(asked, ask(8, 9));
        theirs.write_all(&message(NOTIFICATION, 0, &[])).unwrap();
        becomes(&|seat| matches!(seat, Seat::IdleSince(_)));
        theirs.write_all(&message(NOTIFICATION, 1, &[])).unwrap();
        becomes(&|seat| seat == Seat::Used);
        drop(theirs);
        assert_eq!(ear.join().unwrap(), Err(io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_compositor_that_cannot_tell_or_talks_nonsense_is_none() {
        let seen = Arc::new(Mutex::new(Seat::Silent));
        for said in [
            [global(8, b"wl_seat"), message(READY, 0, &[number(0)])].concat(),
            message(DISPLAY, 0, &[number(1), number(0), text(b"no")]),
            [number(REGISTRY), number(4 << 16)].concat(),
            [number(REGISTRY), number(u32::MAX)].concat(),
            message(REGISTRY, 0, &[number(1), number(0)]),
        ] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(&said).unwrap();
            theirs.shutdown(std::net::Shutdown::Write).unwrap();
            assert!(follow(ours, &Arc::downgrade(&seen)).is_err(), "{said:?}");
        }
        assert_eq!(*seen.lock().unwrap(), Seat::Silent);
    }
}
