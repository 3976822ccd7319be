//! Who waits for which request: a registry owned by the broker, with a guard that deregisters.
//!
//! The registry only wakes: news that is delivered twice or to nobody is harmless.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::mpsc;

use crate::model::{RequestId, Review, Seat, Settlement};

/// What a session that waits is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Somebody has approved, and others have to.
    Approved {
        /// Who, and what they said.
        by: Review,
        /// The seats that are still free.
        missing: Vec<Seat>,
    },
    /// The wait is over.
    Settled(Settlement),
}

/// The sessions that wait, by request.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiters {
    // As much is sent as people do to one request: a person for each seat, and no more.
    waiting: Arc<DashMap<RequestId, mpsc::UnboundedSender<News>>>,
}

impl Waiters {
    /// Registers a waiter. To be called before the request's row is written, so that no
    /// settlement can fall between the two.
    pub(super) fn register(&self, id: RequestId) -> Waiter {
        let (sender, news) = mpsc::unbounded_channel();
        self.waiting.insert(id, sender);
        Waiter {
            id,
            news,
            registry: self.clone(),
        }
    }

    /// Tells whoever waits for the request, if anybody does here.
    pub(super) fn tell(&self, id: RequestId, news: News) {
        if matches!(news, News::Settled(_)) {
            if let Some((_, sender)) = self.waiting.remove(&id) {
                // The waiter may be gone at this very moment; its own guard settles the row.
                let _ = sender.send(news);
            }
        } else if let Some(sender) = self.waiting.get(&id) {
            let _ = sender.send(news);
        }
    }
}

/// One waiting session; deregisters when dropped.
#[derive(Debug)]
pub(super) struct Waiter {
    id: RequestId,
    news: mpsc::UnboundedReceiver<News>,
    registry: Waiters,
}

impl Waiter {
    /// Waits for the next news; `None` where whoever tells went away without a settlement.
    /// Cancel-safe: nothing is lost when dropped and called again.
    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.registry.waiting.remove(&self.id);
    }
}
