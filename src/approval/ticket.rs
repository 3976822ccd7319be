//! A held statement's ticket, and the running statement that it becomes.
//!
//! Both are guards: a session that ends without settling them leaves no open row. A dropped
//! [`Ticket`] withdraws its request; a dropped [`Running`] records that the outcome is not known.

use std::time::Duration;

use jiff::Timestamp;

use super::Broker;
use super::waiters::{News, Waiter};
use crate::model::{Outcome, RequestId, Settlement};
use crate::store::StoreError;
use crate::timer::timeout;

/// Between the commit of the last approval and its news.
const ABOUT_TO_TELL: Duration = Duration::from_secs(10);

/// A durable held request, waited for by one session.
#[derive(Debug)]
pub struct Ticket {
    id: RequestId,
    expires_at: Timestamp,
    waiter: Waiter,
    broker: Broker,
    settled: bool,
}

/// What became of the attempt to run an approved statement.
#[derive(Debug)]
pub enum Started {
    /// The intent is durable: forward it now.
    Running(Running),
    /// It is not approved (any more): it must not be forwarded.
    NotApproved,
}

impl Ticket {
    pub(super) fn new(id: RequestId, expires_at: Timestamp, waiter: Waiter, broker: Broker) -> Self {
        Self {
            id,
            expires_at,
            waiter,
            broker,
            settled: false,
        }
    }

    /// The request's identifier.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// When the request expires.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Waits for what people do to the request. Cancel-safe. Where the waker went away, the row is asked.
    pub async fn news(&mut self) -> Result<News, StoreError> {
        match self.waiter.next().await {
            Some(news) => Ok(news),
            None => match self.broker.settlement_of(self.id).await? {
                Some(settlement) => Ok(News::Settled(settlement, None)),
                None => Err(StoreError::Inconsistent(format!(
                    "request {} is still open",
                    self.id
                ))),
            },
        }
    }

    /// The time is over: expires the request, or says how it was settled in that same moment, as [`News::Settled`] does.
    pub async fn expire(&mut self) -> Result<(Settlement, Option<Intent>), StoreError> {
        if self.broker.expire(self.id).await? {
            return Ok((Settlement::Expired, None));
        }
        match self.broker.settlement_of(self.id).await? {
            Some(settlement) => Ok((settlement, None)),
            // Approved, and started with that: whoever has recorded it is about to tell.
            None => timeout(ABOUT_TO_TELL, self.end()).await.unwrap_or_else(|_| {
                let why = format!("request {} runs, and nobody has said so", self.id);
                Err(StoreError::Inconsistent(why))
            }),
        }
    }

    /// The news that ends the wait.
    async fn end(&mut self) -> Result<(Settlement, Option<Intent>), StoreError> {
        loop {
            if let News::Settled(settlement, intent) = self.news().await? {
                return Ok((settlement, intent));
            }
        }
    }

    /// Takes over the intent to run the bytes with this digest, which is what was approved: it was recorded with the last
    /// approval. Consumes the ticket: an approval is used once.
    #[must_use]
    pub fn run(mut self, mut intent: Intent, digest: [u8; 32]) -> Running {
        self.settled = true;
        intent.broker = None;
        Running::new(self.id, digest, self.broker.clone())
    }

    /// Records the intent to run the bytes with this digest, which is what was approved. Consumes the ticket: an approval
    /// is used once.
    pub async fn start(mut self, digest: [u8; 32]) -> Result<Started, StoreError> {
        let started = match self.broker.start(self.id).await {
            Ok(started) => started,
            Err(error) => {
                self.settled = true;
                self.broker.withdraw_later(
                    self.id,
                    "the intent to run it could not be recorded; it did not run",
                );
                return Err(error);
            }
        };
        if started {
            self.settled = true;
            Ok(Started::Running(Running::new(
                self.id,
                digest,
                self.broker.clone(),
            )))
        } else {
            Ok(Started::NotApproved)
        }
    }

    /// Takes the request back, also where the intent to run it was recorded in this same moment.
    pub async fn withdraw(mut self, why: &'static str) -> Result<(), StoreError> {
        let broker = self.broker.clone();
        let id = self.id;
        let taken_back = async move { broker.take_back(id, why).await };
        let done = self.broker.on_control(taken_back).await;
        self.settle_later_unless(done, why)
    }

    /// Gives the request up because the proxy stops.
    pub async fn abandon(mut self, why: &'static str) -> Result<(), StoreError> {
        let done = self.broker.abandon(self.id, why).await;
        self.settle_later_unless(done, why)
    }

    /// Where the store has not taken it now, it will.
    fn settle_later_unless(
        &mut self,
        done: Result<bool, StoreError>,
        why: &'static str,
    ) -> Result<(), StoreError> {
        self.settled = true;
        if done.is_err() {
            self.broker.withdraw_later(self.id, why);
        }
        done.map(drop)
    }

    /// The request is final already; nothing is left to settle.
    pub fn close(mut self) {
        self.settled = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.broker
                .withdraw_later(self.id, "the requester's session ended");
        }
    }
}

/// The durable intent to run what was approved, on its way to the session that does. Dropped there or before, nothing runs, and
/// that is recorded.
#[derive(Debug)]
pub struct Intent {
    id: RequestId,
    /// `None`: it is taken over, or let go.
    broker: Option<Broker>,
}

impl Intent {
    pub(super) fn new(id: RequestId, broker: Broker) -> Self {
        Self {
            id,
            broker: Some(broker),
        }
    }

    /// Nothing runs.
    pub fn not_forwarded(mut self, why: &str) {
        self.let_go(why);
    }

    fn let_go(&mut self, why: &str) {
        if let Some(broker) = self.broker.take() {
            broker.finish_later(self.id, not_forwarded(why));
        }
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        self.let_go("the requester's session ended before it was forwarded; it did not run");
    }
}

/// The outcome of what was to run, and did not.
pub(super) fn not_forwarded(why: &str) -> Outcome {
    Outcome {
        tag: String::new(),
        rows: None,
        sqlstate: None,
        error: Some(why.to_owned()),
        duration_ms: 0,
    }
}

/// An approved statement whose intent is durable: it is forwarded once, and finished.
#[derive(Debug)]
pub struct Running {
    id: RequestId,
    digest: [u8; 32],
    broker: Broker,
    finished: bool,
}

impl Running {
    pub(super) fn new(id: RequestId, digest: [u8; 32], broker: Broker) -> Self {
        Self {
            id,
            digest,
            broker,
            finished: false,
        }
    }

    /// The request's identifier.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// The digest of the bytes that were approved.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Records that it was not forwarded after all, and why.
    pub fn not_forwarded(self, why: &str) {
        self.finish(not_forwarded(why));
    }

    /// Records the outcome, off the session's path; a shutdown waits for it.
    pub fn finish(mut self, outcome: Outcome) {
        self.finished = true;
        self.broker.finish_later(self.id, outcome);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            self.broker.finish_later(
                self.id,
                Outcome {
                    tag: String::new(),
                    rows: None,
                    sqlstate: None,
                    error: Some(
                        "the session ended before the server answered; whether it ran is not known"
                            .to_owned(),
                    ),
                    duration_ms: 0,
                },
            );
        }
    }
}
