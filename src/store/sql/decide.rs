//! Recording requests, and people's verdicts on them.

use jiff::Timestamp;
use serde_json::json;

use super::audit::{self, Event};
use super::engine::{Connection, Engine, Variant, recorded};
use super::query::{Query, query};
use super::transition::{self, Change};
use super::writer::is_unique_violation;
use super::{SqlStore, grants, list, not_written, row, standing};
use crate::model::{
    Basis, Edit, HeldRequest, NewRequest, RequestId, RequestState, Review, StateKind, Verdict,
};
use crate::store::{Decided, FollowedUp, Grounds, Placed, StoreError};

impl<E: Engine> SqlStore<E> {
    /// Records a verdict and what follows from it, or says why it comes too late. `starts`: whoever waits for it starts at
    /// once.
    pub(super) async fn record_verdict(
        &self,
        id: RequestId,
        mut review: Review,
        seen: usize,
        starts: bool,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let mut tx = self.begin().await?;
        let request = existing(&mut *tx, id, &mut review).await?;
        let now = self.now_in_turn(now);
        if let Some(refusal) = refusal(&request, &review, seen, now) {
            tx.commit().await?;
            return Ok(refusal);
        }
        let (recorded, all) = follow(request, review, starts, now)?;
        tx.commit_with(all).await?;
        Ok(recorded)
    }

    /// Records what an approver has made of the statement, and that they approve it so.
    pub(super) async fn record_edit(
        &self,
        id: RequestId,
        edit: Edit,
        mut review: Review,
        (seen, starts): (usize, bool),
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let mut tx = self.begin().await?;
        let request = existing(&mut *tx, id, &mut review).await?;
        let now = self.now_in_turn(now);
        if let Some(refusal) = not_open_to(&request, &review, now) {
            tx.commit().await?;
            return Ok(refusal);
        }
        if request.edits.len() != seen {
            tx.commit().await?;
            return Ok(Decided::Changed);
        }
        insert_edit(&mut *tx, &request, &edit).await?;
        let edited = list::one(&mut *tx, id)
            .await?
            .ok_or_else(|| changed_meanwhile(id))?;
        let (recorded, all) = follow(edited, review, starts, now)?;
        tx.commit_with(all).await?;
        Ok(recorded)
    }

    /// Records a new request.
    pub(super) async fn insert(&self, request: &NewRequest, entry: Entry<'_>) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        let all = vec![entered(request, entry)?.into_owned()];
        tx.commit_with(all).await.map_err(|error| exists(error, request))
    }

    /// Records what policy holds: about to run where there are grounds for that, or else Pending.
    pub(super) async fn insert_placed(
        &self,
        request: &NewRequest,
        grounds: Grounds<'_>,
    ) -> Result<Placed, StoreError> {
        let mut tx = self.begin().await?;
        let placed = match grounds.bypass {
            Some(basis) => Placed::Running(basis.clone()),
            None => grants::use_one(&mut *tx, request, &grounds, &*self.clock).await?,
        };
        let entry = match &placed {
            Placed::Running(basis) => Entry::Running(basis),
            Placed::Pending | Placed::Uncounted(_) => Entry::Pending,
        };
        let all = vec![entered(request, entry)?.into_owned()];
        tx.commit_with(all)
            .await
            .map_err(|error| exists(error, request))?;
        Ok(placed)
    }

    /// Records what somebody says afterwards.
    pub(super) async fn record_followup(
        &self,
        id: RequestId,
        review: &Review,
    ) -> Result<FollowedUp, StoreError> {
        let mut tx = self.begin().await?;
        let Some(review) = standing::checked(&mut *tx, review).await? else {
            tx.commit().await?;
            return Ok(FollowedUp::NotEntitled);
        };
        let changed = query(
            "INSERT INTO followups (request_id, reviewer, group_names, verdict, comment, at) \
             SELECT id, $2, $3, $4, $5, $6 FROM requests \
             WHERE id = $1 AND basis = '{\"kind\":\"break_glass\"}' ON CONFLICT DO NOTHING",
        )
        .bind(id.as_str())
        .bind(&review.reviewer)
        .bind(row::to_json(&review.groups)?)
        .bind(row::verdict_word(review.verdict))
        .bind(&review.comment)
        .bind(review.at.as_microsecond())
        .execute(&mut *tx)
        .await
        .map_err(not_written)?;
        if changed == 0 {
            tx.commit().await?;
            return Ok(FollowedUp::NotWaitedFor);
        }
        let event = Event {
            at: review.at,
            kind: "request.followed_up",
            request: Some(id),
            actor: Some(&review.reviewer),
            detail: json!({
                "verdict": review.verdict,
                "groups": review.groups,
                "comment": review.comment,
            }),
        };
        audit::record(&mut *tx, event).await?;
        tx.commit().await?;
        Ok(FollowedUp::Recorded)
    }
}

/// The request; the review is left those of its groups that its reviewer is in at the moment.
async fn existing(
    connection: &mut impl Connection,
    id: RequestId,
    review: &mut Review,
) -> Result<HeldRequest, StoreError> {
    let found = list::one_to_decide(connection, id, &review.reviewer).await?;
    let (request, present) = found.ok_or_else(|| StoreError::NotFound(format!("request {id}")))?;
    standing::keep(review, &present);
    Ok(request)
}

/// What records a review and what it brings.
fn follow(
    mut request: HeldRequest,
    review: Review,
    starts: bool,
    now: Timestamp,
) -> Result<(Decided, Vec<Query<'static, Variant>>), StoreError> {
    let id = request.asked.id;
    let consequence = consequence(&request, &review);
    let is_again = is_again(&request, &review);
    // There is no review of theirs to tell the commit by, where its answer is lost: whoever waits starts by itself then.
    let is_started = starts && !is_again && matches!(consequence, Some(Change::Approve(_)));
    // Nothing of it depends on another: the request was read under the write lock, and is Pending.
    let mut all = Vec::new();
    if !is_again {
        all.push(reviewed(&request, &review)?.into_owned());
    }
    if let Some(change) = consequence {
        all.push(transition::made(id, change, now)?.into_owned());
    }
    if is_started {
        all.push(transition::made(id, Change::Start, now)?.into_owned());
    }
    if consequence.is_some() {
        request.state = match review.verdict {
            Verdict::Approve => RequestState::Approved,
            Verdict::Reject => RequestState::Rejected,
        };
        request.settled_at = match review.verdict {
            Verdict::Approve => None,
            Verdict::Reject => Some(row::kept(now)?),
        };
    }
    if !is_again {
        request.reviews.push(Review {
            at: row::kept(review.at)?,
            ..review
        });
    }
    let decided = if is_started {
        Decided::Started(request)
    } else {
        Decided::Recorded(request)
    };
    Ok((decided, all))
}

/// How a request enters the store.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'a> {
    Pending,
    /// Policy denied it, for this reason.
    Denied(&'a str),
    /// It is about to run, on these grounds.
    Running(&'a Basis),
}

impl Entry<'_> {
    const fn state(self) -> StateKind {
        match self {
            Self::Pending => StateKind::Pending,
            Self::Denied(_) => StateKind::Denied,
            Self::Running(_) => StateKind::Running,
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Pending => "request.held",
            Self::Denied(_) => "request.denied",
            Self::Running(_) => "request.not_held",
        }
    }
}

/// The statement that enters a request.
fn entered<'a>(request: &'a NewRequest, entry: Entry<'a>) -> Result<Query<'a, Variant>, StoreError> {
    let (denied, basis) = match entry {
        Entry::Pending => (None, None),
        Entry::Denied(reason) => (Some(reason), None),
        Entry::Running(basis) => (None, Some(basis)),
    };
    let event = Event {
        at: request.created_at,
        kind: entry.kind(),
        request: Some(request.id),
        actor: Some(&request.origin.user),
        detail: json!({
            "database": request.origin.database,
            "effect": request.effect,
            "command": request.command,
            "rule": request.rule,
            "groups": request.quorum.groups(),
            "quorum": request.quorum,
            "self_approval": request.self_approval,
            "justification": request.justification,
            "ticket": request.ticket,
            "digest": hex(&request.digest),
            "why": denied,
            "basis": basis,
        }),
    };
    insertion(event, request, entry.state(), denied, basis)
}

/// A request of this name was entered before.
fn exists(error: StoreError, request: &NewRequest) -> StoreError {
    if is_unique_violation(&error) {
        StoreError::Exists(format!("request {}", request.id))
    } else {
        error
    }
}

/// Why a verdict is not taken, if it is not.
fn refusal(request: &HeldRequest, review: &Review, seen: usize, now: Timestamp) -> Option<Decided> {
    if let Some(refusal) = not_open_to(request, review, now) {
        return Some(refusal);
    }
    if review.verdict == Verdict::Approve && request.edits.len() != seen {
        return Some(Decided::Changed);
    }
    let waits = !request.asked.quorum.is_met(&request.approvers());
    (waits && is_again(request, review)).then_some(Decided::AlreadyReviewed)
}

/// Whether they have approved it before. Where it waits for nobody any more, since somebody has come back whose approval counts
/// again, that brings it about.
fn is_again(request: &HeldRequest, review: &Review) -> bool {
    let is_earlier =
        |earlier: &Review| earlier.verdict == Verdict::Approve && earlier.reviewer == review.reviewer;
    review.verdict == Verdict::Approve && request.counting().iter().any(is_earlier)
}

/// Why this person decides on it in no way, if they do not: they stand for nobody whom it asks, or it is settled.
fn not_open_to(request: &HeldRequest, review: &Review, now: Timestamp) -> Option<Decided> {
    if review.groups.is_empty() {
        return Some(Decided::NotEntitled {
            groups: request.asked.quorum.groups(),
        });
    }
    if request.state != RequestState::Pending {
        return Some(Decided::AlreadySettled(request.state.kind()));
    }
    // In the store's own resolution, as `expire_due` compares.
    let is_over = request.asked.expires_at.as_microsecond() <= now.as_microsecond();
    is_over.then_some(Decided::AlreadySettled(StateKind::Expired))
}

/// What a new review brings about for a Pending request.
fn consequence<'a>(request: &HeldRequest, review: &'a Review) -> Option<Change<'a>> {
    match review.verdict {
        Verdict::Reject => Some(Change::Reject(&review.reviewer)),
        Verdict::Approve => {
            let mut approvers = request.approvers();
            if !is_again(request, review) {
                approvers.push(review.groups.clone());
            }
            request
                .asked
                .quorum
                .is_met(&approvers)
                .then_some(Change::Approve(&review.reviewer))
        }
    }
}

const REVIEW: Variant = recorded!(
    insert "INSERT INTO reviews (request_id, reviewer, group_names, verdict, comment, at, edits) \
            VALUES ($6, $7, $8, $9, $10, $11, $12)"
);

const REQUEST: Variant = recorded!(
    insert "INSERT INTO requests (id, state, note, settled_at, database_name, user_name, application_name, \
            client_addr, in_transaction, statement, parameters, digest, command, effect, tables, functions, \
            signals, unfiltered, rule, group_names, created_at, expires_at, transaction_since, \
            quorum, self_approval, justification, ticket, shape, basis, earlier) \
            VALUES ($6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, \
            $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35)"
);

async fn insert_edit(
    connection: &mut impl Connection,
    request: &HeldRequest,
    edit: &Edit,
) -> Result<(), StoreError> {
    let before = i64::try_from(request.reviews.len()).unwrap_or(i64::MAX);
    query(
        "INSERT INTO edits (request_id, editor, statement, digest, command, effect, comment, reviews_before, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(request.asked.id.as_str())
    .bind(&edit.editor)
    .bind(&edit.statement)
    .bind(&edit.digest[..])
    .bind(&edit.command)
    .bind(edit.effect.as_str())
    .bind(&edit.comment)
    .bind(before)
    .bind(edit.at.as_microsecond())
    .execute(&mut *connection)
    .await
    .map_err(not_written)?;
    let event = Event {
        at: edit.at,
        kind: "request.edited",
        request: Some(request.asked.id),
        actor: Some(&edit.editor),
        detail: json!({
            "statement": edit.statement,
            "digest": hex(&edit.digest),
            "command": edit.command,
            "effect": edit.effect,
            "comment": edit.comment,
        }),
    };
    audit::record(connection, event).await
}

/// The statement that records a review.
fn reviewed<'a>(request: &HeldRequest, review: &'a Review) -> Result<Query<'a, Variant>, StoreError> {
    let id = request.asked.id;
    let event = Event {
        at: review.at,
        kind: "request.reviewed",
        request: Some(id),
        actor: Some(&review.reviewer),
        detail: json!({
            "verdict": review.verdict,
            "groups": review.groups,
            "comment": review.comment,
        }),
    };
    Ok(event
        .first_in(&REVIEW)
        .bind(id.to_string())
        .bind(&review.reviewer)
        .bind(row::to_json(&review.groups)?)
        .bind(row::verdict_word(review.verdict))
        .bind(&review.comment)
        .bind(review.at.as_microsecond())
        .bind(i64::try_from(request.edits.len()).unwrap_or(i64::MAX)))
}

fn insertion<'a>(
    event: Event<'a>,
    request: &'a NewRequest,
    state: StateKind,
    denied: Option<&'a str>,
    basis: Option<&Basis>,
) -> Result<Query<'a, Variant>, StoreError> {
    Ok(event
        .first_in(&REQUEST)
        .bind(request.id.as_str())
        .bind(state.as_str())
        .bind(denied)
        .bind(denied.map(|_| request.created_at.as_microsecond()))
        .bind(&request.origin.database)
        .bind(&request.origin.user)
        .bind(&request.origin.application_name)
        .bind(&request.origin.client_addr)
        .bind(request.origin.in_transaction)
        .bind(&request.statement)
        .bind(row::to_json(&request.parameters)?)
        .bind(&request.digest[..])
        .bind(&request.command)
        .bind(request.effect.as_str())
        .bind(row::to_json(&request.tables)?)
        .bind(row::to_json(&request.functions)?)
        .bind(row::to_json(&request.signals)?)
        .bind(request.unfiltered)
        .bind(&request.rule)
        .bind(row::to_json(&request.quorum.groups())?)
        .bind(request.created_at.as_microsecond())
        .bind(request.expires_at.as_microsecond())
        .bind(
            request
                .origin
                .transaction_since
                .map(jiff::Timestamp::as_microsecond),
        )
        .bind(row::to_json(&request.quorum)?)
        .bind(request.self_approval)
        .bind(&request.justification)
        .bind(&request.ticket)
        .bind(request.shape.map(|shape| shape.to_string()))
        .bind(basis.map(row::to_json).transpose()?)
        .bind(row::to_json(&request.earlier)?))
}

fn changed_meanwhile(id: RequestId) -> StoreError {
    StoreError::Inconsistent(format!("request {id} changed under the write lock"))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
