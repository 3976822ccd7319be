//! People: they connect to databases, and decide on what others want to run.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, RwLock};

use reqwest::Method;
use rustls::ClientConfig;
use serde_json::{Value, json};

use super::browser::Browser;
use super::driver::Driver;
use super::poll::eventually;
use super::psql::Psql;
use super::raw::{Message, Raw};
use super::request::{Answer, Request};

/// The name of the database in every test's configuration.
pub(crate) const DATABASE: &str = "shop";

/// Where holdpoint listens, now: a restart changes it.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) proxy: OnceAgain,
    pub(super) console: OnceAgain,
}

/// An address that is known once holdpoint has started.
#[derive(Debug, Default)]
pub(super) struct OnceAgain(RwLock<Option<SocketAddr>>);

impl OnceAgain {
    pub(super) fn set(&self, address: Option<SocketAddr>) {
        *self.0.write().expect("no panic inside") = address;
    }

    pub(super) fn now(&self) -> SocketAddr {
        self.0.read().expect("no panic inside").expect("holdpoint runs")
    }
}

/// A user of holdpoint.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) token: String,
    pub(super) at: Arc<Addresses>,
}

impl Person {
    /// Nobody else's.
    pub(crate) fn password(&self) -> String {
        password_of(self.name)
    }

    /// As [`Self::raw`], with more in the startup packet. Gives what came of it, too: the messages behind
    /// the password's, up to `ReadyForQuery` or an error.
    pub(crate) async fn raw_with(&self, parameters: &[(&str, &str)]) -> (Raw, Vec<Message>) {
        let mut all = vec![("user", self.name), ("database", DATABASE)];
        all.retain(|(name, _)| parameters.iter().all(|(other, _)| other != name));
        all.extend(parameters);
        let mut raw = Raw::connect(self.at.proxy.now()).await;
        raw.start_up(&all).await;
        let greeting = raw.authenticate(&self.password()).await;
        (raw, greeting)
    }

    /// The same person at another holdpoint.
    pub(super) fn at_other(&self, at: &Arc<Addresses>) -> Self {
        Self {
            at: Arc::clone(at),
            ..self.clone()
        }
    }

    /// The same person with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// psql, connected and at its prompt.
    pub(crate) async fn psql(&self) -> Psql {
        self.psql_with(&[]).await
    }

    /// psql with settings of its environment, as `PGOPTIONS`.
    pub(crate) async fn psql_with(&self, environment: &[(&str, &str)]) -> Psql {
        let mut psql = Psql::start(self.at.proxy.now(), self.name, &self.password(), environment);
        psql.prompt().await;
        psql
    }

    /// A client that speaks the protocol by hand through TLS, logged in.
    pub(crate) async fn raw_tls(&self, config: ClientConfig) -> Raw {
        let raw = Raw::connect(self.at.proxy.now()).await;
        let mut raw = raw.ask_for_tls(config).await.expect("the handshake works");
        raw.log_in(self.name, &self.password(), DATABASE).await;
        raw
    }

    /// A program with tokio-postgres.
    pub(crate) async fn driver(&self) -> Driver {
        Driver::connect(self.at.proxy.now(), self.name, &self.password())
            .await
            .expect("the login is right")
    }

    /// A client that speaks the protocol by hand, logged in.
    pub(crate) async fn raw(&self) -> Raw {
        let mut raw = Raw::connect(self.at.proxy.now()).await;
        raw.log_in(self.name, &self.password(), DATABASE).await;
        raw
    }

    /// A browser that is signed in.
    pub(crate) async fn browser(&self) -> Browser {
        let mut browser = Browser::new(format!("http://{}", self.at.console.now()));
        let page = browser.sign_in(self.name, &self.password()).await;
        assert_eq!(page.status, 303, "{page:?}");
        browser
    }

    /// Sends a cancel request with this key, and waits until the proxy has taken it.
    pub(crate) async fn cancel(&self, key: &[u8]) {
        let mut raw = Raw::connect(self.at.proxy.now()).await;
        let length = u32::try_from(key.len() + 8).expect("a short key");
        raw.send(length.to_be_bytes()).await;
        raw.send(80_877_102_u32.to_be_bytes()).await;
        raw.send(key).await;
        assert!(raw.next().await.is_none(), "a cancel request has no answer");
    }

    /// Waits for the one pending request, and approves it.
    pub(crate) async fn approves_next(&self) -> Request {
        let request = self.pending_one().await;
        let answer = self.approve(&request).await;
        assert!(answer.is_taken(), "{answer:?}");
        request
    }

    /// Waits for the one pending request, and rejects it.
    pub(crate) async fn rejects_next(&self, reason: &str) -> Request {
        let request = self.pending_one().await;
        let answer = self.reject(&request, reason).await;
        assert!(answer.is_taken(), "{answer:?}");
        request
    }

    pub(crate) async fn approve(&self, request: &Request) -> Answer {
        self.approve_saying(request, "").await
    }

    pub(crate) async fn approve_saying(&self, request: &Request, comment: &str) -> Answer {
        self.decide(request.id(), "approve", &json!({ "comment": comment }))
            .await
    }

    pub(crate) async fn reject(&self, request: &Request, reason: &str) -> Answer {
        self.decide(request.id(), "reject", &json!({ "reason": reason }))
            .await
    }

    /// Any decision, right or wrong.
    pub(crate) async fn decide(&self, id: &str, decision: &str, body: &Value) -> Answer {
        self.call(
            Method::POST,
            &format!("/api/v1/requests/{id}/{decision}"),
            Some(body),
        )
        .await
    }

    /// Waits until exactly one request that this person may see is pending.
    pub(crate) async fn pending_one(&self) -> Request {
        eventually("one request is pending", async || {
            let mut pending = self.requests("?state=pending").await;
            assert!(pending.len() <= 1, "more than one is pending: {pending:?}");
            pending.pop()
        })
        .await
    }

    /// Waits until a request is in `state`.
    pub(crate) async fn sees(&self, request: &Request, state: &str) -> Request {
        eventually(&format!("request {} is {state}", request.id()), async || {
            Some(self.request(request.id()).await).filter(|now| now.state() == state)
        })
        .await
    }

    /// The request as it is now.
    pub(crate) async fn request(&self, id: &str) -> Request {
        let answer = self
            .call(Method::GET, &format!("/api/v1/requests/{id}"), None)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Request(answer.body)
    }

    /// The requests that a query such as `?state=pending` finds.
    pub(crate) async fn requests(&self, query: &str) -> Vec<Request> {
        let answer = self
            .call(Method::GET, &format!("/api/v1/requests{query}"), None)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let list = answer.body["requests"].as_array().expect("a list");
        list.iter().cloned().map(Request).collect()
    }

    /// Calls the API.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut call = http()
            .request(method, format!("http://{}{path}", self.at.console.now()))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            call = call.json(body);
        }
        let response = call.send().await.expect("the console answers");
        let status = response.status().as_u16();
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = response.text().await.expect("a body");
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        Answer {
            status,
            content_type,
            body,
        }
    }
}

pub(super) fn password_of(name: &str) -> String {
    format!("{name}'s secret")
}

/// A client that follows no redirects. Each test has a runtime of its own, so none is shared.
pub(crate) fn http() -> reqwest::Client {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(super::poll::PATIENCE)
        .build()
        .expect("a client")
}
