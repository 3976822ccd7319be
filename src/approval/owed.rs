//! What is to be recorded with nobody waiting for it: it is tried until the store takes it.
//!
//! Invariant: no request stays open that has nobody, whatever answers of the store were lost.

use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use super::ticket::not_forwarded;
use crate::model::{NewRequest, Outcome, RequestId};
use crate::store::StoreError;

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
            async move {
                let done = broker.shared.store.finish(id, outcome, broker.now()).await?;
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
