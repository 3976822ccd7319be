//! Opening a session on the server, up to its first ReadyForQuery.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt as _;

use super::auth::{Answer, Authentication};
use super::{CancelKey, Target};
use crate::wire::backend::{self, ServerError, TransactionStatus};
use crate::wire::frame::HEADER;
use crate::wire::startup::encode_startup;
use crate::wire::{FrameReader, Malformed, ReadError, Report, Stream, sqlstate};

/// Bytes of the largest message before ReadyForQuery.
const MAX_MESSAGE: usize = 64 * 1024;

/// A session on the server, ready for its first statement.
#[derive(Debug)]
pub struct Connected {
    /// The connection; nothing of it is read beyond ReadyForQuery.
    pub stream: Stream,
    /// ParameterStatus and notices as they came, for the client.
    pub greeting: BytesMut,
    /// What the ParameterStatus messages said.
    pub parameters: Vec<(String, String)>,
    /// How to cancel what runs.
    pub cancel_key: CancelKey,
    /// The status of the first ReadyForQuery.
    pub status: TransactionStatus,
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
    /// The server asks for what is not supported.
    #[error("the server asks for authentication method {0}, which is not supported")]
    UnsupportedAuthentication(i32),
    /// SCRAM failed on our side.
    #[error("SCRAM failed: {0}")]
    Scram(#[source] io::Error),
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
            _ => None,
        }
    }

    /// What the client may see where [`Self::servers_own`] has nothing.
    #[must_use]
    pub fn report() -> Report {
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

/// Opens a session as the target's own role, with the client's startup parameters. Cancel-safe: dropped, the
/// connection closes.
pub async fn connect(target: &Arc<Target>, parameters: Vec<(&str, &str)>) -> Result<Connected, ConnectError> {
    let opened = async {
        let mut pending = open(target, &target.user, parameters).await?;
        authenticate(&mut pending, target).await?;
        greet(pending).await
    };
    in_time(target, opened).await
}

/// Opens a connection for a client that signs in by itself: the server's first question is to be
/// [received](Pending::receive). Cancel-safe: dropped, the connection closes.
pub async fn connect_as(
    target: &Arc<Target>,
    user: &str,
    parameters: Vec<(&str, &str)>,
) -> Result<Pending, ConnectError> {
    in_time(target, open(target, user, parameters)).await
}

async fn in_time<T>(
    target: &Target,
    connecting: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    tokio::time::timeout(target.connect_timeout, connecting)
        .await
        .unwrap_or(Err(ConnectError::Timeout(target.connect_timeout)))
}

/// A connection on which the login is going on.
#[derive(Debug)]
pub struct Pending {
    stream: Stream,
    reader: FrameReader,
    target: Arc<Target>,
}

impl Pending {
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

async fn open(
    target: &Arc<Target>,
    user: &str,
    parameters: Vec<(&str, &str)>,
) -> Result<Pending, ConnectError> {
    let mut stream = target.address.open().await?;
    let own = [("user", user), ("database", target.dbname.as_str())];
    stream
        .write_all(&encode_startup(own.into_iter().chain(parameters)))
        .await?;
    Ok(Pending {
        stream,
        reader: FrameReader::default(),
        target: Arc::clone(target),
    })
}

async fn authenticate(pending: &mut Pending, target: &Target) -> Result<(), ConnectError> {
    let mut authentication = Authentication::new(&target.user, target.password.as_ref());
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
            b'N' | b'v' => {}
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
    let mut parameters = Vec::new();
    let mut key = None;
    loop {
        let (tag, frame) = pending.receive().await?;
        let body = &frame[HEADER..];
        match tag {
            b'S' => {
                let (name, value) = backend::parameter_status(body)?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                parameters.push((text(name), text(value)));
                greeting.extend_from_slice(&frame);
            }
            b'N' => greeting.extend_from_slice(&frame),
            b'K' => {
                let (pid, secret) = backend::backend_key(body)?;
                key = Some(CancelKey {
                    target: Arc::clone(&pending.target),
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
                    greeting,
                    parameters,
                    cancel_key,
                    status,
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
