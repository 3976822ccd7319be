//! A client of holdpoint's own API. All of reqwest's use on the command line is here.

use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

/// An answer that takes longer than this is not coming.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The type of the problem where a statement was changed since somebody looked at it.
const CHANGED: &str = "urn:holdpoint:problem:changed";

/// Why the API did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ApiError {
    /// The address is none.
    #[error("{url} is no address of a console ({why}); it looks like https://holdpoint.example.com")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A token that cannot be sent.
    #[error("the token holds characters that no token has; copy it again, whole and without quotes")]
    Token,
    /// The TLS client could not be made.
    #[error("cannot prepare the connection: {0}")]
    Client(reqwest::Error),
    /// Nobody answered.
    #[error("cannot reach {url}: {why}; is holdpoint running there?")]
    Unreachable {
        /// The address of the console.
        url: Url,
        /// The innermost cause.
        why: String,
    },
    /// holdpoint said no, and why.
    #[error("{0}")]
    Problem(String),
    /// Something answered, but not as holdpoint would.
    #[error("{url} answered {status}, not as holdpoint does; is this the address of its console?")]
    Stranger {
        /// The address of the console.
        url: Url,
        /// Its status.
        status: StatusCode,
    },
    /// The answer is JSON, but lacks what is needed.
    #[error("the answer cannot be understood ({0}); do this command and the server have the same version?")]
    Version(serde_json::Error),
}

/// An error's body, RFC 9457.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

/// The API of one holdpoint, as one user.
pub(in crate::cli) struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// Prepares the client; nothing is sent yet.
    pub(in crate::cli) fn new(url: &str, token: SecretString) -> Result<Self, ApiError> {
        let base = parse_base(url)?;
        let mut bearer = header::HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| ApiError::Token)?;
        bearer.set_sensitive(true);
        drop(token);
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(header::HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]))
            .user_agent(concat!("holdpoint/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // The API never redirects; the token must not go where somebody else points.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            // A proxy for the network beyond cannot reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(ApiError::Client)?;
        Ok(Self { http, base })
    }

    /// Reads something. `path` is below `/api/v1`, part by part.
    pub(in crate::cli) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, ApiError> {
        let mut url = self.endpoint(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send(Method::GET, url, None).await
    }

    /// Does something; what it has been done to, as it stands then.
    pub(in crate::cli) async fn post(&self, path: &[&str], body: Value) -> Result<Value, ApiError> {
        self.send(Method::POST, self.endpoint(path), Some(body)).await
    }

    fn endpoint(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        url
    }

    async fn send(&self, method: Method, url: Url, body: Option<Value>) -> Result<Value, ApiError> {
        let mut request = self
            .http
            .request(method, url)
            .header(header::ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|e| self.unreachable(&e))?;
        let status = response.status();
        let kind = content_type(&response);
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        if status.is_success() && kind == "application/json" {
            return serde_json::from_slice(&body).map_err(ApiError::Version);
        }
        if kind == "application/problem+json"
            && let Ok(problem) = serde_json::from_slice::<Problem>(&body)
        {
            return Err(ApiError::Problem(sentence(&problem, status)));
        }
        Err(ApiError::Stranger {
            url: self.base.clone(),
            status,
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> ApiError {
        ApiError::Unreachable {
            url: self.base.clone(),
            why: innermost(error),
        }
    }
}

/// An answer as the type that this version of holdpoint gives.
pub(in crate::cli) fn understood<T: DeserializeOwned>(answer: Value) -> Result<T, ApiError> {
    serde_json::from_value(answer).map_err(ApiError::Version)
}

fn parse_base(url: &str) -> Result<Url, ApiError> {
    let address = |why: &str| ApiError::Address {
        url: super::super::output::visible(url),
        why: why.to_owned(),
    };
    let parsed = Url::parse(url).map_err(|e| address(&e.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
        return Err(address("it must begin with http:// or https://"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(address("it must not hold a user or a password"));
    }
    Ok(parsed)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn content_type(response: &reqwest::Response) -> String {
    let value = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let essence = value.and_then(|v| v.split(';').next()).unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn sentence(problem: &Problem, status: StatusCode) -> String {
    let text = match (problem.title.as_str(), problem.detail.as_str()) {
        ("", "") => format!("holdpoint answered {status}"),
        ("", detail) => detail.to_owned(),
        (title, "") => title.to_owned(),
        (title, detail) => format!("{title}: {detail}"),
    };
    let hint = if status == StatusCode::UNAUTHORIZED {
        " An administrator makes a token with `holdpoint user token NAME`."
    } else if problem.r#type == CHANGED {
        " That takes --edits N, as `holdpoint requests show ID` says it."
    } else {
        ""
    };
    super::super::output::visible(&text) + hint
}

fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn client(url: &str) -> Client {
        Client::new(url, SecretString::from("t")).unwrap()
    }

    #[test]
    fn endpoints_keep_the_path_of_a_console_behind_a_prefix() {
        for (base, expected) in [
            ("http://h:8432", "http://h:8432/api/v1/requests/x"),
            ("http://h:8432/", "http://h:8432/api/v1/requests/x"),
            ("https://h/hold/", "https://h/hold/api/v1/requests/x"),
            ("https://h/hold", "https://h/hold/api/v1/requests/x"),
        ] {
            assert_eq!(client(base).endpoint(&["requests", "x"]).as_str(), expected);
        }
    }

    #[test]
    fn what_is_no_console_address_is_refused() {
        for url in ["", "localhost:8432", "ftp://h", "postgresql://h", "http://u:p@h"] {
            assert!(
                matches!(
                    Client::new(url, SecretString::from("t")),
                    Err(ApiError::Address { .. })
                ),
                "{url}"
            );
        }
    }

    #[test]
    fn a_token_with_line_breaks_inside_is_refused() {
        let made = Client::new("http://h", SecretString::from("a\nb"));
        assert!(matches!(made, Err(ApiError::Token)));
    }

    #[test]
    fn a_problem_is_a_sentence() {
        let problem = |title: &str, detail: &str| Problem {
            r#type: String::new(),
            title: title.into(),
            detail: detail.into(),
        };
        assert_eq!(
            sentence(&problem("Settled", "bob rejected it\u{7}"), StatusCode::CONFLICT),
            "Settled: bob rejected it\\u{7}"
        );
        assert_eq!(
            sentence(&problem("", ""), StatusCode::CONFLICT),
            "holdpoint answered 409 Conflict"
        );
        assert!(sentence(&problem("No", ""), StatusCode::UNAUTHORIZED).contains("user token"));
        let changed = Problem {
            r#type: CHANGED.to_owned(),
            ..problem("Changed meanwhile", "Look again.")
        };
        assert_eq!(
            sentence(&changed, StatusCode::CONFLICT),
            "Changed meanwhile: Look again. That takes --edits N, as `holdpoint requests show ID` says it."
        );
    }
}
