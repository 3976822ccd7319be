#![expect(clippy::unwrap_used, reason = "tests")]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
use tokio_rustls::TlsConnector;

use super::*;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate with its key.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

/// The files of a server of that authority, whose clients are of it, too.
fn files(folder: &TempDir, authority: &Authority) -> ServerFiles {
    let at = |name: &str| folder.path().join(name);
    let (certificate, key) = authority.issue("server");
    std::fs::write(at("cert"), certificate.pem()).unwrap();
    std::fs::write(at("key"), key.serialize_pem()).unwrap();
    std::fs::write(at("ca"), authority.0.pem()).unwrap();
    ServerFiles {
        cert: at("cert"),
        key: at("key"),
        client_ca: Some(at("ca")),
        min_version: Version::Tls12,
    }
}

fn client(authority: &Authority, alpn: &[&[u8]], own: Option<(rcgen::Certificate, KeyPair)>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots());
    let mut config = match own {
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![certificate.into()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

/// What came of a handshake at both ends.
async fn shake(
    acceptor: &Acceptor,
    asked: Asked,
    config: ClientConfig,
) -> (io::Result<Secured<DuplexStream>>, io::Result<()>) {
    let (near, far) = duplex(64 * 1024);
    let client = async {
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector
            .connect(ServerName::try_from("localhost").unwrap(), far)
            .await?;
        // In TLS 1.3 the server's refusal comes after the client's end.
        match stream.read_u8().await {
            Ok(b'!') => Ok(()),
            Ok(_) => Err(io::ErrorKind::InvalidData.into()),
            Err(error) => Err(error),
        }
    };
    let server = async {
        let mut secured = acceptor.accept(near, asked).await?;
        secured.stream.write_all(b"!").await?;
        secured.stream.flush().await?;
        Ok(secured)
    };
    tokio::join!(server, client)
}

#[tokio::test]
async fn alpn_must_be_ours_and_where_tls_came_unasked_it_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let acceptor = Acceptor::load(&files(&folder, &authority)).unwrap();
    let ours: &[&[u8]] = &[b"postgresql"];
    let both: &[&[u8]] = &[b"h2", b"postgresql"];
    let other: &[&[u8]] = &[b"http/1.1"];
    for (asked, alpn, is_taken) in [
        (Asked::First, &[][..], true),
        (Asked::First, ours, true),
        (Asked::First, both, true),
        (Asked::First, other, false),
        (Asked::Directly, &[], false),
        (Asked::Directly, ours, true),
        (Asked::Directly, both, true),
        (Asked::Directly, other, false),
    ] {
        let (server, heard) = shake(&acceptor, asked, client(&authority, alpn, None)).await;
        assert_eq!(server.is_ok(), is_taken, "{asked:?} {alpn:?}");
        match heard {
            Ok(()) => assert!(is_taken),
            Err(error) => assert!(error.to_string().contains("NoApplicationProtocol"), "{error}"),
        }
    }
}

#[tokio::test]
async fn a_clients_certificate_is_of_the_roots_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let acceptor = Acceptor::load(&files(&folder, &authority)).unwrap();
    let own = Some(authority.issue("alice"));
    let (server, heard) = shake(&acceptor, Asked::First, client(&authority, &[], own)).await;
    heard.unwrap();
    let secured = server.unwrap();
    assert_eq!(secured.client.unwrap().common_name.as_deref(), Some("alice"));
    assert!(secured.end_point.is_some());

    let (server, _) = shake(&acceptor, Asked::First, client(&authority, &[], None)).await;
    assert_eq!(server.unwrap().client, None);

    let strangers = Some(Authority::new().issue("alice"));
    let (server, heard) = shake(&acceptor, Asked::First, client(&authority, &[], strangers)).await;
    assert!(server.is_err() && heard.is_err());
}

#[tokio::test]
async fn what_is_no_tls_ends_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let acceptor = Acceptor::load(&files(&folder, &Authority::new())).unwrap();
    for bytes in [
        &b"\0\0\0\x08\x04\xd2\x16\x2f"[..],
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
    ] {
        let (near, mut far) = duplex(1024);
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        assert!(acceptor.accept(near, Asked::First).await.is_err(), "{bytes:?}");
    }
}

#[tokio::test]
async fn version_1_2_is_spoken_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let mut files = files(&folder, &authority);
    for (min_version, is_taken) in [(Version::Tls12, true), (Version::Tls13, false)] {
        files.min_version = min_version;
        let old = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(authority.roots())
            .with_no_client_auth();
        let acceptor = Acceptor::load(&files).unwrap();
        let (server, _) = shake(&acceptor, Asked::First, old).await;
        assert_eq!(server.is_ok(), is_taken);
    }
}

#[test]
fn what_is_wrong_with_the_files_is_said_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let good = files(&folder, &authority);
    let (_, other) = authority.issue("other");
    std::fs::write(folder.path().join("other"), other.serialize_pem()).unwrap();
    let at = |name: &str| folder.path().join(name);
    for (bad, named) in [
        (
            ServerFiles {
                cert: at("none"),
                ..good.clone()
            },
            "none cannot be read",
        ),
        (
            ServerFiles {
                cert: at("key"),
                ..good.clone()
            },
            "key holds no certificate",
        ),
        (
            ServerFiles {
                key: at("cert"),
                ..good.clone()
            },
            "cert holds no private key",
        ),
        (
            ServerFiles {
                key: at("other"),
                ..good.clone()
            },
            "other cannot be used together",
        ),
        (
            ServerFiles {
                client_ca: Some(at("key")),
                ..good.clone()
            },
            "key holds no certificate",
        ),
    ] {
        let message = Acceptor::load(&bad).unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    }
    Acceptor::load(&good).unwrap();
}
