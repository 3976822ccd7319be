//! Rows of `grants` to the types of the model.

use std::time::Duration;

use super::engine::Columns;
use super::row::{column, id, json, optional_time, time};
use super::within;
use crate::model::{Grant, GrantState, Holder, NewGrant, Review};
use crate::store::StoreError;

/// A row of `grants`, with the list `reviews`.
pub(super) fn grant(row: &impl Columns) -> Result<Grant, StoreError> {
    let is_open = state(row)? == GrantState::Pending;
    with(row, within::reviews(row, "reviews", is_open)?)
}

/// A row of `grants` alone: without what people have said.
pub(super) fn grant_alone(row: &impl Columns) -> Result<Grant, StoreError> {
    with(row, Vec::new())
}

fn with(row: &impl Columns, reviews: Vec<Review>) -> Result<Grant, StoreError> {
    let state = state(row)?;
    let span = match (optional_time(row, "starts_at")?, optional_time(row, "ends_at")?) {
        (Some(from), Some(to)) => Some((from, to)),
        _ => None,
    };
    Ok(Grant {
        asked: asked(row)?,
        state,
        reviews,
        span,
        used: column(row, "used")?,
        settled_at: optional_time(row, "settled_at")?,
        settled_by: column(row, "settled_by")?,
        note: column(row, "note")?,
    })
}

/// The state in a row of `grants`.
pub(super) fn state(row: &impl Columns) -> Result<GrantState, StoreError> {
    let name: String = column(row, "state")?;
    GrantState::parse(&name)
        .ok_or_else(|| StoreError::Inconsistent(format!("\"{name}\" is no state of a grant")))
}

/// A length as it is kept.
pub(super) fn microseconds(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

fn asked(row: &impl Columns) -> Result<NewGrant, StoreError> {
    let holder: String = column(row, "holder")?;
    let holder = match column::<String>(row, "holder_kind")?.as_str() {
        "user" => Holder::User(holder),
        "group" => Holder::Group(holder),
        other => {
            return Err(StoreError::Inconsistent(format!(
                "\"{other}\" is no kind of holder"
            )));
        }
    };
    let length: i64 = column(row, "length")?;
    Ok(NewGrant {
        id: id(row, "id")?,
        holder,
        database: column(row, "database_name")?,
        scope: json(row, "scope")?,
        justification: column(row, "justification")?,
        ticket: column(row, "ticket")?,
        length: Duration::from_micros(u64::try_from(length).unwrap_or_default()),
        times: column(row, "times")?,
        max_rows: column(row, "max_rows")?,
        rule: column(row, "rule")?,
        quorum: json(row, "quorum")?,
        self_approval: column(row, "self_approval")?,
        asked_by: column(row, "asked_by")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
    })
}
