//! holdpoint stops, or crashes, while statements are held.

use futures_util::future::join;
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::refusal;

#[tokio::test]
async fn a_stop_abandons_what_is_held_and_says_so() {
    let mut proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("\\set VERBOSITY verbose").await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    proxy.terminate();
    let shown = alice
        .shows("57P01: terminating connection: holdpoint is being stopped\n")
        .await;
    assert!(shown.contains("FATAL"), "{shown}");
    alice
        .shows(&format!("request {} is abandoned", request.id()))
        .await;
    assert!(proxy.stopped().await.success());
    assert_eq!(proxy.store.state(request.id()).await, "abandoned");
    assert_eq!(proxy.database.items().await, 10);

    proxy.restart().await;
    assert_eq!(proxy.bob.approve(&request).await.status, 409);
    assert_eq!(proxy.bob.request(request.id()).await.state(), "abandoned");
}

#[tokio::test]
async fn a_driver_gets_a_stop_as_an_error() {
    let mut proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let stop = async {
        let request = proxy.bob.pending_one().await;
        proxy.terminate();
        request
    };
    let (done, request) = join(alice.execute(&delete, &[&3]), stop).await;
    let error = refusal(done, &SqlState::ADMIN_SHUTDOWN);
    assert_eq!(error.severity(), "FATAL");
    assert!(proxy.stopped().await.success());
    assert_eq!(proxy.store.state(request.id()).await, "abandoned");
}

#[tokio::test]
async fn a_stop_lets_what_runs_finish_and_records_it() {
    let mut proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let mut idle = proxy.alice.driver().await;
    let stop = async {
        let request = proxy.bob.approves_next().await;
        proxy.bob.sees(&request, "running").await;
        proxy.terminate();
        request
    };
    let slow = alice.simple_query("UPDATE items SET name = 'slow' || pg_sleep(1) WHERE id = 1");
    let (done, request) = join(slow, stop).await;
    done.expect("it runs to its end");
    idle.closed().await;
    assert!(proxy.stopped().await.success());
    assert_eq!(proxy.store.state(request.id()).await, "executed");
    assert_eq!(
        proxy.database.value("SELECT name FROM items WHERE id = 1").await,
        "slow"
    );
}

#[tokio::test]
async fn a_restart_settles_what_a_crash_left_open() {
    let mut proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let pending = proxy.bob.pending_one().await;
    let mut running = proxy.alice.raw().await;
    running
        .send(
            crate::support::raw::Frames::new()
                .query("UPDATE items SET name = 'x' || pg_sleep(30) WHERE id = 1"),
        )
        .await;
    let requests = crate::support::eventually("two requests", async || {
        let requests = proxy.bob.requests("?state=pending").await;
        (requests.len() == 2).then_some(requests)
    });
    let requests = requests.await;
    let started = requests.iter().find(|r| r.id() != pending.id()).unwrap();
    proxy.bob.approve(started).await;
    proxy.bob.sees(started, "running").await;

    proxy.kill9();
    assert_eq!(proxy.store.state(pending.id()).await, "pending");
    assert_eq!(proxy.store.state(started.id()).await, "running");
    proxy.restart().await;
    for request in [&pending, started] {
        assert_eq!(proxy.bob.request(request.id()).await.state(), "abandoned");
        assert_eq!(proxy.bob.approve(request).await.status, 409);
    }
    assert_eq!(proxy.database.items().await, 10);
}
