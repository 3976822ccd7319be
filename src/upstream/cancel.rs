//! Cancelling what runs on the server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Target;
use crate::wire::startup::encode_cancel;

/// How long a cancel request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The server's key for one session.
#[derive(Debug, Clone)]
pub struct CancelKey {
    pub(super) target: Arc<Target>,
    pub(super) pid: i32,
    pub(super) secret: Arc<[u8]>,
}

impl CancelKey {
    /// Sends a CancelRequest and waits until the server has taken it: it closes the connection after it has
    /// signalled the backend (PostgreSQL manual, "Canceling Requests in Progress").
    pub async fn cancel(&self) -> io::Result<()> {
        let request = async {
            let mut stream = self.target.address.open().await?;
            stream.write_all(&encode_cancel(self.pid, &self.secret)).await?;
            let mut nothing = [0; 16];
            while stream.read(&mut nothing).await? > 0 {}
            Ok(())
        };
        tokio::time::timeout(ARRIVAL, request)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
