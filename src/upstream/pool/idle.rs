//! A connection that nobody uses.

use std::io;
use std::sync::Arc;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::reset::answers;
use super::{Beginning, Lease};
use crate::upstream::Connected;
use crate::wire::backend::TransactionStatus;
use crate::wire::{Stream, request};

/// One that nobody has used for so long is asked whether it answers.
const ASK_AFTER: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// A connection without a session.
#[derive(Debug)]
pub(super) struct Idle {
    pub(super) lease: Lease,
    pub(super) beginning: Arc<Beginning>,
    /// Since when nobody uses it.
    pub(super) since: Instant,
    stream: Stream,
    /// Whose runtime it is known to.
    thread: ThreadId,
}

impl Idle {
    pub(super) fn new(mut lease: Lease, stream: Stream) -> Self {
        lease.is_fresh = false;
        Self {
            beginning: Arc::clone(&lease.beginning),
            lease,
            since: Instant::now(),
            stream,
            thread: std::thread::current().id(),
        }
    }

    /// Whether the server has said nothing since, and has not closed it. What it says to a connection at rest is that it
    /// ends, or that a setting has changed under it: neither is to be used again.
    pub(super) fn is_quiet(&self) -> bool {
        self.stream.is_quiet()
    }

    /// Ends it, and waits until the server has: up to then it counts against the limits of its role. Cancel-safe: dropped,
    /// it closes.
    pub(super) async fn end(self) {
        let Ok(mut stream) = self.into_stream() else {
            return;
        };
        let ended = async {
            stream.write_all(request::TERMINATE).await?;
            let mut rest = [0; 256];
            while stream.read(&mut rest).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        // One that does not answer is given up.
        let _ = crate::timer::timeout(ANSWER, ended).await;
    }

    /// Its connection, known to the runtime of this thread.
    fn into_stream(self) -> io::Result<Stream> {
        if self.thread == std::thread::current().id() {
            Ok(self.stream)
        } else {
            self.stream.rehomed()
        }
    }

    /// For a session that begins now; `None` where it is dead. Cancel-safe: dropped, it closes.
    pub(super) async fn revive(self) -> Option<Connected> {
        if !self.is_quiet() {
            return None;
        }
        let mut stream = if self.thread == std::thread::current().id() {
            self.stream
        } else {
            self.stream.rehomed().ok()?
        };
        if self.since.elapsed() > ASK_AFTER {
            let answered = crate::timer::timeout(ANSWER, answers(&mut stream)).await;
            answered.ok()?.ok()?;
        }
        let lease = self.lease;
        Some(Connected {
            stream,
            greeting: lease.greeting.clone(),
            cancel_key: lease.cancel_key.clone(),
            status: TransactionStatus::Idle,
            lease: Some(lease),
        })
    }
}
