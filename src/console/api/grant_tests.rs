//! Access, standing approvals, and what is said after the glass was broken.

use axum::http::{Method, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::testing::{Answer, TestConsole};
use crate::model::{Basis, NewRequest, Quorum, RequestId, Shape};
use crate::store::{Grounds, RequestStore as _};

const WISH: &str =
    r#"{"database":"shop","up_to":"write","length":"1h","reason":"incident 42","ticket":"OPS-1"}"#;

impl TestConsole {
    async fn post(&self, user: &str, path: &str, body: &Value) -> Answer {
        self.call(user, Method::POST, path, &body.to_string()).await
    }

    async fn fetch(&self, user: &str, path: &str) -> Answer {
        self.call(user, Method::GET, path, "").await
    }

    /// alice asks for an hour; the identifier.
    pub(in crate::console) async fn ask(&self) -> String {
        let answer = self.call("alice", Method::POST, "/grants", WISH).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// alice's DELETE, with a shape.
    pub(in crate::console) async fn hold_with_shape(&self) -> RequestId {
        self.hold(|asked| asked.shape = Some(Shape::new([9; 32]))).await
    }

    /// alice's DELETE, which ran because she broke the glass.
    pub(in crate::console) async fn break_glass(&self) -> RequestId {
        self.ran(Basis::BreakGlass, |_| ()).await
    }

    /// alice's DELETE, which runs on these grounds.
    pub(in crate::console) async fn ran(
        &self,
        basis: Basis,
        change: impl FnOnce(&mut NewRequest),
    ) -> RequestId {
        let request = self.new_request(change);
        let grounds = Grounds {
            bypass: Some(&basis),
            groups: &[],
            counts_rows: false,
        };
        self.store.place(&request, grounds).await.unwrap();
        request.id
    }
}

#[tokio::test]
async fn access_is_asked_for_shortened_and_taken_back() {
    let console = TestConsole::start().await;
    let asked = console.call("alice", Method::POST, "/grants", WISH).await;
    assert_eq!(asked.status, StatusCode::CREATED);
    let body = asked.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(asked.header(header::LOCATION), format!("/api/v1/grants/{id}"));
    assert_eq!(body["url"], format!("https://hold.example.com/access/{id}"));
    assert_eq!(body["holder"], json!({"user": "alice"}));
    assert_eq!(body["missing"], json!([["dba"]]));
    assert_eq!(
        (
            &body["state"],
            &body["length"],
            &body["justification"],
            &body["ticket"]
        ),
        (
            &json!("pending"),
            &json!("1h"),
            &json!("incident 42"),
            &json!("OPS-1")
        )
    );
    let path = format!("/grants/{id}");
    assert_eq!(console.fetch("bob", &path).await.json(), body);

    let approve = format!("{path}/approve");
    let longer = console.post("bob", &approve, &json!({"length": "2h"})).await;
    assert_eq!(longer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let own = console.call("alice", Method::POST, &approve, "").await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);
    let shorter = console
        .post(
            "bob",
            &approve,
            &json!({"length": "30m", "comment": "half of it"}),
        )
        .await;
    assert_eq!(shorter.status, StatusCode::OK, "{}", shorter.body);
    let body = shorter.json();
    assert_eq!(
        (&body["state"], &body["length"]),
        (&json!("active"), &json!("30m"))
    );
    assert_eq!(body["ends_at"], "2026-03-01T12:30:00Z");
    assert_eq!(body["missing"], json!([]));
    let again = console.call("dan", Method::POST, &approve, "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);

    let end = format!("{path}/end");
    let ended = console
        .post("carol", &end, &json!({"reason": "it is over"}))
        .await;
    let body = ended.json();
    assert_eq!(
        (&body["state"], &body["settled_by"], &body["reason"]),
        (&json!("revoked"), &json!("carol"), &json!("it is over"))
    );
    let again = console.call("alice", Method::POST, &end, "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_cannot_be_asked_for_says_why() {
    let console = TestConsole::start().await;
    let wish = |field: &str, value: &str| {
        let mut wish: Value = serde_json::from_str(WISH).unwrap();
        wish[field] = json!(value);
        wish
    };
    for (user, wish, status, why) in [
        ("alice", wish("database", "shoop"), 422, "no database \"shoop\""),
        ("alice", wish("database", "prod"), 403, "No rule lets you ask"),
        ("alice", wish("up_to", "server"), 403, "[[access]]"),
        ("bob", wish("up_to", "write"), 403, "No rule lets you ask"),
        ("alice", wish("up_to", "everything"), 422, "everything"),
        ("alice", wish("length", "1 hour"), 422, "not a duration"),
        ("alice", wish("length", "5h"), 422, "At most 4h"),
        ("alice", wish("reason", " "), 422, "Say why"),
        ("alice", wish("reason", "\u{0}"), 422, "U+0000"),
        (
            "alice",
            wish("ticket", &"x".repeat(4_001)),
            422,
            "4001 characters",
        ),
    ] {
        let answer = console.post(user, "/grants", &wish).await;
        assert_eq!(answer.status.as_u16(), status, "{wish}: {}", answer.body);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(why), "{wish}: {detail}");
    }
}

#[tokio::test]
async fn a_window_that_waits_is_rejected_or_withdrawn() {
    let console = TestConsole::start().await;
    let path = format!("/grants/{}", console.ask().await);
    for silent in ["", r#"{"reason":" "}"#] {
        let answer = console
            .call("bob", Method::POST, &format!("{path}/reject"), silent)
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let rejected = console
        .post("bob", &format!("{path}/reject"), &json!({"reason": "not now"}))
        .await;
    assert_eq!(rejected.json()["state"], "rejected");
    assert_eq!(rejected.json()["reviews"][0]["comment"], "not now");
    let path = format!("/grants/{}", console.ask().await);
    let end = format!("{path}/end");
    let other = console.call("bob", Method::POST, &end, "").await;
    assert_eq!(
        other.status,
        StatusCode::FORBIDDEN,
        "it is not his, and does not count yet"
    );
    let ended = console.call("alice", Method::POST, &end, "").await;
    assert_eq!(
        (&ended.json()["state"], &ended.json()["reason"]),
        (&json!("withdrawn"), &Value::Null)
    );
}

#[tokio::test]
async fn lists_are_of_one_kind_and_of_what_one_may_see() {
    let console = TestConsole::start().await;
    let mut windows = Vec::new();
    for _ in 0..3 {
        windows.push(console.ask().await);
        console.clock.advance(SignedDuration::from_secs(1));
    }
    let request = console.hold_with_shape().await;
    let given = console
        .post(
            "bob",
            "/standing-approvals",
            &json!({"request": request, "length": "8h"}),
        )
        .await;
    assert_eq!(given.status, StatusCode::CREATED, "{}", given.body);
    let ids = |answer: &Answer, of: &str| -> Vec<String> {
        let list = answer.json()[of].clone();
        let list = list.as_array().unwrap().iter();
        list.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = console.fetch("bob", "/grants?limit=2").await;
    assert_eq!(ids(&first, "grants"), [windows[2].clone(), windows[1].clone()]);
    assert_eq!(first.json()["next"], json!(windows[1]));
    let second = console
        .fetch("bob", &format!("/grants?limit=2&before={}", windows[1]))
        .await;
    assert_eq!(ids(&second, "grants"), [windows[0].clone()]);
    assert_eq!(second.json()["next"], Value::Null);
    assert_eq!(
        ids(&console.fetch("bob", "/grants?state=active").await, "grants"),
        [""; 0]
    );
    let standing = console.fetch("alice", "/standing-approvals?state=active").await;
    assert_eq!(
        ids(&standing, "standing_approvals"),
        [given.json()["id"].as_str().unwrap()]
    );
    console
        .change_user(
            "dan",
            crate::store::UserChange {
                groups: Some(vec!["ops".to_owned()]),
                ..crate::store::UserChange::default()
            },
        )
        .await;
    assert_eq!(ids(&console.fetch("dan", "/grants").await, "grants"), [""; 0]);
    assert_eq!(
        console.fetch("ruth", "/grants").await.json()["grants"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    // What is of the other kind is not there.
    for path in [
        format!("/standing-approvals/{}", windows[0]),
        format!("/grants/{}", given.json()["id"].as_str().unwrap()),
        "/grants/xyz".to_owned(),
    ] {
        assert_eq!(
            console.fetch("bob", &path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    assert_eq!(
        console
            .fetch("dan", &format!("/grants/{}", windows[0]))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn statements_are_allowed_beforehand_for_somebody_and_so_often() {
    let console = TestConsole::start().await;
    let request = console.hold_with_shape().await;
    let wish = json!({
        "request": request, "holder": {"group": "developers"}, "length": "8h", "times": 3, "max_rows": 10,
        "reason": "nightly"
    });
    let given = console.post("bob", "/standing-approvals", &wish).await;
    assert_eq!(given.status, StatusCode::CREATED, "{}", given.body);
    let body = given.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(
        given.header(header::LOCATION),
        format!("/api/v1/standing-approvals/{id}")
    );
    assert_eq!(
        (&body["state"], &body["times"], &body["used"]),
        (&json!("active"), &json!(3), &json!(0))
    );
    assert_eq!(body["max_rows"], json!(10));
    assert_eq!(body["holder"], json!({"group": "developers"}));
    assert_eq!(body["statement"], "DELETE FROM payments WHERE id = $1");
    assert_eq!(body["request"], json!(request));
    for (user, field, value, status) in [
        ("alice", "length", json!("8h"), 403),
        ("bob", "holder", json!({"group": "dba"}), 403),
        ("bob", "holder", json!({"user": "bob"}), 403),
        ("bob", "holder", json!({"role": "bob"}), 422),
        ("bob", "length", json!("91d"), 422),
        ("bob", "times", json!(0), 422),
        ("bob", "max_rows", json!(0), 422),
        ("bob", "max_rows", json!(1_000_000_001), 422),
        ("bob", "max_rows", json!(-1), 422),
        ("bob", "request", json!("xyz"), 404),
        ("bob", "request", json!(console.hold(|_| ()).await), 422),
    ] {
        let mut wrong = wish.clone();
        wrong[field] = value;
        let answer = console.post(user, "/standing-approvals", &wrong).await;
        assert_eq!(answer.status.as_u16(), status, "{wrong}: {}", answer.body);
    }
    let ended = console
        .call(
            "alice",
            Method::POST,
            &format!("/standing-approvals/{id}/end"),
            "",
        )
        .await;
    assert_eq!(ended.status, StatusCode::FORBIDDEN, "a group's is nobody's alone");
    let ended = console
        .call("bob", Method::POST, &format!("/standing-approvals/{id}/end"), "")
        .await;
    assert_eq!(ended.json()["state"], "revoked");
}

#[tokio::test]
async fn a_standing_approval_is_for_one_user_or_one_group_that_can_be_there() {
    let console = TestConsole::start().await;
    let request = console.hold_with_shape().await;
    for (holder, why) in [
        (json!({"user": "alice", "group": "developers"}), "one of the two"),
        (json!({}), "one of the two"),
        (json!("alice"), "The body does not fit"),
        (json!({"user": ""}), "A user name has 1 to 63 bytes"),
        (json!({"group": "x".repeat(64)}), "this one has 64"),
        (json!({"user": "al\u{0}ice"}), "cannot be a user name"),
        (json!({"group": "developers "}), "cannot be a group name"),
    ] {
        let wish = json!({"request": request, "holder": holder, "length": "8h"});
        let answer = console.post("bob", "/standing-approvals", &wish).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{wish}: {}",
            answer.body
        );
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(why), "{wish}: {detail}");
    }
}

#[tokio::test]
async fn a_standing_approval_waits_for_others_where_the_rule_asks_them() {
    let console = TestConsole::start().await;
    let request = console
        .hold(|asked| {
            asked.shape = Some(Shape::new([9; 32]));
            asked.quorum = Quorum::each_of(["dba", "security"]);
        })
        .await;
    let allow = async || {
        let wish = json!({"request": request, "length": "8h"});
        let given = console.post("bob", "/standing-approvals", &wish).await.json();
        assert_eq!(given["state"], "pending");
        assert_eq!(given["missing"], json!([["security"]]));
        format!("/standing-approvals/{}", given["id"].as_str().unwrap())
    };
    let path = allow().await;
    let twice = console
        .call("bob", Method::POST, &format!("{path}/approve"), "")
        .await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let given = console
        .call("carol", Method::POST, &format!("{path}/approve"), "")
        .await;
    assert_eq!(given.json()["state"], "active");
    let path = allow().await;
    let refused = console
        .post("carol", &format!("{path}/reject"), &json!({"reason": "no"}))
        .await;
    assert_eq!(refused.json()["state"], "rejected");
}

#[tokio::test]
async fn a_broken_glass_is_looked_at_by_one_who_could_have_approved() {
    let console = TestConsole::start().await;
    let id = console.break_glass().await;
    let to_review = async |user: &str| {
        let list = console.fetch(user, "/requests?to_review=true").await.json();
        list["requests"].as_array().unwrap().len()
    };
    assert_eq!(to_review("bob").await, 1);
    let path = format!("/requests/{id}/review");
    for (user, body, status) in [
        ("alice", json!({"verdict": "accept"}), 403),
        ("ruth", json!({"verdict": "accept"}), 403),
        ("bob", json!({"verdict": "approve"}), 422),
        ("bob", json!({}), 422),
        ("bob", json!({"verdict": "object"}), 422),
        ("bob", json!({"verdict": "object", "comment": "\u{7}"}), 422),
        ("bob", json!({"verdict": "object", "comment": "ask first"}), 200),
        ("carol", json!({"verdict": "accept"}), 409),
    ] {
        let answer = console.post(user, &path, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{user} {body}: {}", answer.body);
    }
    let request = console.fetch("alice", &format!("/requests/{id}")).await.json();
    assert_eq!(request["followup"]["reviewer"], "bob");
    assert_eq!(request["followup"]["verdict"], "reject");
    assert_eq!(to_review("bob").await, 0);
    let held = console.hold(|_| ()).await;
    let answer = console
        .post(
            "bob",
            &format!("/requests/{held}/review"),
            &json!({"verdict": "accept"}),
        )
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
}
