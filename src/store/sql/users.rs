//! Users.

use serde::Deserialize;
use serde_json::json;

use super::audit::{self, Event};
use super::columns::user_columns;
use super::engine::{Connection, Engine};
use super::query::query;
use super::user_changes::expect_admin;
use super::{SqlStore, not_read, not_written, row};
use crate::store::{Actor, StoreError, UserRecord};

impl<E: Engine> SqlStore<E> {
    pub(super) async fn insert_user(&self, user: &UserRecord, actor: Actor<'_>) -> Result<(), StoreError> {
        let principal = &user.principal;
        let mut tx = self.begin().await?;
        expect_admin(&mut *tx, actor).await?;
        query(
            "INSERT INTO users (name, group_names, admin, scram_verifier, disabled, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&principal.name)
        .bind(row::to_json(&principal.groups)?)
        .bind(principal.admin)
        .bind(&user.scram_verifier)
        .bind(user.disabled)
        .bind(user.created_at.as_microsecond())
        .execute(&mut *tx)
        .await
        .map_err(|error| match error.as_database_error() {
            Some(refused) if refused.is_unique_violation() => {
                StoreError::Exists(format!("user \"{}\"", principal.name))
            }
            _ => not_written(error),
        })?;
        let event = Event {
            at: user.created_at,
            kind: "user.added",
            request: None,
            actor: actor.name(),
            detail: json!({
                "user": principal.name,
                "groups": principal.groups,
                "admin": principal.admin,
                "disabled": user.disabled,
            }),
        };
        audit::record(&mut *tx, event).await?;
        tx.commit().await
    }

    pub(super) async fn user_by_name(&self, name: &str) -> Result<Option<UserRecord>, StoreError> {
        let found = self.lookup.user(name).await?;
        found.as_ref().map(row::user).transpose()
    }

    pub(super) async fn all_users(&self) -> Result<Vec<UserRecord>, StoreError> {
        let found = query(concat!("SELECT ", user_columns!(), " FROM users ORDER BY name"))
            .fetch_all(&mut *self.reader().await?)
            .await
            .map_err(not_read)?;
        found.iter().map(row::user).collect()
    }

    /// Who was disabled behind that event, and which event is the latest.
    pub(super) async fn read_disabled_since(&self, seen: i64) -> Result<(Vec<String>, i64), StoreError> {
        let mut reader = self.reader().await?;
        let found = query("SELECT coalesce(max(id), 0) AS latest FROM audit_events")
            .fetch_one(&mut *reader)
            .await
            .map_err(not_read)?;
        let latest: i64 = row::column(&found, "latest")?;
        if latest <= seen {
            return Ok((Vec::new(), latest));
        }
        let found = query(
            "SELECT detail FROM audit_events WHERE id > $1 AND id <= $2 AND kind = 'user.disabled' ORDER BY id",
        )
        .bind(seen)
        .bind(latest)
        .fetch_all(&mut *reader)
        .await
        .map_err(not_read)?;
        let names = found
            .iter()
            .map(|event| row::json::<OfUser>(event, "detail").map(|detail| detail.user));
        Ok((names.collect::<Result<_, _>>()?, latest))
    }

    pub(super) async fn replace_verifier(&self, name: &str, verifier: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let changed = query("UPDATE users SET scram_verifier = $2 WHERE name = $1")
            .bind(name)
            .bind(verifier)
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
        expect_user(changed, name)?;
        end_web_sessions(&mut *tx, name).await?;
        let detail = json!({ "user": name });
        self.record_user_event(&mut *tx, "user.password_changed", Actor::CommandLine, detail)
            .await?;
        tx.commit().await
    }
}

/// What an event tells that is about a user.
#[derive(Deserialize)]
struct OfUser {
    user: String,
}

fn expect_user(changed: u64, name: &str) -> Result<(), StoreError> {
    match changed {
        0 => Err(no_such_user(name)),
        _ => Ok(()),
    }
}

pub(super) fn no_such_user(name: &str) -> StoreError {
    StoreError::NotFound(format!("user \"{name}\""))
}

pub(super) async fn end_web_sessions(connection: &mut impl Connection, name: &str) -> Result<(), StoreError> {
    query("DELETE FROM web_sessions WHERE user_name = $1")
        .bind(name)
        .execute(connection)
        .await
        .map_err(not_written)?;
    Ok(())
}
