//! The client goes away: its request is withdrawn, and never runs, whatever comes in that moment.

use std::time::Duration;

use crate::support::Proxy;
use crate::support::eventually;
use crate::support::middle::far;
use crate::support::raw::{Frames, Raw};
use crate::support::request::Request;
use futures_util::future::join;

/// How often a race is run.
const RACES: usize = 50;

#[tokio::test]
async fn psql_is_killed() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    alice.kill9();
    is_withdrawn(&proxy, &request).await;
}

#[tokio::test]
async fn a_drivers_connection_is_cut() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let statement = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    tokio::select! {
        _ = alice.execute(&statement, &[&3]) => panic!("it must wait"),
        _ = proxy.bob.pending_one() => {}
    }
    let request = proxy.bob.pending_one().await;
    alice.vanish();
    is_withdrawn(&proxy, &request).await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_gone() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id = 3"))
        .await;
    let request = proxy.bob.pending_one().await;
    // It is still connected; but it waits for nothing any more.
    alice.send(Frames::new().terminate()).await;
    is_withdrawn(&proxy, &request).await;
}

#[tokio::test]
async fn a_client_is_gone_behind_what_it_had_sent_ahead() {
    let proxy = Proxy::with().proxy(r#"hold_buffer = "64KiB""#).start().await;
    let ahead = "SELECT 1 ".repeat(1000);
    for queries in [1, 1000] {
        let mut alice = proxy.alice.raw().await;
        alice
            .send(Frames::new().query("DELETE FROM items WHERE id = 3"))
            .await;
        let request = proxy.bob.pending_one().await;
        // In the second round more than the proxy takes, and more than the sockets hold.
        let sending = async {
            let mut more = Frames::new();
            for _ in 0..queries {
                more = more.query(&ahead);
            }
            alice.send_until_stalled(more).await;
        };
        sending.await;
        drop(alice);
        is_withdrawn(&proxy, &request).await;
    }
}

#[tokio::test]
async fn a_client_that_left_before_the_approval_runs_nothing() {
    let proxy = Proxy::start().await;
    proxy.database.run(&more_items()).await;
    let items = proxy.database.items().await;
    for id in 1..=RACES {
        let (alice, request) = ask(&proxy, id).await;
        alice.leave().await;
        proxy.bob.approve(&request).await;
        let state = settled(&proxy, &request).await;
        // Its last state is withdrawn, or failed where the going was seen at the last moment.
        assert!(state == "withdrawn" || state == "failed", "{state}");
        assert_eq!(proxy.database.items().await, items, "{state}, and it ran");
    }
}

#[tokio::test]
async fn leaving_and_approving_at_once_never_does_both() {
    let proxy = Proxy::start().await;
    proxy.database.run(&more_items()).await;
    let mut expected = proxy.database.items().await;
    for id in 1..=RACES {
        let (alice, request) = ask(&proxy, id).await;
        let leave = async {
            // Earlier or later than the approval, from one race to the next.
            for _ in 0..id {
                tokio::task::yield_now().await;
            }
            alice.leave().await;
        };
        join(proxy.bob.approve(&request), leave).await;
        let state = settled(&proxy, &request).await;
        let ran = eventually("what ran is committed", async || {
            let now = proxy.database.items().await;
            (now == expected || now + 1 == expected).then_some(now + 1 == expected)
        });
        match (state.as_str(), ran.await) {
            ("executed", true) => expected -= 1,
            ("withdrawn", false) => {}
            // It was forwarded, or not, when the session ended: then nobody can know, and it says so.
            ("failed", ran) => {
                let now = proxy.bob.request(request.id()).await;
                let error = now.outcome()["error"].as_str().unwrap().to_owned();
                assert!(!ran || error.contains("whether it ran is not known"), "{error}");
                expected -= usize::from(ran);
            }
            (state, ran) => panic!("{state}, and ran: {ran}"),
        }
    }
}

/// What comes so fast that it is held back says nothing of what was forwarded before it.
#[tokio::test]
async fn what_was_forwarded_before_what_stays_here_may_have_run() {
    let (proxy, database, mut middle, mut alice) = far().await;
    let lock = database.hide_items().await;
    let delete = "DELETE FROM items WHERE id = 3";
    alice.send(Frames::new().query(delete)).await;
    let describing = async {
        loop {
            alice.send(Frames::new().describe_statement("")).await;
            // Between two there is less time than a pipeline waits for its next message.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let running = async {
        let request = proxy.bob.approves_next().await;
        middle.hears(delete.as_bytes()).await;
        middle.holds_up(true);
        drop(lock);
        eventually("it has run", async || (database.items().await == 9).then_some(())).await;
        request
    };
    let request = tokio::select! {
        () = describing => unreachable!("it goes on and on"),
        request = running => request,
    };
    // With what it has not read, so that the connection is reset.
    drop(alice);
    let request = proxy.bob.sees(&request, "failed").await;
    let error = request.outcome()["error"].to_string();
    assert!(error.contains("whether it ran is not known"), "{error}");
}

fn more_items() -> String {
    format!(
        "INSERT INTO items SELECT g, 'more' FROM generate_series(11, {}) g",
        RACES + 1
    )
}

/// Somebody asks to delete an item; each time a new connection.
async fn ask(proxy: &Proxy, id: usize) -> (Raw, Request) {
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query(&format!("DELETE FROM items WHERE id = {id}")))
        .await;
    let request = proxy.bob.pending_one().await;
    (alice, request)
}

/// Waits for a state that does not change any more.
async fn settled(proxy: &Proxy, request: &Request) -> String {
    eventually("the request is settled", async || {
        let now = proxy.bob.request(request.id()).await;
        let open = matches!(now.state(), "pending" | "approved" | "running");
        (!open).then(|| now.state().to_owned())
    })
    .await
}

async fn is_withdrawn(proxy: &Proxy, request: &Request) {
    proxy.bob.sees(request, "withdrawn").await;
    assert_eq!(proxy.bob.approve(request).await.status, 409);
    assert_eq!(proxy.database.items().await, 10);
}
