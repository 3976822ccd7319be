//! The requester takes it back: Ctrl-C, or a driver's cancel request.

use std::time::Duration;

use futures_util::future::join;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::driver::refusal;
use crate::support::middle::far;
use crate::support::psql::Transaction;
use crate::support::raw::{Frames, describe, tags};
use crate::support::{Proxy, eventually};

const DELETE: &str = "DELETE FROM items WHERE id = 3";

/// What lowers the read shield.
const LOWERS: &[u8] = b"SET default_transaction_read_only = off\0";

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
    alice.send(crate::support::raw::Frames::new().query(DELETE)).await;
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

/// The read shield is lowered before it, for which the server is asked.
#[tokio::test]
async fn what_was_approved_can_be_withdrawn_until_it_is_sent() {
    let (proxy, database, middle, mut alice) = far().await;
    for (unit, answers) in [
        (Frames::new().query(DELETE), "EZ"),
        (Frames::new().statement(DELETE).sync(), "1EZ"),
    ] {
        middle.holds_up(true);
        alice.send(unit).await;
        let request = proxy.bob.pending_one().await;
        assert_eq!(proxy.bob.approve(&request).await.status, 200);
        let mut notices = Vec::new();
        for _ in 0..2 {
            notices.push(alice.message().await);
        }
        let said = notices[1].field(b'M').unwrap_or_default();
        assert!(said.contains("approved"), "{}", describe(&notices));
        proxy.alice.cancel(&alice.key).await;
        middle.holds_up(false);
        let answer = alice.ready().await;
        assert_eq!(tags(&answer), answers, "{}", describe(&answer));
        assert_eq!(answer[answer.len() - 2].code(), "57014", "{}", describe(&answer));
        let request = proxy.bob.sees(&request, "failed").await;
        assert_eq!(
            request.outcome()["error"],
            "withdrawn by the requester; it did not run"
        );
        let answer = alice.exchange(Frames::new().query("SELECT 1")).await;
        assert_eq!(tags(&answer), "TDCZ", "{}", describe(&answer));
        assert_eq!(database.items().await, 10);
    }
}

/// So that the server is not asked for that once it is approved.
#[tokio::test]
async fn the_read_shield_is_lowered_while_people_decide() {
    let (proxy, database, mut middle, mut alice) = far().await;
    alice.send(Frames::new().query(DELETE)).await;
    let request = proxy.bob.pending_one().await;
    middle.hears(LOWERS).await;
    assert_eq!(proxy.bob.reject(&request, "no").await.status, 200);
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "EZ", "{}", describe(&answer));
    // It is raised again for what reads next.
    let answer = alice
        .exchange(Frames::new().query("SHOW default_transaction_read_only"))
        .await;
    assert_eq!(tags(&answer), "TDCZ", "{}", describe(&answer));
    let answer = alice
        .exchange(Frames::new().query("SELECT current_setting('transaction_read_only')"))
        .await;
    assert_eq!(answer[1].values(), ["on"], "{}", describe(&answer));
    assert_eq!(database.items().await, 10);
}

/// Before it is sent, and when it runs.
#[tokio::test]
async fn a_cancel_request_at_any_moment_behind_an_approval_is_not_lost() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for round in 0..40 {
        alice.exchange(Frames::new().query("SELECT 1")).await;
        let slow = "DELETE FROM items WHERE id = 3 AND pg_sleep(30) IS NULL";
        let unit = match round % 2 {
            0 => Frames::new().query(slow),
            _ => Frames::new().statement(slow).sync(),
        };
        alice.send(unit).await;
        proxy.bob.approves_next().await;
        tokio::time::sleep(Duration::from_micros(round * 150)).await;
        proxy.alice.cancel(&alice.key).await;
        let answer = alice.ready().await;
        let refused = &answer[answer.len() - 2];
        assert_eq!(refused.tag, b'E', "in round {round}: {}", describe(&answer));
        assert_eq!(refused.code(), "57014", "in round {round}");
    }
}

/// The server forgets a cancel request that its process hears of before it reads the statement.
#[tokio::test]
async fn a_cancel_request_that_the_server_hears_of_too_early_is_sent_again() {
    let (proxy, database, mut middle, mut alice) = far().await;
    let slow = b"DELETE FROM items WHERE id = 3 AND pg_sleep(60) IS NULL";
    alice
        .send(Frames::new().query(std::str::from_utf8(slow).expect("ASCII")))
        .await;
    middle.hears(LOWERS).await;
    eventually("the read shield is down", async || {
        let lowered = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle'
            AND query = 'SET default_transaction_read_only = off' AND datname = current_database()";
        (database.value(lowered).await == "1").then_some(())
    })
    .await;
    middle.keeps_back(true);
    middle.lets_connect(1);
    proxy.bob.approves_next().await;
    middle.hears(slow).await;
    let cancelled = proxy.alice.cancel(&alice.key);
    let begun = async {
        middle.is_asked_for_more().await;
        middle.keeps_back(false);
        database.sees_waiting("DELETE%pg_sleep(60)%", "PgSleep").await;
        middle.lets_connect(0);
    };
    join(cancelled, begun).await;
    let answer = alice.ready().await;
    assert_eq!(answer[answer.len() - 2].code(), "57014", "{}", describe(&answer));
    let answer = alice.exchange(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&answer), "TDCZ", "{}", describe(&answer));
    assert_eq!(database.items().await, 10);
}

/// What was cleared before it in its pipeline is sent first, and that is what the request is for.
#[tokio::test]
async fn a_cancel_request_behind_an_approval_is_for_what_was_pipelined_before_it() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    let sleep = Frames::new().statement("SELECT pg_sleep(60)");
    alice
        .send(sleep.statement("DELETE FROM items WHERE id = 3").sync())
        .await;
    let request = proxy.bob.approves_next().await;
    proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
    proxy.alice.cancel(&alice.key).await;
    let answer = alice.ready().await;
    assert_eq!(answer[answer.len() - 2].code(), "57014", "{}", describe(&answer));
    let request = proxy.bob.sees(&request, "failed").await;
    // The request is for both; either may be seen first.
    let why = request.outcome()["error"].to_string();
    assert!(why.contains("it did not run"), "{why}");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn what_runs_under_a_limit_of_rows_can_be_withdrawn_until_it_is_sent() {
    let (proxy, database, mut middle, mut alice) = far().await;
    alice.send(Frames::new().query(DELETE)).await;
    let request = proxy.bob.pending_one().await;
    middle.hears(LOWERS).await;
    let standing =
        serde_json::json!({"request": request.id(), "length": "8h", "max_rows": 5, "reason": "seen it"});
    let given = proxy
        .bob
        .call(
            reqwest::Method::POST,
            "/api/v1/standing-approvals",
            Some(&standing),
        )
        .await;
    assert_eq!(given.status, 201, "{given:?}");
    proxy.bob.rejects_next("the example").await;
    alice.ready().await;
    alice.exchange(Frames::new().query("SELECT 1")).await;

    middle.holds_up(true);
    alice.send(Frames::new().query(DELETE)).await;
    middle.hears(LOWERS).await;
    proxy.alice.cancel(&alice.key).await;
    middle.holds_up(false);
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "EZ", "{}", describe(&answer));
    assert_eq!(answer[answer.len() - 2].code(), "57014", "{}", describe(&answer));
    let failed = eventually("that it did not run is recorded", async || {
        proxy.bob.requests("?state=failed").await.pop()
    })
    .await;
    assert_eq!(
        failed.outcome()["error"],
        "withdrawn by the requester; it did not run"
    );
    assert_eq!(database.items().await, 10);
}
