//! `GET /openapi.json`: the API's own description, for programs. Tests hold it against the routes and against
//! every answer that they get.

use axum::http::{HeaderName, header};

/// The document, as it is in the repository.
pub(super) const DOCUMENT: &str = include_str!("openapi.json");

/// Serves it; it tells nothing that needs a token.
pub(super) async fn show() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)
}
