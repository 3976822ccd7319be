//! How many people, of which groups, and whether the requester may be one of them.

use crate::support::Proxy;

const TWO: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[rule]]
    name = "two people"
    when = { effects = ["write"] }
    then = { hold = { any_of = ["dba", "security"], min_approvals = 2 } }
    [[rule]]
    name = "their own"
    when = { effects = ["schema"] }
    then = { hold = { groups = ["developers"], self_approval = true } }
"#;

#[tokio::test]
async fn the_requester_hears_who_has_approved_and_who_is_missing() {
    let proxy = Proxy::with().policy(TWO).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    alice
        .shows("waits for approval by 2 members of dba or security")
        .await;
    let request = proxy.bob.pending_one().await;
    assert!(
        proxy
            .bob
            .approve_saying(&request, "fine with me")
            .await
            .is_taken()
    );
    let notice = alice.shows("fine with me\n").await;
    let expected = format!(
        "request {}: 1 of 2 approved: dba by bob; waiting for a member of dba or security",
        request.id()
    );
    assert!(notice.contains(&expected), "{notice}");
    assert_eq!(
        proxy.bob.approve(&request).await.status,
        409,
        "one person counts once"
    );
    assert_eq!(proxy.database.items().await, 10);
    assert!(proxy.carol.approve(&request).await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.contains("approved by bob and carol"), "{shown}");
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
}

#[tokio::test]
async fn one_who_rejects_settles_it_whatever_others_said() {
    let proxy = Proxy::with().policy(TWO).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    assert!(proxy.bob.approve(&request).await.is_taken());
    assert!(proxy.carol.reject(&request, "not today").await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.contains("rejected by carol: not today"), "{shown}");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn requesters_decide_on_their_own_where_the_rule_lets_them() {
    let proxy = Proxy::with().policy(TWO).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("CREATE TABLE notes (note text);");
    let request = proxy.alice.pending_one().await;
    assert_eq!(request.field("self_approval"), true);
    assert!(proxy.alice.approve(&request).await.is_taken());
    assert!(alice.prompt().await.ends_with("CREATE TABLE\n"));
    let request = proxy.alice.sees(&request, "executed").await;
    assert_eq!(request.field("reviews")[0]["reviewer"], "alice");
}
