//! `/sign-in` and `/sign-out`.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use askama::Template;
use askama_web::WebTemplate;
use axum::extract::{ConnectInfo, FromRequestParts, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded;

use super::super::ConsoleState;
use super::super::fault::Fault;
use super::FaultPage;
use super::cookie;
use super::form::{SignedForm, check_origin, read};
use super::frame::Frame;
use super::local_path::local_path;
use super::visitor::{NoVisitor, Visitor};

#[derive(Template, WebTemplate)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    user: String,
    next: String,
    fault: Option<String>,
}

/// The fields of the form.
#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

/// The sign-out form has no field but the token.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// The form; whoever is signed in goes on at once.
pub(super) async fn page(visitor: Result<Visitor, NoVisitor>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let wanted = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    let next = local_path(wanted.as_ref().map_or("/", |(_, value)| value));
    match visitor {
        Ok(_) => Redirect::to(next).into_response(),
        Err(NoVisitor::Fault(page)) => page.into_response(),
        Err(NoVisitor::SignIn(_)) => SignInPage {
            frame: Frame::outside(),
            user: String::new(),
            next: next.to_owned(),
            fault: None,
        }
        .into_response(),
    }
}

/// Checks name and password. The answer is the same for a user that does not exist.
pub(super) async fn submit(
    State(state): State<ConsoleState>,
    ClientAddress(address): ClientAddress,
    request: Request,
) -> Result<Response, FaultPage> {
    check_origin(&request, &state)?;
    let earlier = cookie::secret(request.headers(), state.secure_cookies);
    let Credentials { user, password, next } = read(request, &state).await?;
    let next = local_path(&next).to_owned();
    if let Err(throttled) = state.throttle.attempt(&user, address) {
        tracing::warn!(client.address = %address, "too many attempts to sign in to the console");
        let fault = Fault::throttled(throttled.retry_after.as_secs());
        let page = refused(user, next, fault.detail());
        return Ok(fault.respond(page));
    }
    let Some((principal, session)) = state.directory.sign_in(&user, &password).await? else {
        tracing::warn!(client.address = %address, "a sign-in to the console failed");
        let page = refused(user, next, "The user name or the password is wrong.");
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    state.throttle.succeeded(&user, address);
    if let Some(earlier) = earlier
        // The browser forgets it with this answer, and could sign it out no more.
        && let Err(error) = state.directory.sign_out(&earlier).await
    {
        tracing::warn!(%error, user.name = principal.name, "the session from before could not be ended");
    }
    tracing::info!(user.name = principal.name, client.address = %address, "signed in to the console");
    let keep = cookie::keep(session.cookie, state.secure_cookies);
    Ok(([keep], Redirect::to(&next)).into_response())
}

/// Ends the session.
pub(super) async fn leave(
    State(state): State<ConsoleState>,
    SignedForm { visitor, .. }: SignedForm<Nothing>,
) -> Result<impl IntoResponse, FaultPage> {
    state.directory.sign_out(&visitor.secret).await?;
    tracing::info!(user.name = visitor.principal.name, "signed out of the console");
    Ok(([cookie::forget(state.secure_cookies)], Redirect::to("/sign-in")))
}

fn refused(user: String, next: String, why: &str) -> SignInPage {
    SignInPage {
        frame: Frame::outside(),
        user,
        next,
        fault: Some(why.to_owned()),
    }
}

/// Where a request comes from, for counting attempts; one for all where the server does not say.
pub(super) struct ClientAddress(IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(known.map_or(
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            |ConnectInfo(address)| address.ip(),
        )))
    }
}
