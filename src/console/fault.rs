//! What can go wrong, as people and programs are told it: one type, shown as a page or as
//! `application/problem+json` (RFC 9457). The only way that an error leaves the console.

use axum::extract::OriginalUri;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::store::StoreError;

/// How long a client should wait before it asks again while the store is away, in seconds.
const STORE_RETRY: u64 = 5;

/// A refusal, in words for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    status: StatusCode,
    /// Names the kind of problem for programs: the last part of its `type`.
    kind: &'static str,
    title: &'static str,
    detail: String,
    hint: Option<Hint>,
}

/// What a header says beside the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hint {
    /// How to authenticate: the value of WWW-Authenticate.
    Challenge(&'static str),
    /// Seconds until another attempt makes sense.
    RetryAfter(u64),
}

impl Fault {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            hint: None,
        }
    }

    fn hinting(self, hint: Hint) -> Self {
        Self {
            hint: Some(hint),
            ..self
        }
    }

    /// 400: the request cannot be understood.
    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "Malformed request", detail)
    }

    /// 401: who asks is not known. `challenge` is the value of WWW-Authenticate.
    pub(super) fn unauthenticated(challenge: &'static str, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "Not signed in",
            detail,
        )
        .hinting(Hint::Challenge(challenge))
    }

    /// 403: who asks may not do this.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    /// 403: the form does not come from a page of ours.
    pub(super) fn forged(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forged", "Refused for safety", detail)
    }

    /// 404: there is no such request, or whoever asks may not see it.
    pub(super) fn no_such_request() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "No such request",
            "There is no such request, or it is not for your eyes: you see your own requests, and those \
             that a group of yours can decide on.",
        )
    }

    /// 404: there is no such grant, or whoever asks may not see it.
    pub(super) fn no_such_grant() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "No such grant",
            "There is no such access or standing approval, or it is not for your eyes: you see what is yours, and \
             what a group of yours can decide on.",
        )
    }

    /// 404: there is no such user.
    pub(super) fn no_such_user(name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "No such user",
            format!("There is no user \"{name}\". Names are compared letter by letter."),
        )
    }

    /// 404: nobody is in the group.
    pub(super) fn no_such_group(name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "No such group",
            format!("There is no group \"{name}\": nobody is a member of it."),
        )
    }

    /// 404: nothing is here.
    pub(super) fn nothing_here(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Nothing here",
            format!("There is nothing at {path}."),
        )
    }

    /// 405: the method does not fit.
    fn wrong_method(method: &Method, path: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not allowed",
            format!("{path} does not take {method}."),
        )
    }

    /// 409: it was decided before.
    pub(super) fn settled(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "settled", "Already settled", detail)
    }

    /// 409: somebody has changed it meanwhile.
    pub(super) fn changed() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "changed",
            "Changed meanwhile",
            "The statement was changed since you looked at it. Look again, and decide on what it is now.",
        )
    }

    /// 409: the same person has approved it before.
    pub(super) fn reviewed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "reviewed",
            "Already approved by you",
            detail,
        )
    }

    /// 409: the name is taken.
    pub(super) fn user_exists(name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "exists",
            "Name taken",
            format!("There is a user \"{name}\" already. Nothing was changed."),
        )
    }

    /// 409: somebody would lock themselves out.
    pub(super) fn own_access() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "own-access",
            "Not by yourself",
            "Nobody takes the right of an administrator from themselves, or disables themselves: another \
             administrator does it, or the command line. So one is always left. Nothing was changed.",
        )
    }

    /// 413: too much.
    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Too large",
            format!("The body is longer than {} bytes.", super::BODY_LIMIT),
        )
    }

    /// 413: too much in a form, of which some take more than others.
    pub(super) fn form_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "Too large",
            "What was typed is longer than this form takes. Nothing was changed.",
        )
    }

    /// 415: the body is in another format.
    pub(super) fn wrong_media_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "Unsupported media type",
            format!("The body must be sent as {expected}; name it in Content-Type."),
        )
    }

    /// 422: understood, but a field is wrong.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "Invalid value",
            detail,
        )
    }

    /// 429: too many attempts. `seconds` until the next makes sense.
    pub(super) fn throttled(seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "throttled",
            "Too many attempts",
            format!("Too many failed attempts to sign in. Try again in {seconds} seconds."),
        )
        .hinting(Hint::RetryAfter(seconds))
    }

    /// 503: not now.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now", detail)
            .hinting(Hint::RetryAfter(STORE_RETRY))
    }

    /// Whether the same thing can work on another attempt with other values.
    pub(super) fn is_invalid(&self) -> bool {
        self.status == StatusCode::UNPROCESSABLE_ENTITY
    }

    /// The status it is answered with.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// A few words.
    pub(super) fn title(&self) -> &'static str {
        self.title
    }

    /// A sentence or two.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Puts this fault's status and header on a body that tells it.
    pub(super) fn respond(&self, body: impl IntoResponse) -> Response {
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        match self.hint {
            Some(Hint::Challenge(how)) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(how));
            }
            Some(Hint::RetryAfter(seconds)) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            None => {}
        }
        response
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if let StoreError::NotFound(what) = error {
            return Self::new(
                StatusCode::NOT_FOUND,
                "not-found",
                "Not found",
                format!("There is no {what}."),
            );
        }
        tracing::error!(%error, "the store failed under the console");
        let fault = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store-unavailable",
            "Store unavailable",
            "The store of requests does not answer, so nothing can be shown or decided. Whether what \
             was asked for was recorded is not known: look again in a moment. Statements stay held.",
        );
        // Where it may have been recorded, a program is to look before it says the same again.
        if matches!(error, StoreError::InDoubt(_)) {
            fault
        } else {
            fault.hinting(Hint::RetryAfter(STORE_RETRY))
        }
    }
}

/// A fault as a program reads it.
#[derive(Debug)]
pub(super) struct Problem(pub(super) Fault);

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

impl<E: Into<Fault>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(fault) = &self;
        let body = axum::Json(ProblemBody {
            r#type: format!("urn:holdpoint:problem:{}", fault.kind),
            title: fault.title,
            status: fault.status.as_u16(),
            detail: &fault.detail,
        });
        let mut response = fault.respond(body);
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}

/// Answers for a route that does not exist.
pub(super) async fn no_such_route(OriginalUri(uri): OriginalUri) -> Response {
    by_path(uri.path(), Fault::nothing_here(uri.path()))
}

/// Answers for a method that a route does not have.
pub(super) async fn no_such_method(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    by_path(uri.path(), Fault::wrong_method(&method, uri.path()))
}

/// A problem for programs under `/api`, a page for people elsewhere.
fn by_path(path: &str, fault: Fault) -> Response {
    if path == "/api" || path.starts_with("/api/") {
        Problem(fault).into_response()
    } else {
        super::pages::FaultPage(fault).into_response()
    }
}
