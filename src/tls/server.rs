//! The server's side of TLS: what clients' handshakes meet.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

use super::certificate::{Subject, server_end_point, subject};
use super::pem::{PemError, certificates, private_key};

/// The protocol's name in ALPN (PostgreSQL manual, "SSL Session Encryption").
const PROTOCOL: &[u8] = b"postgresql";

/// The alert `no_application_protocol`, fatal, as a record before any key is agreed on (RFC 7301, section 3.2;
/// RFC 8446, sections 5.1 and 6).
const NO_APPLICATION_PROTOCOL: [u8; 7] = [21, 3, 3, 0, 2, 2, 120];

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// What an [`Acceptor`] is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// The server's certificate, and those between it and a root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The roots of clients' certificates. `None`: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub min_version: Version,
}

/// Why there is no [`Acceptor`]. Names the files, and shows nothing that is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The certificate and the key do not work together, or one of them does not at all.
    #[error("{} and {} cannot be used together: {source}", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A certificate of the roots is none.
    #[error("{} cannot be used as roots of clients' certificates: {why}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// How a client came to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// By an SSLRequest, which was answered with `S`.
    First,
    /// With its first byte (`sslnegotiation=direct`). Then ALPN must say that it is PostgreSQL's protocol:
    /// whoever can make a browser connect here must not be able to pass for a client.
    Directly,
}

/// What clients' handshakes meet: a certificate, its key, and roots. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    end_point: Option<Arc<[u8]>>,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Secured<IO> {
    /// The connection.
    pub stream: TlsStream<IO>,
    /// What `tls-server-end-point` binds to; `None` where the certificate has no such hash.
    pub end_point: Option<Arc<[u8]>>,
    /// Whom the client's certificate names. It is a valid one, of the roots. `None`: the client showed none.
    pub client: Option<Subject>,
}

impl Acceptor {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or used; the error says which.
    pub fn load(files: &ServerFiles) -> Result<Self, TlsError> {
        let chain = certificates(&files.cert)?;
        let key = private_key(&files.key)?;
        let end_point = chain.first().and_then(server_end_point).map(Arc::from);
        let pair = |source| TlsError::Pair {
            cert: files.cert.clone(),
            key: files.key.clone(),
            source,
        };
        let versions: &[&SupportedProtocolVersion] = match files.min_version {
            Version::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            Version::Tls13 => &[&rustls::version::TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(pair)?;
        let builder = match &files.client_ca {
            Some(path) => builder.with_client_cert_verifier(verifier(path)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // As PostgreSQL: every handshake is a whole one, so that a certificate is looked at each time.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            config: Arc::new(config),
            end_point,
        })
    }

    /// Whether the channel can be bound to the certificate (`tls-server-end-point`).
    #[must_use]
    pub fn can_bind(&self) -> bool {
        self.end_point.is_some()
    }

    /// A client's handshake. The caller bounds the time. Not cancel-safe: a handshake that is dropped is over.
    ///
    /// # Errors
    /// The handshake failed; the client was told why by an alert. Bytes that are no TLS are among the reasons:
    /// so nothing that somebody has sent in the clear behind an SSLRequest gets inside.
    pub async fn accept<IO>(&self, io: IO, asked: Asked) -> io::Result<Secured<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io);
        let mut start = hello.await.map_err(told)?;
        if asked == Asked::Directly && start.client_hello().alpn().is_none() {
            start.io.write_all(&NO_APPLICATION_PROTOCOL).await?;
            start.io.shutdown().await?;
            return Err(io::Error::other(
                "direct TLS without ALPN: the client does not say that it speaks PostgreSQL's protocol",
            ));
        }
        // Another protocol than ours, rustls refuses itself.
        let stream = start.into_stream(Arc::clone(&self.config)).await.map_err(told)?;
        let client = match stream.get_ref().1.peer_certificates() {
            None | Some([]) => None,
            Some([own, ..]) => Some(readable(own)?),
        };
        Ok(Secured {
            stream: TlsStream::from(stream),
            end_point: self.end_point.clone(),
            client,
        })
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client may come without a certificate: whether it must show one is decided where it can be told.
fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let failed = |why: String| TlsError::Roots {
        path: path.to_owned(),
        why,
    };
    let mut roots = RootCertStore::empty();
    for root in certificates(path)? {
        roots.add(root).map_err(|error| failed(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| failed(error.to_string()))
}

/// What cannot be read names nobody, and may not be taken for no certificate at all.
fn readable(own: &CertificateDer<'_>) -> io::Result<Subject> {
    subject(own).ok_or_else(|| io::Error::other("the client's certificate cannot be read"))
}

/// The reason in one line. The client's end is often the reason: it did not like our certificate.
fn told(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return io::Error::new(
            error.kind(),
            "the client closed the connection in the middle of it",
        );
    }
    error
}

#[cfg(test)]
mod tests;
