//! The connection for what each login reads: its user.
//!
//! A pool asks a connection whether it still works whenever it takes it back, which is as much work, and as many ways from
//! thread to thread, as the read itself. This one is kept; an error replaces it.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::not_read;
use super::open::ACQUIRE_TIMEOUT;
use crate::store::StoreError;

/// Where users are looked up, one after the other.
pub(super) enum Lookup {
    /// A connection of its own, once it is needed.
    Own(Box<SqliteConnectOptions>, Mutex<Option<SqliteConnection>>),
    /// A pool's: a database in memory has no other.
    Pooled(SqlitePool),
}

impl Lookup {
    /// With a connection that these options open.
    pub(super) fn with(options: SqliteConnectOptions) -> Self {
        Self::Own(Box::new(options), Mutex::default())
    }

    /// The row of a user. Cancel-safe: a connection takes the next question behind one that nobody waits for.
    pub(super) async fn user(&self, name: &str) -> Result<Option<SqliteRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM users WHERE name = ?1").bind(name);
        let (options, connection) = match self {
            Self::Pooled(pool) => return query.fetch_optional(pool).await.map_err(not_read),
            Self::Own(options, connection) => (options, connection),
        };
        let mut place = timeout(ACQUIRE_TIMEOUT, connection.lock())
            .await
            .map_err(|_| not_read(sqlx::Error::PoolTimedOut))?;
        let connection = match &mut *place {
            Some(connection) => connection,
            none => none.insert(options.connect().await.map_err(not_read)?),
        };
        let found = query.fetch_optional(connection).await;
        if found.is_err() {
            *place = None;
        }
        found.map_err(not_read)
    }

    /// Closes its connection; the next question would open another.
    pub(super) async fn close(&self) {
        if let Self::Own(_, connection) = self
            && let Ok(mut place) = timeout(CLOSE_TIMEOUT, connection.lock()).await
            && let Some(connection) = place.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the connection for logins was not closed in order");
        }
    }
}

/// How long a question is waited for before its connection is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::pin::pin;
    use std::task::{Context, Waker};

    use crate::store::contract::{person, start};
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Actor, UserRecord, UserStore as _};

    async fn with_users(folder: &tempfile::TempDir) -> SqliteStore {
        let url = format!("sqlite://{}", folder.path().join("holdpoint.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        for name in ["ann", "bob"] {
            let user = UserRecord {
                principal: person(name, &[], false),
                scram_verifier: "a verifier".to_owned(),
                disabled: false,
                created_at: start(),
            };
            store.add_user(&user, Actor::CommandLine).await.unwrap();
        }
        store
    }

    #[tokio::test]
    async fn a_question_that_nobody_waits_for_answers_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = with_users(&folder).await;
        for polls in (0..4).cycle().take(200) {
            {
                let mut given_up = pin!(store.user("ann"));
                for _ in 0..polls {
                    let polled = given_up.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    if polled.is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            let found = store.user("bob").await.unwrap().unwrap();
            assert_eq!(found.principal.name, "bob");
            assert!(store.user("nobody").await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_connection_that_fails_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = with_users(&folder).await;
        assert!(store.user("ann").await.unwrap().is_some());
        sqlx::raw_sql("ALTER TABLE users RENAME TO elsewhere")
            .execute(&store.writer)
            .await
            .unwrap();
        assert!(store.user("ann").await.is_err());
        sqlx::raw_sql("ALTER TABLE elsewhere RENAME TO users")
            .execute(&store.writer)
            .await
            .unwrap();
        assert!(store.user("ann").await.unwrap().is_some());
        store.close().await;
    }
}
