//! What the server says by itself passes at once: while nothing is asked, and while something is held.

use futures_util::future::join;
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::refusal;

#[tokio::test]
async fn notifications_come_while_nothing_is_asked() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    alice.batch_execute("LISTEN news").await.unwrap();
    proxy.database.run("NOTIFY news, 'idle'").await;
    let news = alice.notification().await;
    assert_eq!((news.channel(), news.payload()), ("news", "idle"));
}

#[tokio::test]
async fn notifications_come_while_a_statement_is_held() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    alice.batch_execute("LISTEN news").await.unwrap();
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let meanwhile = async {
        let request = proxy.bob.pending_one().await;
        for number in 1..=3 {
            proxy.database.run(&format!("NOTIFY news, '{number}'")).await;
            assert_eq!(alice.notification().await.payload(), number.to_string());
        }
        assert_eq!(proxy.bob.request(request.id()).await.state(), "pending");
        proxy.bob.approve(&request).await;
    };
    let (done, ()) = join(alice.execute(&delete, &[&3]), meanwhile).await;
    assert_eq!(done.unwrap(), 1);
}

#[tokio::test]
async fn the_servers_end_ends_the_wait() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.driver().await;
    let backend = alice.value("SELECT pg_backend_pid()").await.unwrap();
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let meanwhile = async {
        let request = proxy.bob.pending_one().await;
        proxy
            .database
            .run(&format!("SELECT pg_terminate_backend({backend})"))
            .await;
        request
    };
    let (done, request) = join(alice.execute(&delete, &[&3]), meanwhile).await;
    refusal(done, &SqlState::ADMIN_SHUTDOWN);
    alice.closed().await;
    proxy.bob.sees(&request, "withdrawn").await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_transaction_may_time_out_while_its_statement_is_held() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.driver().await;
    alice
        .batch_execute("SET idle_in_transaction_session_timeout = '300ms'; BEGIN")
        .await
        .unwrap();
    let deleting = alice.batch_execute("DELETE FROM items WHERE id = 3");
    let (done, request) = join(deleting, proxy.bob.pending_one()).await;
    refusal(done, &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT);
    alice.closed().await;
    proxy.bob.sees(&request, "withdrawn").await;
    assert_eq!(proxy.bob.approve(&request).await.status, 409);
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn waiting_for_people_is_not_on_the_statements_clock() {
    let proxy = Proxy::with().hold(r#"notice_interval = "1s""#).start().await;
    let alice = proxy.alice.driver().await;
    alice
        .batch_execute("SET statement_timeout = '500ms'")
        .await
        .unwrap();
    let late = async || {
        let request = proxy.bob.pending_one().await;
        // The first notice says that it is held, the second that it still is, a second later.
        assert!(alice.notice().await.message().starts_with("held"));
        assert!(alice.notice().await.message().starts_with("still held"));
        proxy.bob.approve(&request).await;
        assert!(alice.notice().await.message().ends_with("approved by bob"));
    };
    // Parse, Bind and Execute in one go: their clock starts at the Parse.
    let deleting = alice.query_typed("DELETE FROM items WHERE id = 3 RETURNING id", &[]);
    let (done, ()) = join(deleting, late()).await;
    assert_eq!(done.unwrap().len(), 1);
    let (done, ()) = join(alice.batch_execute("DELETE FROM items WHERE id = 4"), late()).await;
    done.unwrap();
}
