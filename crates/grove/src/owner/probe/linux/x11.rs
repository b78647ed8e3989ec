//! An X server counts the time since the last input for its screen saver, and tells it to whoever asks. Three requests of
//! a protocol that will not change any more need no library. Under Wayland there is an X server too, which sees only what
//! is done in its own windows; that one is not asked.

use super::super::{NoSight, Probe};
use crate::owner::{Soon, now};
use grove_core::units::Millis;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SOCKETS: &str = "/tmp/.X11-unix";
const COOKIE: &str = "MIT-MAGIC-COOKIE-1";
const SCREEN_SAVER: &str = "MIT-SCREEN-SAVER";
/// A server on the same machine answers at once or hangs.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// What a server says of itself is some kilobytes.
const SETUP_BYTES_MAX: usize = 256 << 10;
const COOKIES_BYTES_MAX: u64 = 1 << 20;
const REPLY_BYTES: usize = 32;
const QUERY_EXTENSION: u8 = 98;
const QUERY_INFO: u8 = 1;

#[derive(Debug, Default)]
pub(super) struct X11 {
    server: Option<Server>,
}

/// A connection that stays open.
#[derive(Debug)]
struct Server {
    stream: UnixStream,
    root: u32,
    saver: u8,
}

impl Probe for X11 {
    fn name(&self) -> &'static str {
        "x11"
    }

    fn last_input(&mut self) -> Soon<'_, Result<Millis, NoSight>> {
        let known = self.server.take();
        // A server that hangs must not keep the watch.
        let asked = tokio::task::spawn_blocking(move || -> Result<_, NoSight> {
            let mut server = known.map_or_else(connect, Ok)?;
            let idle = server.idle()?;
            Ok((server, idle))
        });
        Box::pin(async {
            let (server, idle) = asked.await.map_err(|_| NoSight::Nothing)??;
            self.server = Some(server);
            Ok(Millis(now().0.saturating_sub(u64::from(idle))))
        })
    }
}

fn connect() -> Result<Server, NoSight> {
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let display = said("DISPLAY").filter(|_| said("WAYLAND_DISPLAY").is_none()).ok_or(NoSight::Nothing)?;
    let number = display.strip_prefix(':').ok_or(NoSight::Nothing)?.split('.').next().unwrap_or_default().to_owned();
    let stream = UnixStream::connect(Path::new(SOCKETS).join(format!("X{number}")))?;
    let file = said("XAUTHORITY").or_else(|| Some(format!("{}/.Xauthority", said("HOME")?)));
    let cookie = file.and_then(|file| cookie(&cookies(&PathBuf::from(file))?, &number));
    Ok(Server::greet(stream, &cookie.unwrap_or_default())?)
}

fn cookies(file: &Path) -> Option<Vec<u8>> {
    let small = std::fs::metadata(file).is_ok_and(|found| found.len() <= COOKIES_BYTES_MAX);
    small.then(|| std::fs::read(file).ok()).flatten()
}

/// The secret for a display, as `xauth` keeps it: family, host, display, kind, secret; each behind its length.
fn cookie(mut entries: &[u8], display: &str) -> Option<Vec<u8>> {
    fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (len, behind) = rest.split_first_chunk::<2>()?;
        let (field, behind) = behind.split_at_checked(u16::from_be_bytes(*len).into())?;
        *rest = behind;
        Some(field)
    }
    loop {
        entries = entries.get(2..)?;
        let (_host, number) = (field(&mut entries)?, field(&mut entries)?);
        let (kind, secret) = (field(&mut entries)?, field(&mut entries)?);
        if kind == COOKIE.as_bytes() && (number == display.as_bytes() || number.is_empty()) {
            return Some(secret.to_vec());
        }
    }
}

impl Server {
    fn greet(mut stream: UnixStream, cookie: &[u8]) -> io::Result<Server> {
        stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
        stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
        let kind = if cookie.is_empty() { &[][..] } else { COOKIE.as_bytes() };
        // Little-endian, version 11.0.
        let mut hello = vec![b'l', 0, 11, 0, 0, 0];
        hello.extend(short(kind.len()).into_iter().chain(short(cookie.len())).chain([0, 0]));
        hello.extend([padded(kind), padded(cookie)].concat());
        stream.write_all(&hello)?;
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        let mut setup = vec![0; (usize::from(u16::from_le_bytes([head[6], head[7]])) * 4).min(SETUP_BYTES_MAX)];
        stream.read_exact(&mut setup)?;
        if head[0] != 1 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the X server refuses"));
        }
        let root = root(&setup).ok_or(io::ErrorKind::InvalidData)?;
        let mut server = Server { stream, root, saver: 0 };
        let name = padded(SCREEN_SAVER.as_bytes());
        let words = short(2 + name.len() / 4);
        let ask = [&[QUERY_EXTENSION, 0][..], &words, &short(SCREEN_SAVER.len()), &[0, 0], &name].concat();
        let said = server.ask(&ask)?;
        server.saver = said[9];
        if said[8] == 1 { Ok(server) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    /// Milliseconds since the last input.
    fn idle(&mut self) -> io::Result<u32> {
        let ask = [&[self.saver, QUERY_INFO, 2, 0][..], &self.root.to_le_bytes()].concat();
        let said = self.ask(&ask)?;
        Ok(u32::from_le_bytes([said[16], said[17], said[18], said[19]]))
    }

    fn ask(&mut self, request: &[u8]) -> io::Result<[u8; REPLY_BYTES]> {
        self.stream.write_all(request)?;
        let mut reply = [0; REPLY_BYTES];
        loop {
            self.stream.read_exact(&mut reply)?;
            match reply[0] {
                0 => return Err(io::Error::other("the X server reports an error")),
                // Neither of the two answers is longer than this.
                1 => return Ok(reply),
                // Events that nobody asked for.
                _ => {}
            }
        }
    }
}

/// The root window of the first screen, behind the server's name and its formats.
fn root(setup: &[u8]) -> Option<u32> {
    let vendor = usize::from(u16::from_le_bytes([*setup.get(16)?, *setup.get(17)?]));
    let formats = usize::from(*setup.get(21)?);
    let at = 32 + vendor.next_multiple_of(4) + 8 * formats;
    Some(u32::from_le_bytes(setup.get(at..at + 4)?.try_into().ok()?))
}

/// Everything that is said here is short.
fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads so many bytes and answers with these.
    fn plays(stream: &mut UnixStream, read: usize, answer: &[u8]) -> Vec<u8> {
        let mut heard = vec![0; read];
        stream.read_exact(&mut heard).unwrap();
        stream.write_all(answer).unwrap();
        heard
    }

    #[test]
    fn a_server_is_asked_for_the_last_input() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || {
            let mut setup = vec![0; 32 + 8 + 8];
            (setup[16], setup[20], setup[21]) = (5, 1, 1);
            setup.extend(0x1234_u32.to_le_bytes());
            setup.extend([0; 36]);
            let head = [&[1, 0, 11, 0, 0, 0][..], &short(setup.len() / 4)].concat();
            let hello = plays(&mut theirs, 12 + 20 + 4, &[head, setup].concat());
            assert_eq!(
                (&hello[..2], &hello[12..30], &hello[32..]),
                (&b"l\0"[..], COOKIE.as_bytes(), &b"\x01\x02\x03\0"[..])
            );
            let mut found = [0; 32];
            (found[0], found[8], found[9]) = (1, 1, 200);
            plays(&mut theirs, 8 + 16, &found);
            let (mut event, mut idle) = ([0; 32], [0; 32]);
            (event[0], idle[0]) = (28, 1);
            idle[16..20].copy_from_slice(&4_321_u32.to_le_bytes());
            let asked = plays(&mut theirs, 8, &[event, idle].concat());
            assert_eq!(asked, [200, QUERY_INFO, 2, 0, 0x34, 0x12, 0, 0]);
        });
        let mut asked = Server::greet(ours, &[1, 2, 3]).unwrap();
        assert_eq!(asked.idle().unwrap(), 4_321);
        server.join().unwrap();
        assert!(asked.idle().is_err(), "it is gone");
    }

    #[test]
    fn a_server_that_refuses_or_talks_nonsense_is_none() {
        for answer in [&[0, 0, 11, 0, 0, 0, 0, 0][..], &[1, 0, 11, 0, 0, 0, 0, 0], &[1, 0]] {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            theirs.write_all(answer).unwrap();
            theirs.shutdown(std::net::Shutdown::Write).unwrap();
            assert!(Server::greet(ours, b"").is_err(), "{answer:?}");
        }
    }

    #[test]
    fn the_cookie_of_the_display_is_found() {
        let field = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let entry = |number: &[u8], secret: &[u8]| {
            [&[1, 0][..], &field(b"host"), &field(number), &field(COOKIE.as_bytes()), &field(secret)].concat()
        };
        let file = [entry(b"1", b"one"), entry(b"0", b"zero")].concat();
        assert_eq!(cookie(&file, "0").as_deref(), Some(&b"zero"[..]));
        assert_eq!((cookie(&file, "7"), cookie(&file[..9], "1"), cookie(b"", "0")), (None, None, None));
    }
}
