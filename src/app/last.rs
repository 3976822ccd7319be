//! What is written once the last session has ended, within a time.
//!
//! Invariant: nothing of it waits for somebody who need not be waited for: a client of the console that has sent half a request
//! keeps neither the audit log nor the store from being written.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::approval::Broker;
use crate::audit::{AuditLog, AuditWriter};
use crate::store::Store;

/// How long the store and the audit log are given for their last writes.
const LAST_WRITES: Duration = Duration::from_secs(10);
/// How long requests to the console are given, of these.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// How long it may take to say to other proxies that this one ends. They find out without.
const LEAVE: Duration = Duration::from_secs(2);
const LEARN_LATER: &str = "other proxies learn only later that this one has stopped";

/// What is to end. All of it was told to.
pub(super) struct Last {
    pub(super) console: JoinHandle<()>,
    pub(super) broker: Broker,
    /// What notes observations.
    pub(super) recorder: JoinHandle<()>,
    /// The audit log of what passes.
    pub(super) recording: Option<(AuditLog, AuditWriter)>,
    /// What tells other proxies that this one lives.
    pub(super) beating: JoinHandle<()>,
    pub(super) store: Arc<dyn Store>,
}

impl Last {
    /// Waits until everything is on the disk, or for [`LAST_WRITES`]; then it is logged what is lost.
    pub(super) async fn writes(self) {
        let (log, writer) = self.recording.unzip();
        let recorded = async {
            if let Some(writer) = writer {
                let _ = tokio::task::spawn_blocking(|| writer.close()).await;
            }
        };
        let stored = async {
            end_console(self.console).await;
            self.broker.drain().await;
            // It has not been asked to end before the last session has.
            let _ = self.recorder.await;
            // Nothing is held any more that somebody could take for left over.
            self.beating.abort();
            let _ = self.beating.await;
            match crate::timer::timeout(LEAVE, self.store.leave()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "{LEARN_LATER}"),
                Err(_) => tracing::warn!("{LEARN_LATER}: the store does not answer"),
            }
            self.store.close().await;
        };
        let all = async { tokio::join!(recorded, stored) };
        if crate::timer::timeout(LAST_WRITES, all).await.is_err() {
            tracing::error!(
                audit.bytes = log.as_ref().map_or(0, AuditLog::unwritten),
                "the store, or the audit log, did not take the last records in time"
            );
        }
    }
}

/// Requests that have come are answered; what of one has not come by then is not waited for.
async fn end_console(mut console: JoinHandle<()>) {
    if crate::timer::timeout(LAST_REQUESTS, &mut console).await.is_err() {
        tracing::warn!("requests to the console that were not answered are cut off");
        console.abort();
    }
    // One that has failed was logged where it failed.
}
