//! What a page's address names, where a fault in it is a page, too.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::super::fault::Fault;
use super::FaultPage;

/// The parts of a path that its route leaves open, decoded.
#[derive(Debug)]
pub(in crate::console) struct PagePath<T>(pub(in crate::console) T);

impl<T, S> FromRequestParts<S> for PagePath<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = FaultPage;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, FaultPage> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(open)) => Ok(Self(open)),
            Err(_) => Err(Fault::malformed("The address is not percent-encoded UTF-8.").into()),
        }
    }
}
