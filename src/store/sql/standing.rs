//! For whom people stand in the moment in which what they say is recorded.
//!
//! Who says something was looked up before, and may have been disabled or have left a group while their request was on its way.
//! Invariant: a review is recorded for groups that its reviewer is in, by the transaction that records it, and for no others.

use super::engine::Connection;
use super::query::query;
use super::{not_read, row};
use crate::model::Review;
use crate::store::StoreError;

/// The review, for those of its groups that its reviewer is in at the moment; `None`: in none of them.
pub(super) async fn checked(
    connection: &mut impl Connection,
    review: &Review,
) -> Result<Option<Review>, StoreError> {
    let found = query("SELECT group_names FROM users WHERE name = $1 AND NOT disabled")
        .bind(&review.reviewer)
        .fetch_optional(connection)
        .await
        .map_err(not_read)?;
    let Some(found) = found else { return Ok(None) };
    let mut review = review.clone();
    keep(&mut review, &row::json::<Vec<String>>(&found, "group_names")?);
    Ok((!review.groups.is_empty()).then_some(review))
}

/// Leaves a review those of its groups that its reviewer is in at the moment.
pub(super) fn keep(review: &mut Review, present: &[String]) {
    review.groups.retain(|group| present.contains(group));
}
