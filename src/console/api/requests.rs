//! `GET /requests` and `GET /requests/{id}`.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;

use super::super::ConsoleState;
use super::super::decision;
use super::super::fault::Problem;
use super::caller::Caller;
use super::list_query::ListQuery;
use super::shape::RequestBody;
use super::url_path::UrlPath;
use crate::model::RequestId;
use crate::store::RequestFilter;

/// A page of requests, newest first.
#[derive(Debug, Serialize)]
pub(super) struct RequestList {
    requests: Vec<RequestBody>,
    /// The value of `before` for the next page, if there is one.
    next: Option<RequestId>,
}

/// Lists what the caller may see.
pub(super) async fn list(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<RequestList>, Problem> {
    let query = ListQuery::parse(query.as_deref().unwrap_or_default())?;
    let page = query.limit as usize;
    let filter = RequestFilter {
        states: query.states,
        to_review: query.to_review,
        user: query.user,
        database: query.database,
        effects: query.effects,
        shape: query.shape,
        since: query.since,
        until: query.until,
        visible_to: Some(caller),
        before: query.before,
        // One more tells whether there is another page.
        limit: query.limit + 1,
    };
    let mut requests = state.broker.requests(filter).await?;
    let has_more = requests.len() > page;
    requests.truncate(page);
    let next = requests.last().filter(|_| has_more).map(|last| last.asked.id);
    Ok(Json(RequestList {
        requests: requests
            .into_iter()
            .map(|request| RequestBody::of(request, &state))
            .collect(),
        next,
    }))
}

/// Shows one request.
pub(super) async fn show(
    State(state): State<ConsoleState>,
    Caller(caller): Caller,
    UrlPath(id): UrlPath<String>,
) -> Result<Json<RequestBody>, Problem> {
    let request = decision::visible(&state, &id, &caller).await?;
    Ok(Json(RequestBody::of(request, &state)))
}
