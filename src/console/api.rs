//! The JSON API, version 1: a bearer token in, JSON out, problems as RFC 9457 has them.
//! `openapi.json` describes it, and changes with it.

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post, put};

use super::ConsoleState;

mod caller;
mod decisions;
mod document;
mod followup;
mod grant_query;
mod grant_shape;
mod grants;
mod groups;
mod json_body;
mod list_query;
mod query;
mod requests;
mod shape;
mod url_path;
mod user_query;
mod users;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod documented;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod grant_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod people_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

/// The routes below `/api/v1`.
pub(super) fn router() -> Router<ConsoleState> {
    routes()
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods)
        })
}

/// A list, so that tests can hold the document against it.
fn routes() -> Vec<(&'static str, MethodRouter<ConsoleState>)> {
    vec![
        ("/me", get(users::me)),
        ("/requests", get(requests::list)),
        ("/requests/{id}", get(requests::show)),
        ("/requests/{id}/approve", post(decisions::approve)),
        ("/requests/{id}/edit", post(decisions::edit)),
        ("/requests/{id}/reject", post(decisions::reject)),
        ("/requests/{id}/review", post(followup::review)),
        ("/grants", get(grants::windows).post(grants::ask)),
        ("/grants/{id}", get(grants::window)),
        ("/grants/{id}/approve", post(grants::approve_window)),
        ("/grants/{id}/reject", post(grants::reject_window)),
        ("/grants/{id}/end", post(grants::end_window)),
        ("/standing-approvals", get(grants::standing).post(grants::allow)),
        ("/standing-approvals/{id}", get(grants::standing_one)),
        ("/standing-approvals/{id}/approve", post(grants::approve_standing)),
        ("/standing-approvals/{id}/reject", post(grants::reject_standing)),
        ("/standing-approvals/{id}/end", post(grants::end_standing)),
        ("/users", get(users::list).post(users::add)),
        ("/users/{name}", get(users::show).patch(users::change)),
        ("/users/{name}/tokens", delete(users::revoke_tokens)),
        ("/groups", get(groups::list)),
        ("/groups/{name}", get(groups::show)),
        (
            "/groups/{name}/members/{user}",
            put(groups::join).delete(groups::leave),
        ),
        ("/openapi.json", get(document::show)),
    ]
}
