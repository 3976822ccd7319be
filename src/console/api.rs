//! The JSON API, version 1: a bearer token in, JSON out, problems as RFC 9457 has them.

use axum::Router;
use axum::routing::{get, post};

use super::ConsoleState;

mod caller;
mod decisions;
mod json_body;
mod list_query;
mod query;
mod requests;
mod shape;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

/// The routes below `/api/v1`.
pub(super) fn router() -> Router<ConsoleState> {
    Router::new()
        .route("/requests", get(requests::list))
        .route("/requests/{id}", get(requests::show))
        .route("/requests/{id}/approve", post(decisions::approve))
        .route("/requests/{id}/reject", post(decisions::reject))
}
