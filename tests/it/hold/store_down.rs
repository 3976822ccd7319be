//! The store cannot be written: nothing that needs a decision passes; everything else does.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::refusal;
use crate::support::eventually;

#[tokio::test]
async fn nothing_that_needs_a_record_passes() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("\\set VERBOSITY verbose").await;
    let driver = proxy.alice.driver().await;
    let delete = driver.prepare("DELETE FROM items WHERE id = $1").await.unwrap();

    let lock = proxy.store.lock().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let refused = driver.execute(&delete, &[&4]).await;
    let error = refusal(refused, &SqlState::IO_ERROR);
    assert!(
        error.message().starts_with("the statement cannot be recorded"),
        "{error:?}"
    );
    let shown = alice.prompt().await;
    assert!(
        shown.contains("ERROR:  58030: the statement cannot be recorded"),
        "{shown}"
    );
    // What policy denies is recorded too.
    assert!(alice.runs("DELETE FROM items;").await.contains("58030"));
    assert_eq!(
        alice.runs("SELECT count(*) FROM items;").await,
        "10\n",
        "reads pass"
    );
    assert_eq!(driver.value("SELECT 1").await.unwrap(), "1");

    assert_eq!(proxy.health("/readyz").await, 503);
    assert_eq!(
        proxy.health("/healthz").await,
        200,
        "a restart would mend nothing"
    );

    lock.release().await;
    assert_eq!(proxy.health("/readyz").await, 200);
    alice.types("DELETE FROM items WHERE id = 3;");
    proxy.bob.approves_next().await;
    assert!(
        alice.prompt().await.ends_with("DELETE 1\n"),
        "it works again by itself"
    );
}

#[tokio::test]
async fn a_decision_that_cannot_be_recorded_is_not_taken() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;

    let lock = proxy.store.lock().await;
    let answer = proxy.bob.approve(&request).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.content_type, "application/problem+json");
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(proxy.bob.request(request.id()).await.state(), "pending");

    lock.release().await;
    assert!(proxy.bob.approve(&request).await.is_taken());
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}

#[tokio::test]
async fn what_was_approved_does_not_run_unless_its_intent_is_recorded() {
    let proxy = Proxy::start().await;
    proxy.store.refuse("running").await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let decided = async {
        let request = proxy.bob.pending_one().await;
        // The last approval and the intent are one: neither is there.
        let answer = proxy.bob.approve(&request).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(proxy.bob.request(request.id()).await.state(), "pending");
        assert_eq!(proxy.database.items().await, 10);
        proxy.store.allow("running").await;
        assert!(proxy.bob.approve(&request).await.is_taken());
        request
    };
    let (done, request) = join(alice.execute(&delete, &[&3]), decided).await;
    assert_eq!(done.unwrap(), 1);
    let seen = proxy.bob.sees(&request, "executed").await;
    assert_eq!(seen.field("reviews").as_array().unwrap().len(), 1, "{seen:?}");
}

#[tokio::test]
async fn an_outcome_that_cannot_be_recorded_is_settled_by_a_restart() {
    let mut proxy = Proxy::start().await;
    proxy.store.refuse("executed").await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.approves_next().await;
    assert!(alice.prompt().await.ends_with("DELETE 1\n"), "it has run");
    proxy.terminate();
    assert!(proxy.stopped().await.success());
    assert_eq!(proxy.store.state(request.id()).await, "running");
    proxy.restart().await;
    assert_eq!(proxy.bob.request(request.id()).await.state(), "abandoned");
}

/// What nobody waits for is tried until the store takes it.
#[tokio::test]
async fn an_outcome_is_recorded_once_the_store_takes_it() {
    let proxy = Proxy::start().await;
    proxy.store.refuse("executed").await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.approves_next().await;
    assert!(alice.prompt().await.ends_with("DELETE 1\n"), "it has run");
    proxy.logs("record an outcome").await;
    assert_eq!(proxy.bob.request(request.id()).await.state(), "running");
    proxy.store.allow("executed").await;
    let seen = proxy.bob.sees(&request, "executed").await;
    assert_eq!(seen.outcome()["rows"], 1);
}

/// Nor does a request stay open whose client has gone in the meantime.
#[tokio::test]
async fn a_withdrawal_is_recorded_once_the_store_takes_it() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let cancelled = proxy.bob.pending_one().await;
    proxy.store.refuse("withdrawn").await;
    proxy.store.refuse("abandoned").await;
    alice.interrupt();
    alice.prompt().await;
    proxy.logs("withdraw a request").await;
    assert_eq!(proxy.bob.request(cancelled.id()).await.state(), "pending");
    proxy.store.allow("withdrawn").await;
    proxy.bob.sees(&cancelled, "withdrawn").await;
    assert_eq!(proxy.database.items().await, 10);
}

/// Those that arrive together share a transaction, and its failure.
#[tokio::test]
async fn of_many_at_once_none_passes_and_none_waits_behind_the_others() {
    let proxy = Proxy::start().await;
    let drivers = join_all((0..12).map(|_| proxy.alice.driver())).await;
    let delete = "DELETE FROM items WHERE id = 3";

    let lock = proxy.store.lock().await;
    let begun = Instant::now();
    let refused = join_all(drivers.iter().map(|driver| driver.execute(delete, &[]))).await;
    for one in refused {
        refusal(one, &SqlState::IO_ERROR);
    }
    // One waits for the lock five seconds, and then all others do, together.
    assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
    assert_eq!(proxy.database.items().await, 10);

    lock.release().await;
    let deletes = join_all(drivers.iter().map(|driver| driver.execute(delete, &[])));
    let decisions = async {
        let pending = eventually("all of them are pending", async || {
            let pending = proxy.bob.requests("?state=pending").await;
            (pending.len() == drivers.len()).then_some(pending)
        });
        for answer in join_all(pending.await.iter().map(|request| proxy.bob.approve(request))).await {
            assert!(answer.is_taken(), "{answer:?}");
        }
    };
    let (done, ()) = join(deletes, decisions).await;
    let rows: u64 = done.into_iter().map(Result::unwrap).sum();
    assert_eq!(rows, 1, "it works again by itself");
}
