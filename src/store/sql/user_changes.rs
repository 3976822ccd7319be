//! Changing users: who may, what it ends, and what is recorded of it. One transaction each.

use serde_json::{Value, json};

use super::audit::{self, Event};
use super::columns::user_columns;
use super::engine::{Connection, Engine};
use super::query::{Builder, query};
use super::users::{end_web_sessions, no_such_user};
use super::{SqlStore, not_read, not_written, row};
use crate::store::{Actor, StoreError, UserChange, UserFilter, UserRecord};

impl<E: Engine> SqlStore<E> {
    pub(super) async fn apply_change(
        &self,
        name: &str,
        change: &UserChange,
        actor: Actor<'_>,
    ) -> Result<UserRecord, StoreError> {
        let mut tx = self.begin().await?;
        expect_admin(&mut *tx, actor).await?;
        let found = query(concat!("SELECT ", user_columns!(), " FROM users WHERE name = $1"))
            .bind(name)
            .fetch_optional(&mut *tx)
            .await
            .map_err(not_read)?;
        let before = row::user(&found.ok_or_else(|| no_such_user(name))?)?;
        let after = change.applied_to(&before);
        if actor == Actor::Admin(name) && (after.disabled || !after.principal.admin) {
            return Err(StoreError::OwnAccess);
        }
        if after == before {
            tx.commit().await?;
            return Ok(after);
        }
        query("UPDATE users SET group_names = $2, admin = $3, disabled = $4 WHERE name = $1")
            .bind(name)
            .bind(row::to_json(&after.principal.groups)?)
            .bind(after.principal.admin)
            .bind(after.disabled)
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
        if after.disabled && !before.disabled {
            end_web_sessions(&mut *tx, name).await?;
            delete_tokens(&mut *tx, name).await?;
        }
        for (kind, detail) in events(&before, &after) {
            self.record_user_event(&mut *tx, kind, actor, detail).await?;
        }
        tx.commit().await?;
        Ok(after)
    }

    pub(super) async fn delete_all_tokens(&self, name: &str, actor: Actor<'_>) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        expect_admin(&mut *tx, actor).await?;
        let known = query("SELECT name FROM users WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await
            .map_err(not_read)?;
        if known.is_none() {
            return Err(no_such_user(name));
        }
        let revoked = delete_tokens(&mut *tx, name).await?;
        if revoked > 0 {
            let detail = json!({ "user": name, "tokens": revoked });
            self.record_user_event(&mut *tx, "user.tokens_revoked", actor, detail)
                .await?;
        }
        tx.commit().await?;
        Ok(revoked)
    }

    pub(super) async fn filtered_users(&self, filter: &UserFilter) -> Result<Vec<UserRecord>, StoreError> {
        let mut query = Builder::new(concat!("SELECT ", user_columns!(), " FROM users WHERE true"));
        if let Some(group) = &filter.group {
            query.push(
                " AND EXISTS (SELECT 1 FROM json_each(users.group_names) AS named WHERE named.value = ",
            );
            query.push_bind(group);
            query.push(")");
        }
        if let Some(disabled) = filter.disabled {
            query.push(" AND disabled = ");
            query.push_bind(disabled);
        }
        if let Some(after) = &filter.after {
            query.push(" AND name > ");
            query.push_bind(after);
        }
        query.push(" ORDER BY name LIMIT ");
        query.push_bind(i64::from(filter.limit));
        let found = query
            .build()
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(not_read)?;
        found.iter().map(row::user).collect()
    }

    pub(super) async fn record_user_event(
        &self,
        connection: &mut impl Connection,
        kind: &str,
        actor: Actor<'_>,
        detail: Value,
    ) -> Result<(), StoreError> {
        let event = Event {
            at: self.clock.now(),
            kind,
            request: None,
            actor: actor.name(),
            detail,
        };
        audit::record(connection, event).await
    }
}

/// Refuses who is no administrator at this moment: what was asked may have waited while the right was taken away.
pub(super) async fn expect_admin(
    connection: &mut impl Connection,
    actor: Actor<'_>,
) -> Result<(), StoreError> {
    let Actor::Admin(name) = actor else {
        return Ok(());
    };
    let found = query("SELECT name FROM users WHERE name = $1 AND admin AND NOT disabled")
        .bind(name)
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    match found {
        None => Err(StoreError::NotAdmin(name.to_owned())),
        Some(_) => Ok(()),
    }
}

async fn delete_tokens(connection: &mut impl Connection, name: &str) -> Result<u64, StoreError> {
    let deleted = query("DELETE FROM api_tokens WHERE user_name = $1")
        .bind(name)
        .execute(connection)
        .await
        .map_err(not_written)?;
    Ok(deleted)
}

/// An event for each kind of change, with what it came to.
fn events(before: &UserRecord, after: &UserRecord) -> Vec<(&'static str, Value)> {
    let user = &after.principal.name;
    let (old, new) = (&before.principal.groups, &after.principal.groups);
    let mut events = Vec::new();
    if old != new {
        let joined: Vec<_> = new.iter().filter(|group| !old.contains(group)).collect();
        let left: Vec<_> = old.iter().filter(|group| !new.contains(group)).collect();
        let detail = json!({ "user": user, "joined": joined, "left": left, "groups": new });
        events.push(("user.groups_changed", detail));
    }
    if before.principal.admin != after.principal.admin {
        let kind = if after.principal.admin {
            "user.admin_granted"
        } else {
            "user.admin_revoked"
        };
        events.push((kind, json!({ "user": user })));
    }
    if before.disabled != after.disabled {
        let kind = if after.disabled {
            "user.disabled"
        } else {
            "user.enabled"
        };
        events.push((kind, json!({ "user": user })));
    }
    events
}
