//! What `holdpoint requests` asks of the API.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::remote::client::{ApiError, Client};
use crate::model::RequestId;

/// Requests in these states (all where empty), newest first. The API is asked for one state at a time.
pub(super) async fn list(
    client: &Client,
    states: &[&str],
    to_review: bool,
    limit: u32,
) -> Result<Value, ApiError> {
    match states {
        [] => list_one(client, None, to_review, limit).await,
        [state] => list_one(client, Some(state), to_review, limit).await,
        states => {
            let mut answers = Vec::new();
            for state in states {
                answers.push(list_one(client, Some(state), to_review, limit).await?);
            }
            Ok(merged(answers, limit))
        }
    }
}

async fn list_one(
    client: &Client,
    state: Option<&str>,
    to_review: bool,
    limit: u32,
) -> Result<Value, ApiError> {
    let limit = limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(state.map(|state| ("state", state)));
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

/// Several lists as one, newest first. A request that changed its state between two answers counts once.
fn merged(answers: Vec<Value>, limit: u32) -> Value {
    let mut all: Vec<Value> = Vec::new();
    for mut answer in answers {
        if let Some(Value::Array(requests)) = answer.get_mut("requests").map(Value::take) {
            for request in requests {
                if !all.iter().any(|known| known["id"] == request["id"]) {
                    all.push(request);
                }
            }
        }
    }
    all.sort_by_key(|request| {
        let at = request["created_at"]
            .as_str()
            .and_then(|at| at.parse::<Timestamp>().ok());
        std::cmp::Reverse(at)
    });
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    json!({ "requests": all })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn several_lists_become_one_newest_first() {
        let of = |id: &str, at: &str| json!({ "id": id, "created_at": at });
        let one = json!({"requests": [of("c", "2026-03-01T12:00:00.5Z"), of("a", "2026-03-01T10:00:00Z")]});
        let two = json!({"requests": [of("b", "2026-03-01T12:00:00Z"), of("a", "2026-03-01T10:00:00Z")]});
        let ids = |value: &Value| -> Vec<String> {
            let all = value["requests"].as_array().unwrap();
            all.iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids(&merged(vec![one.clone(), two.clone()], 50)), ["c", "b", "a"]);
        assert_eq!(ids(&merged(vec![one, two], 2)), ["c", "b"]);
    }
}
