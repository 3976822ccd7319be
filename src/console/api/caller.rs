//! Who calls the API: a bearer token, as RFC 6750 has it. Cookies mean nothing here.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::super::ConsoleState;
use super::super::fault::{Fault, Problem};
use super::super::people::admins_only;
use crate::model::Principal;

/// The user whose token came with the request.
#[derive(Debug)]
pub(super) struct Caller(pub(super) Principal);

impl FromRequestParts<ConsoleState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ConsoleState) -> Result<Self, Problem> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(bearer)
            .ok_or_else(|| {
                Fault::unauthenticated(
                    r#"Bearer realm="holdpoint""#,
                    "Send an API token as \"Authorization: Bearer TOKEN\"; \
                     \"holdpoint user token NAME\" makes one.",
                )
            })?;
        match state.directory.by_token(token).await? {
            Some(principal) => Ok(Self(principal)),
            None => Err(Fault::unauthenticated(
                r#"Bearer realm="holdpoint", error="invalid_token""#,
                "The API token is not known: it was mistyped or revoked, or its user is disabled.",
            )
            .into()),
        }
    }
}

/// The user whose token came with the request, and who is an administrator.
#[derive(Debug)]
pub(super) struct Admin(pub(super) Principal);

impl FromRequestParts<ConsoleState> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ConsoleState) -> Result<Self, Problem> {
        let Caller(caller) = Caller::from_request_parts(parts, state).await?;
        admins_only(&caller)?;
        Ok(Self(caller))
    }
}

/// The token of a header `Bearer TOKEN`; the scheme's case does not matter.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_count() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        for wrong in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(bearer(wrong), None, "{wrong}");
        }
    }
}
