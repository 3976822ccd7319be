//! Waiting is explained to the requester: at once, and again at intervals.

use crate::support::Proxy;
use crate::support::driver::Driver;
use crate::support::request::Request;
use futures_util::future::join;

#[tokio::test]
async fn psql_says_at_once_what_it_waits_for() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let notice = alice.shows("Ctrl-C withdraws the request.\n").await;
    let request = proxy.bob.pending_one().await;
    assert!(
        notice.starts_with("NOTICE:  held: DELETE waits for approval by a member of dba"),
        "{notice}"
    );
    for said in [request.id(), request.url(), &until(&request), "(in 30 min)"] {
        assert!(notice.contains(said), "{said} in {notice}");
    }
    assert_eq!(
        request.url(),
        format!("{}/requests/{}", proxy.console(), request.id())
    );
}

#[tokio::test]
async fn psql_is_reminded_at_every_interval() {
    let proxy = Proxy::with().hold(r#"notice_interval = "1s""#).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    let reminder = format!(
        "NOTICE:  still held: request {} waits for approval by a member of dba {}",
        request.id(),
        until(&request)
    );
    alice.shows(&reminder).await;
    alice.shows(&reminder).await;
    proxy.bob.approve(&request).await;
    assert!(alice.prompt().await.ends_with("DELETE 1\n"));
}

#[tokio::test]
async fn every_group_that_must_approve_is_named() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = { effects = ["read", "session"] }
        then = "allow"
        [[rule]]
        name = "two groups"
        then = { hold = { groups = ["dba", "security"], timeout = "45s" } }
    "#;
    let proxy = Proxy::with().policy(policy).start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let notice = alice.shows("withdraws").await;
    assert!(notice.contains("one member each of dba and security"), "{notice}");
    assert!(
        notice.contains("(in 45 s)") || notice.contains("(in 44 s)"),
        "{notice}"
    );
}

#[tokio::test]
async fn a_driver_gets_a_notice_by_either_protocol() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();

    let (done, request) = join(alice.execute(&delete, &[&3]), proxy.bob.approves_next()).await;
    assert_eq!(done.unwrap(), 1);
    says_what_it_waits_for(&alice, &request).await;

    let (done, request) = join(
        alice.batch_execute("DELETE FROM items WHERE id = 4"),
        proxy.bob.approves_next(),
    )
    .await;
    done.unwrap();
    says_what_it_waits_for(&alice, &request).await;
}

/// The notice, and the one about the approval behind it.
async fn says_what_it_waits_for(alice: &Driver, request: &Request) {
    let held = alice.notice().await;
    assert_eq!(held.severity(), "NOTICE");
    let message = format!(
        "held: DELETE waits for approval by a member of dba (request {})",
        request.id()
    );
    assert_eq!(held.message(), message);
    let detail = held.detail().unwrap();
    assert!(
        detail.contains(request.url()) && detail.contains(&until(request)),
        "{detail}"
    );
    assert!(held.hint().unwrap().contains("Ctrl-C"));
    let approved = alice.notice().await;
    assert_eq!(
        approved.message(),
        format!("request {} approved by bob", request.id())
    );
}

/// The end of the wait, as requesters read it.
fn until(request: &Request) -> String {
    let expires_at: jiff::Timestamp = request.text("expires_at").parse().unwrap();
    expires_at.strftime("until %H:%M:%S UTC").to_string()
}
