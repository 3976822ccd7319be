//! Sessions of users who are disabled end, each when nothing of it runs.

use std::process::Stdio;

use crate::support::raw::{Frames, tags};
use crate::support::{Proxy, eventually};

fn set(proxy: &Proxy, what: &str, user: &str) {
    let done = proxy
        .command(&["user", what, user])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test]
async fn an_idle_session_ends_with_the_reason_and_others_go_on() {
    let proxy = Proxy::start().await;
    let mut idle = proxy.alice.raw().await;
    let mut in_a_block = proxy.alice.raw().await;
    in_a_block.send(Frames::new().query("BEGIN")).await;
    in_a_block.ready().await;
    let mut bob = proxy.bob.raw().await;
    set(&proxy, "disable", "alice");
    for raw in [&mut idle, &mut in_a_block] {
        let last = raw.rest().await.pop().unwrap();
        assert_eq!(
            (last.code().as_str(), last.field(b'S').as_deref()),
            ("57P01", Some("FATAL"))
        );
        assert_eq!(
            last.field(b'M').unwrap(),
            "terminating connection: user \"alice\" was disabled"
        );
    }
    bob.send(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&bob.ready().await), "TDCZ");
    set(&proxy, "enable", "alice");
    drop(proxy.alice.raw().await);
}

/// As somebody does it whose groups were changed, so that nothing goes on with those from before.
#[tokio::test]
async fn who_is_enabled_again_at_once_has_to_come_anew() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    set(&proxy, "disable", "alice");
    set(&proxy, "enable", "alice");
    let heard = alice.rest().await;
    assert_eq!(heard.last().unwrap().code(), "57P01");
    let mut again = proxy.alice.raw().await;
    again.send(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&again.ready().await), "TDCZ");
}

#[tokio::test]
async fn what_runs_is_not_cut_off() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let lock = proxy.database.lock_items().await;
    alice
        .send(Frames::new().query("SELECT id FROM items WHERE id = 1 FOR UPDATE"))
        .await;
    let request = proxy.bob.approves_next().await;
    proxy.database.sees_waiting("%FOR UPDATE", "Lock").await;
    set(&proxy, "disable", "alice");
    eventually("it is noticed", async || {
        proxy.log_text().contains("users were disabled").then_some(())
    })
    .await;
    assert_eq!(proxy.bob.request(request.id()).await.state(), "running");
    drop(lock);
    let heard = alice.rest().await;
    assert_eq!(tags(&heard), "TDCZE");
    assert_eq!(heard.last().unwrap().code(), "57P01");
    proxy.bob.sees(&request, "executed").await;
}

#[tokio::test]
async fn what_waits_for_people_is_withdrawn() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id = 1"))
        .await;
    let request = proxy.bob.pending_one().await;
    set(&proxy, "disable", "alice");
    let heard = alice.rest().await;
    assert_eq!(heard.last().unwrap().code(), "57P01");
    proxy.bob.sees(&request, "withdrawn").await;
    assert_eq!(proxy.database.items().await, 10);
}
