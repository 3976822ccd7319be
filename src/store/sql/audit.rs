//! Adding to `audit_events`, in the transaction of the change that it tells of.

use jiff::Timestamp;

use super::engine::{Connection, Variant};
use super::not_written;
use super::query::{Query, query, variant};
use crate::model::RequestId;
use crate::store::StoreError;

/// What happened. Kinds are `request.…` and `user.…`, in the past tense.
pub(super) struct Event<'a> {
    pub(super) at: Timestamp,
    pub(super) kind: &'a str,
    pub(super) request: Option<RequestId>,
    /// `None`: holdpoint itself or its command line.
    pub(super) actor: Option<&'a str>,
    pub(super) detail: serde_json::Value,
}

impl Event<'_> {
    /// The first five values of a statement that makes a change and records it.
    pub(super) fn first_in<'a>(self, sql: &Variant) -> Query<'a, Variant>
    where
        Self: 'a,
    {
        variant(sql)
            .bind(self.at.as_microsecond())
            .bind(self.kind.to_owned())
            .bind(self.request.map(|id| id.to_string()))
            .bind(self.actor.map(str::to_owned))
            .bind(self.detail.to_string())
    }
}

pub(super) async fn record(connection: &mut impl Connection, event: Event<'_>) -> Result<(), StoreError> {
    query("INSERT INTO audit_events (at, kind, request_id, actor, detail) VALUES ($1, $2, $3, $4, $5)")
        .bind(event.at.as_microsecond())
        .bind(event.kind)
        .bind(event.request.map(|id| id.to_string()))
        .bind(event.actor)
        .bind(event.detail.to_string())
        .execute(connection)
        .await
        .map_err(not_written)?;
    Ok(())
}
