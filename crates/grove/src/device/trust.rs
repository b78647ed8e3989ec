//! Whom TLS takes for whom: keys are compared by their fingerprints, and must have signed the handshake. Names, dates
//! and issuers of certificates say nothing here.

use crate::words::Words;
use grove_core::id::Digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// The fingerprint of the key in a certificate.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Option<Digest> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(Digest(*blake3::hash(&parsed.subject_public_key_info()).as_bytes()))
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    default_provider().signature_verification_algorithms
}

/// What both ends ask of a handshake, as both traits word it: that the key has signed this very one.
macro_rules! signed_now {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("TLS 1.3 only".to_owned()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, certificate, signed, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }
    };
}

/// By what a key is known before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    Key(Digest),
    /// As somebody has read it out.
    Words(Words),
}

impl Pin {
    pub fn fits(self, key: Digest) -> bool {
        match self {
            Pin::Key(pinned) => pinned == key,
            Pin::Words(words) => words == Words::of(key),
        }
    }
}

impl From<Digest> for Pin {
    fn from(key: Digest) -> Pin {
        Pin::Key(key)
    }
}

/// Only this key may answer.
#[derive(Debug)]
pub(super) struct Pinned {
    hub: Pin,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    pub(super) fn new(hub: Pin) -> Pinned {
        Pinned { hub, algorithms: algorithms() }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if fingerprint(end_entity).is_some_and(|key| self.hub.fits(key)) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    signed_now!();
}

/// Any key may call, if it has signed; or nobody's, which may then do next to nothing.
#[derive(Debug)]
pub(super) struct AnyKey {
    algorithms: WebPkiSupportedAlgorithms,
}

impl Default for AnyKey {
    fn default() -> AnyKey {
        AnyKey { algorithms: algorithms() }
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let known = fingerprint(end_entity).map(|_| ClientCertVerified::assertion());
        known.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    signed_now!();
}
