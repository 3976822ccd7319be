//! Which server's certificate is good enough.
//!
//! In each case the handshake's signature is verified: the server has the certificate's private key.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

use super::host;

/// Takes any certificate: `sslmode` `require`, `prefer` and `allow`, which ask for no more.
#[derive(Debug)]
pub(super) struct UnverifiedServer {
    algorithms: WebPkiSupportedAlgorithms,
}

impl UnverifiedServer {
    pub(super) fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms }
    }
}

/// What is trusted.
#[derive(Debug)]
pub(super) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    /// Certificates that are good as they are: a self-signed server's, given as its own root.
    pinned: Vec<CertificateDer<'static>>,
    revoked: Vec<CertRevocationList<'static>>,
}

impl Trust {
    /// The certificates of a file, each of which must be good for something.
    pub(super) fn of_file(
        path: &Path,
        certificates: Vec<CertificateDer<'static>>,
        lists: &[CertificateRevocationListDer<'_>],
    ) -> Result<Self, (&'static str, String)> {
        for certificate in &certificates {
            if let Err(error) = Certificate::from_der(certificate) {
                let path = path.display();
                return Err((
                    "sslrootcert",
                    format!("{path} holds a certificate that cannot be read: {error}"),
                ));
            }
        }
        let mut trust = Self::of_system(&certificates, lists)?;
        trust.pinned = certificates;
        Ok(trust)
    }

    /// The operating system's certificates, of which single ones may be unreadable.
    pub(super) fn of_system(
        certificates: &[CertificateDer<'static>],
        lists: &[CertificateRevocationListDer<'_>],
    ) -> Result<Self, (&'static str, String)> {
        // What is no anchor for webpki (an old version, say) can still be pinned.
        let anchors = certificates
            .iter()
            .filter_map(|certificate| webpki::anchor_from_trusted_cert(certificate).ok())
            .map(|anchor| anchor.to_owned())
            .collect();
        let revoked = lists
            .iter()
            .map(|list| OwnedCertRevocationList::from_der(list).map(CertRevocationList::from))
            .collect::<Result<_, _>>()
            .map_err(|error| ("sslcrl", format!("a revocation list cannot be read: {error}")))?;
        Ok(Self {
            anchors,
            pinned: Vec::new(),
            revoked,
        })
    }
}

/// Takes a certificate whose chain leads to a trusted one.
#[derive(Debug)]
pub(super) struct TrustedServer {
    trust: Trust,
    /// Whether it must name the host, too.
    names_host: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TrustedServer {
    /// `verify-ca`.
    pub(super) fn any_host(trust: Trust, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            trust,
            names_host: false,
            algorithms,
        }
    }

    /// `verify-full`.
    pub(super) fn this_host(trust: Trust, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            trust,
            names_host: true,
            algorithms,
        }
    }

    fn verify_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // OpenSSL, too, takes a self-signed certificate that is its own root, a CA's among them. A
        // revocation list would have to be checked for it as for any other.
        if self.trust.revoked.is_empty() && self.trust.pinned.iter().any(|pinned| pinned == end_entity) {
            return verify_time(end_entity, now);
        }
        let lists: Vec<&CertRevocationList<'_>> = self.trust.revoked.iter().collect();
        // No list, no builder; with lists, the whole chain is looked up and lists must be in force.
        let revocation = RevocationOptionsBuilder::new(&lists)
            .ok()
            .map(|builder| builder.with_expiration_policy(ExpirationPolicy::Enforce).build());
        EndEntityCert::try_from(end_entity)
            .map_err(refused)?
            .verify_for_usage(
                self.algorithms.all,
                &self.trust.anchors,
                intermediates,
                now,
                KeyUsage::server_auth(),
                revocation,
                None,
            )
            .map(|_| ())
            .map_err(refused)
    }
}

fn verify_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::from_der(certificate)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let validity = parsed.tbs_certificate.validity;
    if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(())
}

/// The alert that the server gets follows from the variant.
fn refused(error: webpki::Error) -> Error {
    Error::InvalidCertificate(match error {
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        webpki::Error::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        webpki::Error::CertRevoked => CertificateError::Revoked,
        webpki::Error::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        webpki::Error::CertNotValidForName(names) => CertificateError::NotValidForNameContext {
            expected: names.expected,
            presented: names.presented,
        },
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}

/// As rustls does it. A certificate of X.509 version 1, as `openssl x509 -req` used to make, has no form
/// that webpki reads; its key is as good.
fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    if EndEntityCert::try_from(certificate).is_ok() {
        return verify_tls13_signature(message, certificate, signature, algorithms);
    }
    let bad = |_| Error::InvalidCertificate(CertificateError::BadEncoding);
    let parsed = Certificate::from_der(certificate).map_err(bad)?;
    let key = parsed
        .tbs_certificate
        .subject_public_key_info
        .to_der()
        .map_err(bad)?;
    verify_tls13_signature_with_raw_key(
        message,
        &SubjectPublicKeyInfoDer::from(key),
        signature,
        algorithms,
    )
}

impl ServerCertVerifier for UnverifiedServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for TrustedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify_chain(end_entity, intermediates, now)?;
        if self.names_host {
            host::verify(end_entity, server_name).map_err(refused)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
