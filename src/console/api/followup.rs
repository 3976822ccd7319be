//! `POST /requests/{id}/review`: what somebody says afterwards, where the glass was broken.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::super::ConsoleState;
use super::super::decision;
use super::super::fault::{Fault, Problem};
use super::caller::Caller;
use super::json_body::JsonBody;
use super::shape::RequestBody;
use super::url_path::UrlPath;
use crate::model::Verdict;

/// The body of a review.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Review {
    verdict: String,
    comment: String,
}

/// Accepts what ran, or objects to it, in the caller's name.
pub(super) async fn review(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<Review>,
) -> Result<Json<RequestBody>, Problem> {
    let verdict = match body.verdict.as_str() {
        "accept" => Verdict::Approve,
        "object" => Verdict::Reject,
        other => {
            let why = format!("\"verdict\" is \"{other}\", neither \"accept\" nor \"object\".");
            return Err(Fault::invalid(why).into());
        }
    };
    let request = decision::review(&state, &id, &caller, verdict, &body.comment).await?;
    Ok(Json(RequestBody::of(request, &state)))
}
