//! Who waits for which request: a registry owned by the broker, with a guard that deregisters.
//!
//! The registry only wakes: news that is delivered twice or to nobody is harmless.

use std::sync::Arc;

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::entitlement::Stakes;
use super::ticket::Intent;
use crate::model::{Edit, Effect, NewRequest, RequestId, Review, Seat, Settlement};

/// What a session that waits is told.
#[derive(Debug)]
pub enum News {
    /// Somebody has approved, and others have to.
    Approved {
        /// Who, and what they said.
        by: Review,
        /// The seats that are still free.
        missing: Vec<Seat>,
    },
    /// An approver wants another statement to run instead: the session says whether it can, and knows the bytes.
    Proposed {
        /// The statement.
        text: String,
        /// For the answer.
        answer: Answer,
    },
    /// The statement was changed; the others have to approve it so.
    Edited {
        /// The change.
        edit: Edit,
        /// The seats that are still free.
        missing: Vec<Seat>,
    },
    /// The wait is over. Where it was approved, with the intent to run it, if that is durable already.
    Settled(Settlement, Option<Intent>),
}

/// What a session makes of a statement that would run in the place of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitting {
    /// SHA-256 of the protocol bytes that would be forwarded.
    pub digest: [u8; 32],
    /// Its commands, joined by ", ".
    pub command: String,
    /// Its most severe effect.
    pub effect: Effect,
}

/// Where the session's answer goes.
#[derive(Debug)]
pub struct Answer(pub(super) oneshot::Sender<Result<Fitting, String>>);

impl Answer {
    /// Whether the statement can run, or why not.
    pub fn give(self, fitting: Result<Fitting, String>) {
        // Whoever asked may have gone.
        let _ = self.0.send(fitting);
    }
}

/// The sessions that wait, by request.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiters {
    waiting: Arc<DashMap<RequestId, Waiting>>,
}

/// One of them.
#[derive(Debug)]
struct Waiting {
    // As much is sent as people do to one request: a person for each seat, and no more.
    news: mpsc::UnboundedSender<News>,
    /// Of how many changes of its statement it has heard.
    edits: usize,
    /// Who may decide.
    stakes: Stakes,
}

impl Waiters {
    /// Registers a waiter. To be called before the request's row is written, so that no
    /// settlement can fall between the two.
    pub(super) fn register(&self, asked: &NewRequest) -> Waiter {
        let id = asked.id;
        let (sender, news) = mpsc::unbounded_channel();
        let waiting = Waiting {
            news: sender,
            edits: 0,
            stakes: Stakes::of(asked),
        };
        self.waiting.insert(id, waiting);
        Waiter {
            id,
            news,
            registry: self.clone(),
        }
    }

    /// Tells whoever waits for the request of the last of so many changes, unless it has heard of that. Whether it was told.
    pub(super) fn tell_of_edit(&self, id: RequestId, edits: usize, news: impl FnOnce() -> News) -> bool {
        if let Some(mut waiting) = self.waiting.get_mut(&id)
            && waiting.edits < edits
        {
            waiting.edits = edits;
            return waiting.news.send(news()).is_ok();
        }
        false
    }

    /// Whether anybody waits for the request here.
    pub(super) fn is_waited_for(&self, id: RequestId) -> bool {
        self.waiting.contains_key(&id)
    }

    /// What the request that is waited for here says of who may decide; `None`: it is not waited for here.
    pub(super) fn ask<T>(&self, id: RequestId, stakes: impl FnOnce(&Stakes) -> T) -> Option<T> {
        self.waiting.get(&id).map(|waiting| stakes(&waiting.stakes))
    }

    /// The requests that are waited for here.
    pub(super) fn ids(&self) -> Vec<RequestId> {
        self.waiting.iter().map(|waiter| *waiter.key()).collect()
    }

    /// Tells whoever waits for the request, if anybody does here: `false` where nobody does.
    pub(super) fn tell(&self, id: RequestId, news: News) -> bool {
        if matches!(news, News::Settled(..)) {
            if let Some((_, waiting)) = self.waiting.remove(&id) {
                // The waiter may be gone at this very moment; its own guard settles the row.
                return waiting.news.send(news).is_ok();
            }
        } else if let Some(waiting) = self.waiting.get(&id) {
            return waiting.news.send(news).is_ok();
        }
        false
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
