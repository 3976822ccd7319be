//! The store in one SQLite file.
//!
//! Imports `sql` and sqlx. Invariants:
//! - one connection writes, in `BEGIN IMMEDIATE` transactions, which take SQLite's write lock from their start;
//! - `synchronous=FULL` in WAL mode: what was committed survives a loss of power.

mod engine;
mod open;

#[cfg(test)]
mod lookup_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer_tests;

use std::sync::Arc;

use sqlx::Sqlite;

pub use open::OpenError;

use super::sql::{SqlStore, on_any_thread};
use super::{BoxFuture, SharedStore, StoreError};
use crate::model::{Clock, SystemClock};

/// Requests, users, sessions and observations in a SQLite database.
pub type SqliteStore = SqlStore<Sqlite>;

impl SqliteStore {
    /// Opens the database at `url` (`sqlite://PATH` or `sqlite::memory:`), creates it where it does not
    /// exist, and brings its tables up to date.
    ///
    /// A new file can be read by its owner only. A path is relative to the working directory and can
    /// hold percent-encoded characters.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] around an [`OpenError`] that names the file and what to do.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_by(url, Arc::new(SystemClock)).await
    }

    /// As [`Self::open`], with another clock: that of whoever says what the time is when requests are decided on.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_by(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        open::open(url, clock).await
    }
}

/// One process serves from a file; others that open it change no request.
impl SharedStore for SqliteStore {
    fn close(&self) -> BoxFuture<'_, ()> {
        on_any_thread(SqlStore::close(self))
    }
}
