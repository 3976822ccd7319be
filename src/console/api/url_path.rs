//! What a path names, where a fault in it is a problem, too.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::super::fault::{Fault, Problem};

/// The parts of a path that its route leaves open, decoded.
#[derive(Debug)]
pub(super) struct UrlPath<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for UrlPath<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(open)) => Ok(Self(open)),
            Err(_) => Err(Fault::malformed("The path is not percent-encoded UTF-8.").into()),
        }
    }
}
