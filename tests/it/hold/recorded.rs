//! The decision and the intent are durable before the statement is forwarded; the outcome after.

use crate::support::Proxy;
use futures_util::future::join;

#[tokio::test]
async fn the_intent_is_durable_before_it_runs_and_the_outcome_after() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    // Whoever reaches the server now waits there.
    let lock = proxy.database.lock_items().await;
    alice.types("DELETE FROM items WHERE id <= 4;");
    let request = proxy.bob.pending_one().await;
    assert_eq!(proxy.store.state(request.id()).await, "pending");
    proxy.bob.approve(&request).await;
    proxy.database.sees_waiting("DELETE%", "Lock").await;
    assert_eq!(proxy.store.state(request.id()).await, "running");
    let before = proxy.store.events(request.id()).await;
    drop(lock);
    assert!(alice.prompt().await.ends_with("DELETE 4\n"));

    let request = proxy.bob.sees(&request, "executed").await;
    assert_eq!(request.outcome()["rows"], 4);
    assert_eq!(request.outcome()["tag"], "DELETE 4");
    assert!(request.outcome()["duration_ms"].is_u64(), "{request}");
    let after = proxy.store.events(request.id()).await;
    assert_eq!(after.len(), before.len() + 1, "{before:?} and then {after:?}");
    assert_eq!(after.last().unwrap(), "request.executed");
    for kind in ["request.approved", "request.running"] {
        assert!(before.iter().any(|b| b == kind), "{kind} in {before:?}");
    }
}

#[tokio::test]
async fn the_outcome_of_a_prepared_statement_is_recorded() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id <= $1").await.unwrap();
    let (done, request) = join(alice.execute(&delete, &[&4]), proxy.bob.approves_next()).await;
    assert_eq!(done.unwrap(), 4);
    let request = proxy.bob.sees(&request, "executed").await;
    assert_eq!(request.outcome()["rows"], 4);

    let insert = alice.prepare("INSERT INTO items VALUES ($1, 'x')").await.unwrap();
    let (done, request) = join(alice.execute(&insert, &[&9]), proxy.bob.approves_next()).await;
    done.unwrap_err();
    let request = proxy.bob.sees(&request, "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "23505");
}

#[tokio::test]
async fn a_statement_cancelled_while_it_runs_has_that_outcome() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("UPDATE items SET name = 'x' || pg_sleep(60) WHERE id = 1;");
    let request = proxy.bob.approves_next().await;
    proxy.bob.sees(&request, "running").await;
    proxy.database.sees_waiting("UPDATE%", "PgSleep").await;
    alice.interrupt();
    let shown = alice.prompt().await;
    assert!(
        shown.contains("ERROR:  canceling statement due to user request\n"),
        "{shown}"
    );
    let request = proxy.bob.sees(&request, "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "57014");
}
