//! The style sheet, the script and the icon: embedded, named by what is in them, cached for good.

use axum::extract::RawQuery;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::fault::Fault;
use super::pages::{FaultPage, PagePath};

#[derive(RustEmbed)]
#[folder = "src/console/static"]
struct Files;

/// Where a page finds an embedded file: the address changes with the content.
pub(super) fn address(file: &str) -> String {
    match Files::get(file) {
        Some(found) => format!("/static/{file}?v={}", version(&found)),
        None => format!("/static/{file}"),
    }
}

/// Serves an embedded file.
pub(super) async fn serve(
    PagePath(file): PagePath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(found) = Files::get(&file) else {
        return FaultPage(Fault::nothing_here(&format!("/static/{file}"))).into_response();
    };
    let version = version(&found);
    // Another version's address, from a page of another build, must not be kept.
    let is_this_version = query.is_some_and(|query| query == format!("v={version}"));
    let caching = if is_this_version {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let etag = format!("\"{version}\"");
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let headers = [
        (header::ETAG, etag),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::CONTENT_TYPE, content_type(&file).to_owned()),
    ];
    if is_known {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, found.data.into_owned()).into_response()
    }
}

fn version(file: &rust_embed::EmbeddedFile) -> String {
    let [a, b, c, d, ..] = file.metadata.sha256_hash();
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

fn content_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
