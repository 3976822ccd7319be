//! A whole transaction as one request: it runs as it comes, and its COMMIT waits for people.

use crate::support::Proxy;
use crate::support::raw::{Frames, tags};

async fn in_review(proxy: &Proxy) -> crate::support::psql::Psql {
    let mut alice = proxy.alice.psql().await;
    alice.runs("SET holdpoint.review = 'transaction';").await;
    alice.runs("BEGIN;").await;
    let shown = alice.runs("DELETE FROM items WHERE id < 4;").await;
    assert!(
        shown.contains("DELETE runs in the open transaction; its COMMIT will be held")
            && shown.ends_with("DELETE 3\n"),
        "{shown}"
    );
    let shown = alice.runs("UPDATE items SET name = 'x' WHERE id = 5;").await;
    assert!(shown.ends_with("UPDATE 1\n"), "{shown}");
    alice
}

#[tokio::test]
async fn the_approver_sees_all_that_ran_and_the_whole_commits() {
    let proxy = Proxy::start().await;
    let mut alice = in_review(&proxy).await;
    assert_eq!(proxy.database.items().await, 10, "nothing is committed");
    alice.types("COMMIT;");
    let request = proxy.bob.pending_one().await;
    for said in [
        "-- 1: 3 rows (request ",
        "DELETE FROM items WHERE id < 4;",
        "-- 2: 1 row (request ",
        "UPDATE items SET name = 'x' WHERE id = 5;",
        "\nCOMMIT",
    ] {
        assert!(
            request.statement().contains(said),
            "{said} in {}",
            request.statement()
        );
    }
    assert_eq!(request.text("effect"), "write");
    assert!(request.text("transaction_since") <= request.text("created_at"));
    assert!(proxy.bob.approve(&request).await.is_taken());
    let shown = alice.prompt().await;
    assert!(shown.ends_with("COMMIT\n"), "{shown}");
    assert_eq!(proxy.database.items().await, 7);
    let ran = proxy.bob.requests("?state=executed").await;
    let under = ran.iter().filter(|ran| {
        ran.field("basis")["id"] == request.id() && ran.field("basis")["kind"] == "transaction"
    });
    assert_eq!(under.count(), 2);
    // The next one is another.
    alice.runs("BEGIN;").await;
    assert_eq!(alice.runs("COMMIT;").await, "COMMIT\n");
}

#[tokio::test]
async fn what_is_rejected_is_rolled_back_whole() {
    let proxy = Proxy::start().await;
    let mut alice = in_review(&proxy).await;
    alice.types("COMMIT;");
    proxy.bob.rejects_next("too many").await;
    let shown = alice.prompt().await;
    assert!(shown.contains("rejected by bob: too many"), "{shown}");
    assert_eq!(proxy.database.items().await, 10);
    // Its locks are gone at once.
    proxy
        .database
        .run("UPDATE items SET name = 'y' WHERE id = 5")
        .await;
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
    assert!(
        alice
            .runs("COMMIT;")
            .await
            .contains("there is no transaction in progress")
    );
    assert_eq!(proxy.database.items().await, 10);
}

/// Who waits for the answer of a pipelined COMMIT before the Sync has it also where it is rejected.
#[tokio::test]
async fn a_commit_with_a_flush_behind_it_is_answered_when_it_is_rejected() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SET holdpoint.review = 'transaction'",
        "BEGIN",
        "DELETE FROM items WHERE id = 8",
    ] {
        alice.exchange(Frames::new().query(sql)).await;
    }
    alice.send(Frames::new().statement("COMMIT").flush()).await;
    proxy.bob.rejects_next("no").await;
    while alice.message().await.tag != b'E' {}
    alice.send(Frames::new().sync()).await;
    assert_eq!(tags(&alice.ready().await), "Z");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn nothing_commits_in_another_way() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .exchange(Frames::new().query("SET holdpoint.review = 'transaction'"))
        .await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    let answers = alice
        .exchange(Frames::new().query("DELETE FROM items WHERE id = 8"))
        .await;
    assert_eq!(tags(&answers), "CZ");
    for text in [
        "COMMIT; SELECT 1",
        "SELECT 1; COMMIT",
        "SELECT 1; END; BEGIN",
        "PREPARE TRANSACTION 'x'",
        "DELETE FROM items; COMMIT",
        "this is no SQL; COMMIT",
    ] {
        let mut alice = proxy.alice.raw().await;
        alice
            .exchange(Frames::new().query("SET holdpoint.review = 'transaction'"))
            .await;
        alice.exchange(Frames::new().query("BEGIN")).await;
        alice
            .exchange(Frames::new().query("DELETE FROM items WHERE id = 9"))
            .await;
        let answers = alice.exchange(Frames::new().query(text)).await;
        assert_eq!(tags(&answers), "EZ", "{text}");
        alice.leave().await;
        // By the extended protocol, with a statement that was prepared before.
        let mut alice = proxy.alice.raw().await;
        alice
            .exchange(Frames::new().query("SET holdpoint.review = 'transaction'"))
            .await;
        alice.exchange(Frames::new().parse("c", "COMMIT").sync()).await;
        alice.exchange(Frames::new().query("BEGIN")).await;
        alice
            .exchange(Frames::new().query("DELETE FROM items WHERE id = 9"))
            .await;
        alice
            .send(Frames::new().bind("", "c", &[]).execute("", 0).sync())
            .await;
        proxy.bob.rejects_next("no").await;
        let answers = alice.ready().await;
        assert!(tags(&answers).ends_with("EZ"), "{}", tags(&answers));
        alice.leave().await;
        assert_eq!(proxy.database.items().await, 10, "{text}");
    }
    // Whoever goes away leaves nothing behind.
    alice.leave().await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_rule_can_ask_for_it_and_time_ends_it() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = { effects = ["read", "session"] }
        then = "allow"
        [[rule]]
        name = "transactions"
        when = { effects = ["write"] }
        then = { hold = { groups = ["dba"], review = "transaction", timeout = "2s" } }
    "#;
    let proxy = Proxy::with().policy(policy).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("BEGIN;").await;
    assert!(
        alice
            .runs("DELETE FROM items WHERE id = 1;")
            .await
            .ends_with("DELETE 1\n")
    );
    // What a rollback does not undo is held by itself.
    alice.types("SELECT pg_notify('a', 'b'), pg_switch_wal();");
    assert_eq!(proxy.bob.rejects_next("no").await.text("command"), "SELECT");
    alice.prompt().await;
    alice.runs("ROLLBACK;").await;
    alice.runs("BEGIN;").await;
    alice.runs("DELETE FROM items WHERE id = 1;").await;
    let shown = alice.runs("COMMIT;").await;
    assert!(shown.contains("approval expired"), "{shown}");
    alice.runs("ROLLBACK;").await;
    assert_eq!(proxy.database.items().await, 10);
    // Outside of a block there is nothing to review later.
    alice.types("DELETE FROM items WHERE id = 1;");
    assert_eq!(proxy.bob.approves_next().await.text("command"), "DELETE");
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}
