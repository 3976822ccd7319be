//! The broker: between sessions that wait and people who decide.
//!
//! Store operations run on the control runtime, so that a session that is dropped half way
//! neither interrupts them nor is stalled by them.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, broadcast};
use tokio_util::task::TaskTracker;

use super::entitlement::{may_decide, may_see, standing_groups};
use super::ticket::{Running, Ticket};
use super::waiters::{News, Waiters};
use crate::model::{
    Basis, Clock, HeldRequest, NewRequest, Principal, RequestId, Review, Settlement, StateKind, Verdict,
};
use crate::store::{Abandoned, FollowedUp, Grounds, Placed, RequestFilter, Store, StoreError};

/// Changes kept for a slow listener; one that lags re-reads everything.
const CHANGES_KEPT: usize = 1024;

/// Holds statements and settles them. A cheap clone.
#[derive(Clone)]
pub struct Broker {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pub(super) control: Handle,
    /// Work that a shutdown waits for.
    pub(super) tasks: TaskTracker,
    pub(super) waiters: Waiters,
    changes: broadcast::Sender<RequestId>,
    /// Another proxy has answered what was asked about one of its sessions.
    pub(super) answers: Notify,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

/// Who asks, as far as that is not in the request.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    /// Their groups.
    pub groups: Vec<String>,
    /// Why they need not wait, where they need not.
    pub bypass: Option<Basis>,
    /// Whether the rows that the statement changes will be counted before they stay changed.
    pub counts_rows: bool,
}

/// What became of a statement that policy holds.
#[derive(Debug)]
pub enum Held {
    /// It waits for people; with the grounds on which it would run if its rows were counted, where there are some.
    Waits(Ticket, Option<Basis>),
    /// It runs at once: the intent is durable. Where the grounds have a limit of rows, what changes more must not stay.
    Runs(Running, Basis),
}

/// Why a verdict was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// There is no such request, or the person may not see it.
    #[error("there is no such request")]
    NotFound,
    /// The person is in none of the groups that it needs; or not any more, or disabled, by the time that it would be recorded.
    #[error("only a member of {} can decide on this request", .groups.join(", "))]
    NotEntitled {
        /// The groups that can.
        groups: Vec<String>,
    },
    /// Nobody decides on their own request.
    #[error("nobody decides on their own request, unless policy says so")]
    OwnRequest,
    /// A rejection without a reason.
    #[error("a rejection needs a reason: the requester reads it")]
    ReasonRequired,
    /// It was settled before; nothing changed.
    #[error("the request is settled already: {}", .0.as_str())]
    AlreadySettled(StateKind),
    /// Somebody has changed the statement since; nothing changed.
    #[error("the statement was changed since you looked at it: look again")]
    Changed,
    /// The person approved it before; it waits for others.
    #[error("you have approved this request already; it waits for others")]
    AlreadyReviewed,
    /// The store failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const LEFT_OVER: Abandoned<'_> = Abandoned {
    before: "the proxy stopped before this was settled; it did not run",
    running: "the proxy stopped while it ran: it is not known whether it ran to its end",
};

impl Broker {
    /// A broker whose store operations run on `control`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, control: Handle) -> Self {
        let shared = Shared {
            store,
            clock,
            control,
            tasks: TaskTracker::new(),
            waiters: Waiters::default(),
            changes: broadcast::Sender::new(CHANGES_KEPT),
            answers: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Records a statement that policy holds: it runs at once where there are grounds for that, else there is a ticket
    /// to wait with. On `Ok` it is durable.
    /// Cancel-safe: dropped half way, the request is withdrawn, or its outcome recorded as not known.
    pub async fn hold(&self, request: NewRequest, asker: Asker) -> Result<Held, StoreError> {
        let broker = self.clone();
        self.on_control(async move {
            let waiter = broker.shared.waiters.register(&request);
            let grounds = Grounds {
                bypass: asker.bypass.as_ref(),
                groups: &asker.groups,
                counts_rows: asker.counts_rows,
            };
            let placed = match broker.shared.store.place(&request, grounds).await {
                Ok(placed) => placed,
                Err(error) => {
                    // It may have been recorded all the same, with nobody to wait for it.
                    if matches!(error, StoreError::InDoubt(_)) {
                        let why = "that it is held could not be recorded; it did not run";
                        broker.withdraw_later(request.id, why);
                    }
                    return Err(error);
                }
            };
            broker.changed(request.id);
            let waits = |broker| Ticket::new(request.id, request.expires_at, waiter, broker);
            Ok(match placed {
                Placed::Pending => Held::Waits(waits(broker), None),
                Placed::Uncounted(basis) => Held::Waits(waits(broker), Some(basis)),
                Placed::Running(basis) => Held::Runs(Running::new(request.id, request.digest, broker), basis),
            })
        })
        .await
    }

    /// What somebody says afterwards of a request that ran because the glass was broken.
    pub async fn follow_up(
        &self,
        id: RequestId,
        by: &Principal,
        verdict: Verdict,
        comment: &str,
    ) -> Result<HeldRequest, DecideError> {
        let request = self.request(id, by).await?.ok_or(DecideError::NotFound)?;
        if request.basis != Some(Basis::BreakGlass) {
            return Err(DecideError::AlreadySettled(request.state.kind()));
        }
        if request.asked.origin.user == by.name {
            return Err(DecideError::OwnRequest);
        }
        let groups = standing_groups(&request, by);
        if groups.is_empty() {
            return Err(DecideError::NotEntitled {
                groups: request.asked.quorum.groups(),
            });
        }
        if verdict == Verdict::Reject && comment.trim().is_empty() {
            return Err(DecideError::ReasonRequired);
        }
        let review = Review {
            reviewer: by.name.clone(),
            groups,
            verdict,
            comment: comment.trim().to_owned(),
            at: self.now(),
            lapsed: Vec::new(),
        };
        let broker = self.clone();
        let recorded = self.on_control(async move {
            let recorded = broker.shared.store.follow_up(id, &review).await?;
            broker.changed(id);
            Ok(recorded)
        });
        match recorded.await? {
            FollowedUp::Recorded => self.request(id, by).await?.ok_or(DecideError::NotFound),
            FollowedUp::NotWaitedFor => Err(DecideError::AlreadyReviewed),
            FollowedUp::NotEntitled => Err(DecideError::NotEntitled {
                groups: request.asked.quorum.groups(),
            }),
        }
    }

    /// Whether `by` is among those who are to look at it afterwards, and nobody has.
    #[must_use]
    pub fn may_follow_up(&self, request: &HeldRequest, by: &Principal) -> bool {
        request.basis == Some(Basis::BreakGlass)
            && request.followup.is_none()
            && request.asked.origin.user != by.name
            && !standing_groups(request, by).is_empty()
    }

    /// Records a statement that policy denied. On `Ok` it is durable.
    pub async fn record_denied(&self, request: NewRequest, reason: Arc<str>) -> Result<(), StoreError> {
        let broker = self.clone();
        self.on_control(async move {
            broker.shared.store.insert_denied(&request, &reason).await?;
            broker.changed(request.id);
            Ok(())
        })
        .await
    }

    /// The request, if `by` may see it.
    pub async fn request(&self, id: RequestId, by: &Principal) -> Result<Option<HeldRequest>, StoreError> {
        let found = self.shared.store.request(id).await?;
        Ok(found.filter(|request| may_see(request, by)))
    }

    /// Requests by filter, newest first.
    pub async fn requests(&self, filter: RequestFilter) -> Result<Vec<HeldRequest>, StoreError> {
        self.shared.store.requests(filter).await
    }

    /// Whether `by` could decide on this request now.
    #[must_use]
    pub fn may_decide(&self, request: &HeldRequest, by: &Principal) -> bool {
        may_decide(request, by)
    }

    /// Ids of requests that changed; a receiver that lags re-reads everything.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<RequestId> {
        self.shared.changes.subscribe()
    }

    /// Whether the store works.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.shared.store.check().await
    }

    /// Settles what an earlier run left open. To be called once, before any session starts.
    pub async fn abandon_left_over(&self) -> Result<usize, StoreError> {
        let ids = self.shared.store.abandon_all(LEFT_OVER, self.now()).await?;
        for &id in &ids {
            self.changed(id);
        }
        Ok(ids.len())
    }

    /// Waits until everything that was recorded off a session's path is durable.
    pub async fn drain(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    pub(super) async fn expire_due(&self) -> Result<(), StoreError> {
        for id in self.shared.store.expire_due(self.now()).await? {
            self.shared
                .waiters
                .tell(id, News::Settled(Settlement::Expired, None));
            self.changed(id);
        }
        for id in self.shared.store.sweep_grants(self.now()).await? {
            self.changed(id);
        }
        Ok(())
    }

    pub(super) async fn expire(&self, id: RequestId) -> Result<bool, StoreError> {
        let broker = self.clone();
        self.on_control(async move {
            let done = broker.shared.store.expire(id, broker.now()).await?;
            broker.changed(id);
            Ok(done)
        })
        .await
    }

    pub(super) async fn start(&self, id: RequestId) -> Result<bool, StoreError> {
        let broker = self.clone();
        self.on_control(async move {
            let done = broker.shared.store.start(id, broker.now()).await?;
            broker.changed(id);
            Ok(done)
        })
        .await
    }

    pub(super) async fn abandon(&self, id: RequestId, why: &'static str) -> Result<bool, StoreError> {
        let broker = self.clone();
        self.on_control(async move {
            let done = broker.shared.store.abandon(id, why, broker.now()).await?;
            broker.changed(id);
            Ok(done)
        })
        .await
    }

    pub(super) fn changed(&self, id: RequestId) {
        // No listener is no error.
        let _ = self.shared.changes.send(id);
    }

    /// Runs on the control runtime, to its end also where the caller goes away.
    pub(super) async fn on_control<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let task = self.shared.tasks.spawn_on(work, &self.shared.control);
        task.await.unwrap_or_else(|failed| {
            Err(StoreError::Unavailable {
                doing: "used",
                source: Box::new(failed),
            })
        })
    }
}
