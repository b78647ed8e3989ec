//! What answers at an address, found out before anything is said to it.

use crate::device::{fingerprint, nameless};
use grove_core::id::Digest;
use rustls::{CertificateError, ClientConfig, ClientConnection, Error as TlsError};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::way::TRY;

/// Whoever takes a connection and says nothing is waited for this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why nobody answers who may be spoken to.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum NoAnswer {
    #[error("nothing listens at {at}\nhint: start the hub there with `grove up`, or correct the port")]
    Refused { at: SocketAddr },
    #[error(
        "nothing comes back from {at}\nhint: the machine is off, or a firewall drops what is sent: open the port on the hub"
    )]
    Silent { at: SocketAddr },
    #[error("{at} cannot be reached: {source}\nhint: check this machine's network, and the address")]
    Network { at: SocketAddr, source: io::Error },
    #[error(
        "the key that answers at {at} is not the hub's: another hub, or somebody in between\n\
         hint: ask whoever looks after the hub whether it was set up anew; if so, leave and join again"
    )]
    OtherKey { at: SocketAddr },
    #[error(
        "what answers at {at} is no hub: {why}\n\
         hint: another program has this port, or a gateway answers in the hub's place: open a web page to log in there"
    )]
    NoHub { at: SocketAddr, why: String },
}

/// The key that has answered, and is the right one.
pub(in crate::cli) fn knock(at: SocketAddr, tls: Arc<ClientConfig>) -> Result<Digest, NoAnswer> {
    let mut stream = TcpStream::connect_timeout(&at, TRY).map_err(|source| match source.kind() {
        io::ErrorKind::ConnectionRefused => NoAnswer::Refused { at },
        io::ErrorKind::TimedOut => NoAnswer::Silent { at },
        _ => NoAnswer::Network { at, source },
    })?;
    let none = |why: &dyn ToString| NoAnswer::NoHub { at, why: why.to_string() };
    let limits = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    limits.map_err(|source| NoAnswer::Network { at, source })?;
    let mut channel = ClientConnection::new(tls, nameless()).map_err(|error| none(&error))?;
    while channel.is_handshaking() {
        channel.complete_io(&mut stream).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
                Some(TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                    NoAnswer::OtherKey { at }
                }
                Some(_) => none(&"it does not speak TLS as hubs do"),
                None if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    none(&"it takes the connection and says nothing")
                }
                None => none(&error),
            }
        })?;
    }
    let shown = channel.peer_certificates().and_then(|shown| fingerprint(shown.first()?));
    shown.ok_or_else(|| none(&"it shows no key"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Home;
    use crate::device::{Device, Pin, Speech};
    use crate::words::Words;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn device() -> (tempfile::TempDir, Device) {
        let dir = tempfile::tempdir().unwrap();
        let device = Device::of(&Home::at(dir.path().to_owned())).unwrap();
        (dir, device)
    }

    /// Answers one connection as told.
    fn answering(how: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || how(listener.accept().unwrap().0));
        at
    }

    fn hub(device: &Device) -> SocketAddr {
        let tls = device.hears(Speech::People).unwrap();
        answering(move |mut stream| {
            let mut channel = rustls::ServerConnection::new(tls).unwrap();
            while channel.is_handshaking() && channel.complete_io(&mut stream).is_ok() {}
        })
    }

    #[test]
    fn the_right_key_is_known_by_itself_and_by_its_words() {
        let ((_one, own), (_two, real), (_three, other)) = (device(), device(), device());
        let key = real.fingerprint();
        for pin in [Pin::Key(key), Pin::Words(Words::of(key))] {
            assert_eq!(knock(hub(&real), own.calls(Speech::People, pin).unwrap()).unwrap(), key);
            let wrong = knock(hub(&other), own.calls(Speech::People, pin).unwrap());
            assert!(matches!(wrong, Err(NoAnswer::OtherKey { .. })), "{wrong:?}");
        }
    }

    #[test]
    fn whatever_else_answers_is_told_apart() {
        let (_dir, own) = device();
        let tls = || own.calls(Speech::People, own.fingerprint()).unwrap();
        let page = answering(|mut stream| {
            let _ = stream.read(&mut [0; 1_000]);
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: http://gateway/login\r\n\r\n");
        });
        assert!(matches!(knock(page, tls()), Err(NoAnswer::NoHub { .. })));
        assert!(matches!(knock(answering(drop), tls()), Err(NoAnswer::NoHub { .. })));
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(knock(closed, tls()), Err(NoAnswer::Refused { .. })));
    }
}
