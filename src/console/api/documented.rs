//! Holds the API against `openapi.json`: every answer that a test gets, every route, every field that is taken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use super::super::testing::{Answer, TestConsole};
use super::document::DOCUMENT;
use super::routes;
use crate::model::{Effect, GrantState, Quorum, Shape, StateKind};

/// Objects are closed here: a field that nobody described is a fault, though clients are told to expect more.
static DESCRIBED: LazyLock<Value> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    for schema in schemas.values_mut().filter(|schema| schema["type"] == "object") {
        schema["additionalProperties"] = json!(false);
    }
    document
});

/// Fails the test where an answer is not what the document says. What is no operation of the document is not
/// looked at: a page, a wrong method, a path that leads nowhere.
#[track_caller]
pub(in crate::console) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((template, operation)) = operation(method, path) else {
        return;
    };
    let faults = faults(operation, answer);
    assert!(
        faults.is_empty(),
        "{method} {template}: {faults:#?}\n{}",
        answer.body
    );
}

fn paths() -> &'static Map<String, Value> {
    DESCRIBED["paths"].as_object().unwrap()
}

/// The operation that a request is one of, and its path in the document.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let (template, methods) = paths().iter().find(|(template, _)| fits(template, path))?;
    Some((template, methods.get(method.as_str().to_lowercase())?))
}

fn fits(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let fits = template.split('/').all(|expected| {
        parts
            .next()
            .is_some_and(|part| part == expected || expected.starts_with('{') && !part.is_empty())
    });
    fits && parts.next().is_none()
}

fn faults(operation: &Value, answer: &Answer) -> Vec<String> {
    let status = answer.status.as_str();
    let response = &operation["responses"][status];
    if response.is_null() {
        return vec![format!("status {status} is not described")];
    }
    let response = match response["$ref"].as_str() {
        Some(place) => resolved(place),
        None => response,
    };
    let mut faults = Vec::new();
    for name in response["headers"].as_object().into_iter().flat_map(Map::keys) {
        if answer.header(name.as_str()).is_empty() {
            faults.push(format!("the header {name} is missing"));
        }
    }
    let schema = &response["content"][answer.header(header::CONTENT_TYPE)]["schema"];
    if schema.is_null() {
        faults.push(format!(
            "\"{}\" is not described",
            answer.header(header::CONTENT_TYPE)
        ));
        return faults;
    }
    let body = answer.json();
    faults.extend(
        validator(schema)
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path())),
    );
    faults
}

fn resolved(place: &str) -> &'static Value {
    let found = DESCRIBED.pointer(place.trim_start_matches('#'));
    found.unwrap_or_else(|| panic!("{place} leads nowhere"))
}

/// Made once for each schema. It sees the document's components, so that references lead somewhere.
fn validator(schema: &Value) -> Arc<Validator> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap();
    let made = known.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = DESCRIBED["components"].clone();
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&whole);
        Arc::new(validator.unwrap())
    });
    Arc::clone(made)
}

/// Every operation: its path, its method, and what the document says of it.
fn operations() -> impl Iterator<Item = (&'static str, Method, &'static Value)> {
    paths().iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(|(method, operation)| {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            (path.as_str(), method, operation)
        })
    })
}

/// A path of the document with something in the places that it leaves open.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        if part.starts_with('{') {
            "0000000000zz"
        } else {
            part
        }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_path_is_routed() {
    let console = TestConsole::start().await;
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method, _) in operations() {
        documented
            .entry(path.to_owned())
            .or_default()
            .insert(method.to_string());
    }
    let api = routes().into_iter().map(|(path, _)| format!("/api/v1{path}"));
    let health = ["/healthz", "/readyz"].map(str::to_owned);
    let mut routed = BTreeMap::new();
    for path in api.chain(health) {
        // A method that no route has: the answer names those that it has.
        let request = Request::builder().method(Method::TRACE).uri(filled(&path));
        let answer = console.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let methods = answer.header(header::ALLOW).split(',').map(str::trim);
        let methods: BTreeSet<_> = methods
            .filter(|method| *method != "HEAD")
            .map(str::to_owned)
            .collect();
        routed.insert(path, methods);
    }
    assert_eq!(documented, routed);
    // And so from outside, where something else might have taken the path before.
    for (path, method, _) in operations() {
        let request = Request::builder().method(method).uri(filled(path));
        let answer = console.send(request.body(Body::empty()).unwrap()).await;
        assert_ne!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

/// A call that succeeds: who makes it, its method, its path, and its body.
type Call = (&'static str, Method, String, String);

/// Those on grants, and on what ran because the glass was broken.
async fn calls_on_grants(console: &TestConsole) -> Vec<Call> {
    let (window, other_window) = (console.ask().await, console.ask().await);
    let example = console
        .hold(|asked| {
            asked.shape = Some(Shape::new([9; 32]));
            asked.quorum = Quorum::each_of(["dba", "security"]);
        })
        .await;
    let example = format!(r#"{{"request":"{example}","length":"1h"}}"#);
    let allow = async || {
        let given = console
            .call("bob", Method::POST, "/standing-approvals", &example)
            .await;
        given.json()["id"].as_str().unwrap().to_owned()
    };
    let (standing, other_standing) = (allow().await, allow().await);
    let broken = console.break_glass().await;
    let wish = r#"{"database":"shop","up_to":"write","length":"1h","reason":"x"}"#;
    let (no, accept) = (r#"{"reason":"no"}"#, r#"{"verdict":"accept"}"#);
    let (grants, allowed) = ("/grants", "/standing-approvals");
    let get = |path: String| ("bob", Method::GET, path, String::new());
    let post = |user, path: String, body: &str| (user, Method::POST, path, body.to_owned());
    vec![
        post("bob", format!("/requests/{broken}/review"), accept),
        post("alice", grants.to_owned(), wish),
        get(grants.to_owned()),
        get(format!("{grants}/{window}")),
        post("bob", format!("{grants}/{window}/approve"), ""),
        post("bob", format!("{grants}/{window}/end"), ""),
        post("bob", format!("{grants}/{other_window}/reject"), no),
        post("bob", allowed.to_owned(), &example),
        get(allowed.to_owned()),
        get(format!("{allowed}/{standing}")),
        post("carol", format!("{allowed}/{standing}/approve"), ""),
        post("carol", format!("{allowed}/{standing}/end"), ""),
        post("carol", format!("{allowed}/{other_standing}/reject"), no),
    ]
}

#[tokio::test]
async fn every_operation_succeeds_as_documented() {
    let console = TestConsole::start().await;
    let (one, other) = (console.hold(|_| ()).await, console.hold(|_| ()).await);
    let third = console.hold_in_session(|r| r.parameters.clear()).await;
    let new = r#"{"name":"eve","groups":["ops"],"admin":false,"password":"x"}"#;
    let mut seen = BTreeSet::new();
    let mut calls = calls_on_grants(&console).await;
    for (user, method, path, body) in [
        ("bob", Method::GET, "/me", ""),
        ("bob", Method::GET, "/requests", ""),
        ("bob", Method::GET, &format!("/requests/{one}"), ""),
        ("bob", Method::POST, &format!("/requests/{one}/approve"), ""),
        (
            "bob",
            Method::POST,
            &format!("/requests/{third}/edit"),
            r#"{"statement":"DELETE FROM payments WHERE id = 7","comment":"this one"}"#,
        ),
        (
            "bob",
            Method::POST,
            &format!("/requests/{other}/reject"),
            r#"{"reason":"no"}"#,
        ),
        ("ruth", Method::GET, "/users", ""),
        ("ruth", Method::POST, "/users", new),
        ("ruth", Method::GET, "/users/eve", ""),
        ("ruth", Method::PATCH, "/users/eve", r#"{"disabled":true}"#),
        ("ruth", Method::DELETE, "/users/eve/tokens", ""),
        ("ruth", Method::GET, "/groups", ""),
        ("ruth", Method::GET, "/groups/ops", ""),
        ("ruth", Method::PUT, "/groups/ops/members/bob", ""),
        ("ruth", Method::DELETE, "/groups/ops/members/bob", ""),
        ("bob", Method::GET, "/openapi.json", ""),
    ] {
        calls.push((user, method, path.to_owned(), body.to_owned()));
    }
    for (user, method, path, body) in calls {
        let answer = console.call(user, method.clone(), &path, &body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.body);
        let (template, _) = operation(&method, &format!("/api/v1{path}")).unwrap();
        seen.insert((template, method.to_string()));
    }
    for path in ["/healthz", "/readyz"] {
        assert!(console.get(path).await.status.is_success());
        seen.insert((path, "GET".to_owned()));
    }
    let all: BTreeSet<_> = operations()
        .map(|(path, method, _)| (path, method.to_string()))
        .collect();
    assert_eq!(seen, all);
}

/// The names in a message that stand behind a word of it, in these quotes.
fn names_behind(message: &str, word: &str, quote: char) -> BTreeSet<String> {
    let (_, names) = message.split_once(word).unwrap_or_else(|| panic!("{message}"));
    let names = names.split(quote).skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn bodies_and_queries_have_the_fields_that_are_documented() {
    let console = TestConsole::start().await;
    for (path, method, operation) in operations() {
        let Some(path) = path.strip_prefix("/api/v1") else {
            continue;
        };
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if let Some(place) = body["$ref"].as_str() {
            let fields: BTreeSet<_> = resolved(place)["properties"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect();
            let answer = console
                .call("ruth", method.clone(), &filled(path), r#"{"zzz":1}"#)
                .await;
            let message = answer.json()["detail"].as_str().unwrap().to_owned();
            assert_eq!(
                names_behind(&message, "expected ", '`'),
                fields,
                "{method} {path}"
            );
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let (queried, in_path): (Vec<_>, Vec<_>) = parameters.partition(|one| one["in"] == "query");
        let named = |list: Vec<&Value>| -> BTreeSet<String> {
            list.iter()
                .map(|one| one["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let open = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(named(in_path), open.map(str::to_owned).collect(), "{path}");
        if queried.is_empty() {
            continue;
        }
        let answer = console
            .call("ruth", method, &format!("{}?zzz=1", filled(path)), "")
            .await;
        let message = answer.json()["detail"].as_str().unwrap().to_owned();
        let (_, known) = message.trim_end_matches('.').split_once("one of ").unwrap();
        let known: BTreeSet<_> = known.split(", ").map(str::to_owned).collect();
        assert_eq!(named(queried), known, "{path}");
    }
}

#[tokio::test]
async fn the_document_is_served_to_everybody_and_is_sound() {
    let console = TestConsole::start().await;
    let answer = console.get("/api/v1/openapi.json").await;
    assert_eq!(answer.body, DOCUMENT);
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let schemas = &document["components"]["schemas"];
    assert_eq!(
        schemas["State"]["enum"],
        json!(StateKind::ALL.map(StateKind::as_str))
    );
    assert_eq!(
        schemas["GrantState"]["enum"],
        json!(GrantState::ALL.map(GrantState::as_str))
    );
    assert_eq!(schemas["Effect"]["enum"], json!(Effect::ALL.map(Effect::as_str)));
    for name in schemas.as_object().unwrap().keys() {
        // Fails where a schema is none, or refers to nothing.
        validator(&json!({ "$ref": format!("#/components/schemas/{name}") }));
        let used = DOCUMENT.contains(&format!("\"#/components/schemas/{name}\""));
        assert!(used, "nothing uses {name}");
    }
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations() {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{path}");
        assert!(operation["summary"].is_string(), "{path}");
        let request = Request::builder().method(method).uri(filled(path));
        let answer = console.send(request.body(Body::empty()).unwrap()).await;
        let is_public = operation["security"] == json!([]);
        assert_eq!(answer.status != StatusCode::UNAUTHORIZED, is_public, "{path}");
    }
}

#[test]
fn the_checker_is_honest() {
    let answer = |status: StatusCode, content_type: &str, body: Value| {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        Answer {
            status,
            headers,
            body: body.to_string(),
        }
    };
    let me = json!({"name": "bob", "groups": ["dba"], "admin": false});
    let with = |field: &str, value: Value| {
        let mut changed = me.clone();
        changed[field] = value;
        changed
    };
    let json = "application/json";
    let (_, operation) = operation(&Method::GET, "/api/v1/me").unwrap();
    assert_eq!(
        faults(operation, &answer(StatusCode::OK, json, me.clone())),
        [""; 0]
    );
    for (status, content_type, body) in [
        (StatusCode::OK, json, with("password", json!("x"))),
        (StatusCode::OK, json, with("admin", json!("no"))),
        (StatusCode::OK, json, json!({"name": "bob"})),
        (StatusCode::OK, "text/plain", me.clone()),
        (StatusCode::CREATED, json, me.clone()),
        (StatusCode::UNAUTHORIZED, json, me.clone()),
    ] {
        let wrong = answer(status, content_type, body);
        assert_ne!(faults(operation, &wrong), [""; 0], "{wrong:?}");
    }
    assert!(fits("/a/{b}/c", "/a/x/c"));
    for other in ["/a/x", "/a/x/c/d", "/a/x/d", "/a//c"] {
        assert!(!fits("/a/{b}/c", other), "{other}");
    }
}
