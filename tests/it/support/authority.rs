//! Who signs certificates in the tests, and the files that PostgreSQL and holdpoint read them from.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::home;

/// A certificate with its key, as PEM files.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What the tests have signed.
#[derive(Debug)]
pub(crate) struct Authority {
    /// The certificate that is trusted.
    pub(crate) root: PathBuf,
    /// The certificate of another authority.
    pub(crate) other_root: PathBuf,
    /// The server's: for `localhost`, and no address.
    pub(crate) server: Files,
    /// A server's whose time is over.
    pub(crate) expired: Files,
    /// A server's that was revoked, by `revoked_list`.
    pub(crate) revoked: Files,
    pub(crate) revoked_list: PathBuf,
    /// A server's that has a Common Name and no other.
    pub(crate) by_name_alone: Files,
    /// A server's, signed by itself, as `openssl req -x509` makes one: an authority's, with a name alone.
    pub(crate) self_signed: Files,
    /// The one that the role `app_cert` shows to the server.
    pub(crate) client: Files,
}

/// The authority of this process.
pub(crate) fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(Authority::new)
}

impl Authority {
    fn new() -> Self {
        let folder = home::folder("authority");
        let root = issuer("the tests' authority");
        let other = issuer("another authority");
        let mut expired = named("localhost");
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2021, 1, 1);
        let mut revoked = named("localhost");
        revoked.serial_number = Some(SerialNumber::from(REVOKED));
        let mut by_name_alone = CertificateParams::default();
        by_name_alone
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        let mut client = CertificateParams::default();
        client.distinguished_name.push(DnType::CommonName, "app_cert");
        Self {
            root: write(&folder.join("root.pem"), &root.pem()),
            other_root: write(&folder.join("other.pem"), &other.pem()),
            server: issue(&folder.join("server"), &named("localhost"), &root),
            expired: issue(&folder.join("expired"), &expired, &root),
            revoked: issue(&folder.join("revoked"), &revoked, &root),
            revoked_list: write(&folder.join("root.crl"), &revoked_list(&root)),
            by_name_alone: issue(&folder.join("named"), &by_name_alone, &root),
            self_signed: sign_itself(&folder.join("self")),
            client: issue(&folder.join("client"), &client, &root),
        }
    }
}

impl Files {
    /// What a server with this certificate takes connections with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut config = self.config();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// As a server before PostgreSQL 17.
    pub(crate) fn acceptor_without_alpn(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.config()))
    }

    fn config(&self) -> rustls::ServerConfig {
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .expect("a file")
            .collect::<Result<_, _>>()
            .expect("certificates");
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they fit")
    }
}

fn named(host: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![host.to_owned()]).expect("a name");
    parameters.distinguished_name.push(DnType::CommonName, host);
    parameters
}

fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(parameters, key).expect("a certificate")
}

fn issue(path: &Path, parameters: &CertificateParams, by: &CertifiedIssuer<'static, KeyPair>) -> Files {
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.signed_by(&key, by).expect("a certificate");
    files(path, &certificate.pem(), &key)
}

fn sign_itself(path: &Path) -> Files {
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters.self_signed(&key).expect("a certificate");
    files(path, &certificate.pem(), &key)
}

/// The serial number of the certificate that was revoked.
const REVOKED: u64 = 4711;

fn revoked_list(by: &CertifiedIssuer<'static, KeyPair>) -> String {
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(4000, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(REVOKED),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(by).expect("a list").pem().expect("its PEM form")
}

fn files(path: &Path, certificate: &str, key: &KeyPair) -> Files {
    Files {
        certificate: write(&path.with_extension("crt"), certificate),
        key: write(&path.with_extension("key"), &key.serialize_pem()),
    }
}

fn write(path: &Path, text: &str) -> PathBuf {
    fs::write(path, text).expect("a file");
    path.to_owned()
}
