//! What is to be recorded with nobody waiting for it: it is tried until the store takes it.
//!
//! Invariant: no request stays open that has nobody, whatever answers of the store were lost.

use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use super::ticket::not_forwarded;
use crate::model::{NewRequest, Outcome, RequestId, StateKind};
use crate::store::{GrantEnd, StoreError};

#[cfg(test)]
mod tests;

/// Between the first try and the second to record what nobody waits for; twice as long each time, up to the last.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// As a reason ends that stands for what was to run.
const DID_NOT_RUN: &str = "; it did not run";

impl Broker {
    /// Records what people were not asked about in time: it is entered as held, and expires at once. Off the session's
    /// path; a shutdown waits for it. `expires_at` must have come.
    pub fn record_expired_later(&self, request: NewRequest) {
        let broker = self.clone();
        let id = request.id;
        let request = Arc::new(request);
        self.later(id, "record what has expired", move || {
            let (broker, request) = (broker.clone(), Arc::clone(&request));
            async move {
                match broker.shared.store.insert_pending(&request).await {
                    // At an earlier try.
                    Ok(()) | Err(StoreError::Exists(_)) => {}
                    Err(error) => return Err(error),
                }
                let done = broker.shared.store.expire(id, broker.now()).await?;
                broker.changed(id);
                Ok(done)
            }
        });
    }

    /// Settles what certainly did not run and nobody waits for, whatever state it is in: where an answer of the store was
    /// lost, nobody knows.
    pub(super) fn withdraw_later(&self, id: RequestId, why: &'static str) {
        let broker = self.clone();
        self.later(id, "withdraw a request", move || {
            let broker = broker.clone();
            async move { broker.take_back(id, why).await }
        });
    }

    /// Takes back what certainly did not run, also where the intent to run it was recorded. `false`: it was settled before.
    pub(super) async fn take_back(&self, id: RequestId, why: &str) -> Result<bool, StoreError> {
        let store = &self.shared.store;
        let outcome = || {
            let why = why.strip_suffix(DID_NOT_RUN).unwrap_or(why);
            not_forwarded(&format!("{why}{DID_NOT_RUN}"))
        };
        let done =
            store.withdraw(id, why, self.now()).await? || store.finish(id, outcome(), self.now()).await?;
        self.changed(id);
        Ok(done)
    }

    pub(super) fn finish_later(&self, id: RequestId, outcome: Outcome) {
        let broker = self.clone();
        self.later(id, "record an outcome", move || {
            let (broker, outcome) = (broker.clone(), outcome.clone());
            async move { broker.record_outcome(id, outcome).await }
        });
    }

    /// Records an outcome, wherever the store says that the request stands: it may have forgotten that it was to run, as the
    /// copy of a server may that has taken over. `false`: it was settled before.
    async fn record_outcome(&self, id: RequestId, outcome: Outcome) -> Result<bool, StoreError> {
        let store = &self.shared.store;
        let mut done = store.finish(id, outcome.clone(), self.now()).await?;
        if !done {
            let why = format!("the store knew nothing of its running; {}", outcome.told());
            done = store.abandon(id, &why, self.now()).await?;
            let state = store.request(id).await?.map(|request| request.state.kind());
            // By an earlier try of ours.
            if !done && !matches!(state, Some(StateKind::Executed | StateKind::Failed)) {
                tracing::warn!(request.id = %id, outcome = outcome.told(), request.state = ?state,
                    "the outcome of a request that is settled in another way is known here alone");
            }
        }
        self.changed(id);
        Ok(done)
    }

    /// Takes back a grant of which nobody was told that it is there.
    pub(super) fn take_back_grant_later(&self, id: RequestId, by: &str) {
        let (broker, by): (_, Arc<str>) = (self.clone(), by.into());
        self.later(id, "take back a grant", move || {
            let (broker, by) = (broker.clone(), Arc::clone(&by));
            async move {
                let store = &broker.shared.store;
                let why = "that it was recorded could not be known";
                let mut done = false;
                for end in [GrantEnd::Withdrawn, GrantEnd::Revoked] {
                    done = done || store.end_grant(id, end, &by, why, broker.now()).await?;
                }
                broker.changed(id);
                Ok(done)
            }
        });
    }

    /// Runs on the control runtime with nobody waiting, until the store takes it: what is open and has nobody would be open
    /// for ever. A shutdown waits for it as long as it waits for anything. While the store is away nothing new is held, so
    /// there are no more of these than statements were held, or ran, or were about to be recorded when it went.
    pub(super) fn later<F>(&self, id: RequestId, what: &'static str, work: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = Result<bool, StoreError>> + Send + 'static,
    {
        let until_taken = async move {
            let mut pause = FIRST_RETRY;
            loop {
                match work().await {
                    Ok(true) => return,
                    Ok(false) => {
                        tracing::debug!(request.id = %id, what, "the request was settled in another way");
                        return;
                    }
                    Err(error @ (StoreError::Unavailable { .. } | StoreError::InDoubt(_))) => {
                        if pause == FIRST_RETRY {
                            tracing::error!(request.id = %id, %error, what, "the store refused; it is tried again");
                        }
                    }
                    // It would be the same each time.
                    Err(error) => {
                        tracing::error!(request.id = %id, %error, what, "the store refused");
                        return;
                    }
                }
                crate::timer::sleep(pause).await;
                pause = (pause * 2).min(LAST_RETRY);
            }
        };
        self.shared.tasks.spawn_on(until_taken, &self.shared.control);
    }
}
