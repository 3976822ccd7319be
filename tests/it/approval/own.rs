//! Statements that holdpoint answers itself, in every form in which drivers send them.

use crate::support::Proxy;
use crate::support::raw::{Frames, tags};

#[tokio::test]
async fn psql_sets_shows_and_resets() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    assert_eq!(alice.runs("SET holdpoint.reason TO 'it''s late';").await, "SET\n");
    let shown = alice.runs("SHOW holdpoint.reason;").await;
    assert_eq!(shown, "it's late\n");
    assert_eq!(alice.runs("RESET holdpoint.reason;").await, "RESET\n");
    let shown = alice.runs("SET holdpoint.raeson = 'x';").await;
    assert!(
        shown.contains("unrecognized configuration parameter \"holdpoint.raeson\"")
            && shown.contains("holdpoint.ticket: the ticket that it belongs to."),
        "{shown}"
    );
    // In a transaction, also in one that has failed.
    alice.runs("BEGIN;").await;
    assert_eq!(alice.runs("SET holdpoint.reason = 'a';").await, "SET\n");
    alice.runs("SELECT 1/0;").await;
    assert_eq!(alice.runs("SET holdpoint.reason = 'b';").await, "SET\n");
    assert!(alice.runs("SELECT 1;").await.contains("transaction is aborted"));
    alice.runs("ROLLBACK;").await;
    // The server has never heard of it.
    let shown = alice
        .runs("SELECT current_setting('holdpoint.reason', true) IS NULL;")
        .await;
    assert_eq!(shown, "t\n");
    alice.runs("DISCARD ALL;").await;
    assert!(!alice.runs("SHOW holdpoint.reason;").await.contains('b'));
}

#[tokio::test]
async fn the_extended_protocol_is_answered_in_order() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let set = "SET holdpoint.reason = 'a \\ b'";
    let answers = alice
        .exchange(
            Frames::new()
                .parse("", "SELECT 1")
                .bind("", "", &[])
                .execute("", 0)
                .parse("", set)
                .describe_statement("")
                .bind("", "", &[])
                .describe_portal("")
                .execute("", 0)
                .parse("", "SELECT 2")
                .bind("", "", &[])
                .execute("", 0)
                .sync(),
        )
        .await;
    assert_eq!(tags(&answers), "12DC1tn2nC12DCZ");
    assert_eq!(answers[9].text(), "SET");
    // Named, executed more than once, and closed.
    let answers = alice
        .exchange(
            Frames::new()
                .parse("s", "RESET holdpoint.ticket")
                .bind("", "s", &[])
                .execute("", 0)
                .bind("", "s", &[])
                .execute("", 0)
                .close_statement("s")
                .sync(),
        )
        .await;
    assert_eq!(tags(&answers), "12C2C3Z");
    assert_eq!(answers[4].text(), "RESET");
    let answers = alice
        .exchange(Frames::new().statement("SHOW holdpoint.reason").sync())
        .await;
    assert_eq!(tags(&answers), "12DCZ");
    assert_eq!(answers[2].values(), ["a \\ b"]);
    // What cannot be answered fails like any statement.
    let answers = alice
        .exchange(
            Frames::new()
                .parse("", "SET LOCAL holdpoint.reason = 'x'")
                .bind("", "", &[])
                .execute("", 0)
                .sync(),
        )
        .await;
    assert_eq!(tags(&answers), "EZ");
    assert_eq!(answers[0].code(), "0A000");
}

#[tokio::test]
async fn in_a_pipeline_each_has_its_turn() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let both = Frames::new()
        .query("SELECT 1")
        .query("SET holdpoint.reason = 'a'")
        .query("SHOW holdpoint.reason")
        .query("SELECT 2; SELECT 3");
    alice.send(both).await;
    let answers = alice.answers(4).await;
    assert_eq!(tags(&answers), "TDCZCZTDCZTDCTDCZ");
    assert_eq!(answers[7].values(), ["a"]);
    let answers = alice
        .exchange(Frames::new().query("SET holdpoint.reason = 'a'; DELETE FROM items"))
        .await;
    assert_eq!(tags(&answers), "EZ");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_driver_sets_it_as_it_sets_anything() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    alice
        .execute("SET holdpoint.reason = 'by driver'", &[])
        .await
        .unwrap();
    let shown = alice.value("SHOW holdpoint.reason").await.unwrap();
    assert_eq!(shown, "by driver");
}
