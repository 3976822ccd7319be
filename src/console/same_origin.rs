//! Whether a browser's form comes from a page of ours.
//!
//! Beside the CSRF token, not instead of it; for the sign-in form, which has no session yet, it
//! is what keeps another site from signing somebody in as somebody else.

use axum::http::{HeaderMap, header};
use url::Url;

/// Checks `Sec-Fetch-Site` and `Origin` where the browser sends them.
pub(super) fn is_same_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let site_fits = headers
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none");
    let origin_fits = headers.get(header::ORIGIN).is_none_or(|origin| {
        origin
            .to_str()
            .is_ok_and(|origin| is_ours(origin, headers, public_url))
    });
    site_fits && origin_fits
}

/// Ours is the public URL, and whatever name the browser reached us by: cookies belong to that
/// name, so a page there is a page of ours.
fn is_ours(origin: &str, headers: &HeaderMap, public_url: &str) -> bool {
    let Ok(origin_url) = Url::parse(origin) else {
        return false;
    };
    let is_public = Url::parse(public_url).is_ok_and(|public| public.origin() == origin_url.origin());
    let authority = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_host =
        matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host));
    is_public || is_host
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_our_own_pages_pass() {
        let public = "https://hold.example.com";
        for (site, origin, host, expected) in [
            (None, None, "hold.example.com", true),
            (
                Some("same-origin"),
                Some("https://hold.example.com"),
                "10.0.0.1:8432",
                true,
            ),
            (None, Some("http://127.0.0.1:8432"), "127.0.0.1:8432", true),
            (Some("cross-site"), None, "hold.example.com", false),
            (
                Some("same-site"),
                Some("https://hold.example.com"),
                "hold.example.com",
                false,
            ),
            (None, Some("https://evil.example"), "hold.example.com", false),
            (None, Some("http://hold.example.com"), "127.0.0.1:8432", false),
            (None, Some("null"), "hold.example.com", false),
            (
                Some("same-origin"),
                Some("https://evil.example"),
                "hold.example.com",
                false,
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a header"));
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().expect("a header"));
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().expect("a header"));
            }
            assert_eq!(
                is_same_origin(&headers, public),
                expected,
                "{site:?} {origin:?} {host}"
            );
        }
    }
}
