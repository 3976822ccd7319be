//! Who waits for which request: a registry owned by the broker, with a guard that deregisters.
//!
//! The registry only wakes: a settlement that is delivered twice or to nobody is harmless.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::oneshot;

use crate::model::{RequestId, Settlement};

/// The sessions that wait, by request.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiters {
    waiting: Arc<DashMap<RequestId, oneshot::Sender<Settlement>>>,
}

impl Waiters {
    /// Registers a waiter. To be called before the request's row is written, so that no
    /// settlement can fall between the two.
    pub(super) fn register(&self, id: RequestId) -> Waiter {
        let (sender, settled) = oneshot::channel();
        self.waiting.insert(id, sender);
        Waiter {
            id,
            settled,
            registry: self.clone(),
        }
    }

    /// Wakes whoever waits for the request, if anybody does here.
    pub(super) fn wake(&self, id: RequestId, settlement: Settlement) {
        if let Some((_, sender)) = self.waiting.remove(&id) {
            // The waiter may be gone at this very moment; its own guard settles the row.
            let _ = sender.send(settlement);
        }
    }
}

/// One waiting session; deregisters when dropped.
#[derive(Debug)]
pub(super) struct Waiter {
    id: RequestId,
    settled: oneshot::Receiver<Settlement>,
    registry: Waiters,
}

impl Waiter {
    /// Waits for the settlement; `None` where the waker went away without one.
    /// Cancel-safe: nothing is lost when dropped and called again.
    pub(super) async fn settled(&mut self) -> Option<Settlement> {
        (&mut self.settled).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.registry.waiting.remove(&self.id);
    }
}
