//! Cancelling what runs on the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::encryption::{Way, encrypt};
use super::{ConnectError, Target};
use crate::wire::Stream;
use crate::wire::startup::encode_cancel;

/// How long a cancel request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The server's key for one session.
#[derive(Debug, Clone)]
pub struct CancelKey {
    pub(super) target: Arc<Target>,
    /// Where the session is: a name may have several addresses.
    pub(super) peer: Option<SocketAddr>,
    /// Whether the session is encrypted; its key then travels in no other way.
    pub(super) is_encrypted: bool,
    pub(super) pid: i32,
    pub(super) secret: Arc<[u8]>,
}

impl CancelKey {
    /// Sends a CancelRequest and waits until the server has taken it: it closes the connection after it has
    /// signalled the backend (PostgreSQL manual, "Canceling Requests in Progress").
    pub async fn cancel(&self) -> Result<(), ConnectError> {
        crate::timer::timeout(ARRIVAL, self.send())
            .await
            .unwrap_or(Err(ConnectError::Timeout(ARRIVAL)))
    }

    async fn send(&self) -> Result<(), ConnectError> {
        let stream = match self.peer {
            Some(peer) => Stream::tcp(TcpStream::connect(peer).await?),
            None => self.target.address.open().await?,
        };
        let way = match self.target.encryption.tls() {
            Some(tls) if self.is_encrypted => Way::Tls(tls),
            _ => Way::Plain,
        };
        let (mut stream, _) = encrypt(stream, way).await?;
        stream.write_all(&encode_cancel(self.pid, &self.secret)).await?;
        stream.flush().await?;
        let mut nothing = [0; 16];
        loop {
            match stream.read(&mut nothing).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // The end of TLS without a goodbye.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
