//! A form sent from a page of ours by somebody who is signed in.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use super::super::ConsoleState;
use super::super::fault::Fault;
use super::super::same_origin::is_same_origin;
use super::FaultPage;
use super::visitor::{NoVisitor, Visitor};

/// The fields of a checked form, and who sent it. Existence proves that the origin and the
/// session's CSRF token were right.
pub(super) struct SignedForm<T> {
    pub(super) visitor: Visitor,
    pub(super) fields: T,
}

/// Every form has the token beside its own fields.
#[derive(Deserialize)]
struct WithToken<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    fields: T,
}

/// Why a form was not taken.
#[derive(Debug)]
pub(super) enum Refused {
    NoVisitor(NoVisitor),
    Fault(Fault),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::NoVisitor(why) => why.into_response(),
            Self::Fault(fault) => FaultPage(fault).into_response(),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<ConsoleState> for SignedForm<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &ConsoleState) -> Result<Self, Refused> {
        check_origin(&request, state).map_err(Refused::Fault)?;
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state)
            .await
            .map_err(Refused::NoVisitor)?;
        let form: WithToken<T> = read(Request::from_parts(parts, body), state)
            .await
            .map_err(Refused::Fault)?;
        if !bool::from(form.csrf.as_bytes().ct_eq(visitor.session.csrf.as_bytes())) {
            return Err(Refused::Fault(Fault::forged(
                "The form does not carry this session's token: it was open since before you signed in, or it \
                 does not come from this console. Nothing was changed. Go back, reload the page, and try again.",
            )));
        }
        Ok(Self {
            visitor,
            fields: form.fields,
        })
    }
}

/// Refuses what a browser says comes from another site.
pub(super) fn check_origin(request: &Request, state: &ConsoleState) -> Result<(), Fault> {
    if is_same_origin(request.headers(), &state.public_url) {
        Ok(())
    } else {
        Err(Fault::forged(format!(
            "The form was sent from another site than {}. Nothing was changed. If this is the console's own \
             page, then [console] public_url does not say by which address people reach it.",
            state.public_url
        )))
    }
}

/// Reads a form's fields.
pub(super) async fn read<T: DeserializeOwned>(request: Request, state: &ConsoleState) -> Result<T, Fault> {
    match Form::from_request(request, state).await {
        Ok(Form(fields)) => Ok(fields),
        Err(FormRejection::InvalidFormContentType(_)) => {
            Err(Fault::wrong_media_type("application/x-www-form-urlencoded"))
        }
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Fault::form_too_large()),
        Err(_) => Err(Fault::malformed(
            "The form's fields are not complete. Go back, reload the page, and try again.",
        )),
    }
}
