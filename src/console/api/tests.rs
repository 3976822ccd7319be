//! The API from outside: every status, and the shape of what it gives.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use jiff::SignedDuration;
use serde_json::json;

use super::super::testing::{Answer, PASSWORD, TestConsole};
use crate::model::{Clock, Earlier, EarlierOutcome, Outcome, Quorum, Verdict};
use crate::store::{Actor, RequestStore, UserChange, UserStore};

#[track_caller]
pub(super) fn assert_problem(answer: &Answer, status: StatusCode, names: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    let problem = answer.json();
    assert_eq!(problem["status"], status.as_u16());
    assert!(
        problem["type"]
            .as_str()
            .unwrap()
            .starts_with("urn:holdpoint:problem:"),
        "{problem}"
    );
    assert!(!problem["title"].as_str().unwrap().is_empty(), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(names), "{problem}");
}

#[tokio::test]
async fn a_request_has_the_shape_that_is_promised() {
    let console = TestConsole::start().await;
    let id = console
        .hold(|r| {
            r.quorum = Quorum::each_of(["dba", "security"]);
            r.earlier = vec![Earlier {
                text: "SELECT 1".to_owned(),
                request: None,
                is_cut: false,
                seconds_before: 3,
                same_transaction: true,
                outcome: EarlierOutcome::Passed,
            }];
        })
        .await;
    let answer = console
        .call("bob", Method::GET, &format!("/requests/{id}"), "")
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), "application/json");
    assert_eq!(
        answer.json(),
        json!({
            "id": id.as_str(),
            "state": "pending",
            "database": "shop",
            "user": "alice",
            "groups": ["dba", "security"],
            "quorum": [["dba"], ["security"]],
            "self_approval": false,
            "justification": null,
            "ticket": null,
            "shape": null,
            "basis": null,
            "followup": null,
            "edits": [],
            "application_name": "psql",
            "client_addr": "10.1.2.3:50123",
            "statement": "DELETE FROM payments WHERE id = $1",
            "parameters": [{"value": "42", "type": "int4"}],
            "is_cut": false,
            "command": "DELETE",
            "effect": "write",
            "tables": [{"schema": "public", "name": "payments", "written": true}],
            "functions": [],
            "signals": [],
            "unfiltered": false,
            "in_transaction": false,
            "transaction_since": null,
            "rule": "writes need a DBA",
            "earlier": [{
                "text": "SELECT 1", "request": null, "is_cut": false, "seconds_before": 3, "same_transaction": true,
                "outcome": "passed",
            }],
            "created_at": "2026-03-01T12:00:00Z",
            "expires_at": "2026-03-01T12:30:00Z",
            "settled_at": null,
            "reviews": [],
            "missing_groups": ["dba", "security"],
            "missing": [["dba"], ["security"]],
            "reason": null,
            "outcome": null,
            "url": format!("https://hold.example.com/requests/{id}"),
        })
    );
}

#[tokio::test]
async fn an_approval_is_recorded_and_shown() {
    let console = TestConsole::start().await;
    let id = console
        .hold(|r| r.quorum = Quorum::each_of(["dba", "security"]))
        .await;
    let path = format!("/requests/{id}/approve");
    let first = console
        .call("bob", Method::POST, &path, r#"{"comment":"looks right"}"#)
        .await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let request = first.json();
    assert_eq!(request["state"], "pending");
    assert_eq!(request["missing_groups"], json!(["security"]));
    assert_eq!(
        request["reviews"],
        json!([{"reviewer": "bob", "groups": ["dba"], "verdict": "approve", "comment": "looks right", "at": "2026-03-01T12:00:00Z"}])
    );
    let again = console.call("bob", Method::POST, &path, "").await;
    assert_problem(
        &again,
        StatusCode::CONFLICT,
        "You have approved this request before",
    );
    let second = console.call("carol", Method::POST, &path, "").await;
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.json()["state"], "approved");
    assert_eq!(second.json()["missing_groups"], json!([]));

    let outcome = Outcome {
        tag: "DELETE 3".to_owned(),
        rows: Some(3),
        sqlstate: None,
        error: None,
        duration_ms: 12,
    };
    console.run(id, outcome).await;
    let ran = console
        .call("alice", Method::GET, &format!("/requests/{id}"), "")
        .await;
    assert_eq!(ran.json()["state"], "executed");
    assert_eq!(
        ran.json()["outcome"],
        json!({"tag": "DELETE 3", "rows": 3, "sqlstate": null, "error": null, "duration_ms": 12})
    );
}

#[tokio::test]
async fn a_second_decision_conflicts_and_says_who_was_first() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let rejected = console
        .call(
            "bob",
            Method::POST,
            &format!("/requests/{id}/reject"),
            r#"{"reason":"not on a Friday"}"#,
        )
        .await;
    assert_eq!(rejected.status, StatusCode::OK);
    assert_eq!(rejected.json()["state"], "rejected");
    for (path, body) in [("approve", ""), ("reject", r#"{"reason":"me too"}"#)] {
        let late = console
            .call("dan", Method::POST, &format!("/requests/{id}/{path}"), body)
            .await;
        assert_problem(&late, StatusCode::CONFLICT, "was rejected by bob");
    }
    let after = console
        .call("dan", Method::GET, &format!("/requests/{id}"), "")
        .await;
    assert_eq!(after.json(), rejected.json(), "nothing changed");
}

#[tokio::test]
async fn what_has_run_out_of_time_is_not_decided() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    console.clock.advance(SignedDuration::from_mins(31));
    let late = console
        .call("bob", Method::POST, &format!("/requests/{id}/approve"), "")
        .await;
    assert_problem(&late, StatusCode::CONFLICT, "expired");
}

#[tokio::test]
async fn reasons_are_told() {
    let console = TestConsole::start().await;
    let now = console.clock.now();
    let withdrawn = console.hold(|_| ()).await;
    console
        .store
        .withdraw(withdrawn, "the client is gone", now)
        .await
        .unwrap();
    let denied = console.new_request(|r| r.quorum = Quorum::default());
    console
        .store
        .insert_denied(&denied, "no unbounded deletes")
        .await
        .unwrap();
    for (id, state, reason) in [
        (withdrawn, "withdrawn", "the client is gone"),
        (denied.id, "denied", "no unbounded deletes"),
    ] {
        let answer = console
            .call("alice", Method::GET, &format!("/requests/{id}"), "")
            .await;
        assert_eq!(answer.json()["state"], state);
        assert_eq!(answer.json()["reason"], reason);
        assert!(!answer.json()["settled_at"].is_null());
    }
    let never = console
        .call(
            "ruth",
            Method::POST,
            &format!("/requests/{}/approve", denied.id),
            "",
        )
        .await;
    assert_problem(&never, StatusCode::CONFLICT, "denied");
}

#[tokio::test]
async fn who_is_not_known_is_challenged() {
    let console = TestConsole::start().await;
    let browser = console.browser("bob").await;
    for (name, value, challenge) in [
        ("accept", "*/*".to_owned(), r#"Bearer realm="holdpoint""#),
        (
            "authorization",
            "Basic Ym9iOng=".to_owned(),
            r#"Bearer realm="holdpoint""#,
        ),
        (
            "authorization",
            "Bearer hp_nonsense".to_owned(),
            r#"Bearer realm="holdpoint", error="invalid_token""#,
        ),
        // A signed-in browser is nobody here.
        ("cookie", browser.cookie.clone(), r#"Bearer realm="holdpoint""#),
    ] {
        let request = Request::get("/api/v1/requests").header(name, value);
        let answer = console.send(request.body(Body::empty()).unwrap()).await;
        assert_problem(&answer, StatusCode::UNAUTHORIZED, "token");
        assert_eq!(answer.header(header::WWW_AUTHENTICATE), challenge);
    }
}

#[tokio::test]
async fn who_may_not_decide_is_told_why() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let own = console.hold(|r| r.origin.user = "bob".to_owned()).await;
    for (user, id, why) in [
        ("alice", id, "own request"),
        ("ruth", id, "Only a member of dba"),
        ("bob", own, "own request"),
    ] {
        let answer = console
            .call(user, Method::POST, &format!("/requests/{id}/approve"), "")
            .await;
        assert_problem(&answer, StatusCode::FORBIDDEN, why);
        let still = console
            .call(user, Method::GET, &format!("/requests/{id}"), "")
            .await;
        assert_eq!(still.json()["state"], "pending");
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_to_be_seen_is_not_found() {
    let console = TestConsole::start().await;
    let secret = console.hold(|r| r.quorum = Quorum::each_of(["security"])).await;
    for path in [
        format!("/requests/{secret}"),
        "/requests/0000000000zz".to_owned(),
        "/requests/not-an-id".to_owned(),
    ] {
        assert_problem(
            &console.call("bob", Method::GET, &path, "").await,
            StatusCode::NOT_FOUND,
            "no such request",
        );
        let approve = format!("{path}/approve");
        assert_problem(
            &console.call("bob", Method::POST, &approve, "").await,
            StatusCode::NOT_FOUND,
            "no such request",
        );
    }
    for path in ["/nothing", "", "/requests/"] {
        let answer = console.call("bob", Method::GET, path, "").await;
        assert_problem(&answer, StatusCode::NOT_FOUND, "nothing at /api/v1");
    }
    assert_problem(&console.get("/api").await, StatusCode::NOT_FOUND, "/api");
    assert_problem(
        &console.get("/api/v2/x").await,
        StatusCode::NOT_FOUND,
        "/api/v2/x",
    );
}

#[tokio::test]
async fn a_wrong_method_names_the_right_one() {
    let console = TestConsole::start().await;
    for (method, path, allowed) in [
        (Method::DELETE, "/requests", "GET,HEAD"),
        (Method::GET, "/requests/0000000000zz/approve", "POST"),
    ] {
        let answer = console.call("bob", method, path, "").await;
        assert_problem(&answer, StatusCode::METHOD_NOT_ALLOWED, path);
        assert_eq!(answer.header(header::ALLOW), allowed);
    }
}

#[tokio::test]
async fn bodies_are_checked() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let too_long = format!(r#"{{"comment":"{}"}}"#, "é".repeat(4001));
    for (action, body, status, names) in [
        ("reject", "", StatusCode::UNPROCESSABLE_ENTITY, "reason"),
        (
            "reject",
            r#"{"reason":" \n "}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "reason",
        ),
        (
            "reject",
            r#"{"reason":"a\u0000b"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "U+0000",
        ),
        (
            "reject",
            r#"{"comment":"no"}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "comment",
        ),
        (
            "approve",
            r#"{"comment":5}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "string",
        ),
        (
            "approve",
            too_long.as_str(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "4000",
        ),
        ("approve", r#"{"comment":"#, StatusCode::BAD_REQUEST, "not JSON"),
        ("approve", "hello", StatusCode::BAD_REQUEST, "not JSON"),
    ] {
        let path = format!("/requests/{id}/{action}");
        let answer = console.call("bob", Method::POST, &path, body).await;
        assert_problem(&answer, status, names);
    }
    let huge = format!(r#"{{"comment":"{}"}}"#, "x".repeat(70_000));
    let answer = console
        .call("bob", Method::POST, &format!("/requests/{id}/approve"), &huge)
        .await;
    assert_problem(&answer, StatusCode::PAYLOAD_TOO_LARGE, "65536");
    let still = console
        .call("bob", Method::GET, &format!("/requests/{id}"), "")
        .await;
    assert_eq!(still.json()["reviews"], json!([]));

    let longest = format!(r#"{{"comment":"{}"}}"#, "é".repeat(4000));
    let answer = console
        .call("bob", Method::POST, &format!("/requests/{id}/approve"), &longest)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn only_json_is_taken() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let token = console.token("bob").await;
    for content_type in [
        None,
        Some("application/x-www-form-urlencoded"),
        Some("text/plain"),
    ] {
        let mut request = Request::post(format!("/api/v1/requests/{id}/approve"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let answer = console.send(request.body(Body::from("{}")).unwrap()).await;
        assert_problem(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json");
    }
    let request = Request::post(format!("/api/v1/requests/{id}/approve"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8");
    let answer = console.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let console = TestConsole::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(console.hold(|_| ()).await);
        console.clock.advance(SignedDuration::from_secs(1));
    }
    console.hold(|r| r.quorum = Quorum::each_of(["security"])).await;
    console.decide(ids[1], "bob", Verdict::Reject, "no").await;

    let listed = |answer: Answer| -> (Vec<String>, Option<String>) {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let json = answer.json();
        let ids = json["requests"].as_array().unwrap().iter();
        (
            ids.map(|r| r["id"].as_str().unwrap().to_owned()).collect(),
            json["next"].as_str().map(str::to_owned),
        )
    };
    let text = |wanted: &[usize]| -> Vec<String> { wanted.iter().map(|&i| ids[i].to_string()).collect() };

    let all = listed(console.call("bob", Method::GET, "/requests", "").await);
    assert_eq!(all, (text(&[4, 3, 2, 1, 0]), None));
    let page = listed(
        console
            .call("bob", Method::GET, "/requests?state=pending&limit=2", "")
            .await,
    );
    assert_eq!(page, (text(&[4, 3]), Some(ids[3].to_string())));
    let path = format!("/requests?state=pending&limit=2&before={}", ids[3]);
    let page = listed(console.call("bob", Method::GET, &path, "").await);
    assert_eq!(page, (text(&[2, 0]), None));
    let path = "/requests?state=rejected&state=approved";
    assert_eq!(
        listed(console.call("bob", Method::GET, path, "").await),
        (text(&[1]), None)
    );

    let path = "/requests?user=alice&database=shop&effect=write&since=2026-03-01T12:00:03Z";
    assert_eq!(
        listed(console.call("bob", Method::GET, path, "").await),
        (text(&[4, 3]), None)
    );
    for path in [
        "/requests?user=bob",
        "/requests?database=x",
        "/requests?effect=read",
    ] {
        assert_eq!(
            listed(console.call("bob", Method::GET, path, "").await),
            (text(&[]), None)
        );
    }
    let path = "/requests?until=2026-03-01T12:00:01Z";
    assert_eq!(
        listed(console.call("bob", Method::GET, path, "").await),
        (text(&[0]), None)
    );
    let unknown = "/requests?before=0000000000zz";
    let answer = console.call("bob", Method::GET, unknown, "").await;
    assert_problem(&answer, StatusCode::NOT_FOUND, "request 0000000000zz");

    for path in [
        "/requests?state=open",
        "/requests?limit=0",
        "/requests?stat=pending",
    ] {
        let answer = console.call("bob", Method::GET, path, "").await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "");
    }
}

#[tokio::test]
async fn without_a_store_nothing_is_said_but_that() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let token = console.token("bob").await;
    console.store.close().await;
    for request in [
        Request::get("/api/v1/requests"),
        Request::get(format!("/api/v1/requests/{id}")),
        Request::post(format!("/api/v1/requests/{id}/approve")),
    ] {
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = console.send(request.body(Body::empty()).unwrap()).await;
        assert_problem(&answer, StatusCode::SERVICE_UNAVAILABLE, "store");
        assert_eq!(answer.header(header::RETRY_AFTER), "5");
        assert!(!answer.body.contains("pool"), "{}", answer.body);
    }
    let ready = console.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["detail"], "the store does not work");
    assert_eq!(console.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn readiness_ends_before_the_process_does() {
    let console = TestConsole::start().await;
    assert_eq!(console.get("/readyz").await.status, StatusCode::OK);
    console.state.shutdown.cancel();
    let answer = console.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["detail"], "shutting down");
}

#[tokio::test]
async fn of_many_decisions_at_once_one_wins() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let (approve, reject) = (
        format!("/requests/{id}/approve"),
        format!("/requests/{id}/reject"),
    );
    let no = r#"{"reason":"no"}"#;
    let answers = tokio::join!(
        console.call("bob", Method::POST, &approve, ""),
        console.call("dan", Method::POST, &reject, no),
        console.call("carol", Method::POST, &approve, ""),
        console.call("bob", Method::POST, &reject, no),
    );
    let statuses = [
        answers.0.status,
        answers.1.status,
        answers.2.status,
        answers.3.status,
    ];
    let won = statuses.iter().filter(|s| **s == StatusCode::OK).count();
    let lost = statuses.iter().filter(|s| **s == StatusCode::CONFLICT).count();
    assert_eq!((won, lost), (1, 3), "{statuses:?}");
}

/// Who asks is known by the headers, and the body may take its time.
#[tokio::test]
async fn who_leaves_before_the_body_has_come_decides_on_nothing() {
    let console = TestConsole::start().await;
    let leaves = UserChange {
        leave: vec!["dba".to_owned()],
        ..UserChange::default()
    };
    for (user, change) in [("bob", UserChange::disabled(true)), ("dan", leaves)] {
        let id = console.hold(|_| ()).await;
        let request = Request::post(format!("/api/v1/requests/{id}/approve"))
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", console.token(user).await),
            )
            .header(header::CONTENT_TYPE, "application/json");
        let store = console.store.clone();
        let body = futures_util::stream::once(async move {
            let left = store.change_user(user, &change, Actor::CommandLine).await;
            left.unwrap();
            Ok::<_, std::convert::Infallible>("{}")
        });
        let answer = console.send(request.body(Body::from_stream(body)).unwrap()).await;
        assert_problem(
            &answer,
            StatusCode::FORBIDDEN,
            "Only a member of dba can decide on this request. Nothing was changed.",
        );
        let held = console.store.request(id).await.unwrap().unwrap();
        assert_eq!((held.state.kind().as_str(), held.reviews.len()), ("pending", 0));
    }
}

#[tokio::test]
async fn a_disabled_users_token_opens_nothing() {
    let console = TestConsole::start().await;
    let token = console.token("bob").await;
    console.change_user("bob", UserChange::disabled(true)).await;
    let request = Request::get("/api/v1/requests").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let answer = console.send(request.body(Body::empty()).unwrap()).await;
    assert_problem(&answer, StatusCode::UNAUTHORIZED, "disabled");
    // Nor does a password in place of a token.
    let request =
        Request::get("/api/v1/requests").header(header::AUTHORIZATION, format!("Bearer {PASSWORD}"));
    let answer = console.send(request.body(Body::empty()).unwrap()).await;
    assert_problem(&answer, StatusCode::UNAUTHORIZED, "token");
}
