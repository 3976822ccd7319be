//! The store in one SQLite file.
//!
//! Imports `model` and the traits of `store`; sqlx appears nowhere else. Invariants:
//! - one connection writes, in `BEGIN IMMEDIATE` transactions: what is read there cannot change before the
//!   commit, also when another process has the file open;
//! - writes that arrive together share a transaction, each in a savepoint of its own (`writer`);
//! - `synchronous=FULL` in WAL mode: what was committed survives a loss of power;
//! - every transition and every change of a user commits together with its row in `audit_events`,
//!   which can only be added to.

mod audit;
mod decide;
mod grant_row;
mod grants;
mod list;
mod lookup;
mod observe;
mod open;
mod row;
mod sessions;
mod transition;
mod user_changes;
mod users;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{Sqlite, SqlitePool};
use sqlx::{SqliteConnection, Transaction};

pub use open::OpenError;

use super::{
    Abandoned, Actor, BoxFuture, Decided, GrantDecided, GrantEnd, GrantFilter, GrantStore, Grounds,
    ObservationQuery, ObservationStore, Placed, RequestFilter, RequestStore, StoreError, StoredObservation,
    UserChange, UserFilter, UserRecord, UserStore, WebSession,
};
use crate::model::{
    Clock, Edit, Grant, HeldRequest, NewGrant, NewRequest, Outcome, RequestId, Review, Sightings, SystemClock,
};
use decide::Entry;
use lookup::Lookup;
use writer::{Queue, Write};

/// Requests, users, sessions and observations in a SQLite database.
///
/// Dropping it closes the database; [`SqliteStore::close`] does so and waits for it.
pub struct SqliteStore {
    /// Where writers wait for their turn, in order of arrival, and not at SQLite's lock.
    queue: Queue,
    /// The one connection that writes.
    writer: SqlitePool,
    /// Connections that cannot write; the writer's own pool where the database is in memory.
    readers: SqlitePool,
    /// For what each login reads.
    lookup: Lookup,
    /// Keeps a database in memory alive while the writer's connection is replaced.
    _anchor: Option<SqliteConnection>,
    /// For audit events of changes that carry no time of their own.
    clock: Arc<dyn Clock>,
}

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
        open::open(url, Arc::new(SystemClock)).await
    }

    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.lookup.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A turn at writing, with SQLite's write lock. Dropped, what was written is undone; [`Write::commit`] keeps it.
    async fn begin(&self) -> Result<Write, StoreError> {
        self.queue.turn(false).await
    }

    /// The same for what takes long: nothing else that is written waits for its end to be committed.
    async fn begin_alone(&self) -> Result<Write, StoreError> {
        self.queue.turn(true).await
    }

    /// Begins a transaction for several reads of one state of the database.
    async fn begin_read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.readers.begin().await.map_err(not_read)
    }
}

fn not_read(source: sqlx::Error) -> StoreError {
    StoreError::Unavailable {
        doing: "read",
        source: source.into(),
    }
}

fn not_written(source: sqlx::Error) -> StoreError {
    StoreError::Unavailable {
        doing: "written",
        source: source.into(),
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl GrantStore for SqliteStore {
    fn insert_grant<'a>(
        &'a self,
        asked: &'a NewGrant,
        first: Option<&'a Review>,
    ) -> BoxFuture<'a, Result<Grant, StoreError>> {
        Box::pin(self.add_grant(asked, first))
    }

    fn grant(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Grant>, StoreError>> {
        Box::pin(self.read_grant(id))
    }

    fn grants<'a>(&'a self, filter: &'a GrantFilter) -> BoxFuture<'a, Result<Vec<Grant>, StoreError>> {
        Box::pin(self.list_grants(filter))
    }

    fn review_grant<'a>(
        &'a self,
        id: RequestId,
        review: &'a Review,
        length: Option<Duration>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<GrantDecided, StoreError>> {
        Box::pin(self.decide_grant(id, review, length, now))
    }

    fn end_grant<'a>(
        &'a self,
        id: RequestId,
        end: GrantEnd,
        by: &'a str,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.finish_grant(id, end, by, why, now))
    }

    fn sweep_grants(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<RequestId>, StoreError>> {
        Box::pin(self.sweep_due_grants(now))
    }
}

impl RequestStore for SqliteStore {
    fn insert_pending<'a>(&'a self, request: &'a NewRequest) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.insert(request, Entry::Pending))
    }

    fn insert_denied<'a>(
        &'a self,
        request: &'a NewRequest,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.insert(request, Entry::Denied(reason)))
    }

    fn place<'a>(
        &'a self,
        request: &'a NewRequest,
        grounds: Grounds<'a>,
    ) -> BoxFuture<'a, Result<Placed, StoreError>> {
        Box::pin(self.insert_placed(request, grounds))
    }

    fn follow_up<'a>(&'a self, id: RequestId, review: &'a Review) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.record_followup(id, review))
    }

    fn request(&self, id: RequestId) -> BoxFuture<'_, Result<Option<HeldRequest>, StoreError>> {
        Box::pin(async move {
            let mut tx = self.begin_read().await?;
            list::one(&mut tx, id).await
        })
    }

    fn requests(&self, filter: RequestFilter) -> BoxFuture<'_, Result<Vec<HeldRequest>, StoreError>> {
        Box::pin(async move {
            let mut tx = self.begin_read().await?;
            list::filtered(&mut tx, &filter).await
        })
    }

    fn decide_seen(
        &self,
        id: RequestId,
        review: Review,
        seen: usize,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Decided, StoreError>> {
        Box::pin(self.record_verdict(id, review, seen, now))
    }

    fn edit(
        &self,
        id: RequestId,
        edit: Edit,
        review: Review,
        seen: usize,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Decided, StoreError>> {
        Box::pin(self.record_edit(id, edit, review, seen, now))
    }

    fn expire(&self, id: RequestId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.settle_one(id, transition::Change::Expire, now))
    }

    fn expire_due(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<RequestId>, StoreError>> {
        Box::pin(self.settle_due(now))
    }

    fn withdraw<'a>(
        &'a self,
        id: RequestId,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.settle_one(id, transition::Change::Withdraw(why), now))
    }

    fn abandon<'a>(
        &'a self,
        id: RequestId,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.settle_one(id, transition::Change::Abandon(why), now))
    }

    fn abandon_all<'a>(
        &'a self,
        why: Abandoned<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<RequestId>, StoreError>> {
        Box::pin(self.settle_unfinished(why, now))
    }

    fn start(&self, id: RequestId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(self.settle_one(id, transition::Change::Start, now))
    }

    fn finish(
        &self,
        id: RequestId,
        outcome: Outcome,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            self.settle_one(id, transition::Change::Finish(&outcome), now)
                .await
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut tx = self.begin().await?;
            let written: i64 =
                sqlx::query_scalar("UPDATE liveness SET checks = checks + 1 WHERE id = 1 RETURNING checks")
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(not_written)?;
            tx.commit().await?;
            let read: i64 = sqlx::query_scalar("SELECT checks FROM liveness WHERE id = 1")
                .fetch_one(&self.readers)
                .await
                .map_err(not_read)?;
            if read < written {
                return Err(StoreError::Inconsistent(
                    "a change that was just written cannot be read".to_owned(),
                ));
            }
            Ok(())
        })
    }
}

impl UserStore for SqliteStore {
    fn add_user<'a>(
        &'a self,
        user: &'a UserRecord,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.insert_user(user, actor))
    }

    fn user<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<UserRecord>, StoreError>> {
        Box::pin(self.user_by_name(name))
    }

    fn users(&self) -> BoxFuture<'_, Result<Vec<UserRecord>, StoreError>> {
        Box::pin(self.all_users())
    }

    fn users_by<'a>(&'a self, filter: &'a UserFilter) -> BoxFuture<'a, Result<Vec<UserRecord>, StoreError>> {
        Box::pin(self.filtered_users(filter))
    }

    fn set_verifier<'a>(&'a self, name: &'a str, verifier: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.replace_verifier(name, verifier))
    }

    fn change_user<'a>(
        &'a self,
        name: &'a str,
        change: &'a UserChange,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<UserRecord, StoreError>> {
        Box::pin(self.apply_change(name, change, actor))
    }

    fn revoke_tokens<'a>(
        &'a self,
        name: &'a str,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.delete_all_tokens(name, actor))
    }

    fn add_token<'a>(
        &'a self,
        user: &'a str,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.insert_token(user, token_hash, now))
    }

    fn user_by_token(&self, token_hash: [u8; 32]) -> BoxFuture<'_, Result<Option<UserRecord>, StoreError>> {
        Box::pin(self.token_owner(token_hash))
    }

    fn add_web_session<'a>(
        &'a self,
        session: &'a WebSession,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.insert_web_session(session, now))
    }

    fn web_session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<(WebSession, UserRecord)>, StoreError>> {
        Box::pin(self.live_web_session(token_hash, now))
    }

    fn remove_web_session(&self, token_hash: [u8; 32]) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.delete_web_session(token_hash))
    }

    fn secret(&self) -> BoxFuture<'_, Result<[u8; 32], StoreError>> {
        Box::pin(self.installation_secret())
    }
}

impl ObservationStore for SqliteStore {
    fn record_observations<'a>(
        &'a self,
        batch: &'a [Sightings],
        max_rows: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        Box::pin(self.count_observations(batch, max_rows))
    }

    fn observations<'a>(
        &'a self,
        query: &'a ObservationQuery,
    ) -> BoxFuture<'a, Result<Vec<StoredObservation>, StoreError>> {
        Box::pin(self.list_observations(query))
    }

    fn prune_observations(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.forget_observations(before))
    }
}
