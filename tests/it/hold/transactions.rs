//! A refused statement leaves its transaction aborted, really aborted, as any error would.

use futures_util::future::join;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::{Driver, refusal};
use crate::support::eventually;
use crate::support::psql::Transaction;

/// Updates pass, inserts are denied, deletes wait, and a TRUNCATE waits in vain.
const POLICY: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "no inserts"
    when = { commands = ["INSERT"] }
    then = { deny = { reason = "nothing is added here" } }
    [[rule]]
    name = "truncate expires"
    when = { commands = ["TRUNCATE TABLE"] }
    then = { hold = { groups = ["dba"], timeout = "1s" } }
    [[rule]]
    name = "deletes wait"
    when = { commands = ["DELETE"] }
    then = { hold = { groups = ["dba"] } }
    [[rule]]
    name = "all else passes"
    then = "allow"
"#;

#[tokio::test]
async fn psql_finds_its_transaction_aborted() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut alice = proxy.alice.psql().await;
    let backend = alice.runs("SELECT pg_backend_pid();").await;
    for refused in [
        "INSERT INTO items VALUES (11, 'x');",
        "DELETE FROM items WHERE id = 3;",
        "TRUNCATE items;",
    ] {
        alice.runs("BEGIN;").await;
        alice.runs("UPDATE items SET name = 'gone' WHERE id = 1;").await;
        alice.types(refused);
        if refused.starts_with("DELETE") {
            proxy.bob.rejects_next("no").await;
        }
        let shown = alice.prompt().await;
        assert!(shown.contains("ERROR:  "), "{shown}");
        assert_eq!(alice.transaction(), Transaction::Failed, "{refused}");
        is_aborted_upstream(&proxy, &backend).await;
        let shown = alice.runs("SELECT 1;").await;
        assert!(shown.contains("current transaction is aborted"), "{shown}");
        assert_eq!(alice.runs("COMMIT;").await, "ROLLBACK\n");
        assert_eq!(alice.transaction(), Transaction::None);
        assert_eq!(
            alice.runs("SELECT name FROM items WHERE id = 1;").await,
            "item 1\n",
            "{refused}"
        );
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_driver_finds_its_transaction_aborted() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let alice = proxy.alice.driver().await;
    let backend = alice.value("SELECT pg_backend_pid()").await.unwrap();
    let update = alice
        .prepare("UPDATE items SET name = $1 WHERE id = 1")
        .await
        .unwrap();
    let insert = alice.prepare("INSERT INTO items VALUES ($1, 'x')").await.unwrap();
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let truncate = alice.prepare("TRUNCATE items").await.unwrap();

    begin(&alice, &update).await;
    refusal(
        alice.execute(&insert, &[&11]).await,
        &SqlState::INSUFFICIENT_PRIVILEGE,
    );
    is_rolled_back(&proxy, &alice, &backend).await;

    begin(&alice, &update).await;
    let (done, _) = join(alice.execute(&delete, &[&3]), proxy.bob.rejects_next("no")).await;
    refusal(done, &SqlState::INSUFFICIENT_PRIVILEGE);
    is_rolled_back(&proxy, &alice, &backend).await;

    begin(&alice, &update).await;
    refusal(alice.execute(&truncate, &[]).await, &SqlState::QUERY_CANCELED);
    is_rolled_back(&proxy, &alice, &backend).await;

    begin(&alice, &update).await;
    let cancel = alice.cancel_token();
    let change_of_mind = async {
        proxy.bob.pending_one().await;
        cancel.cancel_query(NoTls).await.unwrap();
    };
    let (done, ()) = join(alice.execute(&delete, &[&3]), change_of_mind).await;
    refusal(done, &SqlState::QUERY_CANCELED);
    is_rolled_back(&proxy, &alice, &backend).await;

    // And by the simple protocol.
    begin(&alice, &update).await;
    let (done, _) = join(
        alice.batch_execute("DELETE FROM items WHERE id = 3"),
        proxy.bob.rejects_next("no"),
    )
    .await;
    refusal(done, &SqlState::INSUFFICIENT_PRIVILEGE);
    is_rolled_back(&proxy, &alice, &backend).await;
}

#[tokio::test]
async fn a_savepoint_rescues_the_transaction() {
    let proxy = Proxy::with().policy(POLICY).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("BEGIN;").await;
    alice.runs("UPDATE items SET name = 'kept' WHERE id = 1;").await;
    alice.runs("SAVEPOINT here;").await;
    alice.runs("INSERT INTO items VALUES (11, 'x');").await;
    assert_eq!(alice.transaction(), Transaction::Failed);
    alice.runs("ROLLBACK TO here;").await;
    assert_eq!(alice.transaction(), Transaction::Open);
    alice.types("DELETE FROM items WHERE id = 3;");
    proxy.bob.approves_next().await;
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
    assert_eq!(alice.runs("COMMIT;").await, "COMMIT\n");
    assert_eq!(
        proxy.database.value("SELECT name FROM items WHERE id = 1").await,
        "kept"
    );
    assert_eq!(proxy.database.items().await, 9);
}

async fn begin(alice: &Driver, update: &tokio_postgres::Statement) {
    alice.batch_execute("BEGIN").await.unwrap();
    assert_eq!(alice.execute(update, &[&"gone"]).await.unwrap(), 1);
}

async fn is_rolled_back(proxy: &Proxy, alice: &Driver, backend: &str) {
    is_aborted_upstream(proxy, backend).await;
    let refused = alice.batch_execute("SELECT 1").await;
    refusal(refused, &SqlState::IN_FAILED_SQL_TRANSACTION);
    alice.batch_execute("COMMIT").await.unwrap();
    assert_eq!(
        alice.value("SELECT name FROM items WHERE id = 1").await.unwrap(),
        "item 1"
    );
    assert_eq!(proxy.database.items().await, 10);
}

/// The server itself says that the transaction has failed. (A driver returns as soon as it has the error, which
/// is before the server is at rest again.)
async fn is_aborted_upstream(proxy: &Proxy, backend: &str) {
    let state = format!("SELECT state FROM pg_stat_activity WHERE pid = {backend}");
    eventually("the server's transaction is aborted", async || {
        (proxy.database.value(&state).await == "idle in transaction (aborted)").then_some(())
    })
    .await;
}
