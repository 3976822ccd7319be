//! Approving with a change: an approver has another statement run in the place of what was asked.
//!
//! Only the session that waits knows what the statement means there and which bytes it would be, so it is asked. What it
//! says is recorded together with the approver's own approval; earlier approvals count no more. It may have to ask the
//! server, so it is waited for, but not for ever. Where another proxy holds the session, that one is asked, through the store.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Broker;
use super::broker::DecideError;
use super::entitlement::standing_groups;
use super::waiters::{Answer, Fitting, News};
use crate::model::{Edit, HeldRequest, Principal, RequestId, Review, StateKind, Verdict};
use crate::store::{Decided, ProposalId, StoreError};
use crate::timer::timeout;

/// So long the session is waited for.
const LONGEST: Duration = Duration::from_secs(5);
/// So long another proxy is, which waits for its session.
const LONGEST_ELSEWHERE: Duration = Duration::from_secs(8);
/// How often its answer is looked for without a hint.
const LOOK: Duration = Duration::from_millis(500);

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
    /// It is with another proxy, whose console this is, and that has not answered in time.
    #[error("the proxy that holds the session, {0}, has not answered in time")]
    Elsewhere(String),
    /// The session, or its server, has not answered in time.
    #[error("the session that waits for this has not said in time whether it can run")]
    TooSlow,
}

impl Broker {
    /// Changes the statement of a request that waits, and approves it so. `seen` as in [`Broker::decide_seen`].
    /// Answers within some 5 seconds, 8 where another proxy holds the session, and what the store takes. Cancel-safe: dropped half way, it was recorded whole or
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
        // The session remembers what it was asked about, and not without end.
        if request.edits.len() != seen {
            return Err(DecideError::Changed.into());
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
            lapsed: Vec::new(),
        };
        let broker = self.clone();
        let decided = self.on_control(async move {
            let starts = broker.shared.waiters.is_waited_for(id);
            let last = review.clone();
            let store = &broker.shared.store;
            let decided = store.edit(id, edit, review, seen, starts, now).await;
            if let Ok(Decided::Recorded(request) | Decided::Started(request)) = &decided {
                broker.tell_of_edit(request);
                if request.state.kind() == StateKind::Pending {
                    // Its review is the editor's own.
                    broker.changed(id);
                    return decided;
                }
            }
            broker.announce_decided(id, &last, starts, decided)
        });
        match decided.await.map_err(DecideError::from)? {
            Decided::Recorded(request) | Decided::Started(request) => Ok(request),
            Decided::AlreadySettled(state) => Err(DecideError::AlreadySettled(state).into()),
            Decided::AlreadyReviewed => Err(DecideError::AlreadyReviewed.into()),
            Decided::Changed => Err(DecideError::Changed.into()),
            Decided::NotEntitled { groups } => Err(DecideError::NotEntitled { groups }.into()),
        }
    }

    async fn fit(&self, id: RequestId, text: &str) -> Result<Fitting, EditError> {
        let (sender, answer) = oneshot::channel();
        let proposed = News::Proposed {
            text: text.to_owned(),
            answer: Answer(sender),
        };
        if !self.shared.waiters.tell(id, proposed) {
            return self.fit_elsewhere(id, text).await;
        }
        let answer = timeout(LONGEST, answer).await.map_err(|_| EditError::TooSlow)?;
        let answer = answer.map_err(|_| EditError::NotHere)?;
        answer.map_err(EditError::Unfit)
    }

    /// Asks the proxy that holds the session, if there is one.
    async fn fit_elsewhere(&self, id: RequestId, text: &str) -> Result<Fitting, EditError> {
        let store = &self.shared.store;
        let Some(holder) = store.holder(id).await.map_err(DecideError::from)? else {
            return Err(EditError::NotHere);
        };
        let asked = store.propose(id, text).await.map_err(DecideError::from)?;
        let answered = async {
            loop {
                // Registered before it is looked for: an answer in between wakes.
                let hint = self.shared.answers.notified();
                if let Some(answer) = store.take_answer(asked).await? {
                    return Ok(answer);
                }
                // A hint may be lost.
                let _ = timeout(LOOK, hint).await;
            }
        };
        let answer = timeout(LONGEST_ELSEWHERE, answered)
            .await
            .map_err(|_| EditError::Elsewhere(holder))?;
        let answer = answer.map_err(DecideError::Store)?;
        let answer: Fits = serde_json::from_str(&answer).map_err(|error| {
            DecideError::Store(StoreError::Inconsistent(format!(
                "an answer to a proposal: {error}"
            )))
        })?;
        match answer {
            Fits::Yes(fitting) => Ok(fitting),
            Fits::No(why) => Err(EditError::Unfit(why)),
            Fits::NotHere => Err(EditError::NotHere),
            Fits::TooSlow => Err(EditError::TooSlow),
        }
    }

    /// Another proxy asks this about one of the sessions here.
    pub(super) async fn answer_proposal(&self, asked: ProposalId) -> Result<(), StoreError> {
        let Some((id, text)) = self.shared.store.proposal(asked).await? else {
            return Ok(());
        };
        if !self.shared.waiters.is_waited_for(id) {
            return Ok(());
        }
        let (sender, answer) = oneshot::channel();
        let answer_to = Answer(sender);
        let proposed = News::Proposed {
            text,
            answer: answer_to,
        };
        let is_told = self.shared.waiters.tell(id, proposed);
        let fits = match timeout(LONGEST, answer).await {
            Ok(Ok(Ok(fitting))) => Fits::Yes(fitting),
            Ok(Ok(Err(why))) => Fits::No(why),
            Err(_) if is_told => Fits::TooSlow,
            _ => Fits::NotHere,
        };
        let answer = serde_json::to_string(&fits)
            .map_err(|error| StoreError::Inconsistent(format!("an answer has no JSON form: {error}")))?;
        self.shared.store.answer(asked, &answer).await
    }

    /// Tells whoever waits what approvers have made of the statement, unless they have heard of it. Whether they were told.
    pub(super) fn tell_of_edit(&self, request: &HeldRequest) -> bool {
        let Some(edit) = request.edits.last() else {
            return false;
        };
        let news = || {
            let missing = request.asked.quorum.missing(&request.approvers()).into_iter();
            News::Edited {
                edit: edit.clone(),
                missing: missing.cloned().collect(),
            }
        };
        self.shared
            .waiters
            .tell_of_edit(request.asked.id, request.edits.len(), news)
    }
}

/// What the proxy that holds the session answers.
#[derive(Debug, Serialize, Deserialize)]
enum Fits {
    Yes(Fitting),
    No(String),
    NotHere,
    TooSlow,
}
