//! The transitions of requests: each names the states that it expects and changes one row or none.

use jiff::Timestamp;
use serde_json::json;

use super::audit::Event;
use super::engine::{Connection, Engine, Variant, hinted, recorded};
use super::query::{self, Query};
use super::{SqlStore, not_read, not_written, row};
use crate::model::{Outcome, RequestId, StateKind};
use crate::store::{Abandoned, StoreError};

/// A change of state, with what it brings.
#[derive(Clone, Copy)]
pub(in crate::store) enum Change<'a> {
    /// The last approval that was needed, by this person.
    Approve(&'a str),
    /// A rejection, by this person.
    Reject(&'a str),
    Expire,
    Withdraw(&'a str),
    Abandon(&'a str),
    Start,
    Finish(&'a Outcome),
}

impl<'a> Change<'a> {
    /// The states from which this change is made.
    const fn from(self) -> &'static [StateKind] {
        match self {
            Self::Approve(_) | Self::Reject(_) | Self::Expire => &[StateKind::Pending],
            Self::Withdraw(_) => &[StateKind::Pending, StateKind::Approved],
            Self::Abandon(_) => &[StateKind::Pending, StateKind::Approved, StateKind::Running],
            Self::Start => &[StateKind::Approved],
            Self::Finish(_) => &[StateKind::Running],
        }
    }

    const fn to(self) -> StateKind {
        match self {
            Self::Approve(_) => StateKind::Approved,
            Self::Reject(_) => StateKind::Rejected,
            Self::Expire => StateKind::Expired,
            Self::Withdraw(_) => StateKind::Withdrawn,
            Self::Abandon(_) => StateKind::Abandoned,
            Self::Start => StateKind::Running,
            Self::Finish(outcome) if outcome.sqlstate.is_none() && outcome.error.is_none() => {
                StateKind::Executed
            }
            Self::Finish(_) => StateKind::Failed,
        }
    }

    const fn event(self) -> &'static str {
        match self {
            Self::Approve(_) => "request.approved",
            Self::Reject(_) => "request.rejected",
            Self::Expire => "request.expired",
            Self::Withdraw(_) => "request.withdrawn",
            Self::Abandon(_) => "request.abandoned",
            Self::Start => "request.running",
            Self::Finish(outcome) if outcome.sqlstate.is_none() && outcome.error.is_none() => {
                "request.executed"
            }
            Self::Finish(_) => "request.failed",
        }
    }

    const fn note(self) -> Option<&'a str> {
        match self {
            Self::Withdraw(why) | Self::Abandon(why) => Some(why),
            _ => None,
        }
    }

    const fn outcome(self) -> Option<&'a Outcome> {
        match self {
            Self::Finish(outcome) => Some(outcome),
            _ => None,
        }
    }

    const fn actor(self) -> Option<&'a str> {
        match self {
            Self::Approve(person) | Self::Reject(person) => Some(person),
            _ => None,
        }
    }
}

/// Requests that are settled in one transaction: all else that writes waits for it.
const AT_ONCE: i64 = 500;

/// What proxies have left that are no more, and that has not run. There is one proxy for a SQLite file.
const LEFT_BEFORE: Variant = Variant {
    sqlite: "SELECT id FROM requests WHERE state IN ('pending', 'approved') ORDER BY created_at, id LIMIT $1",
    postgres: "SELECT id FROM requests WHERE state IN ('pending', 'approved') \
        AND NOT EXISTS (SELECT 1 FROM proxies WHERE proxies.id = requests.proxy) ORDER BY created_at, id LIMIT $1",
};

/// The same of what was running.
const LEFT_RUNNING: Variant = Variant {
    sqlite: "SELECT id FROM requests WHERE state = 'running' ORDER BY created_at, id LIMIT $1",
    postgres: "SELECT id FROM requests WHERE state = 'running' \
        AND NOT EXISTS (SELECT 1 FROM proxies WHERE proxies.id = requests.proxy) ORDER BY created_at, id LIMIT $1",
};

const MAKE: Variant = recorded!(
    update "requests"
    set "state = $6, note = $7, outcome = $8, settled_at = $9"
    where "id = $10 AND state IN (SELECT value FROM json_each($11))"
);

/// Makes a transition, and records it. `false`: the request was in none of the states expected.
pub(in crate::store) async fn make(
    connection: &mut impl Connection,
    id: RequestId,
    change: Change<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = made(id, change, now)?
        .execute(connection)
        .await
        .map_err(not_written)?;
    Ok(changed > 0)
}

/// The statement that makes a transition and records it. It changes nothing where the request is in none of the states expected.
pub(super) fn made(
    id: RequestId,
    change: Change<'_>,
    now: Timestamp,
) -> Result<Query<'_, Variant>, StoreError> {
    let to = change.to();
    let from: Vec<&str> = change.from().iter().map(|state| state.as_str()).collect();
    let outcome = change.outcome().map(row::to_json).transpose()?;
    Ok(event(id, change, now)
        .first_in(&MAKE)
        .bind(to.as_str())
        .bind(change.note())
        .bind(outcome)
        .bind(to.is_final().then(|| now.as_microsecond()))
        .bind(id.to_string())
        .bind(row::to_json(&from)?))
}

fn event(id: RequestId, change: Change<'_>, now: Timestamp) -> Event<'_> {
    let detail = match (change.note(), change.outcome()) {
        (Some(why), _) => json!({ "why": why }),
        (None, Some(outcome)) => json!({ "outcome": outcome }),
        (None, None) => json!({}),
    };
    Event {
        at: now,
        kind: change.event(),
        request: Some(id),
        actor: change.actor(),
        detail,
    }
}

impl<E: Engine> SqlStore<E> {
    /// One transition in a transaction of its own.
    pub(super) async fn settle_one(
        &self,
        id: RequestId,
        change: Change<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let made = make(&mut *tx, id, change, now).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Expires every Pending request whose time is over.
    pub(super) async fn settle_due(&self, now: Timestamp) -> Result<Vec<RequestId>, StoreError> {
        // Without the hint SQLite would walk the whole queue.
        const DUE: Variant = hinted!(
            "SELECT id FROM requests",
            "INDEXED BY requests_due",
            "WHERE state = 'pending' AND expires_at <= $1 ORDER BY expires_at, id LIMIT $2"
        );
        // This is asked often and there is mostly nothing to do: no need for the write lock.
        let due = query::variant(&DUE)
            .bind(now.as_microsecond())
            .bind(1_i64)
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(not_read)?;
        let mut ids = Vec::new();
        let mut goes_on = due.is_some();
        while goes_on {
            let mut tx = self.begin_alone().await?;
            let due = query::variant(&DUE)
                .bind(now.as_microsecond())
                .bind(AT_ONCE)
                .fetch_all(&mut *tx)
                .await
                .map_err(not_read)?;
            ids.extend(make_all(&mut *tx, &due, Change::Expire, now).await?);
            tx.commit().await?;
            goes_on = is_full(&due);
        }
        Ok(ids)
    }

    /// Abandons everything not final.
    pub(super) async fn settle_unfinished(
        &self,
        why: Abandoned<'_>,
        now: Timestamp,
    ) -> Result<Vec<RequestId>, StoreError> {
        let mut ids = Vec::new();
        for (left, why) in [(LEFT_BEFORE, why.before), (LEFT_RUNNING, why.running)] {
            // This is asked often and there is mostly nothing to do: no need for the write lock.
            let found = query::variant(&left)
                .bind(1_i64)
                .fetch_optional(&mut *self.reader().await?)
                .await
                .map_err(not_read)?;
            let mut goes_on = found.is_some();
            while goes_on {
                let mut tx = self.begin_alone().await?;
                let unfinished = query::variant(&left).bind(AT_ONCE).fetch_all(&mut *tx).await;
                let unfinished = unfinished.map_err(not_read)?;
                ids.extend(make_all(&mut *tx, &unfinished, Change::Abandon(why), now).await?);
                tx.commit().await?;
                goes_on = is_full(&unfinished);
            }
        }
        Ok(ids)
    }
}

/// Whether there may be more.
fn is_full<T>(rows: &[T]) -> bool {
    i64::try_from(rows.len()).is_ok_and(|rows| rows >= AT_ONCE)
}

async fn make_all<C: Connection>(
    connection: &mut C,
    rows: &[C::Row],
    change: Change<'_>,
    now: Timestamp,
) -> Result<Vec<RequestId>, StoreError> {
    let mut ids = Vec::with_capacity(rows.len());
    for found in rows {
        let id = row::id(found, "id")?;
        if !make(connection, id, change, now).await? {
            return Err(StoreError::Inconsistent(format!(
                "request {id} changed under the write lock"
            )));
        }
        ids.push(id);
    }
    Ok(ids)
}
