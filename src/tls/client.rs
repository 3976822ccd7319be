//! TLS as a client: towards a database server, as libpq does it.
//!
//! Source: PostgreSQL manual, "SSL Support" (libpq), and `src/interfaces/libpq/fe-secure-openssl.c`. Where
//! rustls is stricter than OpenSSL, that stays: no version below TLS 1.2, no signature over SHA-1.

mod host;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::pem;
use verify::{Trust, TrustedServer, UnverifiedServer};

/// The protocol's name in ALPN (PostgreSQL manual, "SSL Session Encryption").
const ALPN: &[u8] = b"postgresql";

static FROM_TLS12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static FROM_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];

/// How a server's certificate is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// Not at all: nobody who only listens can read along, but anybody can be the server.
    Nothing,
    /// Its chain must lead to one of these.
    Chain(Roots),
    /// As `Chain`, and it must name the host.
    ChainAndHost(Roots),
}

/// Which certificates are trusted to sign a server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those that the operating system trusts.
    System,
    /// Those in this PEM file.
    File(PathBuf),
}

/// What a client's TLS is made of.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// How the server's certificate is looked at.
    pub verification: Verification,
    /// The client's own certificate with its chain, and its key: PEM files.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// A PEM file of revocation lists. With it, every certificate of the chain must be covered by one.
    pub revoked: Option<PathBuf>,
    /// Only TLS 1.3; else TLS 1.2 as well.
    pub only_tls13: bool,
    /// Whether the server is told the host's name in the clear (SNI); an address never is.
    pub sni: bool,
}

/// What of the settings cannot be used; `key` is libpq's name for it.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {why}")]
pub struct ClientTlsError {
    key: &'static str,
    why: String,
}

impl ClientTlsError {
    fn of(key: &'static str, why: &(impl ToString + ?Sized)) -> Self {
        Self {
            key,
            why: why.to_string(),
        }
    }
}

/// TLS to one host. Made once: files are read here, and not again.
#[derive(Clone)]
pub struct Connector {
    connector: TlsConnector,
    host: ServerName<'static>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// For `host`: a name, or an address without brackets.
    pub fn new(host: &str, settings: &ClientSettings) -> Result<Self, ClientTlsError> {
        let host = ServerName::try_from(host.to_owned()).map_err(|_| {
            ClientTlsError::of(
                "sslmode",
                &format!("\"{host}\" is neither a host's name nor an address"),
            )
        })?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client_config(settings)?)),
            host,
        })
    }

    /// Shakes hands over `socket`. Cancel-safe: dropped, the connection closes.
    ///
    /// # Errors
    /// What rustls or the socket says; a certificate that is not trusted among it.
    pub async fn connect<S>(&self, socket: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connector.connect(self.host.clone(), socket).await
    }
}

fn client_config(settings: &ClientSettings) -> Result<ClientConfig, ClientTlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let versions: &[&'static SupportedProtocolVersion] = if settings.only_tls13 {
        &FROM_TLS13
    } else {
        &FROM_TLS12
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| ClientTlsError::of("ssl_min_protocol_version", &error))?
        .dangerous();
    let builder = match &settings.verification {
        Verification::Nothing => {
            builder.with_custom_certificate_verifier(Arc::new(UnverifiedServer::new(algorithms)))
        }
        Verification::Chain(roots) => {
            let trust = trust(roots, settings.revoked.as_deref())?;
            builder.with_custom_certificate_verifier(Arc::new(TrustedServer::any_host(trust, algorithms)))
        }
        Verification::ChainAndHost(roots) => {
            let trust = trust(roots, settings.revoked.as_deref())?;
            builder.with_custom_certificate_verifier(Arc::new(TrustedServer::this_host(trust, algorithms)))
        }
    };
    let mut config = match &settings.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = pem::certificates(certificate).map_err(|e| ClientTlsError::of("sslcert", &e))?;
            let private = pem::private_key(key).map_err(|e| ClientTlsError::of("sslkey", &e))?;
            builder.with_client_auth_cert(chain, private).map_err(|error| {
                let (certificate, key) = (certificate.display(), key.display());
                ClientTlsError::of("sslkey", &format!("{key} does not fit {certificate}: {error}"))
            })?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = settings.sni;
    // Every connection looks at the certificate anew; PostgreSQL resumes no sessions anyway.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn trust(roots: &Roots, revoked: Option<&Path>) -> Result<Trust, ClientTlsError> {
    let certificates = match roots {
        Roots::System => system_roots()?,
        Roots::File(path) => {
            pem::certificates(path).map_err(|error| ClientTlsError::of("sslrootcert", &error))?
        }
    };
    let lists = match revoked {
        None => Vec::new(),
        Some(path) => pem::revocation_lists(path).map_err(|error| ClientTlsError::of("sslcrl", &error))?,
    };
    match roots {
        Roots::System => Trust::of_system(&certificates, &lists),
        Roots::File(path) => Trust::of_file(path, certificates, &lists),
    }
    .map_err(|(key, why)| ClientTlsError::of(key, &why))
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, ClientTlsError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(
            || "the system has no trusted certificates (package ca-certificates)".to_owned(),
            |error| format!("the system's trusted certificates cannot be read: {error}"),
        );
        return Err(ClientTlsError::of("sslrootcert", &why));
    }
    Ok(found.certs)
}
