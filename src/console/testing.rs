//! A console on a store in memory, and a client for it, for the tests.

use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt;

use super::api::documented;
use super::{ConsoleState, router};
use crate::approval::{Asker, Broker, Fitting, Held, News};
use crate::identity::{Directory, NewUser, SignInThrottle};
use crate::model::{
    Clock, Effect, NewRequest, Origin, Outcome, Parameter, Quorum, RequestId, TableAccess, Verdict,
};
use crate::policy::{Policy, PolicyInForce};
use crate::store::sqlite::SqliteStore;
use crate::store::{Actor, RequestStore, UserChange};

/// The password of every user.
pub(super) const PASSWORD: &str = "correct horse battery staple";
/// Where the console believes to be.
pub(super) const ORIGIN: &str = "https://hold.example.com";

/// Developers may ask for access to the shop.
const POLICY: &str = r#"
    default_groups = ["dba"]
    [[access]]
    name = "developers write for a while"
    when = { groups = ["developers"], databases = ["shop"] }
    up_to = "write"
    longest = "4h"
    approval = { groups = ["dba"] }
"#;

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub(super) struct StoppedClock(Mutex<Timestamp>);

impl StoppedClock {
    pub(super) fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// The console with users alice (developers), bob and dan (dba), carol (dba, security), and ruth, an
/// admin without groups.
pub(super) struct TestConsole {
    pub(super) state: ConsoleState,
    pub(super) store: Arc<SqliteStore>,
    pub(super) clock: Arc<StoppedClock>,
    router: Router,
    held: Mutex<u64>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// A header's value; empty where it is not there.
    pub(super) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value of the page's CSRF token.
    pub(super) fn csrf(&self) -> String {
        let (_, rest) = self
            .body
            .split_once(r#"name="csrf" value=""#)
            .unwrap_or_else(|| panic!("no token in {}", self.body));
        rest.split('"').next().unwrap().to_owned()
    }
}

impl TestConsole {
    pub(super) async fn start() -> Self {
        let clock = Arc::new(StoppedClock(Mutex::new("2026-03-01T12:00:00Z".parse().unwrap())));
        let store = SqliteStore::open_by("sqlite::memory:", clock.clone())
            .await
            .unwrap();
        let store = Arc::new(store);
        let directory = Arc::new(Directory::new(store.clone(), clock.clone(), [7; 32]));
        for (name, groups, admin) in [
            ("alice", vec!["developers"], false),
            ("bob", vec!["dba"], false),
            ("dan", vec!["dba"], false),
            ("carol", vec!["dba", "security"], false),
            ("ruth", vec![], true),
        ] {
            let groups: Vec<String> = groups.into_iter().map(str::to_owned).collect();
            let user = NewUser {
                name,
                groups: &groups,
                admin,
            };
            directory
                .add_user(Actor::CommandLine, user, PASSWORD)
                .await
                .unwrap();
        }
        let broker = Broker::new(store.clone(), clock.clone(), tokio::runtime::Handle::current());
        let state = ConsoleState {
            broker: Arc::new(broker),
            policy: Arc::new(PolicyInForce::new(Policy::parse(POLICY).unwrap())),
            databases: ["prod".to_owned(), "shop".to_owned()].into(),
            directory,
            throttle: Arc::new(SignInThrottle::new(clock.clone())),
            clock: clock.clone(),
            public_url: format!("{ORIGIN}/"),
            secure_cookies: true,
            shutdown: tokio_util::sync::CancellationToken::new(),
        };
        Self {
            router: router(state.clone()),
            state,
            store,
            clock,
            held: Mutex::new(0),
        }
    }

    /// Starts again with another configuration, on the same store.
    pub(super) fn reconfigure(&mut self, change: impl FnOnce(&mut ConsoleState)) {
        change(&mut self.state);
        self.router = router(self.state.clone());
    }

    /// Holds alice's DELETE for group dba, changed as the test wants it.
    pub(super) async fn hold(&self, change: impl FnOnce(&mut NewRequest)) -> RequestId {
        let request = self.new_request(change);
        self.store.insert_pending(&request).await.unwrap();
        request.id
    }

    /// As [`Self::hold`], by a session that takes whatever statement an approver would have.
    pub(super) async fn hold_in_session(&self, change: impl FnOnce(&mut NewRequest)) -> RequestId {
        let request = self.new_request(change);
        let id = request.id;
        let held = self.state.broker.hold(request, Asker::default()).await.unwrap();
        let Held::Waits(mut ticket, None) = held else {
            panic!("{held:?}");
        };
        tokio::spawn(async move {
            while let Ok(news) = ticket.news().await {
                match news {
                    News::Proposed { text, answer } => answer.give(Ok(Fitting {
                        digest: [u8::try_from(text.len() % 255).unwrap(); 32],
                        command: "DELETE".to_owned(),
                        effect: Effect::Write,
                    })),
                    News::Settled(_, intent) => {
                        // It runs for as long as the test.
                        std::mem::forget(intent);
                        return ticket.close();
                    }
                    News::Approved { .. } | News::Edited { .. } => {}
                }
            }
        });
        id
    }

    /// The same, not yet in the store.
    pub(super) fn new_request(&self, change: impl FnOnce(&mut NewRequest)) -> NewRequest {
        let number = {
            let mut held = self.held.lock().unwrap();
            *held += 1;
            *held
        };
        let now = self.clock.now();
        let mut request = NewRequest {
            id: RequestId::from_random(number * 0x1234_5678_9abc),
            origin: Origin {
                database: "shop".to_owned(),
                user: "alice".to_owned(),
                application_name: "psql".to_owned(),
                client_addr: "10.1.2.3:50123".to_owned(),
                in_transaction: false,
                transaction_since: None,
            },
            statement: "DELETE FROM payments WHERE id = $1".to_owned(),
            parameters: vec![Parameter {
                value: Some("42".to_owned()),
                r#type: Some("int4".to_owned()),
            }],
            digest: [0; 32],
            command: "DELETE".to_owned(),
            effect: Effect::Write,
            tables: vec![TableAccess {
                schema: Some("public".to_owned()),
                name: "payments".to_owned(),
                written: true,
            }],
            functions: Vec::new(),
            signals: Vec::new(),
            unfiltered: false,
            rule: "writes need a DBA".to_owned(),
            quorum: Quorum::each_of(["dba"]),
            self_approval: false,
            justification: None,
            ticket: None,
            shape: None,
            earlier: Vec::new(),
            created_at: now,
            expires_at: now + SignedDuration::from_mins(30),
        };
        change(&mut request);
        request
    }

    /// Runs an approved request to its end.
    pub(super) async fn run(&self, id: RequestId, outcome: Outcome) {
        assert!(self.store.start(id, self.clock.now()).await.unwrap());
        assert!(self.store.finish(id, outcome, self.clock.now()).await.unwrap());
    }

    /// Decides as one of the users.
    pub(super) async fn decide(&self, id: RequestId, by: &str, verdict: Verdict, comment: &str) {
        let token = self.token(by).await;
        let principal = self.state.directory.by_token(&token).await.unwrap().unwrap();
        self.state
            .broker
            .decide(id, &principal, verdict, comment)
            .await
            .unwrap();
    }

    /// Changes a user by the command line.
    pub(super) async fn change_user(&self, user: &str, change: UserChange) {
        let directory = &self.state.directory;
        directory
            .change_user(Actor::CommandLine, user, &change)
            .await
            .unwrap();
    }

    /// A new API token for a user.
    pub(super) async fn token(&self, user: &str) -> String {
        self.state.directory.issue_token(user).await.unwrap()
    }

    /// Every answer of the API is held against its document.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.respond(request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        documented::check(&method, &path, &answer);
        answer
    }

    pub(super) async fn respond(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Calls the API as a user. An empty body is sent without a content type.
    pub(super) async fn call(&self, user: &str, method: Method, path: &str, body: &str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token(user).await),
            );
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// A browser in which a user has signed in.
    pub(super) async fn browser(&self, user: &str) -> Browser<'_> {
        let mut browser = Browser {
            console: self,
            cookie: String::new(),
        };
        let answer = browser
            .post("/sign-in", &[("user", user), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let cookie = answer.header(header::SET_COOKIE);
        cookie.split(';').next().unwrap().clone_into(&mut browser.cookie);
        browser
    }
}

/// A browser with a session's cookie.
pub(super) struct Browser<'a> {
    console: &'a TestConsole,
    pub(super) cookie: String,
}

impl Browser<'_> {
    pub(super) fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        if self.cookie.is_empty() {
            request
        } else {
            request.header(header::COOKIE, &self.cookie)
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        let request = self.request(Method::GET, path).body(Body::empty()).unwrap();
        self.console.send(request).await
    }

    /// Sends a form as a browser sends one of ours.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header(header::ORIGIN, ORIGIN)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form(fields))
            .unwrap();
        self.console.send(request).await
    }
}

/// A form's body.
pub(super) fn form(fields: &[(&str, &str)]) -> Body {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    Body::from(form.finish())
}
