//! A browser, as far as the console needs one without its script: cookies, forms, redirects by hand.

use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use url::form_urlencoded;

use super::people::http;

/// The browser, with at most one cookie.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    console: String,
    cookie: Option<String>,
}

/// What the console answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Browser {
    pub(crate) fn new(console: String) -> Self {
        Self {
            console,
            cookie: None,
        }
    }

    /// Sends the sign-in form, and keeps the cookie.
    pub(crate) async fn sign_in(&mut self, user: &str, password: &str) -> Page {
        let fields = [("user", user), ("password", password), ("next", "/")];
        let page = self.send_form("/sign-in", &fields).await;
        if let Some(cookie) = page.header(SET_COOKIE.as_str()) {
            let kept = cookie.split(';').next().unwrap_or_default();
            self.cookie = Some(kept.to_owned());
        }
        page
    }

    /// Opens a page.
    pub(crate) async fn open(&self, path: &str) -> Page {
        Page::read(self.request(Method::GET, path)).await
    }

    /// Sends a form with exactly these fields.
    pub(crate) async fn send_form(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        Page::read(self.form(path, fields)).await
    }

    /// As [`Self::send_form`], where the browser says that another site's page sent it.
    pub(crate) async fn send_form_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        Page::read(self.form(path, fields).header("Origin", origin)).await
    }

    /// Opens a stream of events.
    pub(crate) async fn listen(&self, path: &str) -> Response {
        let response = self
            .request(Method::GET, path)
            .send()
            .await
            .expect("the console answers");
        assert_eq!(response.status(), 200);
        response
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.request(Method::POST, path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = http().request(method, format!("{}{path}", self.console));
        match &self.cookie {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }
}

impl Page {
    async fn read(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the console answers");
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            html: response.text().await.expect("a body"),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Where it sends the browser.
    pub(crate) fn location(&self) -> Option<&str> {
        self.header(LOCATION.as_str())
    }

    /// The token that its forms carry.
    pub(crate) fn csrf(&self) -> &str {
        let (_, behind) = self
            .html
            .split_once(r#"name="csrf" value=""#)
            .expect("a form with a token");
        behind.split('"').next().unwrap_or_default()
    }

    /// Whether it has a form that is sent to `action`.
    pub(crate) fn has_form(&self, action: &str) -> bool {
        self.html.contains(&format!(r#"action="{action}""#))
    }
}
