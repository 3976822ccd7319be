//! A request's page: changing its statement, and what it is seen among.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::super::testing::TestConsole;
use crate::model::{Earlier, EarlierOutcome, Effect, Outcome, Quorum, Verdict};
use crate::store::UserChange;

#[tokio::test]
async fn an_approver_changes_a_statement_and_another_sees_what_was_changed() {
    let console = TestConsole::start().await;
    let id = console
        .hold_in_session(|r| {
            r.parameters.clear();
            r.statement = "DELETE FROM payments\nWHERE id > 0".to_owned();
            r.quorum = Quorum::each_of(["dba", "security"]);
        })
        .await;
    let bob = console.browser("bob").await;
    let page = bob.get(&format!("/requests/{id}")).await;
    assert!(page.body.contains("Approve with a change"), "{}", page.body);
    let csrf = page.csrf();
    let fields = [
        ("csrf", csrf.as_str()),
        ("edits", "0"),
        ("statement", "DELETE FROM payments\r\nWHERE id = 1"),
        ("comment", "only this one"),
    ];
    let answer = bob.post(&format!("/requests/{id}/edit"), &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let carol = console.browser("carol").await;
    let page = carol.get(&format!("/requests/{id}")).await;
    for said in [
        "Changed by bob.",
        "<span class=\"gone\">",
        "<span class=\"new\">",
        "bob changed the statement; approvals from before count no more",
        r#"name="edits" value="1""#,
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    // A page from before the change decides on nothing.
    let live = carol.get(&format!("/requests/{id}/live?edits=0")).await;
    assert!(live.body.contains("The statement was changed"), "{}", live.body);
    assert!(!live.body.contains("/approve"), "{}", live.body);
    let csrf = page.csrf();
    let approve = format!("/requests/{id}/approve");
    let stale = carol.post(&approve, &[("csrf", &csrf), ("edits", "0")]).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.body);
    let stale = console.call("carol", Method::POST, &approve, "").await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.body);
    assert_eq!(stale.json()["type"], "urn:holdpoint:problem:changed");
    let taken = carol.post(&approve, &[("csrf", &csrf), ("edits", "1")]).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.body);
}

#[tokio::test]
async fn an_approval_counts_while_its_approver_is_there() {
    let console = TestConsole::start().await;
    let id = console
        .hold(|r| r.quorum = Quorum::each_of(["dba", "security"]))
        .await;
    console.decide(id, "bob", Verdict::Approve, "").await;
    let path = format!("/requests/{id}");
    let carol = console.browser("carol").await;
    let said = "that counts no more";
    assert!(!carol.get(&path).await.body.contains(said));
    console.change_user("bob", UserChange::disabled(true)).await;
    let page = carol.get(&path).await;
    assert!(page.body.contains(said), "{}", page.body);
    let request = console.call("carol", Method::GET, &path, "").await.json();
    assert_eq!(request["missing"], json!([["dba"], ["security"]]));
    assert_eq!(request["reviews"][0]["reviewer"], "bob");
    for (name, state) in [("carol", "pending"), ("dan", "approved")] {
        console.decide(id, name, Verdict::Approve, "").await;
        let request = console.call("carol", Method::GET, &path, "").await.json();
        assert_eq!(request["state"], state, "{name}");
    }
}

#[tokio::test]
async fn a_request_is_seen_among_others_like_it_and_of_its_requester() {
    let console = TestConsole::start().await;
    let shape = Some("7".repeat(64).parse().unwrap());
    let mut earlier = Vec::new();
    for _ in 0..3 {
        let id = console.hold(|r| r.shape = shape).await;
        console.decide(id, "bob", Verdict::Approve, "").await;
        console.run(id, outcome()).await;
        earlier.push(id);
    }
    // Of another shape, and one that bob may not see.
    let other = console.hold(|r| r.statement = "VACUUM payments".to_owned()).await;
    let hidden = console
        .hold(|r| {
            r.shape = shape;
            r.quorum = Quorum::each_of(["security"]);
        })
        .await;
    let id = console.hold(|r| r.shape = shape).await;
    let bob = console.browser("bob").await;
    let page = bob.get(&format!("/requests/{id}")).await.body;
    for said in [
        "Others like it",
        "3 approved, 0 rejected",
        "by bob",
        "would spare people the wait",
        "Lately by",
        &format!("href=\"/requests/{other}\""),
        &format!("href=\"/requests/{}\"", earlier[0]),
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains(hidden.as_str()), "{page}");
    let page = bob.get(&format!("/requests/{other}")).await.body;
    assert!(!page.contains("Others like it"), "{page}");
}

#[tokio::test]
async fn what_the_session_sent_before_is_shown_with_nothing_hidden() {
    let console = TestConsole::start().await;
    let earlier = |text: &str, outcome| Earlier {
        text: text.to_owned(),
        request: (outcome == EarlierOutcome::Refused).then(|| "8q7tnckk9p95".parse().unwrap()),
        is_cut: text.len() > 20,
        seconds_before: 75,
        same_transaction: outcome == EarlierOutcome::Held,
        outcome,
    };
    let id = console
        .hold(|r| {
            r.earlier = vec![
                earlier("SELECT '<b>' \u{202e}", EarlierOutcome::Passed),
                earlier("UPDATE payments SET total = ?", EarlierOutcome::Held),
                earlier("DELETE", EarlierOutcome::Refused),
                earlier("", EarlierOutcome::Passed),
            ];
        })
        .await;
    let page = console
        .browser("bob")
        .await
        .get(&format!("/requests/{id}"))
        .await
        .body;
    for said in [
        "Before this, in this session",
        "SELECT &#39;&lt;b&gt;&#39; <span class=\"esc\"",
        "passed, 1 min 15 s before</span>",
        "total = ?</code> <span class=\"dim\">… cut here</span> <span class=\"dim\">held, and ran, 1 min 15 s before, in this \
         transaction</span>",
        "<a href=\"/requests/8q7tnckk9p95\"><code>DELETE</code></a> <span class=\"dim\">did not run",
        "its text was not kept</span>",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let id = console.hold(|_| {}).await;
    let page = console
        .browser("bob")
        .await
        .get(&format!("/requests/{id}"))
        .await
        .body;
    assert!(!page.contains("Before this"), "{page}");
}

#[tokio::test]
async fn what_was_changed_is_listed_as_it_is_now() {
    let console = TestConsole::start().await;
    let id = console
        .hold_in_session(|r| {
            r.parameters.clear();
            r.statement = "TRUNCATE payments".to_owned();
            r.command = "TRUNCATE TABLE".to_owned();
            r.effect = Effect::Unknown;
            r.unfiltered = true;
            r.quorum = Quorum::each_of(["dba", "security"]);
        })
        .await;
    let (bob, carol) = (console.browser("bob").await, console.browser("carol").await);
    let path = format!("/requests/{id}");
    let page = bob.get(&path).await;
    assert!(page.body.contains("<b>No WHERE.</b>"), "{}", page.body);
    assert!(!page.body.contains("as it was asked"), "{}", page.body);
    let queue = carol.get("/").await.body;
    for said in ["no WHERE", "TRUNCATE TABLE", "effect-unknown"] {
        assert!(queue.contains(said), "{said}: {queue}");
    }
    let csrf = page.csrf();
    // The session says of any text that it is a DELETE.
    let fields = [
        ("csrf", csrf.as_str()),
        ("edits", "0"),
        ("statement", "DELETE FROM payments"),
    ];
    let answer = bob.post(&format!("{path}/edit"), &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = carol.get(&path).await;
    for said in [
        "read the statement itself",
        "<span class=\"command\">DELETE</span>",
        "<span class=\"was\">as it was asked</span>",
    ] {
        assert!(page.body.contains(said), "{said}: {}", page.body);
    }
    for said in ["<b>No WHERE.</b>", "effect-unknown"] {
        assert!(!page.body.contains(said), "{said}: {}", page.body);
    }
    let queue = carol.get("/").await.body;
    let csrf = page.csrf();
    let fields = [("csrf", csrf.as_str()), ("reason", "all of them?")];
    let answer = carol.post(&format!("{path}/reject"), &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let history = carol.get("/history").await.body;
    for list in [queue, history] {
        for said in [
            "changed by bob",
            "<b class=\"command\">DELETE</b>",
            "effect-write",
        ] {
            assert!(list.contains(said), "{said}: {list}");
        }
        for said in ["no WHERE", "TRUNCATE", "effect-unknown"] {
            assert!(!list.contains(said), "{said}: {list}");
        }
    }
}

#[tokio::test]
async fn a_change_that_is_refused_keeps_what_was_typed_in_its_own_form() {
    let console = TestConsole::start().await;
    let id = console.hold(|_| ()).await;
    let bob = console.browser("bob").await;
    let path = format!("/requests/{id}");
    let csrf = bob.get(&path).await.csrf();
    let edit = format!("{path}/edit");
    let (long, longer) = ("x".repeat(70_000), "x".repeat(300_000));
    let fields = |statement| {
        [
            ("csrf", csrf.as_str()),
            ("edits", "0"),
            ("statement", statement),
            ("comment", "only this one"),
        ]
    };
    for (statement, why) in [
        (
            "DELETE FROM payments WHERE id = $1",
            "it is the statement as it is already",
        ),
        (long.as_str(), "The statement has 70000 bytes; 65536 is the most."),
    ] {
        let answer = bob.post(&edit, &fields(statement)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
        for said in [why, "<details id=\"change\" open>", ">only this one</textarea>"] {
            assert!(answer.body.contains(said), "{said}: {}", answer.body);
        }
        let times = answer.body.matches("only this one").count();
        assert_eq!(times, 1, "the other form has a comment of its own");
    }
    let answer = bob.post(&edit, &fields(&longer)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        answer.body.contains("longer than this form takes"),
        "{}",
        answer.body
    );
    let comment = [("csrf", csrf.as_str()), ("comment", long.as_str())];
    let answer = bob.post(&format!("{path}/approve"), &comment).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_longest_text_that_a_page_offers_comes_back_by_its_form() {
    let console = TestConsole::start().await;
    // A form makes six bytes of the end of a line, and six of this letter.
    let rest = "\n-- é".repeat(5_000);
    let id = console
        .hold_in_session(|r| {
            r.parameters.clear();
            r.statement = format!("DELETE FROM payments WHERE id = 1{rest}");
        })
        .await;
    let bob = console.browser("bob").await;
    let path = format!("/requests/{id}");
    let page = bob.get(&path).await;
    assert!(page.body.contains("Approve with a change"));
    let csrf = page.csrf();
    let statement = format!("DELETE FROM payments WHERE id = 2{}", rest.replace('\n', "\r\n"));
    let fields = [
        ("csrf", csrf.as_str()),
        ("edits", "0"),
        ("statement", statement.as_str()),
    ];
    let answer = bob.post(&format!("{path}/edit"), &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let text = bob.get(&format!("{path}/statement.sql")).await.body;
    assert!(text == format!("DELETE FROM payments WHERE id = 2{rest}"));
}

#[tokio::test]
async fn of_a_text_that_is_cut_only_what_is_listed_is_looked_at() {
    let console = TestConsole::start().await;
    let id = console
        .hold(|r| r.statement = format!("SELECT 1 -- \u{202E}{}\u{202E}\n\n", "x".repeat(512 * 1024)))
        .await;
    let bob = console.browser("bob").await;
    let page = bob.get(&format!("/requests/{id}")).await.body;
    for said in [
        "The part of the text that is shown contains 1 character that",
        "1 line shown, 524308 bytes in all",
        "Not all of it is shown",
        "in which nothing was looked for",
    ] {
        assert!(page.contains(said), "{said} is missing");
    }
}

fn outcome() -> Outcome {
    Outcome {
        tag: "DELETE 1".to_owned(),
        rows: Some(1),
        sqlstate: None,
        error: None,
        duration_ms: 3,
    }
}
