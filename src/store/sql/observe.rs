//! Observations: counted by the hour, bounded, forgotten in time.
//!
//! How many rows there are is never counted: ids grow, and what is forgotten is the oldest, so the span from the
//! first id to the last bounds it, and costs two look-ups. Where the clock was set back there may be gaps in
//! between; then there is room for somewhat less.

use jiff::Timestamp;

use super::engine::{Connection, Engine};
use super::query::query;
use super::{SqlStore, not_read, not_written, row};
use crate::model::Sightings;
use crate::model::observation::hour_of;
use crate::store::{ObservationQuery, StoreError, StoredObservation};

/// Rows that are forgotten in one transaction: held statements wait for it.
const FORGOTTEN_AT_ONCE: u64 = 5_000;

impl<E: Engine> SqlStore<E> {
    /// Counts a batch, in one transaction. How many sightings there was no room for.
    pub(super) async fn count_observations(
        &self,
        batch: &[Sightings],
        max_rows: u64,
    ) -> Result<u64, StoreError> {
        let mut tx = self.begin_alone().await?;
        let mut room = max_rows.saturating_sub(at_most(&mut *tx).await?);
        let mut left_out: u64 = 0;
        for seen in batch {
            let digest = seen.observation.key();
            // Not an upsert, which does not tell whether it took a row more. Nobody comes in between: the
            // transaction has the write lock.
            if count_again(&mut *tx, seen, &digest).await? {
                continue;
            }
            if room == 0 {
                left_out = left_out.saturating_add(seen.count);
                continue;
            }
            insert(&mut *tx, seen, &digest).await?;
            room -= 1;
        }
        tx.commit().await?;
        Ok(left_out)
    }

    pub(super) async fn list_observations(
        &self,
        wanted: &ObservationQuery,
    ) -> Result<Vec<StoredObservation>, StoreError> {
        let found = query(
            "SELECT id, database_name, user_name, group_names, application_name, client_addr, statement, facts, decision, \
             rules, sightings, first_seen, last_seen FROM observations WHERE id > $1 AND last_seen >= $2 \
             AND ($3 IS NULL OR database_name = $3) AND ($4 IS NULL OR user_name = $4) ORDER BY id LIMIT $5",
        )
        .bind(wanted.after)
        .bind(wanted.since.as_microsecond())
        .bind(wanted.database.as_deref())
        .bind(wanted.user.as_deref())
        .bind(i64::from(wanted.limit))
        .fetch_all(&mut *self.reader().await?)
        .await
        .map_err(not_read)?;
        found.iter().map(row::observation).collect()
    }

    pub(super) async fn forget_observations(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let mut tx = self.begin_alone().await?;
            let gone = query(
                "DELETE FROM observations WHERE id IN \
                 (SELECT id FROM observations WHERE hour < $1 ORDER BY hour LIMIT $2)",
            )
            .bind(hour_of(before))
            .bind(as_integer(FORGOTTEN_AT_ONCE))
            .execute(&mut *tx)
            .await
            .map_err(not_written)?;
            tx.commit().await?;
            forgotten += gone;
            if gone < FORGOTTEN_AT_ONCE {
                return Ok(forgotten);
            }
        }
    }
}

/// How many rows there are at most.
async fn at_most(connection: &mut impl Connection) -> Result<u64, StoreError> {
    let found = query(
        "SELECT coalesce((SELECT max(id) FROM observations) - (SELECT min(id) FROM observations) + 1, 0) AS span",
    )
    .fetch_one(connection)
    .await
    .map_err(not_read)?;
    let rows: i64 = row::column(&found, "span")?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// Adds to what was seen in this hour before. `false`: it was not.
async fn count_again(
    connection: &mut impl Connection,
    seen: &Sightings,
    digest: &[u8; 32],
) -> Result<bool, StoreError> {
    let changed = query(
        "UPDATE observations SET sightings = sightings + $3, \
         first_seen = CASE WHEN first_seen < $4 THEN first_seen ELSE $4 END, \
         last_seen = CASE WHEN last_seen > $5 THEN last_seen ELSE $5 END WHERE hour = $1 AND digest = $2",
    )
    .bind(seen.hour())
    .bind(&digest[..])
    .bind(as_integer(seen.count))
    .bind(seen.first_seen.as_microsecond())
    .bind(seen.last_seen.as_microsecond())
    .execute(connection)
    .await
    .map_err(not_written)?;
    Ok(changed > 0)
}

async fn insert(
    connection: &mut impl Connection,
    seen: &Sightings,
    digest: &[u8; 32],
) -> Result<(), StoreError> {
    let observation = &seen.observation;
    query(
        "INSERT INTO observations (hour, digest, database_name, user_name, group_names, application_name, \
         client_addr, statement, facts, decision, rules, sightings, first_seen, last_seen) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(seen.hour())
    .bind(&digest[..])
    .bind(&observation.database)
    .bind(&observation.user)
    .bind(row::to_json(&observation.groups)?)
    .bind(&observation.application_name)
    .bind(observation.client_addr.map(|address| address.to_string()))
    .bind(&observation.statement)
    .bind(row::to_json(&observation.facts)?)
    .bind(observation.decision.as_str())
    .bind(row::to_json(&observation.rules)?)
    .bind(as_integer(seen.count))
    .bind(seen.first_seen.as_microsecond())
    .bind(seen.last_seen.as_microsecond())
    .execute(connection)
    .await
    .map_err(not_written)?;
    Ok(())
}

/// The databases' integers are signed.
fn as_integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
