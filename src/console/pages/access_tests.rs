//! The page Access, and the forms of a request's page that belong to it.

use axum::http::{StatusCode, header};
use jiff::SignedDuration;

use super::super::testing::{Answer, Browser, TestConsole};
use crate::model::{Basis, GrantState, Principal, Quorum, Shape, Verdict};

#[track_caller]
fn leads_to(answer: &Answer, path: &str) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.header(header::LOCATION), path);
}

#[track_caller]
fn has(answer: &Answer, parts: &[&str]) {
    for part in parts {
        assert!(answer.body.contains(part), "{part} is missing in {}", answer.body);
    }
}

/// Sends a form that is on the page `on`.
async fn send(browser: &Browser<'_>, on: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = browser.get(on).await.csrf();
    let mut all = vec![("csrf", csrf.as_str())];
    all.extend(fields);
    browser.post(path, &all).await
}

const WISH: [(&str, &str); 5] = [
    ("database", "shop"),
    ("up_to", "write"),
    ("length", "1h"),
    ("reason", "incident <42>"),
    ("ticket", ""),
];

impl TestConsole {
    async fn principal(&self, user: &str) -> Principal {
        let token = self.token(user).await;
        self.state.directory.by_token(&token).await.unwrap().unwrap()
    }

    async fn grant_state(&self, id: &str) -> GrantState {
        let ruth = self.principal("ruth").await;
        let grant = self.state.broker.grant(id.parse().unwrap(), &ruth).await;
        grant.unwrap().unwrap().state
    }
}

#[tokio::test]
async fn access_is_asked_for_and_decided_on() {
    let console = TestConsole::start().await;
    let alice = console.browser("alice").await;
    let page = alice.get("/access").await;
    has(
        &page,
        &[
            "Nothing is granted",
            r#"<a href="/access" aria-current="page">Access</a>"#,
            r#"<option value="shop">shop</option>"#,
            r#"<option value="write" selected>write</option>"#,
        ],
    );
    assert!(
        !page.body.contains(r#"value="prod""#),
        "no rule lets her ask for it"
    );
    assert!(!page.body.contains(r#"value="schema""#), "nor for this");
    leads_to(&send(&alice, "/access", "/access", &WISH).await, "/access");
    let page = alice.get("/access").await;
    has(
        &page,
        &[
            "Waiting for others",
            "incident &lt;42&gt;",
            "a member of dba",
            "Take back",
            "yours",
        ],
    );
    assert!(!page.body.contains(">Approve<"));

    let bob = console.browser("bob").await;
    let page = bob.get("/access").await;
    has(
        &page,
        &[
            "Waiting for your decision",
            ">Approve<",
            ">Reject<",
            "No rule of the policy lets you ask",
        ],
    );
    let (_, id) = page.body.split_once(r#"data-id=""#).unwrap();
    let id = &id[..12];
    let approve = format!("/access/{id}/approve");
    let longer = send(&bob, "/access", &approve, &[("length", "2h")]).await;
    assert_eq!(longer.status, StatusCode::UNPROCESSABLE_ENTITY);
    has(&longer, &["role=\"alert\"", "shorter than 1h, not longer"]);
    let shorter = send(
        &bob,
        "/access",
        &approve,
        &[("length", "20m"), ("next", "/access")],
    )
    .await;
    leads_to(&shorter, "/access");
    let page = alice.get("/access").await;
    has(
        &page,
        &[
            "In force",
            r#"datetime="2026-03-01T12:20:00.000Z" data-relative="until""#,
            "End now",
            "used 0 times",
        ],
    );
    let own = format!("/access/{id}");
    let ended = send(
        &alice,
        &own,
        &format!("{own}/end"),
        &[("reason", "done"), ("next", &own)],
    )
    .await;
    leads_to(&ended, &own);
    has(
        &alice.get(&own).await,
        &["alice ended it", "done", "bob (dba) approved", "revoked"],
    );
    has(&bob.get("/access").await, &["Lately ended"]);
    let again = send(&bob, "/access", &format!("{own}/end"), &[]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    has(&again, &["It was taken back already", &own]);
}

#[tokio::test]
async fn what_is_wrong_with_a_wish_stands_beside_it() {
    let console = TestConsole::start().await;
    let alice = console.browser("alice").await;
    for (field, value, status, why) in [
        ("database", "prod", 403, "No rule lets you ask"),
        ("length", "9h", 422, "At most 4h"),
        ("length", "\"><b>", 422, "&#34;&#62;&#60;b&#62;"),
        ("reason", " ", 422, "Say why"),
    ] {
        let mut wish = WISH;
        for one in &mut wish {
            if one.0 == field {
                one.1 = value;
            }
        }
        let answer = send(&alice, "/access", "/access", &wish).await;
        assert_eq!(answer.status.as_u16(), status, "{field}={value}");
        has(&answer, &["role=\"alert\"", why]);
    }
    let bob = console.browser("bob").await;
    let answer = send(&bob, "/access", "/access", &WISH).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn every_form_needs_its_token_and_a_visitor() {
    let console = TestConsole::start().await;
    let id = console.ask().await;
    let request = console.hold_with_shape().await;
    let broken = console.break_glass().await;
    let bob = console.browser("bob").await;
    let mut nobody = console.browser("bob").await;
    nobody.cookie.clear();
    for (path, fields) in [
        ("/access".to_owned(), &WISH[..]),
        (format!("/access/{id}/approve"), &[]),
        (format!("/access/{id}/reject"), &[("reason", "no")]),
        (format!("/access/{id}/end"), &[]),
        (format!("/requests/{request}/allow"), &[("length", "1h")]),
        (format!("/requests/{broken}/review"), &[("verdict", "accept")]),
    ] {
        let forged = bob.post(&path, fields).await;
        assert_eq!(forged.status, StatusCode::FORBIDDEN, "{path}");
        has(&forged, &["Refused for safety"]);
        let unknown = nobody.post(&path, fields).await;
        assert!(unknown.header(header::LOCATION).starts_with("/sign-in"), "{path}");
    }
    assert_eq!(console.grant_state(&id).await, GrantState::Pending);
    // Whom it is no business of sees nothing of it.
    let dan = console.browser("dan").await;
    console
        .change_user(
            "dan",
            crate::store::UserChange {
                groups: Some(Vec::new()),
                ..crate::store::UserChange::default()
            },
        )
        .await;
    let hidden = dan.get(&format!("/access/{id}")).await;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    assert!(!dan.get("/access").await.body.contains(&id));
}

#[tokio::test]
async fn who_can_decide_can_allow_beforehand_what_has_a_shape() {
    let console = TestConsole::start().await;
    let request = console.hold_with_shape().await;
    let path = format!("/requests/{request}");
    let bob = console.browser("bob").await;
    has(
        &bob.get(&path).await,
        &[
            "Allow statements like this beforehand",
            "differs in constants alone",
            "It counts at once",
            "name=\"max_rows\"",
        ],
    );
    let allow = format!("{path}/allow");
    for (fields, status, why) in [
        (
            [("length", "91d"), ("times", ""), ("group", ""), ("max_rows", "")],
            422,
            "at most 90d",
        ),
        (
            [
                ("length", "8h"),
                ("times", "two"),
                ("group", ""),
                ("max_rows", ""),
            ],
            422,
            "write it in digits",
        ),
        (
            [
                ("length", "8h"),
                ("times", ""),
                ("group", "dba"),
                ("max_rows", ""),
            ],
            403,
            "Nobody allows their own",
        ),
        (
            [
                ("length", "8h"),
                ("times", ""),
                ("group", ""),
                ("max_rows", "few"),
            ],
            422,
            "no number of rows",
        ),
        (
            [("length", "8h"), ("times", ""), ("group", ""), ("max_rows", "0")],
            422,
            "from 1 to 1000000000",
        ),
    ] {
        let answer = send(&bob, &path, &allow, &fields).await;
        assert_eq!(answer.status.as_u16(), status, "{fields:?}");
        has(
            &answer,
            &["id=\"allow-fault\"", why, &format!("value=\"{}\"", fields[0].1)],
        );
    }
    let fields = [
        ("length", "8h"),
        ("times", "2"),
        ("group", "developers"),
        ("max_rows", "10"),
    ];
    let given = send(&bob, &path, &allow, &fields).await;
    assert_eq!(given.status, StatusCode::SEE_OTHER, "{}", given.body);
    let own = given.header(header::LOCATION).to_owned();
    has(
        &bob.get(&own).await,
        &[
            "Standing approval",
            "members of <b>developers</b>",
            "used 0 of 2 times",
            "</span> 10 rows each time",
            &path,
            "End now",
        ],
    );
    // It has no shape; it is her own; who only sees.
    let shapeless = console.hold(|_| ()).await;
    assert!(
        !bob.get(&format!("/requests/{shapeless}"))
            .await
            .body
            .contains("beforehand")
    );
    for user in ["alice", "ruth"] {
        let browser = console.browser(user).await;
        assert!(!browser.get(&path).await.body.contains("/allow\""), "{user}");
        let refused = send(&browser, &path, &allow, &[("length", "8h")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{user}");
    }
}

#[tokio::test]
async fn who_may_not_see_the_request_of_an_example_has_no_link_to_it() {
    let console = TestConsole::start().await;
    let request = console.hold_with_shape().await;
    let path = format!("/requests/{request}");
    let bob = console.browser("bob").await;
    let fields = [("length", "8h"), ("group", "developers")];
    let given = send(&bob, &path, &format!("{path}/allow"), &fields).await;
    let own = given.header(header::LOCATION).to_owned();
    let link = format!("href=\"{path}\"");
    has(&bob.get(&own).await, &[link.as_str()]);
    console
        .change_user(
            "dan",
            crate::store::UserChange {
                groups: Some(vec!["developers".to_owned()]),
                ..crate::store::UserChange::default()
            },
        )
        .await;
    let page = console.browser("dan").await.get(&own).await;
    has(&page, &["holdpoint standing show", request.as_str()]);
    assert!(!page.body.contains(&link), "{}", page.body);
}

#[tokio::test]
async fn others_who_must_agree_are_named() {
    let console = TestConsole::start().await;
    let request = console
        .hold(|asked| {
            asked.shape = Some(Shape::new([9; 32]));
            asked.quorum = Quorum::each_of(["dba", "security"]);
        })
        .await;
    let path = format!("/requests/{request}");
    let bob = console.browser("bob").await;
    has(&bob.get(&path).await, &["Then a member of security must agree"]);
    let given = send(&bob, &path, &format!("{path}/allow"), &[("length", "8h")]).await;
    let own = given.header(header::LOCATION).to_owned();
    has(&bob.get(&own).await, &["pending", "Take back"]);
    let carol = console.browser("carol").await;
    has(
        &carol.get(&own).await,
        &["differs in constants alone", ">Approve<"],
    );
    let fields = [("length", "8h"), ("next", own.as_str())];
    leads_to(
        &send(&carol, &own, &format!("{own}/approve"), &fields).await,
        &own,
    );
    has(&carol.get(&own).await, &["active"]);
}

#[tokio::test]
async fn a_broken_glass_is_in_the_queue_until_somebody_has_looked() {
    let console = TestConsole::start().await;
    let id = console
        .ran(Basis::BreakGlass, |asked| {
            asked.justification = Some("the shop is down".to_owned());
        })
        .await;
    let path = format!("/requests/{id}");
    let bob = console.browser("bob").await;
    let section = "Ran without waiting, to be looked at";
    has(&bob.get("/").await, &[section, "broke the glass"]);
    let alice = console.browser("alice").await;
    assert!(!alice.get("/").await.body.contains(section));
    has(
        &bob.get(&path).await,
        &["broke the glass", "the shop is down", "It was right", "Object"],
    );
    assert!(!alice.get(&path).await.body.contains("It was right"));
    let review = format!("{path}/review");
    let silent = send(&bob, &path, &review, &[("verdict", "object"), ("comment", " ")]).await;
    assert_eq!(silent.status, StatusCode::UNPROCESSABLE_ENTITY);
    has(&silent, &["Say what you object to"]);
    let own = send(&alice, &path, &review, &[("verdict", "accept")]).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);
    let said = [("verdict", "object"), ("comment", "call me <first>")];
    leads_to(&send(&bob, &path, &review, &said).await, &path);
    has(
        &alice.get(&path).await,
        &[
            "bob (dba) has looked at it, and objects to it",
            "call me &lt;first&gt;",
        ],
    );
    assert!(!bob.get("/").await.body.contains(section));
    let late = send(&bob, &path, &review, &[("verdict", "accept")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_timeline_says_why_something_did_not_wait() {
    let console = TestConsole::start().await;
    let bob = console.browser("bob").await;
    let window = console.ask().await;
    for (basis, words) in [
        (Basis::AdminExempt, "exempts administrators"),
        (Basis::Grant { id: window.clone() }, "access was granted"),
        (
            Basis::StandingApproval {
                id: window.clone(),
                max_rows: Some(10),
            },
            "allowed beforehand, up to 10 rows",
        ),
    ] {
        let linked = matches!(basis, Basis::Grant { .. } | Basis::StandingApproval { .. });
        let id = console.ran(basis, |_| ()).await;
        let page = bob.get(&format!("/requests/{id}")).await;
        has(&page, &["Not held", words]);
        assert_eq!(page.body.contains(&format!("href=\"/access/{window}\"")), linked);
        assert!(!page.body.contains("It was right"));
        assert!(!page.body.contains("has approved"), "nobody was asked");
    }
    let dan = console.principal("dan").await;
    let request = console.hold(|_| ()).await;
    let broker = &console.state.broker;
    broker.decide(request, &dan, Verdict::Approve, "").await.unwrap();
    has(
        &bob.get(&format!("/requests/{request}")).await,
        &["Held by the rule"],
    );
}

#[tokio::test]
async fn what_is_over_is_no_more_to_be_decided() {
    let console = TestConsole::start().await;
    let id = console.ask().await;
    console.clock.advance(SignedDuration::from_mins(31));
    let bob = console.browser("bob").await;
    let late = send(&bob, "/access", &format!("/access/{id}/approve"), &[]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    has(&late, &["nobody decided in time"]);
}
