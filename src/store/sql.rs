//! The store in SQL: what is recorded and how, said once for every database.
//!
//! Imports `model` and the traits of `store`; sqlx appears nowhere else but in the folders of the databases. Invariants:
//! - one at a time writes, in transactions that hold the database's lock for writers: what is read there cannot change before
//!   the commit, also when another process has the database open;
//! - what somebody says is recorded by what they may say at that moment (`standing`);
//! - writes that arrive together share a transaction, each in a savepoint of its own (`writer`);
//! - every transition and every change of a user commits together with its row in `audit_events`,
//!   which can only be added to;
//! - the SQL is the same for every database ([`engine`]): what differs has a name there.

mod audit;
mod columns;
mod decide;
pub(super) mod engine;
mod grant_row;
mod grants;
mod list;
pub(super) mod lookup;
pub(super) mod migrations;
mod observe;
mod proposals;
mod query;
mod row;
mod sessions;
mod standing;
#[cfg(test)]
pub(super) mod testing;
pub(super) mod transition;
mod turn;
mod user_changes;
mod users;
mod within;
pub(super) mod writer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Pool;
use sqlx::pool::PoolConnection;

pub(super) use engine::{Columns, Connection, Engine, Stopped, Texts, Value, Variant, bound, list_in};

use super::{
    Abandoned, Actor, BoxFuture, Decided, FollowedUp, GrantDecided, GrantEnd, GrantFilter, GrantStore,
    Grounds, ObservationQuery, ObservationStore, Placed, RequestFilter, RequestStore, StoreError,
    StoredObservation, UserChange, UserFilter, UserRecord, UserStore, WebSession,
};
use crate::model::{
    Clock, Edit, Grant, HeldRequest, NewGrant, NewRequest, Outcome, RequestId, Review, Sightings,
};
use crate::timer;
use decide::Entry;
use lookup::Lookup;
use query::query;
use writer::{Queue, Write};

/// How long a caller waits for a connection, or for a turn at writing; longer than a database waits for a lock, so that the
/// error that comes first is the one that says why.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// Requests, users, sessions and observations in a database.
///
/// Dropping it closes the database; [`SharedStore::close`](super::SharedStore::close) does so and waits for it.
pub struct SqlStore<E: Engine> {
    /// Where writers wait for their turn, in order of arrival, and not at the database's lock.
    pub(super) queue: Queue<E>,
    /// The one connection that writes.
    pub(super) writer: Pool<E>,
    /// Connections that cannot write; the writer's own pool where the database is in memory.
    pub(super) readers: Pool<E>,
    /// For what each login reads.
    pub(super) lookup: Lookup<E>,
    /// For what each request to the console reads first.
    pub(super) visitors: Lookup<E>,
    /// Keeps a database in memory alive while the writer's connection is replaced.
    pub(super) _anchor: Option<Mutex<E::Connection>>,
    /// For audit events of changes that carry no time of their own, and for what has ended while somebody waited for a turn.
    pub(super) clock: Arc<dyn Clock>,
    /// The name of this opener among those who share the database.
    pub(super) proxy: String,
}

impl<E: Engine> SqlStore<E> {
    /// Closes all connections, waiting for those in use.
    pub async fn close(&self) {
        self.lookup.close().await;
        self.visitors.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A turn at writing, with the database's lock for writers. Dropped, what was written is undone; [`Write::commit`]
    /// keeps it.
    pub(super) async fn begin(&self) -> Result<Write<E>, StoreError> {
        self.queue.turn(false).await
    }

    /// The same for what takes long: nothing else that is written waits for its end to be committed.
    async fn begin_alone(&self) -> Result<Write<E>, StoreError> {
        self.queue.turn(true).await
    }

    /// What the time is for somebody who came at this one and had to wait for a turn. To be asked once something was read in
    /// it: before that, the database's lock may be somebody else's.
    fn now_in_turn(&self, came: Timestamp) -> Timestamp {
        came.max(self.clock.now())
    }

    /// A connection for one read.
    async fn reader(&self) -> Result<PoolConnection<E>, StoreError> {
        self.readers.acquire().await.map_err(not_read)
    }
}

pub(super) fn not_read(source: sqlx::Error) -> StoreError {
    StoreError::Unavailable {
        doing: "read",
        source: source.into(),
    }
}

pub(super) fn not_written(source: sqlx::Error) -> StoreError {
    StoreError::Unavailable {
        doing: "written",
        source: source.into(),
    }
}

impl<E: Engine> std::fmt::Debug for SqlStore<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlStore").finish_non_exhaustive()
    }
}

/// What somebody asks the store for: a session, too, whose thread has no timers of its own, of which
/// sqlx sets some.
pub(super) fn on_any_thread<'a, T>(work: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(timer::for_others(work))
}

impl<E: Engine> GrantStore for SqlStore<E> {
    fn insert_grant<'a>(
        &'a self,
        asked: &'a NewGrant,
        first: Option<&'a Review>,
    ) -> BoxFuture<'a, Result<Option<Grant>, StoreError>> {
        on_any_thread(self.add_grant(asked, first))
    }

    fn grant(&self, id: RequestId) -> BoxFuture<'_, Result<Option<Grant>, StoreError>> {
        on_any_thread(self.read_grant(id))
    }

    fn grants<'a>(&'a self, filter: &'a GrantFilter) -> BoxFuture<'a, Result<Vec<Grant>, StoreError>> {
        on_any_thread(self.list_grants(filter))
    }

    fn review_grant<'a>(
        &'a self,
        id: RequestId,
        review: &'a Review,
        length: Option<Duration>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<GrantDecided, StoreError>> {
        on_any_thread(self.decide_grant(id, review, length, now))
    }

    fn end_grant<'a>(
        &'a self,
        id: RequestId,
        end: GrantEnd,
        by: &'a str,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        on_any_thread(self.finish_grant(id, end, by, why, now))
    }

    fn sweep_grants(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<RequestId>, StoreError>> {
        on_any_thread(self.sweep_due_grants(now))
    }
}

impl<E: Engine> RequestStore for SqlStore<E> {
    fn insert_pending<'a>(&'a self, request: &'a NewRequest) -> BoxFuture<'a, Result<(), StoreError>> {
        on_any_thread(self.insert(request, Entry::Pending))
    }

    fn insert_denied<'a>(
        &'a self,
        request: &'a NewRequest,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        on_any_thread(self.insert(request, Entry::Denied(reason)))
    }

    fn place<'a>(
        &'a self,
        request: &'a NewRequest,
        grounds: Grounds<'a>,
    ) -> BoxFuture<'a, Result<Placed, StoreError>> {
        on_any_thread(self.insert_placed(request, grounds))
    }

    fn follow_up<'a>(
        &'a self,
        id: RequestId,
        review: &'a Review,
    ) -> BoxFuture<'a, Result<FollowedUp, StoreError>> {
        on_any_thread(self.record_followup(id, review))
    }

    fn request(&self, id: RequestId) -> BoxFuture<'_, Result<Option<HeldRequest>, StoreError>> {
        on_any_thread(async move { list::one(&mut *self.reader().await?, id).await })
    }

    fn request_in_turn(&self, id: RequestId) -> BoxFuture<'_, Result<Option<HeldRequest>, StoreError>> {
        on_any_thread(async move {
            let mut tx = self.begin().await?;
            // What is read is believed: with a change behind it, it is as durable, and where the store's server copies what it
            // commits, as widely known, as what was in doubt.
            query("UPDATE liveness SET checks = checks + 1 WHERE id = 1")
                .execute(&mut *tx)
                .await
                .map_err(not_written)?;
            let found = list::one(&mut *tx, id).await?;
            tx.commit().await?;
            Ok(found)
        })
    }

    fn requests(&self, filter: RequestFilter) -> BoxFuture<'_, Result<Vec<HeldRequest>, StoreError>> {
        on_any_thread(async move { list::filtered(&mut *self.reader().await?, &filter).await })
    }

    fn decide_seen(
        &self,
        id: RequestId,
        review: Review,
        seen: usize,
        starts: bool,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Decided, StoreError>> {
        on_any_thread(self.record_verdict(id, review, seen, starts, now))
    }

    fn edit(
        &self,
        id: RequestId,
        edit: Edit,
        review: Review,
        seen: usize,
        starts: bool,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Decided, StoreError>> {
        on_any_thread(self.record_edit(id, edit, review, (seen, starts), now))
    }

    fn expire(&self, id: RequestId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        on_any_thread(self.settle_one(id, transition::Change::Expire, now))
    }

    fn expire_due(&self, now: Timestamp) -> BoxFuture<'_, Result<Vec<RequestId>, StoreError>> {
        on_any_thread(self.settle_due(now))
    }

    fn withdraw<'a>(
        &'a self,
        id: RequestId,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        on_any_thread(self.settle_one(id, transition::Change::Withdraw(why), now))
    }

    fn abandon<'a>(
        &'a self,
        id: RequestId,
        why: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        on_any_thread(self.settle_one(id, transition::Change::Abandon(why), now))
    }

    fn abandon_all<'a>(
        &'a self,
        why: Abandoned<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<RequestId>, StoreError>> {
        on_any_thread(self.settle_unfinished(why, now))
    }

    fn start(&self, id: RequestId, now: Timestamp) -> BoxFuture<'_, Result<bool, StoreError>> {
        on_any_thread(self.settle_one(id, transition::Change::Start, now))
    }

    fn finish(
        &self,
        id: RequestId,
        outcome: Outcome,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<bool, StoreError>> {
        on_any_thread(async move {
            self.settle_one(id, transition::Change::Finish(&outcome), now)
                .await
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        on_any_thread(async move {
            let mut tx = self.begin().await?;
            let found = query("UPDATE liveness SET checks = checks + 1 WHERE id = 1 RETURNING checks")
                .fetch_one(&mut *tx)
                .await
                .map_err(not_written)?;
            let written: i64 = row::column(&found, "checks")?;
            tx.commit().await?;
            let found = query("SELECT checks FROM liveness WHERE id = 1")
                .fetch_one(&mut *self.reader().await?)
                .await
                .map_err(not_read)?;
            let read: i64 = row::column(&found, "checks")?;
            if read < written {
                return Err(StoreError::Inconsistent(
                    "a change that was just written cannot be read".to_owned(),
                ));
            }
            Ok(())
        })
    }
}

impl<E: Engine> UserStore for SqlStore<E> {
    fn add_user<'a>(
        &'a self,
        user: &'a UserRecord,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        on_any_thread(self.insert_user(user, actor))
    }

    fn user<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<UserRecord>, StoreError>> {
        on_any_thread(self.user_by_name(name))
    }

    fn users(&self) -> BoxFuture<'_, Result<Vec<UserRecord>, StoreError>> {
        on_any_thread(self.all_users())
    }

    fn users_by<'a>(&'a self, filter: &'a UserFilter) -> BoxFuture<'a, Result<Vec<UserRecord>, StoreError>> {
        on_any_thread(self.filtered_users(filter))
    }

    fn set_verifier<'a>(&'a self, name: &'a str, verifier: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        on_any_thread(self.replace_verifier(name, verifier))
    }

    fn change_user<'a>(
        &'a self,
        name: &'a str,
        change: &'a UserChange,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<UserRecord, StoreError>> {
        on_any_thread(self.apply_change(name, change, actor))
    }

    fn disabled_since(&self, seen: i64) -> BoxFuture<'_, Result<(Vec<String>, i64), StoreError>> {
        on_any_thread(self.read_disabled_since(seen))
    }

    fn revoke_tokens<'a>(
        &'a self,
        name: &'a str,
        actor: Actor<'a>,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        on_any_thread(self.delete_all_tokens(name, actor))
    }

    fn add_token<'a>(
        &'a self,
        user: &'a str,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        on_any_thread(self.insert_token(user, token_hash, now))
    }

    fn user_by_token(&self, token_hash: [u8; 32]) -> BoxFuture<'_, Result<Option<UserRecord>, StoreError>> {
        on_any_thread(self.token_owner(token_hash))
    }

    fn add_web_session<'a>(
        &'a self,
        session: &'a WebSession,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        on_any_thread(self.insert_web_session(session, now))
    }

    fn web_session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<(WebSession, UserRecord)>, StoreError>> {
        on_any_thread(self.live_web_session(token_hash, now))
    }

    fn remove_web_session(&self, token_hash: [u8; 32]) -> BoxFuture<'_, Result<(), StoreError>> {
        on_any_thread(self.delete_web_session(token_hash))
    }

    fn secret(&self) -> BoxFuture<'_, Result<[u8; 32], StoreError>> {
        on_any_thread(self.installation_secret())
    }
}

impl<E: Engine> ObservationStore for SqlStore<E> {
    fn record_observations<'a>(
        &'a self,
        batch: &'a [Sightings],
        max_rows: u64,
    ) -> BoxFuture<'a, Result<u64, StoreError>> {
        on_any_thread(self.count_observations(batch, max_rows))
    }

    fn observations<'a>(
        &'a self,
        query: &'a ObservationQuery,
    ) -> BoxFuture<'a, Result<Vec<StoredObservation>, StoreError>> {
        on_any_thread(self.list_observations(query))
    }

    fn prune_observations(&self, before: Timestamp) -> BoxFuture<'_, Result<u64, StoreError>> {
        on_any_thread(self.forget_observations(before))
    }
}
