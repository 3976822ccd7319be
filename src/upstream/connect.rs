//! Opening a session on the server, up to its first ReadyForQuery.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::auth::{Answer, Authentication};
use super::{CancelKey, Target};
use crate::wire::backend::{self, ServerError, TransactionStatus};
use crate::wire::frame::HEADER;
use crate::wire::startup::encode_startup;
use crate::wire::{FrameError, Header, Malformed, Report, Stream, sqlstate};

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
    #[error("the server refused: {} ({})", .0.message, .0.sqlstate)]
    Refused(ServerError),
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

impl From<FrameError> for ConnectError {
    fn from(_: FrameError) -> Self {
        Self::Protocol("invalid message length")
    }
}

impl ConnectError {
    /// What the client may see: how the server stands and what the client's own parameters brought, but
    /// nothing of the credentials and addresses that are ours.
    #[must_use]
    pub fn report(&self) -> Report {
        match self {
            Self::Refused(error) if is_the_clients(&error.sqlstate) => {
                Report::fatal(static_sqlstate(&error.sqlstate), error.message.clone())
            }
            _ => Report::fatal(
                sqlstate::UNABLE_TO_CONNECT,
                "holdpoint cannot connect to the database server",
            )
            .hint("Tell the operator of holdpoint; its log says why."),
        }
    }
}

/// Refusals that speak of the server's state or of the client's startup parameters.
fn is_the_clients(sqlstate: &str) -> bool {
    static_sqlstate(sqlstate) != sqlstate::UNABLE_TO_CONNECT
}

fn static_sqlstate(state: &str) -> &'static str {
    const SHOWN: [&str; 8] = [
        "22023", "42704", "53300", "55P02", "57P01", "57P02", "57P03", "42501",
    ];
    SHOWN
        .into_iter()
        .find(|s| *s == state)
        .unwrap_or(sqlstate::UNABLE_TO_CONNECT)
}

/// Opens a session with the client's startup parameters. Cancel-safe: dropped, the connection closes.
pub async fn connect(target: &Arc<Target>, parameters: Vec<(&str, &str)>) -> Result<Connected, ConnectError> {
    tokio::time::timeout(target.connect_timeout, open(target, parameters))
        .await
        .unwrap_or(Err(ConnectError::Timeout(target.connect_timeout)))
}

async fn open(target: &Arc<Target>, parameters: Vec<(&str, &str)>) -> Result<Connected, ConnectError> {
    let mut stream = target.address.open().await?;
    let own = [
        ("user", target.user.as_str()),
        ("database", target.dbname.as_str()),
    ];
    stream
        .write_all(&encode_startup(own.into_iter().chain(parameters)))
        .await?;
    authenticate(&mut stream, target).await?;
    greet(stream, target).await
}

async fn authenticate(stream: &mut Stream, target: &Target) -> Result<(), ConnectError> {
    let mut authentication = Authentication::new(&target.user, target.password.as_ref());
    loop {
        let (tag, frame) = read_frame(stream).await?;
        match tag {
            b'R' => match authentication.answer(&frame[HEADER..])? {
                Answer::Send(body) => {
                    let mut message = vec![b'p'];
                    message.extend(u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes());
                    message.extend(body);
                    stream.write_all(&message).await?;
                }
                Answer::Nothing => {}
                Answer::Done => return Ok(()),
            },
            b'E' => return Err(ConnectError::Refused(backend::error_response(&frame[HEADER..]))),
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
async fn greet(mut stream: Stream, target: &Arc<Target>) -> Result<Connected, ConnectError> {
    let mut greeting = BytesMut::new();
    let mut parameters = Vec::new();
    let mut key = None;
    loop {
        let (tag, frame) = read_frame(&mut stream).await?;
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
                    target: Arc::clone(target),
                    pid,
                    secret: secret.into(),
                });
            }
            b'E' => return Err(ConnectError::Refused(backend::error_response(body))),
            b'Z' => {
                let status = backend::ready_for_query(body)?;
                let cancel_key = key.ok_or(ConnectError::Protocol("no BackendKeyData"))?;
                return Ok(Connected {
                    stream,
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

/// One whole frame; exactly its bytes are read, so that nothing of what follows is swallowed.
async fn read_frame(stream: &mut Stream) -> Result<(u8, Vec<u8>), ConnectError> {
    let mut frame = vec![0; HEADER];
    stream.read_exact(&mut frame).await?;
    let header = Header::peek(&frame)?.ok_or(ConnectError::Protocol("no header"))?;
    if header.body > MAX_MESSAGE {
        return Err(ConnectError::Protocol("too long a message during startup"));
    }
    frame.resize(header.total(), 0);
    stream.read_exact(&mut frame[HEADER..]).await?;
    Ok((header.tag, frame))
}
