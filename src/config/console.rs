//! `[console]`: the web console and the API.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use url::Url;

use super::error::Section;
use super::value;

/// `[console]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Where to listen for browsers and API clients.
    #[serde(deserialize_with = "value::address")]
    pub listen: SocketAddr,
    /// The URL by which people reach the console, if it was said; see [`ConsoleConfig::public_url`].
    pub public_url: Option<String>,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8432),
            public_url: None,
        }
    }
}

impl ConsoleConfig {
    /// The URL that links begin with, without a slash at its end: as said, else that of the address
    /// listened on, `bound` (which differs from `listen` where that has port 0).
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            // Nobody can follow a link to 0.0.0.0.
            None if bound.ip().is_unspecified() => format!("http://localhost:{}", bound.port()),
            None => format!("http://{bound}"),
        }
    }

    pub(super) fn validate(&self, section: &mut Section<'_, '_>) {
        let Some(text) = &self.public_url else { return };
        let problem = match Url::parse(text) {
            Err(error) => format!("is no URL ({error}); write http://HOST:PORT or https://HOST"),
            Ok(url) if !matches!(url.scheme(), "http" | "https") => {
                "must begin with http:// or https://".to_owned()
            }
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                "must have no ? and no #: paths are added to its end".to_owned()
            }
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                "must have no user and no password: everybody sees it".to_owned()
            }
            Ok(url) if url.path() != "/" => {
                "must have no path: the console's pages stand at the root of their host".to_owned()
            }
            Ok(_) => return,
        };
        section.fail("public_url", problem);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let console = |url: Option<&str>| ConsoleConfig {
            public_url: url.map(str::to_owned),
            ..ConsoleConfig::default()
        };
        for (url, bound, expected) in [
            (None, "127.0.0.1:8432", "http://127.0.0.1:8432"),
            (None, "[::1]:8432", "http://[::1]:8432"),
            (None, "0.0.0.0:8432", "http://localhost:8432"),
            (
                Some("https://hold.example/"),
                "0.0.0.0:8432",
                "https://hold.example",
            ),
        ] {
            assert_eq!(console(url).public_url(bound.parse().unwrap()), expected);
        }
    }
}
