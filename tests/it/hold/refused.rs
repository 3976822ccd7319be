//! Rejected, denied, expired: an error that says who, why, and what to do; and a session that goes on.

use futures_util::future::join;
use tokio_postgres::error::{DbError, SqlState};

use crate::support::Proxy;
use crate::support::driver::refusal;
use crate::support::request::Request;

/// Writes expire after a second.
const IMPATIENT: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "reads pass"
    when = { effects = ["read", "session"] }
    then = "allow"
    [[rule]]
    name = "in a second"
    then = { hold = { groups = ["dba"], timeout = "1s" } }
"#;

#[tokio::test]
async fn psql_shows_who_rejected_it_and_why() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("\\set VERBOSITY verbose").await;
    alice.types("DELETE FROM items WHERE id < 9;");
    let request = proxy.bob.rejects_next("that is nearly all of them").await;
    let shown = alice.prompt().await;
    for said in [
        "ERROR:  42501: rejected by bob: that is nearly all of them\n",
        request.id(),
        request.url(),
        "\nHINT:  ",
    ] {
        assert!(shown.contains(said), "{said} in {shown}");
    }
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
    assert_eq!(proxy.alice.request(request.id()).await.state(), "rejected");
}

#[tokio::test]
async fn a_driver_gets_the_rejection_as_an_error() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let (done, request) = join(alice.execute(&delete, &[&1]), proxy.bob.rejects_next("not today")).await;
    is_rejection(&refusal(done, &SqlState::INSUFFICIENT_PRIVILEGE), &request);

    let (done, request) = join(
        alice.simple_query("DELETE FROM items WHERE id = 1"),
        proxy.bob.rejects_next("not today"),
    )
    .await;
    is_rejection(&refusal(done, &SqlState::INSUFFICIENT_PRIVILEGE), &request);

    assert_eq!(proxy.database.items().await, 10);
    // The same prepared statement asks again.
    let (done, _) = join(alice.execute(&delete, &[&1]), proxy.bob.approves_next()).await;
    assert_eq!(done.unwrap(), 1);
}

#[tokio::test]
async fn psql_shows_why_policy_denies_it() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("\\set VERBOSITY verbose").await;
    let shown = alice.runs("DELETE FROM items;").await;
    let denied = &proxy.alice.requests("?state=denied").await[0];
    for said in [
        "ERROR:  42501: denied by policy: it would change every row of the table.",
        "Rule \"no UPDATE or DELETE without WHERE\"",
        denied.id(),
        denied.url(),
    ] {
        assert!(shown.contains(said), "{said} in {shown}");
    }
    assert!(!shown.contains("held"), "{shown}");
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
}

#[tokio::test]
async fn a_driver_gets_a_denial_as_an_error() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let update = alice.prepare("UPDATE items SET name = $1").await.unwrap();
    for done in [
        alice.execute(&update, &[&"same"]).await.map(drop),
        alice.batch_execute("COPY items TO PROGRAM 'cat'").await,
        alice.batch_execute("ALTER SYSTEM SET work_mem = '1GB'").await,
        alice
            .simple_query("SELECT pg_read_file('/etc/passwd')")
            .await
            .map(drop),
    ] {
        let error = refusal(done, &SqlState::INSUFFICIENT_PRIVILEGE);
        assert!(error.message().starts_with("denied by policy: "), "{error:?}");
    }
    assert_eq!(proxy.alice.requests("?state=denied").await.len(), 4);
    assert_eq!(
        alice
            .value("SELECT count(DISTINCT name) FROM items")
            .await
            .unwrap(),
        "10"
    );
}

#[tokio::test]
async fn a_wait_that_nobody_ends_expires() {
    let proxy = Proxy::with().policy(IMPATIENT).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("\\set VERBOSITY verbose").await;
    alice.types("DELETE FROM items WHERE id = 1;");
    let request = proxy.bob.pending_one().await;
    let shown = alice.prompt().await;
    assert!(
        shown.contains("ERROR:  57014: approval expired: it was not approved by a member of dba in time\n"),
        "{shown}"
    );
    assert!(
        shown.contains(request.id()) && shown.contains(request.url()),
        "{shown}"
    );
    assert_eq!(proxy.alice.request(request.id()).await.state(), "expired");
    assert_eq!(proxy.bob.approve(&request).await.status, 409, "too late");
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
}

#[tokio::test]
async fn a_driver_gets_the_expiry_as_an_error() {
    let proxy = Proxy::with().policy(IMPATIENT).start().await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    let error = refusal(alice.execute(&delete, &[&1]).await, &SqlState::QUERY_CANCELED);
    assert!(error.message().starts_with("approval expired"), "{error:?}");
    let error = refusal(
        alice.batch_execute("DELETE FROM items WHERE id = 1").await,
        &SqlState::QUERY_CANCELED,
    );
    assert!(error.message().starts_with("approval expired"), "{error:?}");
    assert_eq!(alice.value("SELECT count(*) FROM items").await.unwrap(), "10");
}

fn is_rejection(error: &DbError, request: &Request) {
    assert_eq!(error.severity(), "ERROR");
    assert_eq!(error.message(), "rejected by bob: not today");
    let detail = error.detail().unwrap();
    assert!(
        detail.contains(request.id()) && detail.contains(request.url()),
        "{detail}"
    );
    assert!(error.hint().is_some());
}
