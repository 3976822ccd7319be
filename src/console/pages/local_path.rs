//! Where a sign-in may lead: to a path of ours, never to another site.

use url::Url;

/// The path (with its query) if it is one of ours, as a browser would resolve it; else the queue.
pub(super) fn local_path(wanted: &str) -> &str {
    if is_local(wanted) { wanted } else { "/" }
}

fn is_local(wanted: &str) -> bool {
    // Browsers take a backslash for a slash, and drop tabs and line breaks.
    let is_plain = wanted.starts_with('/')
        && !wanted.starts_with("//")
        && wanted.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let Ok(base) = Url::parse("http://console.invalid/") else {
        return false;
    };
    is_plain
        && base.join(wanted).is_ok_and(|url| {
            url.origin() == base.origin()
                // Not back to the form, nor to what is no page.
                && !["/sign-in", "/sign-out", "/events", "/queue"].contains(&url.path())
        })
}

/// The address of the sign-in page that leads on to `wanted`.
pub(super) fn sign_in_for(wanted: &str) -> String {
    match local_path(wanted) {
        "/" => "/sign-in".to_owned(),
        path => {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("next", path)
                .finish();
            format!("/sign-in?{query}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_followed() {
        for path in [
            "/requests/k7f3m9q2x0ab",
            "/history?state=rejected&before=k7f3m9q2x0ab",
        ] {
            assert_eq!(local_path(path), path);
        }
        for elsewhere in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "evil",
            "/sign-in?next=/",
            "/./sign-in",
            "/events",
        ] {
            assert_eq!(local_path(elsewhere), "/", "{elsewhere:?}");
        }
    }

    #[test]
    fn the_wanted_page_is_carried_through() {
        assert_eq!(sign_in_for("/"), "/sign-in");
        assert_eq!(
            sign_in_for("/history?state=a&b"),
            "/sign-in?next=%2Fhistory%3Fstate%3Da%26b"
        );
    }
}
