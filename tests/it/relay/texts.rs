//! Texts of several statements, and texts that only look harmless.

use crate::support::Proxy;
use crate::support::raw::{Frames, describe, tags};

#[tokio::test]
async fn a_text_is_held_and_approved_as_a_whole() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let text = "SELECT 1; DELETE FROM items WHERE id = 3; SELECT count(*) FROM items";
    alice.send(Frames::new().query(text)).await;
    let request = proxy.bob.approves_next().await;
    assert_eq!(request.statement(), text);
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "TDCCTDCZ", "{}", describe(&answer));
    let counted = answer.iter().rfind(|m| m.tag == b'D').unwrap();
    assert_eq!(counted.values(), ["9"]);
    proxy.bob.sees(&request, "executed").await;
}

#[tokio::test]
async fn nothing_of_a_rejected_text_runs() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("LISTEN x; BEGIN; SELECT 1; DELETE FROM items WHERE id = 3; COMMIT"))
        .await;
    proxy.bob.rejects_next("no").await;
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "EZ");
    assert_eq!(answer.last().unwrap().body, b"I", "not even its BEGIN");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_text_that_fails_in_the_middle_undoes_what_was_approved() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id = 3; SELECT 1/0"))
        .await;
    let request = proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "CEZ");
    assert_eq!(proxy.database.items().await, 10);
    let request = proxy.bob.sees(&request, "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "22012");
}

#[tokio::test]
async fn what_only_looks_like_a_read_is_held() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "WITH gone AS (DELETE FROM items WHERE id = 3 RETURNING id) SELECT * FROM gone",
        "EXPLAIN ANALYZE DELETE FROM items WHERE id = 3",
        "SELECT 1 </*'*/2; DELETE FROM items WHERE id = 3; --'",
        "DO $$ BEGIN DELETE FROM items WHERE id = 3; END $$",
        "SELECT 1 INTO copied",
        "SELECT * FROM items WHERE id = 3 FOR UPDATE",
        "TABLE items; TRUNCATE items",
        "SELECT nextval('x'), set_config('role', 'postgres', false)",
        "/* SELECT */ DELETE FROM items WHERE id = 3",
        "SELECT pg_terminate_backend(1)",
        "COPY items FROM STDIN",
        "MERGE INTO items USING items o ON false WHEN NOT MATCHED THEN DO NOTHING",
    ] {
        alice.send(Frames::new().query(sql)).await;
        proxy.bob.rejects_next("no").await;
        assert_eq!(tags(&alice.ready().await), "EZ", "{sql}");
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_text_that_is_no_sql_fails_as_it_would_have() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    let shown = alice.runs("SELEC 1;").await;
    assert_eq!(
        shown,
        "ERROR:  syntax error at or near \"SELEC\"\nLINE 1: SELEC 1;\n        ^\n"
    );
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
    assert_eq!(proxy.bob.requests("").await.len(), 0, "nobody was bothered");
}

#[tokio::test]
async fn a_text_that_only_the_server_understands_is_held() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    // More operator characters in a row than are parsed; to the server a comment.
    let text = format!("SELECT 1 --{}", "=".repeat(1000));
    for sent in [Frames::new().query(&text), Frames::new().statement(&text).sync()] {
        alice.send(&sent).await;
        let request = proxy.bob.approves_next().await;
        assert_eq!(request.statement(), text);
        assert_eq!(request.text("effect"), "unknown");
        let answer = tags(&alice.ready().await);
        assert!(answer == "TDCZ" || answer == "12DCZ", "{answer}");
    }
}
