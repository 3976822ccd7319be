//! The store in a PostgreSQL database, which several proxies can share.
//!
//! Imports `sql` and sqlx. Invariants:
//! - who writes holds an advisory lock until the commit, in all proxies: what is read there cannot change before it, and
//!   events have their numbers in the order of the commits;
//! - `synchronous_commit` is on: what was committed survives a crash of the server;
//! - what was held by a proxy that is no more is settled by another ([`fellows`]).

mod engine;
mod fellows;
mod open;

#[cfg(test)]
#[expect(
    dead_code,
    clippy::expect_used,
    reason = "tests; the integration tests need more of it"
)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sqlx::Postgres;

pub use open::OpenError;

use super::StoreError;
use super::sql::SqlStore;
use crate::model::SystemClock;

/// Requests, users, sessions and observations in a PostgreSQL database.
pub type PostgresStore = SqlStore<Postgres>;

impl PostgresStore {
    /// Opens the database at `url` (`postgres://ROLE:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`), and brings its tables
    /// up to date, in the first schema of its `search_path`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] around an [`OpenError`] that names the server, without the password, and what to do.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        open::open(url, Arc::new(SystemClock)).await
    }
}
