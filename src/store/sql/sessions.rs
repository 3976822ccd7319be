//! API tokens, browser sessions, and the installation's secret.

use jiff::Timestamp;
use serde_json::json;

use super::audit::{self, Event};
use super::columns::user_columns;
use super::engine::{Connection, Engine};
use super::query::query;
use super::{SqlStore, not_read, not_written, row};
use crate::store::{StoreError, UserRecord, WebSession};

impl<E: Engine> SqlStore<E> {
    pub(super) async fn insert_token(
        &self,
        user: &str,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        expect_enabled(&mut *tx, user).await?;
        query("INSERT INTO api_tokens (token_hash, user_name, created_at) VALUES ($1, $2, $3)")
            .bind(&token_hash[..])
            .bind(user)
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
        let event = Event {
            at: now,
            kind: "user.token_issued",
            request: None,
            actor: None,
            detail: json!({ "user": user }),
        };
        audit::record(&mut *tx, event).await?;
        tx.commit().await
    }

    pub(super) async fn token_owner(&self, token_hash: [u8; 32]) -> Result<Option<UserRecord>, StoreError> {
        let question = query(concat!(
            "SELECT ",
            user_columns!(),
            " FROM api_tokens JOIN users ON users.name = api_tokens.user_name \
                 WHERE api_tokens.token_hash = $1 AND NOT users.disabled"
        ))
        .bind(&token_hash[..]);
        let found = self.visitors.optional(question).await?;
        found.as_ref().map(row::user).transpose()
    }

    pub(super) async fn insert_web_session(
        &self,
        session: &WebSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        expect_enabled(&mut *tx, &session.user).await?;
        query("DELETE FROM web_sessions WHERE expires_at <= $1")
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
        query("INSERT INTO web_sessions (token_hash, user_name, csrf, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(&session.token_hash[..])
            .bind(&session.user)
            .bind(&session.csrf)
            .bind(session.expires_at.as_microsecond())
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
        let event = Event {
            at: now,
            kind: "user.signed_in",
            request: None,
            actor: Some(&session.user),
            detail: json!({ "user": session.user }),
        };
        audit::record(&mut *tx, event).await?;
        tx.commit().await
    }

    pub(super) async fn live_web_session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<(WebSession, UserRecord)>, StoreError> {
        let question = query(concat!(
            "SELECT token_hash, user_name, csrf, expires_at, ",
            user_columns!(),
            " FROM web_sessions JOIN users ON users.name = web_sessions.user_name \
             WHERE web_sessions.token_hash = $1 AND web_sessions.expires_at > $2 AND NOT users.disabled"
        ))
        .bind(&token_hash[..])
        .bind(now.as_microsecond());
        let found = self.visitors.optional(question).await?;
        found
            .map(|found| Ok((row::web_session(&found)?, row::user(&found)?)))
            .transpose()
    }

    pub(super) async fn delete_web_session(&self, token_hash: [u8; 32]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let found = query("DELETE FROM web_sessions WHERE token_hash = $1 RETURNING user_name")
            .bind(&token_hash[..])
            .fetch_optional(&mut *tx)
            .await
            .map_err(not_written)?;
        let Some(found) = found else {
            return tx.commit().await;
        };
        let user: String = row::column(&found, "user_name")?;
        let event = Event {
            at: self.clock.now(),
            kind: "user.signed_out",
            request: None,
            actor: Some(&user),
            detail: json!({ "user": user }),
        };
        audit::record(&mut *tx, event).await?;
        tx.commit().await
    }

    pub(super) async fn installation_secret(&self) -> Result<[u8; 32], StoreError> {
        let found = query("SELECT value FROM secrets WHERE name = 'installation'")
            .fetch_optional(&mut *self.reader().await?)
            .await
            .map_err(not_read)?
            .ok_or_else(|| StoreError::Inconsistent("the installation's secret is gone".to_owned()))?;
        row::bytes(&found, "value")
    }
}

/// Refuses what would lie dormant and come alive when the user is enabled again.
async fn expect_enabled(connection: &mut impl Connection, user: &str) -> Result<(), StoreError> {
    let found = query("SELECT disabled FROM users WHERE name = $1")
        .bind(user)
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    match found.map(|found| row::column(&found, "disabled")).transpose()? {
        Some(false) => Ok(()),
        Some(true) => Err(StoreError::NotFound(format!(
            "user \"{user}\" that is not disabled"
        ))),
        None => Err(StoreError::NotFound(format!("user \"{user}\""))),
    }
}
