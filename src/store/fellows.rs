//! What several proxies that share a store know of one another.

use std::time::Duration;

use super::{BoxFuture, StoreError};
use crate::model::RequestId;

/// What somebody else has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// This request, or this grant.
    Changed(RequestId),
    /// Somebody asks whether a statement could run in the place of a held one.
    Proposed(ProposalId),
    /// Such a question is answered.
    Answered(ProposalId),
    /// Somebody lives, this store's own opener perhaps: so the connection does.
    Alive,
    /// There may have been hints that were lost.
    Missed,
}

/// The number of a question to the proxy that holds a session.
pub type ProposalId = i64;

/// Hints of what others change, as they come.
pub trait Hints: Send {
    /// Waits for the next one. What this store has changed itself is not among them. Hints may be lost without a word
    /// where the network is: who waits for something looks for itself from time to time.
    ///
    /// Cancel-safe: no hint is lost when dropped and called again.
    ///
    /// # Errors
    /// The connection is lost, and cannot be made anew; to be called again after a while.
    fn next(&mut self) -> BoxFuture<'_, Result<Hint, StoreError>>;
}

/// How far another proxy's heart has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Its name, made anew with each start.
    pub proxy: String,
    /// Where people find its console.
    pub console: String,
    /// Grows as long as it lives.
    pub beats: i64,
    /// So long it may be silent, as it says itself; zero where it does not.
    pub dead_after: Duration,
}

/// A store as what processes have in common. The defaults are for one that has a single proxy.
pub trait SharedStore: Send + Sync + 'static {
    /// Whether other processes that serve may have it open.
    fn is_shared(&self) -> bool {
        false
    }

    /// Closes all connections, waiting for those in use.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Listens to what others change; `None` where there are no others.
    fn hints(&self) -> BoxFuture<'_, Result<Option<Box<dyn Hints>>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    /// Says that this proxy lives, at `console`, and may be silent for `dead_after`; what the others have said last.
    fn beat<'a>(
        &'a self,
        console: &'a str,
        dead_after: Duration,
    ) -> BoxFuture<'a, Result<Vec<Beat>, StoreError>> {
        let _ = (console, dead_after);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Takes a proxy off the list that has not gone on since this beat: what it held can be abandoned. `false`: it lives.
    fn bury<'a>(&'a self, dead: &'a Beat) -> BoxFuture<'a, Result<bool, StoreError>> {
        let _ = dead;
        Box::pin(async { Ok(false) })
    }

    /// Takes this proxy off the list.
    fn leave(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    /// The console of the proxy that holds this request, where that is another one, and lives.
    fn holder(&self, id: RequestId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        let _ = id;
        Box::pin(async { Ok(None) })
    }

    /// Asks the proxy that holds this request whether `statement` could run in its place.
    fn propose<'a>(
        &'a self,
        request: RequestId,
        statement: &'a str,
    ) -> BoxFuture<'a, Result<ProposalId, StoreError>> {
        let _ = (request, statement);
        Box::pin(async { Err(StoreError::NotFound("other proxy".to_owned())) })
    }

    /// What is asked.
    fn proposal(&self, id: ProposalId) -> BoxFuture<'_, Result<Option<(RequestId, String)>, StoreError>> {
        let _ = id;
        Box::pin(async { Ok(None) })
    }

    /// Answers it. Whoever asked may have gone.
    fn answer<'a>(&'a self, id: ProposalId, answer: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        let _ = (id, answer);
        Box::pin(async { Ok(()) })
    }

    /// The answer, if it is there: then the question is gone.
    fn take_answer(&self, id: ProposalId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        let _ = id;
        Box::pin(async { Ok(None) })
    }

    /// Those of these requests that are not Pending any more.
    fn decided<'a>(&'a self, ids: &'a [RequestId]) -> BoxFuture<'a, Result<Vec<RequestId>, StoreError>> {
        let _ = ids;
        Box::pin(async { Ok(Vec::new()) })
    }
}
