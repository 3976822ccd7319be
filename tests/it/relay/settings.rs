//! Settings that change what a text means.

use crate::support::Proxy;
use crate::support::raw::{Frames, Raw, describe, tags};

#[tokio::test]
async fn an_encoding_that_cannot_be_judged_is_not_set() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SET client_encoding TO 'SJIS'",
        "SET client_encoding = big5",
        "SET NAMES 'GBK'",
        "SELECT set_config('client_encoding', 'SJIS', false)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET NAMES 'SJIS'",
        "DO $$ BEGIN SET client_encoding = 'SJIS'; END $$",
        "UPDATE pg_settings SET setting = 'SJIS' WHERE name = 'client_encoding'",
    ] {
        alice.send(Frames::new().query(sql)).await;
        proxy.bob.rejects_next("no").await;
        assert_eq!(tags(&alice.ready().await), "EZ", "{sql}");
    }
    alice.send(Frames::new().query("SET NAMES 'LATIN1'")).await;
    assert_eq!(tags(&alice.ready().await), "CSZ");
}

#[tokio::test]
async fn in_an_encoding_that_cannot_be_judged_everything_is_held() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("SET client_encoding = 'SJIS'"))
        .await;
    proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "CSZ");
    is_held(&proxy, &mut alice, "SELECT 1").await;
    alice.send(Frames::new().query("RESET client_encoding")).await;
    proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "CSZ");
    alice.send(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&alice.ready().await), "TDCZ");
}

#[tokio::test]
async fn backslashes_are_judged_as_the_server_reads_them() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    // One string and a comment while standard_conforming_strings is off, two statements while it is on.
    let text = r"SELECT 'a\'; DELETE FROM items WHERE id = 3; --'";
    is_held(&proxy, &mut alice, text).await;

    alice
        .send(Frames::new().query("SET standard_conforming_strings = off"))
        .await;
    let answer = approve_if_asked(&proxy, &mut alice).await;
    assert_eq!(answer, "CSZ");
    // And the other way round.
    is_held(
        &proxy,
        &mut alice,
        r"SELECT 'a\'' ; DELETE FROM items WHERE id = 3; --'",
    )
    .await;
    is_held(
        &proxy,
        &mut alice,
        r"SELECT '\'; DELETE FROM items WHERE id = 3; --'",
    )
    .await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_setting_takes_effect_for_the_next_text_also_in_one_go() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    // Sent at once: the second is judged before the server has answered the first, unless it is waited for.
    let sent = Frames::new()
        .query("SET standard_conforming_strings = off")
        .query(r"SELECT 'a\'' ; DELETE FROM items WHERE id = 3; --'");
    alice.send(&sent).await;
    let mut answers = String::new();
    let approving = async {
        loop {
            let request = proxy.bob.pending_one().await;
            if request.statement().contains("DELETE") {
                proxy.bob.reject(&request, "no").await;
            } else {
                proxy.bob.approve(&request).await;
            }
        }
    };
    let reading = async {
        answers = tags(&alice.answers(2).await);
    };
    tokio::select! {
        () = reading => {}
        () = approving => unreachable!("it goes on for ever"),
    }
    assert_eq!(proxy.database.items().await, 10, "{answers}");
}

async fn is_held(proxy: &Proxy, alice: &mut Raw, sql: &str) {
    alice.send(Frames::new().query(sql)).await;
    proxy.bob.rejects_next("no").await;
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "EZ", "{sql}: {}", describe(&answer));
}

async fn approve_if_asked(proxy: &Proxy, alice: &mut Raw) -> String {
    let approving = async {
        loop {
            proxy.bob.approves_next().await;
        }
    };
    tokio::select! {
        answer = alice.ready() => tags(&answer),
        () = approving => unreachable!("it goes on for ever"),
    }
}
