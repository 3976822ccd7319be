//! `POST /requests/{id}/approve` and `POST /requests/{id}/reject`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::ConsoleState;
use super::super::decision::decide;
use super::super::fault::Problem;
use super::caller::Caller;
use super::json_body::JsonBody;
use super::shape::RequestBody;
use super::url_path::UrlPath;
use crate::model::Verdict;

/// The body of an approval.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approval {
    comment: Option<String>,
}

/// The body of a rejection.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rejection {
    reason: Option<String>,
}

/// Approves in the caller's name.
pub(super) async fn approve(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Approval>,
) -> Result<Json<RequestBody>, Problem> {
    let comment = body.comment.unwrap_or_default();
    let request = decide(&state, &id, &caller, Verdict::Approve, &comment).await?;
    Ok(Json(RequestBody::of(request, &state)))
}

/// Rejects in the caller's name.
pub(super) async fn reject(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Rejection>,
) -> Result<Json<RequestBody>, Problem> {
    let reason = body.reason.unwrap_or_default();
    let request = decide(&state, &id, &caller, Verdict::Reject, &reason).await?;
    Ok(Json(RequestBody::of(request, &state)))
}
