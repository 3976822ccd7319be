//! What `holdpoint requests` asks of the API.

use serde_json::{Value, json};

use super::super::remote::client::{ApiError, Client};
use crate::model::RequestId;

/// Requests in these states (all where empty), newest first.
pub(super) async fn list(
    client: &Client,
    states: &[&str],
    to_review: bool,
    limit: u32,
) -> Result<Value, ApiError> {
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(states.iter().map(|state| ("state", *state)));
    query.extend(to_review.then_some(("to_review", "true")));
    client.get(&["requests"], &query).await
}

/// One request.
pub(super) async fn show(client: &Client, id: RequestId) -> Result<Value, ApiError> {
    client.get(&["requests", id.as_str()], &[]).await
}

/// Approves; the request as it stands then.
pub(super) async fn approve(
    client: &Client,
    id: RequestId,
    comment: &str,
    edits: u32,
) -> Result<Value, ApiError> {
    let path = ["requests", id.as_str(), "approve"];
    client
        .post(&path, json!({ "comment": comment, "edits": edits }))
        .await
}

/// Changes the statement, and approves it so; the request as it stands then.
pub(super) async fn edit(
    client: &Client,
    id: RequestId,
    statement: &str,
    comment: &str,
    edits: u32,
) -> Result<Value, ApiError> {
    let path = ["requests", id.as_str(), "edit"];
    let body = json!({ "statement": statement, "comment": comment, "edits": edits });
    client.post(&path, body).await
}

/// Rejects; the request as it stands then.
pub(super) async fn reject(client: &Client, id: RequestId, reason: &str) -> Result<Value, ApiError> {
    let path = ["requests", id.as_str(), "reject"];
    client.post(&path, json!({ "reason": reason })).await
}

/// Says whether what ran was right; the request with what was said.
pub(super) async fn review(
    client: &Client,
    id: RequestId,
    object: bool,
    comment: &str,
) -> Result<Value, ApiError> {
    let verdict = if object { "object" } else { "accept" };
    let path = ["requests", id.as_str(), "review"];
    client
        .post(&path, json!({ "verdict": verdict, "comment": comment }))
        .await
}
