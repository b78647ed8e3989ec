//! This machine's key, by which others know it, and the TLS that it speaks.
//!
//! No authority vouches for anybody. Whoever calls knows the fingerprint of the key that must answer; whoever is
//! called learns which key has called, and whether that key may come in is decided elsewhere.

mod greeting;
mod trust;

use crate::config::{Home, HomeError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use grove_core::id::Digest;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519, PublicKeyData};
use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

pub use greeting::Greeting;
pub use trust::{Pin, fingerprint};

/// What is spoken on a channel: people's API and nodes cannot be taken for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    People,
    Nodes,
}

impl Speech {
    fn name(self) -> Vec<u8> {
        match self {
            Speech::People => b"http/1.1".to_vec(),
            Speech::Nodes => b"h2".to_vec(),
        }
    }
}

/// Who is at the other end of a connection that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The key with which it proved itself, where it has one.
    pub key: Option<Digest>,
    /// It calls from this very machine.
    pub local: bool,
    /// Without TLS, as on loopback only.
    pub plain: bool,
}

impl Caller {
    /// Somebody on this machine, without TLS.
    pub const HERE: Caller = Caller { key: None, local: true, plain: true };
    /// Nobody knows who.
    pub const STRANGER: Caller = Caller { key: None, local: false, plain: true };

    /// Whoever has just agreed on a channel from that address.
    pub fn over(channel: &rustls::ServerConnection, from: IpAddr) -> Caller {
        let key = channel.peer_certificates().and_then(|shown| fingerprint(shown.first()?));
        Caller { key, local: from.is_loopback(), plain: false }
    }
}

/// From where somebody calls. Whoever calls from the very address that was called is this machine, as on loopback: the
/// system takes such packets from no cable.
pub fn origin(called: std::io::Result<SocketAddr>, from: SocketAddr) -> IpAddr {
    let from = from.ip().to_canonical();
    match called {
        Ok(called) if called.ip().to_canonical() == from => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => from,
    }
}

/// Why there is no key, or no TLS with it.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error(
        "{} is not the key of a machine: {source}\nhint: remove it; this machine is then a stranger to its hub and has to join again",
        path.display()
    )]
    Damaged { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("a key cannot be used for TLS: {source}")]
    Key { source: rcgen::Error },
    #[error("TLS cannot be set up: {source}")]
    Tls { source: rustls::Error },
}

/// Where the private half of an ed25519 key begins, and what stands before it: 32 octets.
const SEED_AT: usize = 16;
const OCTETS: [u8; 4] = [0x04, 0x22, 0x04, 0x20];

/// The key of this machine, with a certificate around it. Never printed.
pub struct Device {
    fingerprint: Digest,
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Device({})", self.fingerprint)
    }
}

impl Device {
    /// The key in that folder, made now if there is none.
    pub fn of(home: &Home) -> Result<Device, DeviceError> {
        let new = || {
            let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(|source| DeviceError::Key { source })?;
            Ok::<String, DeviceError>(STANDARD.encode(pair.serialized_der()))
        };
        let written = match home.key()? {
            Some(written) => written,
            None => home.keep_key(&new()?)?,
        };
        let damaged = |source| DeviceError::Damaged { path: home.key_path(), source };
        let der = STANDARD.decode(written).map_err(|error| damaged(error.into()))?;
        let key = PrivatePkcs8KeyDer::from(der);
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519);
        let pair = pair.map_err(|error| damaged(error.into()))?;
        let fingerprint = Digest(*blake3::hash(&pair.subject_public_key_info()).as_bytes());
        let certificate = certificate(&pair).map_err(|source| DeviceError::Key { source })?;
        Ok(Device { fingerprint, certificate, key })
    }

    /// By what others know this machine.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The private half of its ed25519 key, for a transport that makes its own TLS. It stands at the same place in both
    /// forms of PKCS #8.
    pub fn seed(&self) -> Option<[u8; 32]> {
        let der = self.key.secret_pkcs8_der();
        let (head, rest) = der.split_at_checked(SEED_AT)?;
        (head.ends_with(&OCTETS)).then(|| rest.first_chunk().copied())?
    }

    /// What the other side of a channel is shown.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// For listening: any key may call, and is known afterwards.
    pub fn hears(&self, speech: Speech) -> Result<Arc<ServerConfig>, DeviceError> {
        let tls = |source| DeviceError::Tls { source };
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(tls)?
            .with_client_cert_verifier(Arc::new(trust::AnyKey::default()))
            .with_single_cert(vec![self.certificate.clone()], self.private())
            .map_err(tls)?;
        config.alpn_protocols = vec![speech.name()];
        // Every connection proves its key anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// For calling: only the key of that pin may answer. This machine shows its own.
    pub fn calls(&self, speech: Speech, hub: impl Into<Pin>) -> Result<Arc<ClientConfig>, DeviceError> {
        let tls = |source| DeviceError::Tls { source };
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust::Pinned::new(hub.into())))
            .with_client_auth_cert(vec![self.certificate.clone()], self.private())
            .map_err(tls)?;
        config.alpn_protocols = vec![speech.name()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(Arc::new(config))
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone_key())
    }
}

/// The name that TLS wants; nobody looks at it, since keys are what counts.
pub fn nameless() -> ServerName<'static> {
    ServerName::try_from("grove.invalid").expect("it is a name")
}

/// Nothing in it but the key: whoever sees it learns nothing else of this machine.
fn certificate(pair: &KeyPair) -> Result<CertificateDer<'static>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "grove");
    params.distinguished_name = name;
    Ok(params.self_signed(pair)?.der().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    fn device() -> (tempfile::TempDir, Device) {
        let dir = tempfile::tempdir().unwrap();
        let device = Device::of(&Home::at(dir.path().to_owned())).unwrap();
        (dir, device)
    }

    /// The fingerprint that the hub has seen, or that the two did not come together.
    async fn meet(hub: &Device, lender: &Device, speech: Speech, pin: Digest) -> Option<Digest> {
        let (near, far) = tokio::io::duplex(1 << 16);
        let acceptor = TlsAcceptor::from(hub.hears(Speech::Nodes).unwrap());
        let connector = TlsConnector::from(lender.calls(speech, pin).unwrap());
        let heard = async {
            let mut stream = acceptor.accept(far).await.ok()?;
            stream.write_all(b"!").await.ok()?;
            fingerprint(stream.get_ref().1.peer_certificates()?.first()?)
        };
        let called = async {
            let mut stream = connector.connect(nameless(), near).await.ok()?;
            stream.read_u8().await.ok()
        };
        let (heard, called) = tokio::join!(heard, called);
        called.and(heard)
    }

    #[test]
    fn whoever_calls_from_the_address_that_was_called_is_here() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let is_here = |called: &str, from: &str| origin(Ok(address(called)), address(from)).is_loopback();
        assert!(is_here("192.168.1.20:7420", "192.168.1.20:50000") && is_here("127.0.0.1:1", "127.0.0.1:2"));
        assert!(
            is_here("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:2") && is_here("[2001:db8::1]:1", "[2001:db8::1]:2")
        );
        assert!(!is_here("192.168.1.20:7420", "192.168.1.21:50000") && !is_here("[2001:db8::1]:1", "[2001:db8::2]:2"));
    }

    #[test]
    fn a_key_is_made_once_and_is_the_owners_alone() {
        let (dir, device) = device();
        let home = Home::at(dir.path().to_owned());
        assert_eq!(Device::of(&home).unwrap().fingerprint(), device.fingerprint());
        assert_eq!(format!("{device:?}"), format!("Device({})", device.fingerprint()));
        std::fs::write(home.key_path(), "AAAA").unwrap();
        assert!(matches!(Device::of(&home), Err(DeviceError::Damaged { .. })));
    }

    #[tokio::test]
    async fn both_ends_are_known_by_their_keys() {
        let ((_a, hub), (_b, lender), (_c, other)) = (device(), device(), device());
        let met = meet(&hub, &lender, Speech::Nodes, hub.fingerprint()).await;
        assert_eq!(met, Some(lender.fingerprint()));
        // Somebody in the middle has another key than the one that was pinned.
        assert_eq!(meet(&other, &lender, Speech::Nodes, hub.fingerprint()).await, None);
        assert_eq!(meet(&hub, &lender, Speech::People, hub.fingerprint()).await, None, "another door");
    }
}
