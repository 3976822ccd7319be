//! The console and the JSON API: where people see what is held, and decide.
//!
//! Imports `model`, `policy` (what may be asked for), `approval`, `identity` and `store` (its types); never a session or
//! the wire.
//! Everything that a browser needs is embedded in the binary. Invariants:
//! - who may see and who may decide is asked of the broker, never worked out here;
//! - a page's change of state needs a signed-in session, its CSRF token and our own origin;
//!   the API takes a bearer token and never a cookie;
//! - text from outside reaches a page escaped, with nothing in it invisible (`sql_text`);
//! - an internal error's text never reaches a client (`fault`).

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::approval::Broker;
use crate::identity::{Directory, SignInThrottle};
use crate::model::Clock;
use crate::policy::PolicyInForce;

mod api;
mod assets;
mod decision;
mod fault;
mod grants;
mod headers;
mod health;
mod listener;
mod pages;
mod people;
mod same_origin;
mod sql_text;
mod view;

pub use listener::Seats;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod testing;

/// The longest body that is read, in bytes; that of the form that changes a statement may be longer.
const BODY_LIMIT: usize = 64 * 1024;

/// What the console works with. A cheap clone.
#[derive(Clone)]
pub struct ConsoleState {
    /// Requests, and decisions on them.
    pub broker: Arc<Broker>,
    /// What may be asked for: the policy that sessions follow, too.
    pub policy: Arc<PolicyInForce>,
    /// The NAMEs of `[databases.NAME]`, sorted.
    pub databases: Arc<[String]>,
    /// Users, their tokens and browser sessions.
    pub directory: Arc<Directory>,
    /// Limits attempts to sign in.
    pub throttle: Arc<SignInThrottle>,
    /// The time, for counting down.
    pub clock: Arc<dyn Clock>,
    /// Where people reach the console, as in `https://holdpoint.example.com`; no slash at its end
    /// is needed.
    pub public_url: String,
    /// Whether cookies are for HTTPS alone: `public_url` is https.
    pub secure_cookies: bool,
    /// Cancelled when the process is about to stop: live streams end, and it is not ready any more.
    pub shutdown: CancellationToken,
}

impl std::fmt::Debug for ConsoleState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsoleState")
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

impl ConsoleState {
    /// Where a path of ours is reached.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.trim_end_matches('/'))
    }
}

/// The console's and the API's routes. To be served with
/// `into_make_service_with_connect_info::<SocketAddr>()`, so that attempts to sign in are counted by
/// address. Live streams end when `shutdown` is cancelled; a graceful shutdown waits for them.
pub fn router(state: ConsoleState) -> Router {
    Router::new()
        .merge(pages::router())
        .nest("/api/v1", api::router())
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/static/{file}", get(assets::serve))
        .fallback(fault::no_such_route)
        .method_not_allowed_fallback(fault::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::map_response(headers::protect))
        .with_state(state)
}
