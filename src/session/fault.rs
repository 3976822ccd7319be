//! What ends a session early, and the one exit to the client.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::inflight::Desync;
use super::leg::Leg;
use crate::model::RequestId;
use crate::store::StoreError;
use crate::upstream::ConnectError;
use crate::wire::{FrameError, Malformed, Report, sqlstate};

/// How long a client is given to take its last message.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the client closed the connection")]
    ClientGone,
    #[error("the client's connection failed: {0}")]
    ClientIo(#[source] io::Error),
    #[error("the client does not take what it is told while a statement runs under a limit of rows")]
    ClientStalled,
    #[error("the client broke the protocol: {0}")]
    ClientProtocol(String),
    #[error("the client sent an invalid message length")]
    ClientFraming,
    #[error("the client sent a message of type 0x{0:02X} during COPY from stdin")]
    ClientInCopy(u8),
    /// A timeout was reported, and it cannot be told what the server skips for it.
    #[error("a timeout came between a Flush and a query: it cannot be told what the server skips")]
    OutOfStep,
    #[error("the server closed the connection")]
    ServerGone,
    #[error("the server's connection failed: {0}")]
    ServerIo(#[source] io::Error),
    #[error("the server broke the protocol: {0}")]
    ServerProtocol(String),
    #[error("the login took too long")]
    LoginTimeout,
    #[error("too many connections")]
    TooManyConnections,
    #[error("too many connections for user {user}")]
    TooManyForUser { user: String },
    #[error("login refused: {reason}")]
    LoginRefused { user: String, reason: &'static str },
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    #[error("the client shows no certificate")]
    NoCertificate,
    #[error("certificate refused: {reason}")]
    CertificateRefused {
        user: Box<str>,
        subject: Box<str>,
        reason: &'static str,
    },
    #[error("startup refused: {0:?}")]
    StartupRefused(Box<Report>),
    #[error("cannot connect upstream: {0}")]
    Upstream(#[source] Box<ConnectError>),
    #[error("the client's own login upstream: {0}")]
    PassedThrough(#[source] Box<ConnectError>),
    #[error("the store failed: {0}")]
    Store(#[source] StoreError),
    #[error("the bytes to be forwarded are not those that were approved")]
    Unapproved,
    #[error("the server did not move the read shield")]
    Shield,
    #[error("the server did not leave the transaction as it was before a change was checked")]
    Inquiry,
    #[error("the server answered otherwise than is known to a statement under a limit of rows")]
    Limited,
    #[error("user {user} was disabled")]
    Expelled { user: String },
    #[error("the time for the review of a transaction is over (request {id})")]
    ReviewOver { id: RequestId, url: String },
    #[error("the proxy stops")]
    ShuttingDown,
    #[error("the proxy stops; request {id} is abandoned")]
    Abandoned { id: RequestId },
}

impl Fault {
    pub(super) fn client_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                Self::ClientGone
            }
            _ => Self::ClientIo(error),
        }
    }

    pub(super) fn server_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                Self::ServerGone
            }
            _ => Self::ServerIo(error),
        }
    }

    pub(super) fn upstream(error: ConnectError) -> Self {
        Self::Upstream(Box::new(error))
    }

    pub(super) fn passed_through(error: ConnectError) -> Self {
        Self::PassedThrough(Box::new(error))
    }

    pub(super) fn client_framing(error: FrameError) -> Self {
        match error {
            FrameError::Length => Self::ClientFraming,
            FrameError::Type(_) => Self::ClientProtocol(error.to_string()),
        }
    }

    pub(super) fn server_framing(error: FrameError) -> Self {
        Self::ServerProtocol(error.to_string())
    }

    pub(super) fn desync(desync: Desync) -> Self {
        match desync {
            Desync::InCopy(tag) => Self::ClientInCopy(tag),
            Desync::Unasked => Self::ServerProtocol(desync.to_string()),
            Desync::Ambiguous => Self::OutOfStep,
        }
    }

    pub(super) fn server_message(error: Malformed) -> Self {
        Self::ServerProtocol(error.to_string())
    }

    /// What the client may see: an allow-list. `None`: there is nobody to tell.
    fn report(&self) -> Option<Report> {
        Some(match self {
            // A handshake that failed has told by an alert. PostgreSQL only logs a bad length, and closes
            // (`pq_getmessage` in `src/backend/libpq/pqcomm.c`).
            Self::ClientGone
            | Self::ClientStalled
            | Self::ClientIo(_)
            | Self::ClientFraming
            | Self::Handshake(_) => return None,
            Self::ClientProtocol(what) => Report::fatal(sqlstate::PROTOCOL_VIOLATION, what.clone()),
            Self::ClientInCopy(_) | Self::OutOfStep => Report::fatal(
                sqlstate::PROTOCOL_VIOLATION,
                "terminating connection because protocol synchronization was lost",
            ),
            Self::ServerGone | Self::ServerIo(_) | Self::ServerProtocol(_) => Report::fatal(
                sqlstate::CONNECTION_FAILURE,
                "the database server closed the connection unexpectedly",
            ),
            Self::LoginTimeout => Report::fatal(
                sqlstate::QUERY_CANCELED,
                "canceling authentication due to timeout",
            ),
            Self::TooManyConnections => {
                Report::fatal(sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
            }
            Self::TooManyForUser { user } => Report::fatal(
                sqlstate::TOO_MANY_CONNECTIONS,
                format!("too many connections for role \"{user}\""),
            ),
            Self::LoginRefused { user, .. } => Report::fatal(
                sqlstate::INVALID_PASSWORD,
                format!("password authentication failed for user \"{user}\""),
            ),
            Self::NoCertificate => Report::fatal(
                sqlstate::INVALID_AUTHORIZATION,
                "connection requires a valid client certificate",
            ),
            Self::CertificateRefused { user, .. } => Report::fatal(
                sqlstate::INVALID_AUTHORIZATION,
                format!("certificate authentication failed for user \"{user}\""),
            ),
            Self::StartupRefused(report) => (**report).clone(),
            Self::Upstream(error) | Self::PassedThrough(error) => error.report(),
            Self::Store(_) => Report::fatal(sqlstate::IO_ERROR, "holdpoint's store does not work")
                .hint("Tell the operator of holdpoint; its log says more."),
            Self::Unapproved => Report::fatal(sqlstate::INTERNAL_ERROR, "internal error; nothing was run"),
            Self::Shield => Report::fatal(
                sqlstate::READ_ONLY_TRANSACTION,
                "terminating connection: the read shield could not be moved",
            )
            .hint("Connect again. If it happens again, tell the operator of holdpoint; its log says more."),
            Self::Inquiry => lost_in_inquiry(),
            Self::Limited => uncounted(),
            Self::Expelled { user } => Report::fatal(
                sqlstate::ADMIN_SHUTDOWN,
                format!("terminating connection: user \"{user}\" was disabled"),
            ),
            Self::ReviewOver { id, url } => review_over(*id, url),
            Self::ShuttingDown => Report::fatal(
                sqlstate::ADMIN_SHUTDOWN,
                "terminating connection: holdpoint is being stopped",
            ),
            Self::Abandoned { id } => Report::fatal(
                sqlstate::ADMIN_SHUTDOWN,
                "terminating connection: holdpoint is being stopped",
            )
            .detail(format!(
                "The held statement did not run; request {id} is abandoned."
            ))
            .hint("Connect again and send it again."),
        })
    }

    /// What the client hears before that: PostgreSQL ends a COPY with an error before it ends the session.
    fn prelude(&self) -> Option<Report> {
        match self {
            Self::ClientInCopy(tag) => Some(Report::error(
                sqlstate::PROTOCOL_VIOLATION,
                Desync::InCopy(*tag).to_string(),
            )),
            _ => None,
        }
    }

    /// What the server itself has said, for the client as it is.
    fn servers_own(&self) -> Option<&[u8]> {
        match self {
            Self::Upstream(error) => error.servers_own(),
            Self::PassedThrough(error) => error.servers_message(),
            _ => None,
        }
    }

    pub(super) fn log(&self, peer: SocketAddr) {
        match self {
            // That a review is over is logged where its session is cut off.
            Self::ClientGone | Self::ShuttingDown | Self::Abandoned { .. } | Self::ReviewOver { .. } => {
                tracing::debug!(client.addr = %peer, "session ended: {self}");
            }
            Self::LoginRefused { user, reason } => {
                tracing::warn!(client.addr = %peer, user.name = %user, reason, "login refused");
            }
            Self::CertificateRefused {
                user,
                subject,
                reason,
            } => {
                tracing::warn!(client.addr = %peer, user.name = %user, certificate.subject = %subject, reason,
                    "login refused: the certificate does not prove the user");
            }
            Self::Handshake(_) | Self::NoCertificate => {
                tracing::info!(client.addr = %peer, "connection refused: {self}");
            }
            Self::StartupRefused(report) => {
                tracing::info!(client.addr = %peer, sqlstate = report.sqlstate, "startup refused: {}", one_line(&report.message));
            }
            Self::Unapproved => tracing::error!(client.addr = %peer, "session ended: {self}"),
            _ => tracing::warn!(client.addr = %peer, "session ended: {}", one_line(&self.to_string())),
        }
    }
}

/// What others have said, with its line breaks escaped: nobody writes lines of their own into the log.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Logs the fault and tells the client, if it may know and listens. The only place where a client
/// hears of a fault.
pub(super) async fn tell(fault: Fault, client: &mut Leg, peer: SocketAddr) {
    fault.log(peer);
    match (fault.servers_own(), fault.report()) {
        (Some(message), _) => client.out().extend_from_slice(message),
        (None, Some(report)) => {
            if let Some(prelude) = fault.prelude() {
                prelude.encode(client.out());
            }
            report.encode(client.out());
        }
        (None, None) => return,
    }
    say_goodbye(client).await;
}

/// Sends what waits, and ends the connection as its kind has it.
pub(super) async fn say_goodbye(client: &mut Leg) {
    let farewell = async {
        std::future::poll_fn(|cx| client.poll_drain(cx)).await?;
        client.stream.shutdown().await
    };
    // A client that does not take it has lost nothing but the explanation.
    let _ = crate::timer::timeout(FAREWELL, farewell).await;
}

fn lost_in_inquiry() -> Report {
    Report::fatal(
        sqlstate::INTERNAL_ERROR,
        "terminating connection: the transaction was lost while an approver's change was checked",
    )
    .detail("The held statement did not run.")
    .hint("Connect again. If it happens again, tell the operator of holdpoint; its log says more.")
}

fn uncounted() -> Report {
    Report::fatal(
        sqlstate::INTERNAL_ERROR,
        "terminating connection: the rows that a statement changes could not be counted",
    )
    .hint("Its request says what became of it. If it happens again, tell the operator of holdpoint.")
}

fn review_over(id: RequestId, url: &str) -> Report {
    Report::fatal(
        sqlstate::TRANSACTION_TIMEOUT,
        "terminating connection: the time for the review of the transaction is over",
    )
    .detail(format!(
        "It was not committed in time, and is rolled back: request {id}, {url}"
    ))
    .hint("Connect again and do it again, with its COMMIT in time for people to look at it.")
}
