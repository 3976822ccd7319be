//! Refusals in pipelines: one error in its place, everything up to Sync discarded, one ReadyForQuery.

use crate::support::Proxy;
use crate::support::raw::{Frames, describe, tags};

/// Denied by the policy that holdpoint comes with.
const DENIED: &str = "DELETE FROM items";
/// Held by it.
const HELD: &str = "DELETE FROM items WHERE id = 3";

/// Inserts pass, deletes wait, updates are denied.
const POLICY: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "no updates"
    when = { commands = ["UPDATE"] }
    then = { deny = { reason = "not here" } }
    [[rule]]
    name = "deletes wait"
    when = { commands = ["DELETE"] }
    then = { hold = { groups = ["dba"] } }
    [[rule]]
    name = "all else passes"
    then = "allow"
"#;

#[tokio::test]
async fn a_refusal_stands_in_its_place() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    for (sent, expected) in [
        (e().query(DENIED), "EZ"),
        (e().statement(DENIED).sync(), "1EZ"),
        (
            e().statement("SELECT 1")
                .statement(DENIED)
                .statement("SELECT 2")
                .sync(),
            "12DC1EZ",
        ),
        (
            e().statement("SELECT 1")
                .sync()
                .statement(DENIED)
                .statement(DENIED)
                .sync()
                .statement("SELECT 2")
                .sync(),
            "12DCZ1EZ12DCZ",
        ),
        (
            e().query("SELECT 1").query(DENIED).query("SELECT 2"),
            "TDCZEZTDCZ",
        ),
        (
            e().statement("SELECT 1")
                .sync()
                .query(DENIED)
                .statement("SELECT 2")
                .sync(),
            "12DCZEZ12DCZ",
        ),
        (e().frame(b'F', &[0; 10]).query("SELECT 1"), "EZTDCZ"),
        (e().statement("SELECT 1").frame(b'F', &[0; 10]), "12DCEZ"),
        (
            e().bind("", "nowhere", &[])
                .statement("SELECT 1")
                .sync()
                .statement("SELECT 2")
                .sync(),
            "EZ12DCZ",
        ),
    ] {
        alice.send(&sent).await;
        let ready = expected.matches('Z').count();
        let answer = alice.answers(ready).await;
        assert_eq!(tags(&answer), expected, "{}", describe(&answer));
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn an_error_comes_before_the_sync() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for asked in [
        Frames::new().statement(DENIED).flush(),
        Frames::new().statement(DENIED),
    ] {
        alice.send(&asked).await;
        let answer = alice.up_to(b'E').await;
        assert_eq!(tags(&answer), "1E");
        alice.send(Frames::new().statement("SELECT 1").sync()).await;
        assert_eq!(tags(&alice.ready().await), "Z");
    }
}

#[tokio::test]
async fn what_stands_behind_a_refusal_is_not_even_asked() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let sent = Frames::new()
        .statement(DENIED)
        .statement(HELD)
        .sync()
        .statement("SELECT 1")
        .sync();
    alice.send(&sent).await;
    assert_eq!(tags(&alice.answers(2).await), "1EZ12DCZ");
    assert_eq!(proxy.bob.requests("?state=pending").await.len(), 0);
}

#[tokio::test]
async fn a_refusal_undoes_its_pipeline() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut alice = proxy.alice.raw().await;
    let insert = "INSERT INTO items VALUES (11, 'x')";
    alice
        .send(
            Frames::new()
                .statement(insert)
                .statement("UPDATE items SET id = 1 WHERE id = 2")
                .sync(),
        )
        .await;
    assert_eq!(tags(&alice.ready().await), "12C1EZ");
    assert_eq!(proxy.database.items().await, 10, "a pipeline is one transaction");
    // With a Sync between them it is two.
    alice
        .send(
            Frames::new()
                .statement(insert)
                .sync()
                .query("UPDATE items SET id = 1 WHERE id = 2"),
        )
        .await;
    assert_eq!(tags(&alice.answers(2).await), "12CZEZ");
    assert_eq!(proxy.database.items().await, 11);
}

#[tokio::test]
async fn a_held_statement_in_a_pipeline_runs_in_its_place() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    for (id, sent, expected) in [
        (
            1,
            e().statement("SELECT 1")
                .statement("DELETE FROM items WHERE id = 1")
                .statement("SELECT 2")
                .sync(),
            "12DC12C12DCZ",
        ),
        (
            2,
            e().query("SELECT 1")
                .query("DELETE FROM items WHERE id = 2")
                .query("SELECT 2"),
            "TDCZCZTDCZ",
        ),
        (
            3,
            e().statement("SELECT 1")
                .sync()
                .query("DELETE FROM items WHERE id = 3")
                .statement("SELECT 2")
                .sync(),
            "12DCZCZ12DCZ",
        ),
    ] {
        alice.send(&sent).await;
        let request = proxy.bob.approves_next().await;
        let answer = alice.answers(expected.matches('Z').count()).await;
        assert_eq!(tags(&answer), expected, "{}", describe(&answer));
        proxy.bob.sees(&request, "executed").await;
        assert_eq!(proxy.database.items().await, 10 - id);
    }
}

#[tokio::test]
async fn a_rejection_in_a_pipeline_undoes_what_was_approved_before_it() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let sent = Frames::new()
        .statement("DELETE FROM items WHERE id = 1")
        .statement("DELETE FROM items WHERE id = 2")
        .statement("SELECT 1")
        .sync();
    alice.send(&sent).await;
    let approved = proxy.bob.approves_next().await;
    let rejected = proxy.bob.rejects_next("only the first").await;
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "12C1EZ", "{}", describe(&answer));
    assert_eq!(rejected.statement(), "DELETE FROM items WHERE id = 2");
    assert_eq!(proxy.database.items().await, 10, "both or none");
    let approved = proxy.bob.sees(&approved, "failed").await;
    let error = approved.outcome()["error"].as_str().unwrap();
    assert!(error.starts_with("rolled back with its pipeline"), "{error}");
}

#[tokio::test]
async fn thousands_of_statements_before_one_sync() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let many = 12_000;
    let frames = (0..many)
        .fold(Frames::new(), |f, _| f.statement("SELECT 1"))
        .sync();
    // The client reads only once it has sent everything: the answers must not keep it from that.
    alice.send(&frames).await;
    let answer = alice.ready().await;
    assert_eq!(answer.iter().filter(|m| m.tag == b'C').count(), many);

    let frames = (0..many).fold(Frames::new(), |f, _| f.query("SELECT 1"));
    alice.send(&frames).await;
    for _ in 0..many {
        assert_eq!(tags(&alice.ready().await), "TDCZ");
    }
}

#[tokio::test]
async fn a_refusal_in_a_transaction_says_that_it_failed() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for refused in [
        Frames::new().query(DENIED),
        Frames::new().statement(DENIED).sync(),
        Frames::new().frame(b'F', &[0; 10]),
    ] {
        alice.send(Frames::new().query("BEGIN")).await;
        assert_eq!(alice.ready().await.last().unwrap().body, b"T");
        alice.send(&refused).await;
        assert_eq!(alice.ready().await.last().unwrap().body, b"E");
        alice.send(Frames::new().query("COMMIT")).await;
        let answer = alice.ready().await;
        assert_eq!(answer[0].text(), "ROLLBACK");
        assert_eq!(answer[1].body, b"I");
    }
}
