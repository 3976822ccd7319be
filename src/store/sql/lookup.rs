//! The connections for what each login, and each request to the console, reads first: its user.
//!
//! A pool asks a connection whether it still works whenever it takes it back, which is as much work, and as many ways from
//! thread to thread, as the read itself. This one is kept; an error replaces it.

use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _, Pool};
use tokio::sync::Mutex;

use super::columns::user_columns;
use super::engine::Engine;
use super::query::{Query, query};
use super::{ACQUIRE_TIMEOUT, not_read};
use crate::store::StoreError;
use crate::timer::timeout;

/// Where who comes is looked up, one after the other.
pub(in crate::store) enum Lookup<E: Engine> {
    /// A connection of its own, once it is needed.
    Own(Box<OptionsOf<E>>, Mutex<Option<E::Connection>>),
    /// A pool's.
    Pooled(Pool<E>),
}

/// How a connection is opened.
type OptionsOf<E> = <<E as sqlx::Database>::Connection as sqlx::Connection>::Options;

impl<E: Engine> Lookup<E> {
    /// With a connection that these options open.
    pub(in crate::store) fn with(options: OptionsOf<E>) -> Self {
        Self::Own(Box::new(options), Mutex::default())
    }

    /// The row of a user.
    pub(super) async fn user(&self, name: &str) -> Result<Option<E::Row>, StoreError> {
        let question = query(concat!("SELECT ", user_columns!(), " FROM users WHERE name = $1")).bind(name);
        self.optional(question).await
    }

    /// The first row of this. Cancel-safe: a connection takes the next question behind one that nobody waits for.
    pub(super) async fn optional(&self, question: Query<'_>) -> Result<Option<E::Row>, StoreError> {
        let (options, connection) = match self {
            Self::Pooled(pool) => {
                let mut connection = pool.acquire().await.map_err(not_read)?;
                return question.fetch_optional(&mut *connection).await.map_err(not_read);
            }
            Self::Own(options, connection) => (options, connection),
        };
        let mut place = timeout(ACQUIRE_TIMEOUT, connection.lock())
            .await
            .map_err(|_| not_read(sqlx::Error::PoolTimedOut))?;
        let connection = match &mut *place {
            Some(connection) => connection,
            none => none.insert(options.connect().await.map_err(not_read)?),
        };
        let found = question.fetch_optional(connection).await;
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
            tracing::debug!(%error, "a connection for logins was not closed in order");
        }
    }
}

/// How long a question is waited for before its connection is dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
