//! Certificates for a test, and connections that are TLS.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::home;

/// An authority of its own, the certificate that it has issued for a server at 127.0.0.1, and those for
/// clients. Dropped, the files are removed.
pub(crate) struct Certificates {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = DistinguishedName::new();
        // Else OpenSSL takes one for the other, until it has looked at the signature.
        let folder = home::folder("tls");
        params
            .distinguished_name
            .push(DnType::CommonName, format!("authority of {}", folder.display()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let made = Self {
            folder,
            authority: CertifiedIssuer::self_signed(params, key).expect("a certificate"),
        };
        fs::write(made.folder.join("ca.crt"), made.authority.pem()).expect("a file");
        made.issue("server", &[(DnType::CommonName, "server")]);
        made
    }

    /// `[proxy.tls]` with the server's certificate, and further lines.
    pub(crate) fn section(&self, lines: &str) -> String {
        format!(
            "[proxy.tls]\ncert = \"{}\"\nkey = \"{}\"\n{lines}\n",
            self.path("server.crt"),
            self.path("server.key")
        )
    }

    /// The path of `ca.crt`, or of a certificate or key that was issued.
    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    /// Makes `NAME.crt` and `NAME.key`.
    pub(crate) fn issue(&self, file: &str, subject: &[(DnType, &str)]) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.authority).expect("a certificate");
        let at = |ending: &str| self.folder.join(format!("{file}.{ending}"));
        fs::write(at("crt"), certificate.pem()).expect("a file");
        write_key(&at("key"), &key.serialize_pem());
    }

    /// Puts another authority's certificate, and its key, in place of the server's.
    pub(crate) fn take_over(&self, other: &Self) {
        for file in ["server.crt", "server.key"] {
            fs::copy(other.path(file), self.path(file)).expect("a file");
        }
    }

    /// What makes psql show a certificate.
    pub(crate) fn shown<'a>(&self, own: &'a mut [String; 2], file: &str) -> [(&'a str, &'a str); 2] {
        *own = [
            self.path(&format!("{file}.crt")),
            self.path(&format!("{file}.key")),
        ];
        [("PGSSLCERT", &own[0]), ("PGSSLKEY", &own[1])]
    }

    /// How a client connects that trusts this authority, and shows one of its certificates.
    pub(crate) fn client(&self, own: Option<&str>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks them")
            .with_root_certificates(roots);
        let mut config = match own {
            Some(file) => {
                let certificate = CertificateDer::from_pem_file(self.path(&format!("{file}.crt")));
                let key = PrivateKeyDer::from_pem_file(self.path(&format!("{file}.key")));
                builder
                    .with_client_auth_cert(vec![certificate.expect("PEM")], key.expect("PEM"))
                    .expect("a pair")
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        config
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// psql takes no key that others can read.
fn write_key(path: &Path, pem: &str) {
    fs::write(path, pem).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("our own file");
}

/// What carries a connection's bytes.
#[derive(Debug)]
pub(crate) enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Carrier {
    /// The handshake, over a connection in the clear.
    pub(crate) async fn into_tls(self, config: ClientConfig) -> io::Result<Self> {
        let Self::Plain(stream) = self else {
            panic!("it is TLS already");
        };
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Self::Tls(Box::new(stream)))
    }
}

impl AsyncRead for Carrier {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
