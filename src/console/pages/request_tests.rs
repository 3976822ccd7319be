//! A request's page: changing its statement, and what it is seen among.

use axum::http::StatusCode;

use super::super::testing::TestConsole;
use crate::model::{Earlier, EarlierOutcome, Outcome, Quorum, Verdict};

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
    let taken = carol.post(&approve, &[("csrf", &csrf), ("edits", "1")]).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.body);
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

fn outcome() -> Outcome {
    Outcome {
        tag: "DELETE 1".to_owned(),
        rows: Some(1),
        sqlstate: None,
        error: None,
        duration_ms: 3,
    }
}
