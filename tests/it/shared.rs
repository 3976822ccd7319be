//! Several holdpoints that share one store.

use std::path::Path;
use std::time::{Duration, Instant};

use holdpoint::store;
use reqwest::Method;
use serde_json::json;

use crate::support::authority::authority;
use crate::support::cluster::cluster;
use crate::support::database::Database;
use crate::support::{Proxy, eventually};

const TWO: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[rule]]
    name = "two people"
    when = { effects = ["write"] }
    then = { hold = { groups = ["dba"], min_approvals = 2 } }
"#;

const ACCESS: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[access]]
    name = "developers write for a while"
    when = { groups = ["developers"] }
    up_to = "write"
    longest = "2h"
    approval = { groups = ["dba"] }
"#;

/// Two of them, before the same database.
async fn two() -> (Proxy, Proxy) {
    let one = Proxy::with().shared_store().await.start().await;
    let other = Proxy::with().start_beside(&one).await;
    (one, other)
}

#[tokio::test]
async fn what_is_decided_at_one_wakes_who_waits_at_the_other() {
    let (one, other) = two().await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = other.bob.pending_one().await;
    assert!(other.bob.approve_saying(&request, "go on").await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.contains("approved by bob"), "{shown}");
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    let seen = other.bob.sees(&request, "executed").await;
    assert_eq!(seen.outcome()["rows"], 1);
    assert_eq!(one.database.items().await, 9);

    alice.types("DELETE FROM items WHERE id = 4;");
    let request = other.bob.pending_one().await;
    let reason = "not in the evening";
    assert!(other.bob.reject(&request, reason).await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.contains(reason), "{shown}");
    assert_eq!(one.bob.request(request.id()).await.state(), "rejected");
    assert_eq!(one.database.items().await, 9);
}

#[tokio::test]
async fn people_approve_at_different_ones() {
    let one = Proxy::with().policy(TWO).shared_store().await.start().await;
    let other = Proxy::with().policy(TWO).start_beside(&one).await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = one.bob.pending_one().await;
    assert!(
        other
            .bob
            .approve_saying(&request, "fine with me")
            .await
            .is_taken()
    );
    let notice = alice.shows("fine with me\n").await;
    assert!(notice.contains("1 of 2 approved: dba by bob"), "{notice}");
    assert_eq!(
        one.bob.approve(&request).await.status,
        409,
        "one person counts once"
    );
    assert!(one.carol.approve(&request).await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
}

/// Only where the session is can be said what a statement would be there: so that is asked.
#[tokio::test]
async fn a_statement_is_changed_at_another() {
    let (one, other) = two().await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = other.bob.pending_one().await;
    let path = format!("/api/v1/requests/{}/edit", request.id());
    let change = |statement: &str| json!({ "statement": statement, "comment": "only this one", "edits": 0 });
    let refused = other
        .bob
        .call(Method::POST, &path, Some(&change("DELETE FROM items WHERE")))
        .await;
    assert!(refused.body.to_string().contains("cannot run so"), "{refused:?}");
    let taken = other
        .bob
        .call(
            Method::POST,
            &path,
            Some(&change("DELETE FROM items WHERE id = 4")),
        )
        .await;
    assert!(taken.is_taken(), "{taken:?}");
    let shown = alice.prompt().await;
    assert!(shown.contains("bob has changed the statement"), "{shown}");
    assert!(shown.contains("only this one"), "{shown}");
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    let left = "SELECT count(*) FROM proposals";
    assert_eq!(one.shared_store().value(left).await, "0");
    assert_eq!(
        one.database
            .value("SELECT count(*) FROM items WHERE id = 4")
            .await,
        "0"
    );
}

#[tokio::test]
async fn what_a_crashed_one_held_is_abandoned_and_nothing_else() {
    let (mut one, other) = two().await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let lost = other.bob.pending_one().await;
    let mut dave = other.alice.psql().await;
    dave.types("DELETE FROM items WHERE id = 4;");
    let kept = eventually("both wait", async || {
        let pending = other.bob.requests("?state=pending").await;
        (pending.len() == 2).then(|| pending.into_iter().find(|request| request.id() != lost.id()))?
    })
    .await;
    one.kill9();
    let abandoned = other.bob.sees(&lost, "abandoned").await;
    assert!(abandoned.to_string().contains("it did not run"), "{abandoned}");
    other.logs("another proxy is gone").await;
    assert!(other.bob.approve(&kept).await.is_taken());
    assert!(dave.prompt().await.ends_with("DELETE 1\n"));
    assert_eq!(other.bob.approve(&lost).await.status, 409);
    assert_eq!(other.database.items().await, 9);

    // It comes back beside the other, and leaves what that holds alone.
    dave.types("DELETE FROM items WHERE id = 5;");
    let kept = other.bob.pending_one().await;
    one.restart().await;
    assert!(one.bob.approve(&kept).await.is_taken());
    assert!(dave.prompt().await.ends_with("DELETE 1\n"));
}

/// With two seats: the change is the first approval, and the other one is asked for what it made of it.
#[tokio::test]
async fn what_was_changed_at_another_is_approved_at_the_first() {
    let one = Proxy::with().policy(TWO).shared_store().await.start().await;
    let other = Proxy::with().policy(TWO).start_beside(&one).await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = other.bob.pending_one().await;
    let path = format!("/api/v1/requests/{}/edit", request.id());
    let change = json!({ "statement": "DELETE FROM items WHERE id = 4", "comment": "this one", "edits": 0 });
    let taken = other.bob.call(Method::POST, &path, Some(&change)).await;
    assert!(taken.is_taken(), "{taken:?}");
    let shown = alice.shows("bob has changed the statement").await;
    assert!(!shown.contains("1 of 2 approved"), "{shown}");
    assert_eq!(
        one.carol.approve(&request).await.status,
        409,
        "she has seen another text"
    );
    let seen = json!({ "edits": 1 });
    let taken = one.carol.decide(request.id(), "approve", &seen).await;
    assert!(taken.is_taken(), "{taken:?}");
    let shown = alice.prompt().await;
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    assert_eq!(
        one.database
            .value("SELECT count(*) FROM items WHERE id = 4")
            .await,
        "0"
    );
}

/// It stops, is taken for dead, and goes on: what it held is settled, and its client is told so.
#[tokio::test]
async fn one_that_was_taken_for_dead_runs_nothing_of_what_it_held() {
    let (one, other) = two().await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = other.bob.pending_one().await;
    one.pause();
    other.bob.sees(&request, "abandoned").await;
    one.go_on();
    let shown = alice.prompt().await;
    assert!(shown.contains("ERROR"), "{shown}");
    assert_eq!(one.database.items().await, 10);
    // And it is one of them again.
    alice.types("DELETE FROM items WHERE id = 4;");
    let request = other.bob.pending_one().await;
    assert!(other.bob.approve(&request).await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
}

#[tokio::test]
async fn one_that_stops_is_off_the_list_at_once() {
    let (mut one, other) = two().await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = other.bob.pending_one().await;
    let proxies = "SELECT count(*) FROM proxies";
    assert_eq!(one.shared_store().value(proxies).await, "2");
    one.terminate();
    assert!(one.stopped().await.success());
    assert_eq!(other.bob.request(request.id()).await.state(), "abandoned");
    assert_eq!(one.shared_store().value(proxies).await, "1");
}

#[tokio::test]
async fn a_grant_from_one_counts_at_the_other() {
    let one = Proxy::with().policy(ACCESS).shared_store().await.start().await;
    let other = Proxy::with().policy(ACCESS).start_beside(&one).await;
    let mut alice = one.alice.psql().await;
    alice
        .runs("SET holdpoint.request = 'write for 1h: incident 42';")
        .await;
    let answer = other
        .bob
        .call(Method::GET, "/api/v1/grants?state=pending", None)
        .await;
    let id = answer.body["grants"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/grants/{id}/approve");
    let taken = other.bob.call(Method::POST, &path, Some(&json!({}))).await;
    assert!(taken.is_taken(), "{taken:?}");
    let shown = alice.runs("DELETE FROM items WHERE id = 3;").await;
    assert!(shown.contains("DELETE 1"), "{shown}");
}

/// The store's server cuts all connections while something waits.
#[tokio::test]
async fn what_waits_outlasts_the_stores_connections() {
    let (one, other) = two().await;
    let mut alice = one.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = other.bob.pending_one().await;
    let store = one.shared_store();
    store
        .value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    eventually("the decision is taken", async || {
        other.bob.approve(&request).await.is_taken().then_some(())
    })
    .await;
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
    one.bob.sees(&request, "executed").await;
}

/// Nothing runs unrecorded: without its store a proxy holds nothing, and lets pass what policy lets pass.
#[tokio::test]
async fn without_its_store_nothing_that_is_held_runs() {
    let one = Proxy::with().shared_store().await.start().await;
    let mut alice = one.alice.psql().await;
    let store = one.shared_store();
    store
        .value("SELECT count(*) FROM (SELECT pg_advisory_lock(7526756211034517604)) AS locked")
        .await;
    let begun = Instant::now();
    let shown = alice.runs("DELETE FROM items WHERE id = 3;").await;
    assert!(shown.contains("ERROR"), "{shown}");
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert_eq!(one.database.items().await, 10);
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
}

/// As the README says it, with TLS that is checked.
#[tokio::test]
async fn its_store_is_reached_by_tls_that_is_checked() {
    let database = Database::create().await;
    let authority = authority();
    let url = |host: &str, root: &Path| {
        format!(
            "postgres://postgres@{host}:{}/{}?sslmode=verify-full&sslrootcert={}",
            cluster().port,
            database.name,
            root.display()
        )
    };
    let store = store::open(&url("localhost", &authority.root)).await.unwrap();
    store.check().await.unwrap();
    let encrypted = "SELECT count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE ssl AND datname = current_database() AND application_name = 'holdpoint'";
    assert_eq!(database.value(encrypted).await, "t");
    store.close().await;
    let error = store::open(&url("localhost", &authority.other_root)).await;
    let error = error.err().unwrap().to_string();
    assert!(error.contains("certificate"), "{error}");
}
