//! Users and groups by the API: who may, what changes, and what is never said.

use axum::http::{Method, StatusCode, header};
use serde_json::json;

use super::super::testing::{Answer, TestConsole};
use super::tests::assert_problem;
use crate::store::UserChange;

async fn ruth(console: &TestConsole, method: Method, path: &str, body: &str) -> Answer {
    console.call("ruth", method, path, body).await
}

#[tokio::test]
async fn only_administrators_see_and_change_people() {
    let console = TestConsole::start().await;
    for (method, path, body) in [
        (Method::GET, "/users", ""),
        (Method::GET, "/users/bob", ""),
        (Method::GET, "/users/nobody", ""),
        (
            Method::POST,
            "/users",
            r#"{"name":"eve","admin":true,"password":"x"}"#,
        ),
        (Method::PATCH, "/users/bob", r#"{"admin":true}"#),
        (Method::DELETE, "/users/ruth/tokens", ""),
        (Method::GET, "/groups", ""),
        (Method::GET, "/groups/dba", ""),
        (Method::PUT, "/groups/security/members/bob", ""),
        (Method::DELETE, "/groups/dba/members/dan", ""),
    ] {
        let answer = console.call("bob", method, path, body).await;
        assert_problem(&answer, StatusCode::FORBIDDEN, "administrator");
    }
    let users = ruth(&console, Method::GET, "/users", "").await.json();
    assert_eq!(users["users"].as_array().unwrap().len(), 5);
    // Who is no administrator any more is none with the very next call.
    let everything = ruth(&console, Method::GET, "/groups", "").await;
    assert_eq!(everything.status, StatusCode::OK);
    console.change_user("ruth", UserChange::admin(false)).await;
    let answer = ruth(&console, Method::GET, "/groups", "").await;
    assert_problem(&answer, StatusCode::FORBIDDEN, "administrator");
}

#[tokio::test]
async fn everybody_is_told_who_they_are() {
    let console = TestConsole::start().await;
    let me = console.call("carol", Method::GET, "/me", "").await;
    assert_eq!(
        me.json(),
        json!({"name": "carol", "groups": ["dba", "security"], "admin": false})
    );
}

#[tokio::test]
async fn a_user_is_added_and_can_sign_in() {
    let console = TestConsole::start().await;
    let body = r#"{"name":"eve/é","groups":["ops","dba","ops"],"password":"correct horse battery staple"}"#;
    let answer = ruth(&console, Method::POST, "/users", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(answer.header(header::LOCATION), "/api/v1/users/eve%2F%C3%A9");
    let expected = json!({
        "name": "eve/é", "groups": ["dba", "ops"], "admin": false, "disabled": false,
        "created_at": "2026-03-01T12:00:00Z",
    });
    assert_eq!(answer.json(), expected);
    let shown = ruth(&console, Method::GET, "/users/eve%2F%C3%A9", "").await;
    assert_eq!(shown.json(), expected);
    console.browser("eve/é").await;
    let again = ruth(&console, Method::POST, "/users", body).await;
    assert_problem(&again, StatusCode::CONFLICT, "already");
}

#[tokio::test]
async fn what_is_not_fit_is_refused_and_no_password_is_told() {
    let console = TestConsole::start().await;
    for (body, status, names) in [
        ("", StatusCode::UNPROCESSABLE_ENTITY, "user name"),
        (
            r#"{"name":"eve"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "password is empty",
        ),
        (
            r#"{"name":"a\u200bb","password":"x"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "does not show",
        ),
        (
            r#"{"name":"eve","groups":[""],"password":"x"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "group name",
        ),
        (
            r#"{"name":"eve","password":7319}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "no text",
        ),
        (
            r#"{"name":"eve","password":["hunter2"]}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "no text",
        ),
        (
            r#"{"name":"eve","pass":"hunter2"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "`pass`",
        ),
        (
            r#"{"name":"eve","password":"hunter2","admin":"yes"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "boolean",
        ),
        (
            r#"{"name":"eve","password":"hunter2""#,
            StatusCode::BAD_REQUEST,
            "not JSON",
        ),
        (
            r#"{"name":"bob","password":"hunter2"}"#,
            StatusCode::CONFLICT,
            "already",
        ),
    ] {
        let answer = ruth(&console, Method::POST, "/users", body).await;
        assert_problem(&answer, status, names);
        for secret in ["hunter2", "7319"] {
            assert!(!answer.body.contains(secret), "{}", answer.body);
        }
    }
    let long = format!(r#"{{"name":"eve","password":"{}"}}"#, "x".repeat(1025));
    let answer = ruth(&console, Method::POST, "/users", &long).await;
    assert_problem(&answer, StatusCode::UNPROCESSABLE_ENTITY, "1025");
    let missing = ruth(&console, Method::GET, "/users/eve", "").await;
    assert_problem(&missing, StatusCode::NOT_FOUND, "no user \"eve\"");
    let path = ruth(&console, Method::GET, "/users/%FF", "").await;
    assert_problem(&path, StatusCode::BAD_REQUEST, "UTF-8");
}

#[tokio::test]
async fn a_change_counts_at_once() {
    let console = TestConsole::start().await;
    let id = console
        .hold(|r| r.quorum = crate::model::Quorum::each_of(["security"]))
        .await;
    let (bob, page) = (console.browser("bob").await, format!("/requests/{id}"));
    assert_eq!(bob.get(&page).await.status, StatusCode::NOT_FOUND);
    let change = r#"{"groups":["security","dba"]}"#;
    let changed = ruth(&console, Method::PATCH, "/users/bob", change).await;
    assert_eq!(changed.json()["groups"], json!(["dba", "security"]));
    assert_eq!(bob.get(&page).await.status, StatusCode::OK);

    let disabled = ruth(&console, Method::PATCH, "/users/bob", r#"{"disabled":true}"#).await;
    assert_eq!(disabled.json()["disabled"], true);
    assert_eq!(disabled.json()["groups"], json!(["dba", "security"]), "as it was");
    assert_eq!(bob.get(&page).await.status, StatusCode::SEE_OTHER, "signed out");

    let same = ruth(&console, Method::PATCH, "/users/bob", "").await;
    assert_eq!(same.json(), disabled.json());
    let missing = ruth(&console, Method::PATCH, "/users/nobody", r#"{"admin":true}"#).await;
    assert_problem(&missing, StatusCode::NOT_FOUND, "nobody");
    let unfit = ruth(&console, Method::PATCH, "/users/bob", r#"{"groups":["a\nb"]}"#).await;
    assert_problem(&unfit, StatusCode::UNPROCESSABLE_ENTITY, "group name");
}

#[tokio::test]
async fn an_administrator_is_always_left() {
    let console = TestConsole::start().await;
    console.change_user("carol", UserChange::admin(true)).await;
    for change in [r#"{"admin":false}"#, r#"{"disabled":true}"#] {
        let answer = ruth(&console, Method::PATCH, "/users/ruth", change).await;
        assert_problem(&answer, StatusCode::CONFLICT, "another administrator");
    }
    let answer = console
        .call("carol", Method::PATCH, "/users/ruth", r#"{"admin":false}"#)
        .await;
    assert_eq!(answer.json()["admin"], false);
}

#[tokio::test]
async fn groups_are_joined_and_left() {
    let console = TestConsole::start().await;
    for _ in 0..2 {
        let joined = ruth(&console, Method::PUT, "/groups/on%20call/members/bob", "").await;
        assert_eq!(joined.json()["groups"], json!(["dba", "on call"]));
    }
    console.change_user("bob", UserChange::disabled(true)).await;
    let group = ruth(&console, Method::GET, "/groups/on%20call", "").await;
    assert_eq!(
        group.json(),
        json!({"name": "on call", "members": [{"name": "bob", "disabled": true}]})
    );
    let groups = ruth(&console, Method::GET, "/groups", "").await.json();
    let names: Vec<_> = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| &g["name"])
        .collect();
    assert_eq!(names, ["dba", "developers", "on call", "security"]);
    for _ in 0..2 {
        let left = ruth(&console, Method::DELETE, "/groups/on%20call/members/bob", "").await;
        assert_eq!(left.json()["groups"], json!(["dba"]));
    }
    let gone = ruth(&console, Method::GET, "/groups/on%20call", "").await;
    assert_problem(&gone, StatusCode::NOT_FOUND, "nobody is a member");
    for (method, path) in [
        (Method::PUT, "/groups/dba/members/eve"),
        (Method::DELETE, "/groups/dba/members/eve"),
    ] {
        assert_problem(
            &ruth(&console, method, path, "").await,
            StatusCode::NOT_FOUND,
            "eve",
        );
    }
    let unfit = ruth(&console, Method::PUT, "/groups/a%0Ab/members/bob", "").await;
    assert_problem(&unfit, StatusCode::UNPROCESSABLE_ENTITY, "group name");
}

#[tokio::test]
async fn revoked_tokens_open_nothing() {
    let console = TestConsole::start().await;
    let token = console.token("bob").await;
    let revoked = ruth(&console, Method::DELETE, "/users/bob/tokens", "").await;
    assert_eq!(revoked.json(), json!({"revoked": 1}));
    assert!(console.state.directory.by_token(&token).await.unwrap().is_none());
    let missing = ruth(&console, Method::DELETE, "/users/eve/tokens", "").await;
    assert_problem(&missing, StatusCode::NOT_FOUND, "eve");
}

#[tokio::test]
async fn users_are_filtered_and_paged() {
    let console = TestConsole::start().await;
    console.change_user("dan", UserChange::disabled(true)).await;
    for (query, expected, next) in [
        ("", &["alice", "bob", "carol", "dan", "ruth"][..], None),
        ("?group=dba", &["bob", "carol", "dan"], None),
        ("?group=dba&disabled=false", &["bob", "carol"], None),
        ("?limit=2", &["alice", "bob"], Some("bob")),
        ("?limit=2&after=bob", &["carol", "dan"], Some("dan")),
        ("?limit=2&after=dan", &["ruth"], None),
    ] {
        let list = ruth(&console, Method::GET, &format!("/users{query}"), "")
            .await
            .json();
        let names: Vec<_> = list["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|u| &u["name"])
            .collect();
        assert_eq!(names, expected, "{query}");
        assert_eq!(list["next"].as_str(), next, "{query}");
    }
    let wrong = ruth(&console, Method::GET, "/users?admin=true", "").await;
    assert_problem(&wrong, StatusCode::BAD_REQUEST, "admin");
}
