//! Grants: asking for them, people's verdicts, their end, and their use.

use jiff::Timestamp;
use serde_json::json;

use super::audit::{self, Event};
use super::columns::{decider_columns, grant_columns, present_field};
use super::engine::{Connection, Engine, Variant, hinted};
use super::query::{self, Builder, query};
use super::{SqlStore, grant_row, not_read, not_written, row, standing};
use crate::model::{
    Basis, Clock, Grant, GrantKind, GrantState, Holder, NewGrant, NewRequest, Principal, RequestId, Review,
    Verdict,
};
use crate::store::{GrantDecided, GrantEnd, GrantFilter, Grounds, Placed, StoreError};

/// More grants of one person on one database are not looked through.
const CANDIDATES: i64 = 1_000;

impl<E: Engine> SqlStore<E> {
    pub(super) async fn add_grant(
        &self,
        asked: &NewGrant,
        first: Option<&Review>,
    ) -> Result<Option<Grant>, StoreError> {
        let mut tx = self.begin().await?;
        let first = match first {
            None => None,
            Some(review) => match standing::checked(&mut *tx, review).await? {
                None => {
                    tx.commit().await?;
                    return Ok(None);
                }
                checked => checked,
            },
        };
        insert(&mut *tx, asked).await?;
        let event = Event {
            at: asked.created_at,
            kind: "grant.asked",
            request: None,
            actor: Some(&asked.asked_by),
            detail: json!({
                "grant": asked.id.as_str(),
                "holder": asked.holder,
                "database": asked.database,
                "scope": asked.scope,
                "length_s": asked.length.as_secs(),
                "times": asked.times,
                "max_rows": asked.max_rows,
                "justification": asked.justification,
                "ticket": asked.ticket,
                "rule": asked.rule,
                "quorum": asked.quorum,
            }),
        };
        audit::record(&mut *tx, event).await?;
        if let Some(review) = &first {
            insert_review(&mut *tx, asked.id, review).await?;
            let grant = read(&mut *tx, asked.id).await?;
            follow(&mut *tx, &grant, review.at).await?;
        }
        let grant = read(&mut *tx, asked.id).await?;
        tx.commit().await?;
        Ok(Some(grant))
    }

    pub(super) async fn decide_grant(
        &self,
        id: RequestId,
        review: &Review,
        length: Option<std::time::Duration>,
        now: Timestamp,
    ) -> Result<GrantDecided, StoreError> {
        let mut tx = self.begin().await?;
        let (grant, present) = one_to_decide(&mut *tx, id, &review.reviewer)
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("grant {id}")))?;
        let mut review = review.clone();
        standing::keep(&mut review, &present);
        let now = self.now_in_turn(now);
        if let Some(refusal) = refusal(&grant, &review, now) {
            tx.commit().await?;
            return Ok(refusal);
        }
        if !is_again(&grant, &review) {
            insert_review(&mut *tx, id, &review).await?;
        }
        if let Some(length) = length.filter(|length| *length < grant.asked.length) {
            shorten(&mut *tx, id, length, &review).await?;
        }
        let grant = read(&mut *tx, id).await?;
        follow(&mut *tx, &grant, now).await?;
        let grant = read(&mut *tx, id).await?;
        tx.commit().await?;
        Ok(GrantDecided::Recorded(Box::new(grant)))
    }

    pub(super) async fn finish_grant(
        &self,
        id: RequestId,
        end: GrantEnd,
        by: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let (from, to) = match end {
            GrantEnd::Withdrawn => (GrantState::Pending, GrantState::Withdrawn),
            GrantEnd::Revoked => (GrantState::Active, GrantState::Revoked),
        };
        let changed = query(
            "UPDATE grants SET state = $1, settled_at = $2, settled_by = $3, note = $4 \
             WHERE id = $5 AND state = $6 AND ($6 = 'pending' OR ends_at > $2)",
        )
        .bind(to.as_str())
        .bind(now.as_microsecond())
        .bind(by)
        .bind(why)
        .bind(id.as_str())
        .bind(from.as_str())
        .execute(&mut *tx)
        .await
        .map_err(not_written)?;
        if changed == 0 {
            tx.commit().await?;
            return Ok(false);
        }
        settled(&mut *tx, id, to, Some(by), now, Some(why)).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Expires what nobody has decided on in time, and ends what has had its time.
    pub(super) async fn sweep_due_grants(&self, now: Timestamp) -> Result<Vec<RequestId>, StoreError> {
        const DUE: &str = "SELECT id, state FROM grants WHERE state = 'pending' AND expires_at <= $1 \
             UNION ALL SELECT id, state FROM grants WHERE state = 'active' AND ends_at <= $1 ORDER BY id";
        let due = query(DUE)
            .bind(now.as_microsecond())
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(not_read)?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin_alone().await?;
        let due = query(DUE)
            .bind(now.as_microsecond())
            .fetch_all(&mut *tx)
            .await
            .map_err(not_read)?;
        let mut ids = Vec::with_capacity(due.len());
        for found in &due {
            let id = row::id(found, "id")?;
            let to = match grant_row::state(found)? {
                GrantState::Pending => GrantState::Expired,
                _ => GrantState::Ended,
            };
            set_state(&mut *tx, id, to, now).await?;
            settled(&mut *tx, id, to, None, now, None).await?;
            ids.push(id);
        }
        tx.commit().await?;
        Ok(ids)
    }

    pub(super) async fn list_grants(&self, filter: &GrantFilter) -> Result<Vec<Grant>, StoreError> {
        let mut connection = self.reader().await?;
        let mut query = Builder::of(&*connection, &GRANTS);
        if let Some(kind) = filter.kind {
            query.push(" AND kind = ").push_bind(kind.as_str());
        }
        if !filter.states.is_empty() {
            query.push(" AND state IN ");
            query.push_list(filter.states.iter().map(|state| state.as_str()));
        }
        if let Some(person) = filter.visible_to.as_ref().filter(|person| !person.admin) {
            visible_to(&mut query, person)?;
        }
        if let Some(before) = filter.before {
            query
                .push(" AND (created_at, id) < (SELECT created_at, id FROM grants WHERE id = ")
                .push_bind(before.to_string())
                .push(")");
        }
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ");
        query.push_bind(i64::from(filter.limit));
        let rows = query.build().fetch_all(&mut *connection).await;
        rows.map_err(not_read)?.iter().map(grant_row::grant).collect()
    }

    pub(super) async fn read_grant(&self, id: RequestId) -> Result<Option<Grant>, StoreError> {
        one(&mut *self.reader().await?, id).await
    }
}

/// Grants with what people have said, as a list of objects, in no order; and with the groups that these people are in by now.
macro_rules! grants {
    ($columns:expr, $condition:literal, $list:literal, $object:literal, $as_text:literal) => {
        concat!(
            "SELECT ",
            $columns,
            ", (SELECT ",
            $list,
            "(",
            $object,
            "('id', id, 'reviewer', reviewer, \
             'group_names', group_names, 'verdict', verdict, 'comment', comment, 'at', at",
            present_field!("grant_reviews"),
            "))",
            $as_text,
            " FROM grant_reviews WHERE grant_id = grants.id) AS reviews FROM grants WHERE ",
            $condition
        )
    };
}

macro_rules! variant {
    ($columns:expr, $condition:literal) => {
        Variant {
            sqlite: grants!($columns, $condition, "json_group_array", "json_object", ""),
            postgres: grants!($columns, $condition, "json_agg", "json_build_object", "::text"),
        }
    };
}

const GRANTS: Variant = variant!(grant_columns!(), "true");
const GRANT: Variant = variant!(grant_columns!(), "id = $1");
/// For whoever decides on it.
const DECIDED: Variant = variant!(concat!(grant_columns!(), decider_columns!()), "id = $1");

/// Those that may cover a request, in the order in which they are to be used. Who has approved one may have come into its group
/// since: theirs is not covered by their own word.
const COVERING: Variant = hinted!(
    concat!("SELECT ", grant_columns!(), " FROM grants"),
    "INDEXED BY grants_active",
    "WHERE state = 'active' AND database_name = $1 AND ends_at > $2 \
     AND (kind = 'window' OR shape = $3) AND (times IS NULL OR used < times) \
     AND CASE holder_kind WHEN 'user' THEN holder = $4 \
         ELSE holder IN (SELECT value FROM json_each($5)) END \
     AND (self_approval OR NOT EXISTS (SELECT 1 FROM grant_reviews \
         WHERE grant_id = grants.id AND reviewer = $4)) \
     ORDER BY kind = 'shape', max_rows IS NOT NULL, max_rows DESC, ends_at, id LIMIT $6"
);

/// Uses a grant that covers the request, if there is one: a window before a shape, so that what can be used a number of
/// times is saved; what has no limit of rows before what has one, and of these the highest, so that nothing is rolled
/// back that another grant covers; and then the one that ends first.
/// One that has ended while the request waited for its turn, by the clock, covers nothing.
pub(super) async fn use_one(
    connection: &mut impl Connection,
    request: &NewRequest,
    grounds: &Grounds<'_>,
    clock: &dyn Clock,
) -> Result<Placed, StoreError> {
    let candidates = query::variant(&COVERING)
        .bind(&request.origin.database)
        .bind(request.created_at.as_microsecond())
        .bind(request.shape.map(|shape| shape.to_string()))
        .bind(&request.origin.user)
        .bind(row::to_json(grounds.groups)?)
        .bind(CANDIDATES)
        .fetch_all(&mut *connection)
        .await
        .map_err(not_read)?;
    // With what was read the turn has come.
    let now = clock.now();
    for found in &candidates {
        let grant = grant_row::grant_alone(found)?;
        let is_over = grant.span.is_some_and(|(_, end)| end <= now);
        if is_over || !grant.covers(request) {
            continue;
        }
        if grant.asked.max_rows.is_some() && !grounds.counts_rows {
            // Those behind it have a limit, too.
            return Ok(Placed::Uncounted(basis(&grant)));
        }
        return count_use(connection, &grant, request).await.map(Placed::Running);
    }
    Ok(Placed::Pending)
}

fn basis(grant: &Grant) -> Basis {
    let id = grant.asked.id.to_string();
    match grant.asked.scope.kind() {
        GrantKind::Window => Basis::Grant { id },
        GrantKind::Shape => Basis::StandingApproval {
            id,
            max_rows: grant.asked.max_rows,
        },
    }
}

async fn count_use(
    connection: &mut impl Connection,
    grant: &Grant,
    request: &NewRequest,
) -> Result<Basis, StoreError> {
    let id = grant.asked.id;
    let changed = query("UPDATE grants SET used = used + 1 WHERE id = $1 AND state = 'active'")
        .bind(id.as_str())
        .execute(&mut *connection)
        .await
        .map_err(not_written)?;
    if changed != 1 {
        return Err(changed_meanwhile(id));
    }
    if grant.asked.times == Some(grant.used + 1) {
        set_state(connection, id, GrantState::Ended, request.created_at).await?;
        settled(connection, id, GrantState::Ended, None, request.created_at, None).await?;
    }
    Ok(basis(grant))
}

/// Why a verdict is not taken, if it is not.
fn refusal(grant: &Grant, review: &Review, now: Timestamp) -> Option<GrantDecided> {
    if review.groups.is_empty() {
        return Some(GrantDecided::NotEntitled);
    }
    if grant.state != GrantState::Pending {
        return Some(GrantDecided::AlreadySettled(grant.state));
    }
    if grant.asked.expires_at.as_microsecond() <= now.as_microsecond() {
        return Some(GrantDecided::AlreadySettled(GrantState::Expired));
    }
    let waits = !grant.asked.quorum.is_met(&grant.approvers());
    (waits && is_again(grant, review)).then_some(GrantDecided::AlreadyReviewed)
}

/// Whether they have approved it before. Where it waits for nobody any more, since somebody has come back whose approval counts
/// again, that brings it about.
fn is_again(grant: &Grant, review: &Review) -> bool {
    let is_earlier =
        |earlier: &Review| earlier.verdict == Verdict::Approve && earlier.reviewer == review.reviewer;
    review.verdict == Verdict::Approve && grant.reviews.iter().any(is_earlier)
}

/// What a verdict brings about for a grant that is pending.
async fn follow(connection: &mut impl Connection, grant: &Grant, now: Timestamp) -> Result<(), StoreError> {
    let id = grant.asked.id;
    let rejected = grant
        .reviews
        .iter()
        .find(|review| review.verdict == Verdict::Reject);
    if let Some(review) = rejected {
        set_state(connection, id, GrantState::Rejected, now).await?;
        return settled(
            connection,
            id,
            GrantState::Rejected,
            Some(&review.reviewer),
            now,
            None,
        )
        .await;
    }
    if !grant.asked.quorum.is_met(&grant.approvers()) {
        return Ok(());
    }
    let ends_at = now.saturating_add(grant.asked.length).unwrap_or(now);
    let changed = query(
        "UPDATE grants SET state = 'active', starts_at = $1, ends_at = $2 WHERE id = $3 AND state = 'pending'",
    )
    .bind(now.as_microsecond())
    .bind(ends_at.as_microsecond())
    .bind(id.as_str())
    .execute(&mut *connection)
    .await
    .map_err(not_written)?;
    if changed != 1 {
        return Err(changed_meanwhile(id));
    }
    settled(connection, id, GrantState::Active, None, now, None).await
}

async fn set_state(
    connection: &mut impl Connection,
    id: RequestId,
    to: GrantState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let changed = query("UPDATE grants SET state = $1, settled_at = $2 WHERE id = $3")
        .bind(to.as_str())
        .bind(now.as_microsecond())
        .bind(id.as_str())
        .execute(connection)
        .await
        .map_err(not_written)?;
    if changed == 1 {
        Ok(())
    } else {
        Err(changed_meanwhile(id))
    }
}

async fn settled(
    connection: &mut impl Connection,
    id: RequestId,
    to: GrantState,
    by: Option<&str>,
    now: Timestamp,
    why: Option<&str>,
) -> Result<(), StoreError> {
    let event = Event {
        at: now,
        kind: &format!("grant.{}", to.as_str()),
        request: None,
        actor: by,
        detail: json!({ "grant": id.as_str(), "why": why }),
    };
    audit::record(connection, event).await
}

async fn shorten(
    connection: &mut impl Connection,
    id: RequestId,
    length: std::time::Duration,
    by: &Review,
) -> Result<(), StoreError> {
    query("UPDATE grants SET length = $1 WHERE id = $2")
        .bind(grant_row::microseconds(length))
        .bind(id.as_str())
        .execute(&mut *connection)
        .await
        .map_err(not_written)?;
    let event = Event {
        at: by.at,
        kind: "grant.shortened",
        request: None,
        actor: Some(&by.reviewer),
        detail: json!({ "grant": id.as_str(), "length_s": length.as_secs() }),
    };
    audit::record(connection, event).await
}

async fn insert(connection: &mut impl Connection, asked: &NewGrant) -> Result<(), StoreError> {
    let (holder_kind, holder) = match &asked.holder {
        Holder::User(name) => ("user", name),
        Holder::Group(name) => ("group", name),
    };
    let shape = match &asked.scope {
        crate::model::Scope::Shape { shape, .. } => Some(shape.to_string()),
        crate::model::Scope::Window { .. } => None,
    };
    query(
        "INSERT INTO grants (id, kind, state, database_name, holder_kind, holder, scope, shape, justification, \
         ticket, length, times, rule, quorum, group_names, self_approval, asked_by, created_at, expires_at, max_rows) \
         VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(asked.id.as_str())
    .bind(asked.scope.kind().as_str())
    .bind(&asked.database)
    .bind(holder_kind)
    .bind(holder)
    .bind(row::to_json(&asked.scope)?)
    .bind(shape)
    .bind(&asked.justification)
    .bind(&asked.ticket)
    .bind(grant_row::microseconds(asked.length))
    .bind(asked.times)
    .bind(&asked.rule)
    .bind(row::to_json(&asked.quorum)?)
    .bind(row::to_json(&asked.quorum.groups())?)
    .bind(asked.self_approval)
    .bind(&asked.asked_by)
    .bind(asked.created_at.as_microsecond())
    .bind(asked.expires_at.as_microsecond())
    .bind(asked.max_rows)
    .execute(connection)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(refused) if refused.is_unique_violation() => StoreError::Exists(format!("grant {}", asked.id)),
        _ => not_written(error),
    })?;
    Ok(())
}

async fn insert_review(
    connection: &mut impl Connection,
    id: RequestId,
    review: &Review,
) -> Result<(), StoreError> {
    query(
        "INSERT INTO grant_reviews (grant_id, reviewer, group_names, verdict, comment, at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.as_str())
    .bind(&review.reviewer)
    .bind(row::to_json(&review.groups)?)
    .bind(row::verdict_word(review.verdict))
    .bind(&review.comment)
    .bind(review.at.as_microsecond())
    .execute(&mut *connection)
    .await
    .map_err(not_written)?;
    let event = Event {
        at: review.at,
        kind: "grant.reviewed",
        request: None,
        actor: Some(&review.reviewer),
        detail: json!({
            "grant": id.as_str(),
            "verdict": review.verdict,
            "groups": review.groups,
            "comment": review.comment,
        }),
    };
    audit::record(connection, event).await
}

fn visible_to(query: &mut Builder<'_>, person: &Principal) -> Result<(), StoreError> {
    let groups = row::to_json(&person.groups)?;
    query.push(" AND (asked_by = ").push_bind(person.name.clone());
    query
        .push(" OR (holder_kind = 'user' AND holder = ")
        .push_bind(person.name.clone());
    query
        .push(") OR (holder_kind = 'group' AND holder IN (SELECT value FROM json_each(")
        .push_bind(groups.clone());
    query
        .push("))) OR EXISTS (SELECT 1 FROM json_each(grants.group_names) AS named WHERE named.value IN (SELECT value FROM json_each(")
        .push_bind(groups);
    query.push("))))");
    Ok(())
}

async fn read(connection: &mut impl Connection, id: RequestId) -> Result<Grant, StoreError> {
    one(connection, id).await?.ok_or_else(|| changed_meanwhile(id))
}

async fn one(connection: &mut impl Connection, id: RequestId) -> Result<Option<Grant>, StoreError> {
    let found = query::variant(&GRANT)
        .bind(id.as_str())
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    found.as_ref().map(grant_row::grant).transpose()
}

/// The grant, and the groups that this person is in at the moment: none where they are disabled, or not there.
async fn one_to_decide(
    connection: &mut impl Connection,
    id: RequestId,
    decider: &str,
) -> Result<Option<(Grant, Vec<String>)>, StoreError> {
    let found = query::variant(&DECIDED)
        .bind(id.as_str())
        .bind(decider)
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    found
        .map(|found| Ok((grant_row::grant(&found)?, row::present_groups(&found)?)))
        .transpose()
}

fn changed_meanwhile(id: RequestId) -> StoreError {
    StoreError::Inconsistent(format!("grant {id} changed under the write lock"))
}
