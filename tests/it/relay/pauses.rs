//! A client that pauses in the middle of a segment: errors come at once, and the server's clocks do not run
//! while people think.

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, Message, Raw, describe, tags};
use crate::support::request::Request;
use crate::support::{Proxy, Role, eventually};

const DELETE: &str = "DELETE FROM items WHERE id = 3";

#[tokio::test]
async fn an_error_comes_at_once_without_a_sync_or_a_flush() {
    for policy in [None, Some(EVERYTHING_PASSES)] {
        let mut setup = Proxy::with().role(Role::Trust);
        if let Some(policy) = policy {
            setup = setup.policy(policy);
        }
        let proxy = setup.start().await;
        let e = Frames::new;
        for frames in [
            e().parse("", "SELEC 1"),
            e().parse("", "SELECT * FROM nowhere"),
            e().parse("", "DELETE FROM nowhere WHERE id = 1"),
            e().statement("SELECT 1/0"),
            e().statement("SELECT 1").statement("SELECT 1/0"),
            e().execute("nowhere", 0),
            e().describe_statement("nowhere"),
        ] {
            let mut direct = Raw::past(&proxy).await;
            let mut through = proxy.alice.raw().await;
            for raw in [&mut direct, &mut through] {
                raw.send(&frames).await;
            }
            let (expected, answer) = (direct.up_to(b'E').await, through.up_to(b'E').await);
            assert_eq!(shown(answer), shown(expected));
            // What stands behind it is skipped, up to the Sync.
            for raw in [&mut direct, &mut through] {
                raw.send(e().statement(DELETE).sync().statement("SELECT 2").sync())
                    .await;
            }
            let (expected, answer) = (direct.answers(2).await, through.answers(2).await);
            assert_eq!(shown(answer), shown(expected));
        }
        assert_eq!(proxy.bob.requests("").await.len(), 0, "nobody was asked");
    }
}

#[tokio::test]
async fn a_pause_before_a_held_statement_starts_no_clock() {
    let proxy = Proxy::with().hold(r#"notice_interval = "1s""#).start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("SET statement_timeout = '500ms'"))
        .await;
    alice.ready().await;
    for (id, flushed) in [(3, false), (4, true)] {
        let delete = format!("DELETE FROM items WHERE id = {id}");
        let parse = Frames::new().parse("", &delete);
        alice.send(if flushed { parse.flush() } else { parse }).await;
        has_parsed(&proxy, &delete).await;
        alice
            .send(Frames::new().bind("", "", &[]).execute("", 0).sync())
            .await;
        let request = proxy.bob.pending_one().await;
        let mut answer = Vec::new();
        while answer.iter().filter(|m: &&Message| m.tag == b'N').count() < 2 {
            answer.push(alice.message().await);
        }
        proxy.bob.approve(&request).await;
        answer.extend(alice.ready().await);
        assert_eq!(tags(&answer), "12CZ", "{}", describe(&answer));
    }
    assert_eq!(proxy.database.items().await, 8);
}

/// While a name is taken, a Parse for it fails. What is bound behind it must not be the old statement.
#[tokio::test]
async fn a_pause_behind_a_parse_that_fails_binds_nothing_else() {
    let proxy = Proxy::start().await;
    for flushed in [false, true] {
        let mut alice = proxy.alice.raw().await;
        alice.send(Frames::new().parse("s", DELETE).sync()).await;
        alice.ready().await;
        let parse = Frames::new().parse("s", "DELETE FROM items WHERE id = 0");
        alice.send(if flushed { parse.flush() } else { parse }).await;
        let answer = alice.up_to(b'E').await;
        assert_eq!(answer.last().unwrap().code(), "42P05");
        alice
            .send(Frames::new().bind("", "s", &[]).execute("", 0).sync())
            .await;
        assert_eq!(tags(&alice.ready().await), "Z");
        assert_eq!(proxy.bob.requests("").await.len(), 0, "nobody was asked");
        // The same in one go: the Bind is looked at before the server has answered.
        let parse = Frames::new().parse("s", "DELETE FROM items WHERE id = 0").flush();
        alice.send(parse.bind("", "s", &[]).execute("", 0).sync()).await;
        assert_eq!(tags(&alice.ready().await), "EZ");
        assert_eq!(proxy.bob.requests("").await.len(), 0, "nobody was asked");
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_failure_before_it_in_its_pipeline_ends_a_wait() {
    // Behind the shield, a pipeline whose reads have run does not write.
    let proxy = Proxy::with().databases("read_shield = false").start().await;
    let mut alice = proxy.alice.raw().await;
    let fails_later = "SELECT 1 / (random() * 0)::int FROM pg_sleep(1)";
    alice
        .send(Frames::new().statement(fails_later).flush().statement(DELETE))
        .await;
    let request = proxy.bob.pending_one().await;
    let answer = alice.up_to(b'E').await;
    assert_eq!(answer.last().unwrap().code(), "22012", "{}", describe(&answer));
    let request = proxy.bob.sees(&request, "withdrawn").await;
    assert_eq!(
        request.text("reason"),
        "an earlier message of its pipeline failed"
    );
    alice.send(Frames::new().sync().query("SELECT 1")).await;
    assert_eq!(tags(&alice.answers(2).await), "ZTDCZ");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_statement_pipelined_behind_begin_is_held_inside_the_transaction() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let begin = Frames::new().statement("BEGIN").sync();
    alice.send(begin.statement(DELETE).sync().query("ROLLBACK")).await;
    let request = proxy.bob.pending_one().await;
    assert_eq!(request.field("in_transaction"), true);
    assert!(age(&request) >= 0, "{request:?}");
    // What is answered already can be read.
    assert_eq!(tags(&alice.ready().await), "12CZ");
    proxy.bob.approve(&request).await;
    assert_eq!(tags(&alice.answers(2).await), "12CZCZ");
    assert_eq!(proxy.database.items().await, 10);
}

/// In a transaction that has failed nothing runs: nobody is asked.
#[tokio::test]
async fn nothing_is_held_in_a_failed_transaction() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for asked in [
        Frames::new().statement(DELETE).sync(),
        Frames::new()
            .parse("s", DELETE)
            .bind("", "s", &[])
            .execute("", 0)
            .sync(),
        Frames::new().query(DELETE),
    ] {
        alice.send(Frames::new().query("BEGIN").query("SELECT 1/0")).await;
        alice.answers(2).await;
        alice.send(&asked).await;
        let answer = alice.ready().await;
        assert_eq!(answer[0].code(), "25P02", "{}", describe(&answer));
        // The end of the transaction, and what comes behind it in its pipeline, is another matter.
        alice
            .send(Frames::new().statement("ROLLBACK").statement(DELETE).sync())
            .await;
        proxy.bob.rejects_next("no").await;
        assert_eq!(tags(&alice.ready().await), "12C1EZ");
    }
    assert_eq!(proxy.database.items().await, 10);
}

fn age(request: &Request) -> i64 {
    let since: jiff::Timestamp = request.text("transaction_since").parse().unwrap();
    let asked: jiff::Timestamp = request.text("created_at").parse().unwrap();
    since.duration_until(asked).as_secs()
}

/// Waits until the server has parsed it.
async fn has_parsed(proxy: &Proxy, text: &str) {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE query = '{text}' AND datname = current_database()
         AND usename = 'app'"
    );
    eventually("the server has parsed it", async || {
        (proxy.database.value(&query).await == "1").then_some(())
    })
    .await;
}

fn shown(messages: Vec<Message>) -> String {
    let messages: Vec<Message> = messages.into_iter().map(Message::without_source).collect();
    describe(&messages)
}
