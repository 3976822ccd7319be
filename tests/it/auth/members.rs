//! Groups and rights that change: by the command line, the API and the console, and what counts when.

use std::process::Stdio;

use reqwest::Method;
use serde_json::json;

use crate::support::Proxy;

pub(super) const INTERNS: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "interns do not delete"
    when = { groups = ["interns"], commands = ["DELETE"] }
    then = { deny = { reason = "not as an intern" } }
    [[rule]]
    name = "all else passes"
    then = "allow"
"#;

fn run(proxy: &Proxy, arguments: &[&str]) -> String {
    let done = proxy.command(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test]
async fn an_open_session_keeps_its_groups_and_the_next_has_the_new_ones() {
    let proxy = Proxy::with().policy(INTERNS).start().await;
    let delete = "DELETE FROM items WHERE id = 99;";
    let mut before = proxy.alice.psql().await;
    let said = run(&proxy, &["user", "groups", "alice", "--add", "interns"]);
    assert_eq!(said, "alice: developers, interns\n");
    let shown = before.runs(delete).await;
    assert!(shown.contains("DELETE 0"), "{shown}");
    let shown = proxy.alice.psql().await.runs(delete).await;
    assert!(shown.contains("not as an intern"), "{shown}");
    let said = run(&proxy, &["user", "groups", "alice", "--remove", "interns"]);
    assert_eq!(said, "alice: developers\n");
    let shown = proxy.alice.psql().await.runs(delete).await;
    assert!(shown.contains("DELETE 0"), "{shown}");
}

#[tokio::test]
async fn who_decides_is_asked_when_they_decide() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    run(&proxy, &["user", "groups", "bob", "--remove", "dba"]);
    let refused = proxy.bob.approve(&request).await;
    assert_eq!(
        refused.status, 404,
        "it is not for bob's eyes any more: {refused:?}"
    );
    run(&proxy, &["user", "groups", "bob", "--add", "dba"]);
    assert_eq!(proxy.bob.approve(&request).await.status, 200);
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}

#[tokio::test]
async fn people_are_managed_while_it_runs_and_every_change_is_recorded() {
    let proxy = Proxy::start().await;
    let body = json!({"admin": true});
    let refused = proxy
        .carol
        .call(Method::PATCH, "/api/v1/users/carol", Some(&body))
        .await;
    assert_eq!(refused.status, 403);
    let said = run(&proxy, &["user", "admin", "carol", "on"]);
    assert_eq!(said, "carol is an administrator now\n");
    let joined = proxy
        .carol
        .call(Method::PUT, "/api/v1/groups/ops/members/bob", None)
        .await;
    assert_eq!(joined.body["groups"], json!(["dba", "ops"]));
    let listed = run(&proxy, &["group", "list"]);
    assert_eq!(
        listed,
        "GROUP       MEMBERS\ndba         bob, carol\ndevelopers  alice\nops         bob\n"
    );
    let browser = proxy.carol.browser().await;
    let page = browser.open("/people").await;
    assert!(page.has_form("/people/change"));
    let fields = [("csrf", page.csrf()), ("user", "bob"), ("leave", "ops")];
    assert_eq!(browser.send_form("/people/change", &fields).await.status, 303);
    assert_eq!(
        run(&proxy, &["user", "revoke-tokens", "bob"]),
        "revoked 1 token of bob\n"
    );
    assert_eq!(proxy.bob.call(Method::GET, "/api/v1/me", None).await.status, 401);
    assert_eq!(
        proxy.store.changes_of_users().await,
        [
            ("user.admin_granted", None),
            ("user.groups_changed", Some("carol")),
            ("user.groups_changed", Some("carol")),
            ("user.tokens_revoked", None),
        ]
        .map(|(kind, actor)| (kind.to_owned(), actor.map(str::to_owned)))
    );
    let described = proxy
        .alice
        .with_token("")
        .call(Method::GET, "/api/v1/openapi.json", None)
        .await;
    assert_eq!(
        (described.status, &described.body["openapi"]),
        (200, &json!("3.1.0"))
    );
}
