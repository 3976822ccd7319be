//! Who looks at a page: the signed-in browser, or a way to the sign-in form.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::ConsoleState;
use super::FaultPage;
use super::cookie;
use super::local_path::sign_in_for;
use crate::model::Principal;
use crate::store::WebSession;

/// Somebody who is signed in. No `Debug`: it holds the session's secrets.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) principal: Principal,
    pub(super) session: WebSession,
    /// The cookie's secret, by which the session is found again.
    pub(super) secret: String,
}

/// Why there is no visitor.
#[derive(Debug)]
pub(super) enum NoVisitor {
    /// Not signed in (any more): to the form, and from there to where they wanted.
    SignIn(String),
    /// The store did not say.
    Fault(FaultPage),
}

impl IntoResponse for NoVisitor {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(address) => Redirect::to(&address).into_response(),
            Self::Fault(page) => page.into_response(),
        }
    }
}

impl FromRequestParts<ConsoleState> for Visitor {
    type Rejection = NoVisitor;

    async fn from_request_parts(parts: &mut Parts, state: &ConsoleState) -> Result<Self, NoVisitor> {
        let secret = cookie::secret(&parts.headers, state.secure_cookies);
        let found = match secret {
            Some(secret) => by_secret(state, secret)
                .await
                .map_err(|error| NoVisitor::Fault(error.into()))?,
            None => None,
        };
        found.ok_or_else(|| NoVisitor::SignIn(sign_in_for(&wanted(parts))))
    }
}

/// The visitor behind a cookie's secret.
pub(super) async fn by_secret(
    state: &ConsoleState,
    secret: String,
) -> Result<Option<Visitor>, crate::store::StoreError> {
    let found = state.directory.by_cookie(&secret).await?;
    Ok(found.map(|(session, principal)| Visitor {
        principal,
        session,
        secret,
    }))
}

/// The page to come back to. A form's address is no page; what it is about is one level up.
fn wanted(parts: &Parts) -> String {
    let path = parts.uri.path();
    if parts.method == Method::GET {
        return parts
            .uri
            .path_and_query()
            .map_or(path, |whole| whole.as_str())
            .to_owned();
    }
    path.rsplit_once('/').map_or("/", |(page, _)| page).to_owned()
}
