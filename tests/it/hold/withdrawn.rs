//! The requester takes it back: Ctrl-C, or a driver's cancel request.

use futures_util::future::join;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::refusal;
use crate::support::psql::Transaction;

#[tokio::test]
async fn ctrl_c_in_psql_withdraws_and_the_session_goes_on() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("\\set VERBOSITY verbose").await;
    let backend = alice.runs("SELECT pg_backend_pid();").await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    alice.interrupt();
    let shown = alice.prompt().await;
    assert!(
        shown.contains("ERROR:  57014: canceling statement due to user request\n"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("Request {} was withdrawn", request.id())),
        "{shown}"
    );

    proxy.bob.sees(&request, "withdrawn").await;
    assert_eq!(proxy.bob.approve(&request).await.status, 409, "it was withdrawn");
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(alice.runs("SELECT pg_backend_pid();").await, backend);
}

#[tokio::test]
async fn ctrl_c_in_a_transaction_fails_the_transaction() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("BEGIN;").await;
    alice.types("DELETE FROM items WHERE id = 3;");
    proxy.bob.pending_one().await;
    alice.interrupt();
    let shown = alice.prompt().await;
    assert!(
        shown.contains("canceling statement due to user request"),
        "{shown}"
    );
    assert_eq!(alice.transaction(), Transaction::Failed);
    assert_eq!(alice.runs("ROLLBACK;").await, "ROLLBACK\n");
    assert_eq!(alice.runs("SELECT count(*) FROM items;").await, "10\n");
}

#[tokio::test]
async fn a_drivers_cancel_request_withdraws() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let cancel = alice.cancel_token();
    let change_of_mind = async || {
        let request = proxy.bob.pending_one().await;
        cancel.cancel_query(NoTls).await.unwrap();
        request
    };
    let (done, request) = join(alice.execute(&delete, &[&3]), change_of_mind()).await;
    refusal(done, &SqlState::QUERY_CANCELED);
    proxy.bob.sees(&request, "withdrawn").await;

    let (done, request) = join(
        alice.batch_execute("DELETE FROM items WHERE id = 3"),
        change_of_mind(),
    )
    .await;
    refusal(done, &SqlState::QUERY_CANCELED);
    proxy.bob.sees(&request, "withdrawn").await;
    assert_eq!(alice.value("SELECT count(*) FROM items").await.unwrap(), "10");
}

#[tokio::test]
async fn a_cancel_request_with_another_key_does_nothing() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let key = alice.key.clone();
    alice
        .send(crate::support::raw::Frames::new().query("DELETE FROM items WHERE id = 3"))
        .await;
    let request = proxy.bob.pending_one().await;

    let mut wrong = key.clone();
    *wrong.last_mut().unwrap() ^= 1;
    proxy.alice.cancel(&wrong).await;
    assert_eq!(proxy.bob.request(request.id()).await.state(), "pending");

    proxy.alice.cancel(&key).await;
    proxy.bob.sees(&request, "withdrawn").await;
    let answer = alice.ready().await;
    assert_eq!(crate::support::raw::tags(&answer), "EZ");
}
