//! Other proxies that share the database: what they change, and whether they live.

use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{Postgres, Row as _};

use super::PostgresStore;
use super::engine::in_time;
use crate::model::RequestId;
use crate::store::sql::{not_read, not_written, on_any_thread};
use crate::store::{Beat, BoxFuture, Hint, Hints, ProposalId, SharedStore, StoreError};

/// What `migrations/postgres` notifies on.
const CHANNEL: &str = "holdpoint";
/// What is told with each beat.
const BEAT: &str = "*";

struct Listening {
    listener: PgListener,
    /// This proxy's name.
    own: String,
}

impl Hints for Listening {
    fn next(&mut self) -> BoxFuture<'_, Result<Hint, StoreError>> {
        on_any_thread(async move {
            loop {
                // The connection is made anew by the next call.
                let Some(told) = self.listener.try_recv().await.map_err(not_read)? else {
                    return Ok(Hint::Missed);
                };
                let Some((by, id)) = told.payload().split_once(' ') else {
                    continue;
                };
                if id == BEAT {
                    return Ok(Hint::Alive);
                }
                if by != self.own
                    && let Some(hint) = hint(id)
                {
                    return Ok(hint);
                }
            }
        })
    }
}

/// What is told, behind the name of who tells it.
fn hint(told: &str) -> Option<Hint> {
    if let Some(id) = told.strip_prefix('?') {
        return id.parse().ok().map(Hint::Proposed);
    }
    if let Some(id) = told.strip_prefix('!') {
        return id.parse().ok().map(Hint::Answered);
    }
    told.parse().ok().map(Hint::Changed)
}

impl SharedStore for PostgresStore {
    fn is_shared(&self) -> bool {
        true
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        on_any_thread(PostgresStore::close(self))
    }

    fn hints(&self) -> BoxFuture<'_, Result<Option<Box<dyn Hints>>, StoreError>> {
        on_any_thread(async move {
            let mut listener = PgListener::connect_with(&self.readers).await.map_err(not_read)?;
            listener.listen(CHANNEL).await.map_err(not_read)?;
            let listening = Listening {
                listener,
                own: self.proxy.clone(),
            };
            Ok(Some(Box::new(listening) as Box<dyn Hints>))
        })
    }

    fn beat<'a>(
        &'a self,
        console: &'a str,
        dead_after: Duration,
    ) -> BoxFuture<'a, Result<Vec<Beat>, StoreError>> {
        on_any_thread(async move {
            let mut tx = self.begin().await?;
            in_time(
                sqlx::query::<Postgres>(
                    "INSERT INTO proxies (id, console, started_at, beats, dead_after) \
                 VALUES ($1, $2, $3, 1, $4) ON CONFLICT (id) DO UPDATE SET beats = proxies.beats + 1",
                )
                .bind(&self.proxy)
                .bind(console)
                .bind(self.clock.now().as_microsecond())
                .bind(i64::try_from(dead_after.as_micros()).unwrap_or(i64::MAX))
                .execute(tx.begun().await.map_err(not_written)?),
            )
            .await
            .map_err(not_written)?;
            let others = in_time(
                sqlx::query::<Postgres>(
                    "SELECT id, console, beats, dead_after FROM proxies WHERE id <> $1 ORDER BY id",
                )
                .bind(&self.proxy)
                .fetch_all(tx.begun().await.map_err(not_written)?),
            )
            .await
            .map_err(not_read)?;
            in_time(
                sqlx::query::<Postgres>("SELECT tell($1)")
                    .bind(BEAT)
                    .execute(tx.begun().await.map_err(not_written)?),
            )
            .await
            .map_err(not_written)?;
            tx.commit().await?;
            let beats = others.iter().map(|found| {
                let dead_after: i64 = found.try_get("dead_after")?;
                Ok(Beat {
                    proxy: found.try_get("id")?,
                    console: found.try_get("console")?,
                    beats: found.try_get("beats")?,
                    dead_after: Duration::from_micros(u64::try_from(dead_after).unwrap_or_default()),
                })
            });
            beats.collect::<Result<_, _>>().map_err(not_read)
        })
    }

    fn bury<'a>(&'a self, dead: &'a Beat) -> BoxFuture<'a, Result<bool, StoreError>> {
        on_any_thread(async move {
            let mut tx = self.begin().await?;
            let gone = in_time(
                sqlx::query::<Postgres>("DELETE FROM proxies WHERE id = $1 AND beats = $2")
                    .bind(&dead.proxy)
                    .bind(dead.beats)
                    .execute(tx.begun().await.map_err(not_written)?),
            )
            .await
            .map_err(not_written)?;
            tx.commit().await?;
            Ok(gone.rows_affected() > 0)
        })
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        on_any_thread(async move {
            let mut tx = self.begin().await?;
            in_time(
                sqlx::query::<Postgres>("DELETE FROM proxies WHERE id = $1")
                    .bind(&self.proxy)
                    .execute(tx.begun().await.map_err(not_written)?),
            )
            .await
            .map_err(not_written)?;
            tx.commit().await
        })
    }

    fn holder(&self, id: RequestId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        on_any_thread(async move {
            in_time(
                sqlx::query_scalar(
                    "SELECT console FROM proxies JOIN requests ON requests.proxy = proxies.id \
                 WHERE requests.id = $1 AND proxies.id <> $2",
                )
                .bind(id.as_str())
                .bind(&self.proxy)
                .fetch_optional(&self.readers),
            )
            .await
            .map_err(not_read)
        })
    }

    fn propose<'a>(
        &'a self,
        request: RequestId,
        statement: &'a str,
    ) -> BoxFuture<'a, Result<ProposalId, StoreError>> {
        on_any_thread(self.insert_proposal(request, statement))
    }

    fn proposal(&self, id: ProposalId) -> BoxFuture<'_, Result<Option<(RequestId, String)>, StoreError>> {
        on_any_thread(self.read_proposal(id))
    }

    fn answer<'a>(&'a self, id: ProposalId, answer: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        on_any_thread(self.answer_proposal(id, answer))
    }

    fn take_answer(&self, id: ProposalId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        on_any_thread(self.delete_answered(id))
    }

    fn decided<'a>(&'a self, ids: &'a [RequestId]) -> BoxFuture<'a, Result<Vec<RequestId>, StoreError>> {
        on_any_thread(async move {
            let names: Vec<&str> = ids.iter().map(RequestId::as_str).collect();
            let found = in_time(
                sqlx::query::<Postgres>(
                    "SELECT id FROM requests WHERE id = ANY ($1) AND state <> 'pending' ORDER BY id",
                )
                .bind(names)
                .fetch_all(&self.readers),
            )
            .await
            .map_err(not_read)?;
            let ids = found.iter().map(|found| {
                let id: String = found.try_get("id").map_err(not_read)?;
                id.parse()
                    .map_err(|error| StoreError::Inconsistent(format!("id: {error}")))
            });
            ids.collect()
        })
    }
}
