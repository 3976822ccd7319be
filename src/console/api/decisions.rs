//! `POST /requests/{id}/approve`, `/edit` and `/reject`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::ConsoleState;
use super::super::decision::{self, Change, decide};
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
    /// How often the statement had been changed when the caller looked at it.
    #[serde(default)]
    edits: usize,
}

/// The body of a change.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edition {
    statement: String,
    comment: Option<String>,
    #[serde(default)]
    edits: usize,
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
    let request = decide(&state, &id, &caller, Verdict::Approve, &comment, body.edits).await?;
    Ok(Json(RequestBody::of(request, &state)))
}

/// Changes the statement, and approves it so in the caller's name.
pub(super) async fn edit(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Edition>,
) -> Result<Json<RequestBody>, Problem> {
    let comment = body.comment.unwrap_or_default();
    let change = Change {
        statement: &body.statement,
        comment: &comment,
        seen: body.edits,
    };
    let request = decision::edit(&state, &id, &caller, &change).await?;
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
    let request = decide(&state, &id, &caller, Verdict::Reject, &reason, 0).await?;
    Ok(Json(RequestBody::of(request, &state)))
}
