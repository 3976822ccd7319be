//! The pages: server-rendered, whole without a script; the script only keeps them fresh.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::ConsoleState;
use super::fault::Fault;

mod access;
mod access_list;
mod cookie;
mod decisions;
mod events;
mod form;
mod frame;
mod history;
mod local_path;
mod page_path;
mod people;
mod people_query;
mod queue;
mod request;
mod sign_in;
mod visitor;

pub(super) use page_path::PagePath;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod access_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod people_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod request_tests;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

/// The longest body of the form that changes a statement, in bytes. Its page offers texts up to 32 KiB, of which a form
/// makes up to six times as much (a line's end becomes %0D%0A), and a comment stands beside it.
const EDIT_LIMIT: usize = 256 * 1024;

/// The routes of the pages.
pub(super) fn router() -> Router<ConsoleState> {
    let edit = post(decisions::edit).layer(DefaultBodyLimit::max(EDIT_LIMIT));
    Router::new()
        .route("/", get(queue::page))
        .route("/queue", get(queue::fragment))
        .route("/events", get(events::stream))
        .route("/history", get(history::page))
        .route("/access", get(access_list::page).post(access::ask))
        .route("/access/{id}", get(access_list::one))
        .route("/access/{id}/approve", post(access::approve))
        .route("/access/{id}/reject", post(access::reject))
        .route("/access/{id}/end", post(access::end))
        .route("/people", get(people::page).post(people::add))
        .route("/people/change", post(people::change))
        .route("/people/revoke-tokens", post(people::revoke_tokens))
        .route("/requests/{id}", get(request::page))
        .route("/requests/{id}/live", get(request::fragment))
        .route("/requests/{id}/statement.sql", get(request::statement))
        .route("/requests/{id}/approve", post(decisions::approve))
        .route("/requests/{id}/edit", edit)
        .route("/requests/{id}/reject", post(decisions::reject))
        .route("/requests/{id}/review", post(decisions::review))
        .route("/requests/{id}/allow", post(access::allow))
        .route("/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/sign-out", post(sign_in::leave))
}

/// A fault as a person reads it.
#[derive(Debug)]
pub(super) struct FaultPage(pub(super) Fault);

impl<E: Into<Fault>> From<E> for FaultPage {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for FaultPage {
    fn into_response(self) -> Response {
        self.0.respond(frame::FaultTemplate::of(&self.0, None))
    }
}
