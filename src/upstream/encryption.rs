//! Whether and how a connection to the server is encrypted: libpq's `sslmode` and `sslnegotiation`.
//!
//! Source: PostgreSQL manual, "SSL Support" (libpq) and "SSL Session Encryption"; `PQconnectPoll` and
//! `select_next_encryption_method` in `src/interfaces/libpq/fe-connect.c`.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::ConnectError;
use crate::tls::client::Connector;
use crate::tls::server_end_point;
use crate::wire::Stream;
use crate::wire::startup::encode_ssl_request;

/// When a connection is encrypted.
#[derive(Debug, Clone)]
pub enum Encryption {
    /// Never: `disable`, and every Unix socket, where libpq ignores `sslmode`, too.
    Never,
    /// Once the server has refused the session in plaintext: `allow`.
    IfRefused(Tls),
    /// If the server can; and no more once it has refused the session: `prefer`.
    IfOffered(Tls),
    /// Always: `require`, `verify-ca`, `verify-full`.
    Always(Tls),
}

/// How TLS begins, and with whom.
#[derive(Debug, Clone)]
pub struct Tls {
    /// What shakes hands.
    pub connector: Connector,
    /// Whether the handshake is the first thing on the connection (`sslnegotiation=direct`), instead of
    /// what follows SSLRequest.
    pub direct: bool,
}

/// One way to reach the server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    Plain,
    /// TLS, or plaintext on the same connection where the server has none.
    TlsIfOffered(&'a Tls),
    Tls(&'a Tls),
}

impl Encryption {
    /// The ways to try: the second where the first is refused.
    pub(super) fn ways(&self) -> (Way<'_>, Option<Way<'_>>) {
        match self {
            Self::Never => (Way::Plain, None),
            Self::IfRefused(tls) => (Way::Plain, Some(Way::Tls(tls))),
            Self::IfOffered(tls) => (Way::TlsIfOffered(tls), Some(Way::Plain)),
            Self::Always(tls) => (Way::Tls(tls), None),
        }
    }

    /// How TLS is begun, where it is used at all.
    pub(super) fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Never => None,
            Self::IfRefused(tls) | Self::IfOffered(tls) | Self::Always(tls) => Some(tls),
        }
    }
}

/// What an encrypted connection is like.
#[derive(Debug)]
pub(super) struct Encrypted {
    /// What SCRAM can bind itself to, if the server's certificate has it.
    pub(super) end_point: Option<Vec<u8>>,
    /// TLS version and cipher suite, for the log.
    pub(super) what: String,
}

/// Goes `way` on a new connection, up to where StartupMessage or CancelRequest is due. With
/// `None`, the connection is in plaintext.
pub(super) async fn encrypt(
    stream: Stream,
    way: Way<'_>,
) -> Result<(Stream, Option<Encrypted>), ConnectError> {
    let (mut stream, tls, needed) = match way {
        Way::Plain => return Ok((stream, None)),
        Way::TlsIfOffered(tls) => (stream, tls, false),
        Way::Tls(tls) => (stream, tls, true),
    };
    if !tls.direct && !is_offered(&mut stream).await? {
        return if needed {
            Err(ConnectError::NoTls)
        } else {
            Ok((stream, None))
        };
    }
    let Stream::Plain(socket) = stream else {
        return Err(ConnectError::Protocol("TLS within TLS"));
    };
    let stream = tls
        .connector
        .connect(socket)
        .await
        .map_err(ConnectError::Handshake)?;
    let session = stream.get_ref().1;
    if tls.direct && session.alpn_protocol().is_none() {
        return Err(ConnectError::Protocol(
            "it took a direct TLS connection without ALPN, as no PostgreSQL does",
        ));
    }
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let version = session.protocol_version().and_then(|version| version.as_str());
    let suite = session
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str());
    let encrypted = Encrypted {
        end_point: certificate.and_then(|certificate| server_end_point(certificate)),
        what: format!(
            "{} {}",
            version.unwrap_or("TLS"),
            suite.unwrap_or("unknown cipher suite")
        ),
    };
    Ok((Stream::Tls(Box::new(stream.into())), Some(encrypted)))
}

/// Sends SSLRequest. The answer is one byte; what somebody may have put behind it in plaintext must not
/// be taken for a part of the encrypted session (CVE-2021-23222), nor for one of any other.
async fn is_offered(stream: &mut Stream) -> Result<bool, ConnectError> {
    stream.write_all(&encode_ssl_request()).await?;
    let mut answer = [0; 2];
    let length = stream.read(&mut answer).await?;
    match (length, answer[0]) {
        (0, _) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        // Its text is not to be trusted, and not shown: nobody knows yet who says it (CVE-2024-10977).
        (_, b'E') => Err(ConnectError::Protocol("it answered SSLRequest with an error")),
        (1, b'S') => Ok(true),
        (1, b'N') => Ok(false),
        (_, b'S' | b'N') => Err(ConnectError::Protocol(
            "it sent unencrypted data behind its answer to SSLRequest",
        )),
        _ => Err(ConnectError::Protocol(
            "it answered SSLRequest with neither S nor N",
        )),
    }
}
