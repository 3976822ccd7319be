//! A person's verdict, and what whoever waits is told of it.
//!
//! Invariants: whoever waits here is told of every verdict that was recorded, whatever becomes of the person's connection; and
//! where the last approval has made the request Running, its [`Intent`] is made once, by whoever has recorded it.

use super::Broker;
use super::broker::DecideError;
use super::entitlement::Stakes;
use super::ticket::Intent;
use super::waiters::News;
use crate::model::{HeldRequest, Principal, RequestId, RequestState, Review, Settlement, StateKind, Verdict};
use crate::store::{Decided, StoreError};

impl Broker {
    /// As [`Self::decide_seen`], for a statement as it was asked.
    pub async fn decide(
        &self,
        id: RequestId,
        by: &Principal,
        verdict: Verdict,
        comment: &str,
    ) -> Result<HeldRequest, DecideError> {
        self.decide_seen(id, by, verdict, comment, 0).await
    }

    /// A person's verdict: checked, recorded, and whoever waits is woken. `seen` is how often the statement had been
    /// changed when they looked at it: what was changed since is not approved.
    pub async fn decide_seen(
        &self,
        id: RequestId,
        by: &Principal,
        verdict: Verdict,
        comment: &str,
        seen: usize,
    ) -> Result<HeldRequest, DecideError> {
        let comment = comment.trim();
        if verdict == Verdict::Reject && comment.is_empty() {
            return Err(DecideError::ReasonRequired);
        }
        // What waits here need not be read for that.
        let groups = if let Some(groups) = self.shared.waiters.ask(id, |stakes| stakes.standing(by)) {
            groups?
        } else {
            let request = self.request(id, by).await?.ok_or(DecideError::NotFound)?;
            Stakes::of(&request.asked).standing(by)?
        };
        let now = self.now();
        let review = Review {
            reviewer: by.name.clone(),
            groups,
            verdict,
            comment: comment.to_owned(),
            at: now,
            lapsed: Vec::new(),
        };
        // To its end also where the person's connection goes away: whoever waits must be woken.
        let broker = self.clone();
        let decided = self.on_control(async move {
            let starts = broker.shared.waiters.is_waited_for(id);
            let last = review.clone();
            let decided = broker
                .shared
                .store
                .decide_seen(id, review, seen, starts, now)
                .await;
            broker.announce_decided(id, &last, starts, decided)
        });
        match decided.await? {
            Decided::Recorded(request) | Decided::Started(request) => Ok(request),
            Decided::AlreadySettled(state) => Err(DecideError::AlreadySettled(state)),
            Decided::AlreadyReviewed => Err(DecideError::AlreadyReviewed),
            Decided::Changed => Err(DecideError::Changed),
            Decided::NotEntitled { groups } => Err(DecideError::NotEntitled { groups }),
        }
    }

    /// How the row stands, as what its session must do; `None`: it is open, or running.
    pub(super) async fn settlement_of(&self, id: RequestId) -> Result<Option<Settlement>, StoreError> {
        let broker = self.clone();
        self.on_control(async move {
            let request = broker.shared.store.request(id).await?;
            let request = request.ok_or_else(|| StoreError::Inconsistent(format!("request {id} is gone")))?;
            Ok(settlement(&request))
        })
        .await
    }

    pub(super) fn announce(&self, request: &HeldRequest) {
        if let Some(news) = news(request) {
            // Nobody may wait here.
            self.shared.waiters.tell(request.asked.id, news);
        }
        self.changed(request.asked.id);
    }

    /// As [`Self::announce`], for what came of a verdict of which the review is `last`: where the request has started with it, whoever
    /// waits has the intent. Where it is in doubt whether it was recorded, that is looked for until the store says. `starts`: as
    /// the store was told.
    pub(super) fn announce_decided(
        &self,
        id: RequestId,
        last: &Review,
        starts: bool,
        decided: Result<Decided, StoreError>,
    ) -> Result<Decided, StoreError> {
        match &decided {
            Ok(Decided::Recorded(request)) => self.announce(request),
            Ok(Decided::Started(request)) => self.announce_started(request),
            Err(StoreError::InDoubt(_)) => self.look_later(id, last.clone(), starts),
            _ => {}
        }
        decided
    }

    fn announce_started(&self, request: &HeldRequest) {
        let id = request.asked.id;
        let approved = Settlement::Approved {
            reviews: approvals(request),
            digest: request.digest(),
        };
        let news = News::Settled(approved, Some(Intent::new(id, self.clone())));
        // Where nobody waits any more, the intent is let go with the news.
        self.shared.waiters.tell(id, news);
        self.changed(id);
    }

    fn look_later(&self, id: RequestId, last: Review, starts: bool) {
        let broker = self.clone();
        self.later(id, "look what became of a verdict", move || {
            let (broker, last) = (broker.clone(), last.clone());
            async move {
                let found = broker.shared.store.request_in_turn(id).await?;
                let Some(request) = found.filter(|request| is_last(request, &last)) else {
                    // It was not recorded. Somebody else's is told by whoever has recorded it.
                    return Ok(false);
                };
                let is_edit_told = broker.tell_of_edit(&request);
                if request.state == RequestState::Running {
                    // Where it was only approved, the session that waits has started it by itself.
                    if starts {
                        broker.announce_started(&request);
                    }
                } else if is_edit_told && request.state == RequestState::Pending {
                    // Its review is the editor's own.
                    broker.changed(id);
                } else {
                    broker.announce(&request);
                }
                Ok(true)
            }
        });
    }
}

/// Whether this is the latest review of a request.
fn is_last(request: &HeldRequest, review: &Review) -> bool {
    let last = request.reviews.last();
    // In the store's own resolution.
    last.is_some_and(|last| {
        last.reviewer == review.reviewer
            && last.verdict == review.verdict
            && last.at.as_microsecond() == review.at.as_microsecond()
    })
}

/// The approvals that count.
fn approvals(request: &HeldRequest) -> Vec<Review> {
    let counting = request.counting().iter();
    counting
        .filter(|review| review.verdict == Verdict::Approve && !review.is_lapsed())
        .cloned()
        .collect()
}

/// What the session that waits is told after a verdict.
fn news(request: &HeldRequest) -> Option<News> {
    if request.state.kind() != StateKind::Pending {
        return settlement(request).map(|settlement| News::Settled(settlement, None));
    }
    let missing = request.asked.quorum.missing(&request.approvers()).into_iter();
    Some(News::Approved {
        by: request.reviews.last()?.clone(),
        missing: missing.cloned().collect(),
    })
}

/// What a row's state means for the session that waits; `None` while it is open. What was started with its last approval is
/// told by whoever has recorded that.
fn settlement(request: &HeldRequest) -> Option<Settlement> {
    match &request.state {
        RequestState::Pending | RequestState::Running => None,
        RequestState::Approved => Some(Settlement::Approved {
            reviews: approvals(request),
            digest: request.digest(),
        }),
        RequestState::Rejected => request
            .reviews
            .iter()
            .rfind(|r| r.verdict == Verdict::Reject)
            .cloned()
            .map(Settlement::Rejected),
        RequestState::Expired => Some(Settlement::Expired),
        other => Some(Settlement::Closed(other.kind())),
    }
}

#[cfg(test)]
mod tests;
