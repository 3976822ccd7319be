//! Opening a session on the server, up to its first ReadyForQuery.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;

use super::auth::{Answer, Authentication};
use super::encryption::{Encrypted, Way, encrypt};
use super::{CancelKey, Demands, Lease, Target};
use crate::wire::backend::{self, ServerError, TransactionStatus};
use crate::wire::frame::HEADER;
use crate::wire::startup::encode_startup;
use crate::wire::{FrameReader, Header, Malformed, ReadError, Report, Socket, Stream, sqlstate};

/// Bytes of the largest message before ReadyForQuery.
const MAX_MESSAGE: usize = 64 * 1024;

/// A session on the server, ready for its first statement.
#[derive(Debug)]
pub struct Connected {
    /// The connection; nothing of it is read beyond ReadyForQuery.
    pub stream: Stream,
    /// ParameterStatus and notices for the client: as they came, or, of a pool's, with the values of now.
    pub greeting: Bytes,
    /// How to cancel what runs.
    pub cancel_key: CancelKey,
    /// The status of the first ReadyForQuery.
    pub status: TransactionStatus,
    /// What it goes back to when the session has ended, where it is a pool's.
    pub lease: Option<Lease>,
}

impl Connected {
    /// The values of settings as the greeting reports them. `None`: it does not, or as no text.
    #[must_use]
    pub fn reported<const N: usize>(&self, names: [&str; N]) -> [Option<&str>; N] {
        let mut values = [None; N];
        let mut rest = &self.greeting[..];
        while let Ok(Some(header)) = Header::peek(rest)
            && let Some((frame, behind)) = rest.split_at_checked(header.total())
        {
            if header.tag == b'S'
                && let Ok((of, is)) = backend::parameter_status(&frame[HEADER..])
                && let Some(at) = names.iter().position(|name| name.as_bytes() == of)
            {
                values[at] = std::str::from_utf8(is).ok();
            }
            rest = behind;
        }
        values
    }
}

/// Why no session could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server could not be reached, or closed the connection.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Timeout(std::time::Duration),
    /// The server refused.
    #[error("the server refused: {} ({})", error.message, error.sqlstate)]
    Refused {
        /// What it said.
        error: ServerError,
        /// The whole message.
        frame: Vec<u8>,
    },
    /// The server asks for a password, and none is configured.
    #[error("the server asks for a password, and [databases.NAME] has none")]
    NoPassword,
    /// TLS is demanded, and the server has none.
    #[error("the server has no TLS, and sslmode demands it")]
    NoTls,
    /// The TLS handshake failed; a certificate that is not good enough among the reasons.
    #[error("TLS with the server failed: {0}")]
    Handshake(#[source] io::Error),
    /// `channel_binding = require` cannot be met.
    #[error("channel_binding demands that SCRAM is bound to TLS, but {0}")]
    NoChannelBinding(&'static str),
    /// The server's way to authenticate is not in `require_auth`.
    #[error("the server asks for {0}, which require_auth forbids")]
    ForbiddenAuthentication(&'static str),
    /// Neither with TLS nor without it; in the order in which it was tried.
    #[error("{0}; {1}")]
    Twice(Box<ConnectError>, Box<ConnectError>),
    /// The server asks for what is not supported.
    #[error("the server asks for authentication method {0}, which is not supported")]
    UnsupportedAuthentication(i32),
    /// SCRAM failed on our side.
    #[error("SCRAM failed: {0}")]
    Scram(#[source] io::Error),
    /// As many connections are in use as there may be.
    #[error(
        "all {limit} connections of the role were in use for {waited:?} (max_connections of the database's pool)"
    )]
    NoRoom {
        /// How many that is.
        limit: usize,
        /// How long was waited.
        waited: std::time::Duration,
    },
    /// The server does not speak the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(&'static str),
}

impl From<Malformed> for ConnectError {
    fn from(malformed: Malformed) -> Self {
        Self::Protocol(malformed.0)
    }
}

impl From<ReadError> for ConnectError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Io(error),
            ReadError::Length { .. } => Self::Protocol("a message during startup with an invalid length"),
        }
    }
}

impl ConnectError {
    /// The server's ErrorResponse, all of it.
    #[must_use]
    pub fn refused(frame: Vec<u8>) -> Self {
        Self::Refused {
            error: backend::error_response(frame.get(HEADER..).unwrap_or_default()),
            frame,
        }
    }

    /// The server's own message, to a client that signed in to it by itself.
    #[must_use]
    pub fn servers_message(&self) -> Option<&[u8]> {
        match self {
            Self::Refused { frame, .. } => Some(frame),
            _ => None,
        }
    }

    /// The server's own message, where the client may see it: how the server stands and what the client's
    /// own parameters brought. `None` where it could speak of the credentials and addresses that are ours.
    #[must_use]
    pub fn servers_own(&self) -> Option<&[u8]> {
        match self {
            Self::Refused { error, frame } if SHOWN.contains(&error.sqlstate.as_str()) => Some(frame),
            // It may have said so either time.
            Self::Twice(first, second) => first.servers_own().or_else(|| second.servers_own()),
            _ => None,
        }
    }

    /// What the client may see where [`Self::servers_own`] has nothing.
    #[must_use]
    pub fn report(&self) -> Report {
        if let Self::NoRoom { .. } = self {
            return Report::fatal(
                sqlstate::TOO_MANY_CONNECTIONS,
                "sorry, too many clients already: all connections to the database server are in use",
            )
            .hint("Try again later; the operator of holdpoint can allow more.");
        }
        Report::fatal(
            sqlstate::UNABLE_TO_CONNECT,
            "holdpoint cannot connect to the database server",
        )
        .hint("Tell the operator of holdpoint; its log says why.")
    }
}

/// Refusals that speak of the server's state or of the client's startup parameters.
const SHOWN: [&str; 9] = [
    "22023", "42704", "53300", "55P02", "57P01", "57P02", "57P03", "42501", "42601",
];

/// Opens a session as the target's own role with the client's startup parameters, in protocol 3.`minor` or in
/// what the server goes down to. Cancel-safe: dropped, the connection closes.
pub async fn connect(
    target: &Arc<Target>,
    minor: u16,
    parameters: Vec<(&str, &str)>,
) -> Result<Connected, ConnectError> {
    in_time(target, open(target, minor, &parameters)).await
}

/// Opens a connection for a client that signs in by itself: the server's first question is to be
/// [received](Pending::receive). Of the ways that `sslmode` has, the first alone is taken: a client cannot be
/// asked for its password again. Cancel-safe: dropped, the connection closes.
pub async fn connect_as(
    target: &Arc<Target>,
    user: &str,
    minor: u16,
    parameters: Vec<(&str, &str)>,
) -> Result<Pending, ConnectError> {
    let (way, _) = target.encryption.ways();
    let begun = async {
        begin(target, way, user, minor, &parameters)
            .await
            .map(|(pending, _)| pending)
    };
    in_time(target, begun).await
}

async fn in_time<T>(
    target: &Target,
    connecting: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    crate::timer::timeout(target.connect_timeout, connecting)
        .await
        .unwrap_or(Err(ConnectError::Timeout(target.connect_timeout)))
}

/// A connection on which the login is going on.
#[derive(Debug)]
pub struct Pending {
    stream: Stream,
    is_encrypted: bool,
    reader: FrameReader,
    target: Arc<Target>,
}

impl Pending {
    /// What is demanded of the server's way to authenticate.
    #[must_use]
    pub fn demands(&self) -> Demands {
        self.target.demands
    }

    /// The type and all bytes of the server's next message. Cancel-safe.
    pub async fn receive(&mut self) -> Result<(u8, Vec<u8>), ConnectError> {
        Ok(self.reader.read(&mut self.stream, MAX_MESSAGE).await?)
    }

    /// Sends a client's whole message as it is. Not cancel-safe: dropped, half of it may have been sent.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), ConnectError> {
        self.stream.write_all(frame).await?;
        Ok(self.stream.flush().await?)
    }

    /// Behind AuthenticationOk: waits for the server's greeting. Cancel-safe: dropped, the connection closes.
    pub async fn greet(self) -> Result<Connected, ConnectError> {
        let target = Arc::clone(&self.target);
        in_time(&target, greet(self)).await
    }
}

/// Why one way to the server led nowhere.
enum Failure {
    /// As for libpq, another way may do: the handshake failed, or the server refused the login.
    Refused(ConnectError),
    /// It would be the same on every way.
    Final(ConnectError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Final(error.into())
    }
}

async fn open(
    target: &Arc<Target>,
    minor: u16,
    parameters: &[(&str, &str)],
) -> Result<Connected, ConnectError> {
    let (first, second) = target.encryption.ways();
    let refused = match attempt(target, first, minor, parameters).await {
        Ok(connected) => return Ok(connected),
        Err(Failure::Final(error)) => return Err(error),
        Err(Failure::Refused(error)) => error,
    };
    let Some(second) = second else {
        return Err(refused);
    };
    tracing::debug!(error = %refused, "the server is asked again, the other way");
    match attempt(target, second, minor, parameters).await {
        Ok(connected) => Ok(connected),
        Err(Failure::Final(error) | Failure::Refused(error)) => {
            Err(ConnectError::Twice(Box::new(refused), Box::new(error)))
        }
    }
}

/// One connection, one way.
async fn attempt(
    target: &Arc<Target>,
    way: Way<'_>,
    minor: u16,
    parameters: &[(&str, &str)],
) -> Result<Connected, Failure> {
    let (mut pending, encrypted) = match begin(target, way, &target.user, minor, parameters).await {
        Ok(begun) => begun,
        Err(error @ (ConnectError::Handshake(_) | ConnectError::NoTls)) => {
            return Err(Failure::Refused(error));
        }
        Err(error) => return Err(Failure::Final(error)),
    };
    let authentication = Authentication::new(target, encrypted.as_ref());
    match authenticate(&mut pending, authentication, minor).await {
        Ok(()) => {}
        // In plaintext because the server has no TLS: without it, it would be the same.
        Err(error @ ConnectError::Refused { .. }) => {
            return Err(match way {
                Way::TlsIfOffered(_) if encrypted.is_none() => Failure::Final(error),
                _ => Failure::Refused(error),
            });
        }
        Err(error) => return Err(Failure::Final(error)),
    }
    greet(pending).await.map_err(Failure::Final)
}

/// Connects, encrypts, and sends StartupMessage.
async fn begin(
    target: &Arc<Target>,
    way: Way<'_>,
    user: &str,
    minor: u16,
    parameters: &[(&str, &str)],
) -> Result<(Pending, Option<Encrypted>), ConnectError> {
    let stream = target.address.open().await?;
    let (mut stream, encrypted) = encrypt(stream, way).await?;
    let own = [("user", user), ("database", target.dbname.as_str())];
    let packet = encode_startup(minor, own.into_iter().chain(parameters.iter().copied()));
    stream.write_all(&packet).await?;
    stream.flush().await?;
    tracing::debug!(
        tls = encrypted.as_ref().map_or("none", |e| e.what.as_str()),
        "connected to the server"
    );
    let pending = Pending {
        stream,
        is_encrypted: encrypted.is_some(),
        reader: FrameReader::default(),
        target: Arc::clone(target),
    };
    Ok((pending, encrypted))
}

async fn authenticate(
    pending: &mut Pending,
    mut authentication: Authentication<'_>,
    minor: u16,
) -> Result<(), ConnectError> {
    // The first message may be NegotiateProtocolVersion; only one, and only where there is room to go down.
    let mut asked = Some(minor).filter(|&minor| minor > 0);
    loop {
        let (tag, frame) = pending.receive().await?;
        match tag {
            b'R' => match authentication.answer(&frame[HEADER..])? {
                Answer::Send(body) => {
                    let mut message = vec![b'p'];
                    message.extend(u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes());
                    message.extend(body);
                    pending.send(&message).await?;
                }
                Answer::Nothing => {}
                Answer::Done => return Ok(()),
            },
            b'E' => return Err(ConnectError::refused(frame)),
            b'v' => {
                let asked = asked.take().ok_or(ConnectError::Protocol(
                    "it negotiates a protocol where there is nothing to negotiate",
                ))?;
                let spoken = backend::negotiated_minor(&frame[HEADER..], asked)?;
                tracing::debug!("the server goes down to protocol 3.{spoken}");
            }
            b'N' => {}
            _ => {
                return Err(ConnectError::Protocol(
                    "an unexpected message during authentication",
                ));
            }
        }
    }
}

/// Reads what the server says between the login and its first ReadyForQuery.
async fn greet(mut pending: Pending) -> Result<Connected, ConnectError> {
    let mut greeting = BytesMut::new();
    let mut key = None;
    loop {
        let (tag, frame) = pending.receive().await?;
        let body = &frame[HEADER..];
        match tag {
            b'S' => {
                backend::parameter_status(body)?;
                greeting.extend_from_slice(&frame);
            }
            b'N' => greeting.extend_from_slice(&frame),
            b'K' => {
                let (pid, secret) = backend::backend_key(body)?;
                key = Some(CancelKey {
                    target: Arc::clone(&pending.target),
                    peer: match pending.stream.socket() {
                        Some(Socket::Tcp(socket)) => socket.peer_addr().ok(),
                        _ => None,
                    },
                    is_encrypted: pending.is_encrypted,
                    pid,
                    secret: secret.into(),
                });
            }
            b'E' => return Err(ConnectError::refused(frame)),
            b'Z' => {
                let status = backend::ready_for_query(body)?;
                let cancel_key = key.ok_or(ConnectError::Protocol("no BackendKeyData"))?;
                return Ok(Connected {
                    stream: pending.stream,
                    greeting: greeting.freeze(),
                    cancel_key,
                    status,
                    lease: None,
                });
            }
            _ => {
                return Err(ConnectError::Protocol(
                    "an unexpected message after authentication",
                ));
            }
        }
        if greeting.len() > MAX_MESSAGE {
            return Err(ConnectError::Protocol("too long a greeting"));
        }
    }
}
