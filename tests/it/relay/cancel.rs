//! Cancel requests for what runs.

use futures_util::future::join;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::refusal;

#[tokio::test]
async fn ctrl_c_cancels_what_runs() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("SELECT pg_sleep(60);");
    proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
    alice.interrupt();
    let shown = alice.prompt().await;
    assert!(
        shown.ends_with("ERROR:  canceling statement due to user request\n"),
        "{shown}"
    );
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
}

#[tokio::test]
async fn a_drivers_cancel_request_cancels_what_runs() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let sleep = alice.prepare("SELECT pg_sleep($1)").await.unwrap();
    let cancel = alice.cancel_token();
    let meanwhile = async {
        proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
        cancel.cancel_query(NoTls).await.unwrap();
    };
    let (done, ()) = join(alice.query(&sleep, &[&60.0]), meanwhile).await;
    refusal(done, &SqlState::QUERY_CANCELED);
    assert_eq!(alice.value("SELECT 1").await.unwrap(), "1");
}

#[tokio::test]
async fn a_cancel_request_never_hits_the_next_statement() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let cancel = alice.cancel_token();
    for round in 0..50 {
        let short = format!("SELECT pg_sleep({})", f64::from(round) * 0.0002);
        let (done, cancelled) = join(alice.batch_execute(&short), cancel.cancel_query(NoTls)).await;
        cancelled.unwrap();
        if done.is_err() {
            refusal(done, &SqlState::QUERY_CANCELED);
        }
        assert_eq!(alice.value("SELECT 1").await.unwrap(), "1", "in round {round}");
    }
}

#[tokio::test]
async fn a_cancel_request_while_nothing_runs_does_nothing() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    let backend = alice.runs("SELECT pg_backend_pid();").await;
    let raw = proxy.alice.raw().await;
    proxy.alice.cancel(&raw.key).await;
    proxy.alice.cancel(&[0; 8]).await;
    proxy.alice.cancel(&[0; 256]).await;
    assert_eq!(alice.runs("SELECT pg_backend_pid();").await, backend);
}
