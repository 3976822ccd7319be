//! Approving with a change: an approver has another statement run in the place of what was asked.
//!
//! Only the session that waits knows what the statement means there and which bytes it would be, so it is asked. What it
//! says is recorded together with the approver's own approval; earlier approvals count no more. It may have to ask the
//! server, so it is waited for, but not for ever.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Broker;
use super::broker::DecideError;
use super::entitlement::standing_groups;
use super::waiters::{Answer, Fitting, News};
use crate::model::{Edit, HeldRequest, Principal, RequestId, Review, StateKind, Verdict};
use crate::store::Decided;

/// So long the session is waited for.
const LONGEST: Duration = Duration::from_secs(5);

/// Why a change was not taken.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// As for any verdict.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The statement cannot run there, or not with this person's approval.
    #[error("{0}")]
    Unfit(String),
    /// The session that waits is not here.
    #[error("the session that waits for this is not connected to this proxy")]
    NotHere,
    /// It is with another proxy, whose console this is.
    #[error(
        "the session that waits for this is connected to another proxy: change the statement there, at {0}"
    )]
    Elsewhere(String),
    /// The session, or its server, has not answered in time.
    #[error("the session that waits for this has not said in time whether it can run")]
    TooSlow,
}

impl Broker {
    /// Changes the statement of a request that waits, and approves it so. `seen` as in [`Broker::decide_seen`].
    /// Answers within some 5 seconds, and what the store takes. Cancel-safe: dropped half way, it was recorded whole or
    /// not at all.
    ///
    /// # Errors
    /// Why it was not taken; nothing changed.
    pub async fn edit(
        &self,
        id: RequestId,
        by: &Principal,
        text: &str,
        comment: &str,
        seen: usize,
    ) -> Result<HeldRequest, EditError> {
        let request = self
            .request(id, by)
            .await
            .map_err(DecideError::from)?
            .ok_or(DecideError::NotFound)?;
        if request.state.kind() != StateKind::Pending {
            return Err(DecideError::AlreadySettled(request.state.kind()).into());
        }
        if request.asked.origin.user == by.name {
            return Err(DecideError::OwnRequest.into());
        }
        let groups = standing_groups(&request, by);
        if groups.is_empty() {
            return Err(DecideError::NotEntitled {
                groups: request.asked.quorum.groups(),
            }
            .into());
        }
        if text == request.statement() {
            return Err(EditError::Unfit(
                "it is the statement as it is already".to_owned(),
            ));
        }
        let fitting = self.fit(id, text).await?;
        let now = self.now();
        let edit = Edit {
            editor: by.name.clone(),
            statement: text.to_owned(),
            digest: fitting.digest,
            command: fitting.command,
            effect: fitting.effect,
            comment: comment.trim().to_owned(),
            // The store counts.
            reviews_before: 0,
            at: now,
        };
        let review = Review {
            reviewer: by.name.clone(),
            groups,
            verdict: Verdict::Approve,
            comment: comment.trim().to_owned(),
            at: now,
        };
        let broker = self.clone();
        let decided = self.on_control(async move {
            let decided = broker.shared.store.edit(id, edit, review, seen, now).await?;
            if let Decided::Recorded(request) = &decided {
                broker.announce_edit(request);
            }
            Ok(decided)
        });
        match decided.await.map_err(DecideError::from)? {
            Decided::Recorded(request) => Ok(request),
            Decided::AlreadySettled(state) => Err(DecideError::AlreadySettled(state).into()),
            Decided::AlreadyReviewed => Err(DecideError::AlreadyReviewed.into()),
            Decided::Changed => Err(DecideError::Changed.into()),
        }
    }

    async fn fit(&self, id: RequestId, text: &str) -> Result<Fitting, EditError> {
        let (sender, answer) = oneshot::channel();
        let proposed = News::Proposed {
            text: text.to_owned(),
            answer: Answer(sender),
        };
        if !self.shared.waiters.tell(id, proposed) {
            let holder = self.shared.store.holder(id).await.map_err(DecideError::from)?;
            return Err(holder.map_or(EditError::NotHere, EditError::Elsewhere));
        }
        let answer = timeout(LONGEST, answer).await.map_err(|_| EditError::TooSlow)?;
        let answer = answer.map_err(|_| EditError::NotHere)?;
        answer.map_err(EditError::Unfit)
    }

    fn announce_edit(&self, request: &HeldRequest) {
        if let Some(edit) = request.edits.last() {
            let approvers: Vec<Vec<String>> = request
                .counting()
                .iter()
                .map(|review| review.groups.clone())
                .collect();
            let missing = request.asked.quorum.missing(&approvers);
            let news = News::Edited {
                edit: edit.clone(),
                missing: missing.into_iter().cloned().collect(),
            };
            self.shared.waiters.tell(request.asked.id, news);
        }
        if request.state.kind() == StateKind::Pending {
            self.changed(request.asked.id);
        } else {
            self.announce(request);
        }
    }
}
