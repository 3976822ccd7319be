//! What runs without waiting: in an emergency, looked at afterwards; and what admins run.

use serde_json::{Value, json};

use super::grants::{post, ran};
use crate::support::Proxy;

const POLICY: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[rule]]
    name = "writes"
    when = { effects = ["write"] }
    then = { hold = { groups = ["dba"], justification = ["reason"], break_glass = ["developers"], exempt_admins = true } }
"#;

#[tokio::test]
async fn a_broken_glass_runs_at_once_and_is_looked_at() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut alice = proxy.alice.psql().await;
    // Without a reason it is not broken.
    alice.runs("SET holdpoint.break_glass = '  ';").await;
    let shown = alice.runs("DELETE FROM items WHERE id = 1;").await;
    assert!(shown.contains("needs a reason"), "{shown}");

    alice
        .runs("SET holdpoint.break_glass = 'the shop is down';")
        .await;
    let shown = alice.runs("DELETE FROM items WHERE id = 1;").await;
    assert!(
        shown.contains("WARNING:  the glass is broken: DELETE runs without approval"),
        "{shown}"
    );
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    let recorded = ran(&proxy, &json!({"kind": "break_glass"}), 1).await;
    assert_eq!(recorded["justification"], "the shop is down");
    proxy.logs("the glass was broken").await;

    let to_review = proxy.bob.requests("?to_review=true").await;
    assert_eq!(to_review.len(), 1);
    let id = to_review[0].id();
    let own = proxy
        .alice
        .decide(id, "review", &json!({"verdict": "accept"}))
        .await;
    assert_eq!(own.status, 403);
    let body = json!({"verdict": "object", "comment": "call me first"});
    let reviewed = post(&proxy.bob, &format!("/requests/{id}/review"), body).await;
    assert_eq!(reviewed["followup"]["comment"], "call me first");
    assert!(proxy.bob.requests("?to_review=true").await.is_empty());

    // What is for nobody's emergency is held.
    alice.types("DROP TABLE items;");
    proxy.bob.rejects_next("no").await;
    alice.prompt().await;
    alice.runs("RESET holdpoint.break_glass;").await;
    alice.types("/* reason: calm again */ DELETE FROM items WHERE id = 2;");
    proxy.bob.approves_next().await;
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}

#[tokio::test]
async fn who_is_in_none_of_its_groups_breaks_nothing() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut carol = proxy.carol.psql().await;
    carol.runs("SET holdpoint.break_glass = 'it is mine';").await;
    carol.types("/* reason: a try */ DELETE FROM items WHERE id = 1;");
    let request = proxy.bob.approves_next().await;
    assert_eq!(*request.field("basis"), Value::Null);
    assert!(carol.prompt().await.ends_with("DELETE 1\n"));
}

#[tokio::test]
async fn an_admin_whom_the_rule_exempts_is_recorded() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let done = proxy.command(&["user", "admin", "alice", "on"]).output();
    assert!(done.expect("it runs").status.success());
    let mut alice = proxy.alice.psql().await;
    let shown = alice
        .runs("/* reason: a correction */ DELETE FROM items WHERE id = 1;")
        .await;
    assert!(shown.contains("the rule exempts admins"), "{shown}");
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    let recorded = ran(&proxy, &json!({"kind": "admin_exempt"}), 1).await;
    assert_eq!(recorded["justification"], "a correction");
    assert!(proxy.bob.requests("?to_review=true").await.is_empty());
}
