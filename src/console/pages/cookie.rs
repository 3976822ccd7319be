//! The cookie of a browser's session.

use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

/// Bound by the browser to HTTPS, to this host and to every path.
const SECURE_NAME: &str = "__Host-holdpoint";
/// For a console on plain HTTP, where browsers refuse the prefix.
const PLAIN_NAME: &str = "holdpoint";

fn name(secure: bool) -> &'static str {
    if secure { SECURE_NAME } else { PLAIN_NAME }
}

/// The secret that came with a request, if one did.
pub(super) fn secret(headers: &HeaderMap, secure: bool) -> Option<String> {
    CookieJar::from_headers(headers)
        .get(name(secure))
        .map(|cookie| cookie.value().to_owned())
        .filter(|secret| !secret.is_empty())
}

/// `Set-Cookie` that keeps a secret until the browser closes or the session ends.
pub(super) fn keep(secret: String, secure: bool) -> (header::HeaderName, String) {
    (header::SET_COOKIE, build(secret, secure).to_string())
}

/// `Set-Cookie` that forgets it.
pub(super) fn forget(secure: bool) -> (header::HeaderName, String) {
    let mut cookie = build(String::new(), secure);
    cookie.make_removal();
    (header::SET_COOKIE, cookie.to_string())
}

/// Lax, not Strict: people come by links from chats and from psql, and are to be signed in then.
fn build(secret: String, secure: bool) -> Cookie<'static> {
    Cookie::build((name(secure), secret))
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .build()
}
