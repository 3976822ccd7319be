//! Names of prepared statements and portals: no way around the gate through the one or the other.

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, Message, Raw, describe, tags};
use crate::support::{Proxy, Role};

#[tokio::test]
async fn a_statement_prepared_by_sql_is_held_when_the_protocol_binds_it() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("PREPARE d AS DELETE FROM items WHERE id = 3"))
        .await;
    let answer = let_through(&proxy, &mut alice).await;
    assert_eq!(tags(&answer), "CZ", "{}", describe(&answer));

    alice
        .send(Frames::new().bind("", "d", &[]).execute("", 0).sync())
        .await;
    let request = proxy.bob.rejects_next("no").await;
    assert!(
        request.statement().contains("DELETE FROM items WHERE id = 3"),
        "{request}"
    );
    assert_eq!(tags(&alice.ready().await), "EZ");
    assert_eq!(proxy.database.items().await, 10);

    alice
        .send(Frames::new().bind("", "d", &[]).execute("", 0).sync())
        .await;
    proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "2CZ");
    assert_eq!(proxy.database.items().await, 9);
}

#[tokio::test]
async fn a_statement_parsed_by_the_protocol_is_held_when_sql_executes_it() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().parse("d", "DELETE FROM items WHERE id = 3").sync())
        .await;
    assert_eq!(tags(&alice.ready().await), "1Z");
    for sent in [
        Frames::new().query("EXECUTE d"),
        Frames::new().statement("EXECUTE d").sync(),
        Frames::new().query("SELECT 1; EXECUTE d"),
        Frames::new().query("EXPLAIN ANALYZE EXECUTE d"),
    ] {
        alice.send(&sent).await;
        let request = tokio::select! {
            answer = alice.ready() => panic!("not held: {}", describe(&answer)),
            request = proxy.bob.pending_one() => request,
        };
        proxy.bob.reject(&request, "no").await;
        assert!(
            request.statement().contains("DELETE FROM items WHERE id = 3"),
            "{request}"
        );
        let answer = alice.ready().await;
        assert_eq!(
            answer.iter().filter(|m| m.tag == b'E').count(),
            1,
            "{}",
            describe(&answer)
        );
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_name_that_changes_its_meaning_is_judged_by_the_new_one() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    let run = || e().bind("", "s", &[]).execute("", 0).sync();
    let delete = "DELETE FROM items WHERE id = 3";
    for (what, sent, answers) in [
        (
            "in a later segment",
            e().parse("s", "SELECT 1")
                .sync()
                .close_statement("s")
                .parse("s", delete)
                .sync(),
            "1Z31Z",
        ),
        (
            "in the same segment",
            e().parse("s", "SELECT 1")
                .close_statement("s")
                .parse("s", delete)
                .sync(),
            "131Z",
        ),
        (
            "by a simple query",
            e().parse("s", "SELECT 1")
                .sync()
                .query("DEALLOCATE s")
                .parse("s", delete)
                .sync(),
            "1ZCZ1Z",
        ),
    ] {
        // All at once: the proxy has seen no answer when the last segment comes.
        alice.send(sent.bytes(run().as_ref())).await;
        proxy.bob.rejects_next("no").await;
        let answer = alice.answers(answers.matches('Z').count() + 1).await;
        let expected = format!("{answers}EZ");
        assert_eq!(tags(&answer), expected, "{what}: {}", describe(&answer));
        alice.send(e().close_statement("s").sync()).await;
        alice.ready().await;
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_parse_that_failed_does_not_change_a_name() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    // The name is taken: the server refuses the second Parse, and the name stays harmful.
    alice
        .send(e().parse("s", "DELETE FROM items WHERE id = 3").sync())
        .await;
    alice.ready().await;
    let sent = e()
        .parse("s", "SELECT 1")
        .sync()
        .bind("", "s", &[])
        .execute("", 0)
        .sync();
    alice.send(&sent).await;
    proxy.bob.rejects_next("no").await;
    assert_eq!(tags(&alice.answers(2).await), "EZEZ");

    // The same in one text, by SQL: PREPARE fails, and so EXECUTE is never reached.
    alice.send(e().query("PREPARE s AS SELECT 1; EXECUTE s")).await;
    let answer = let_through(&proxy, &mut alice).await;
    assert_eq!(tags(&answer), "EZ", "{}", describe(&answer));
    alice.send(e().query("EXECUTE s")).await;
    proxy.bob.rejects_next("no").await;
    assert_eq!(tags(&alice.ready().await), "EZ");

    // And skipped behind an error in its own segment.
    let sent = e()
        .statement("SELECT 1/0")
        .close_statement("s")
        .parse("s", "SELECT 1")
        .sync();
    alice.send(sent.bind("", "s", &[]).execute("", 0).sync()).await;
    proxy.bob.rejects_next("no").await;
    let answer = alice.answers(2).await;
    assert!(tags(&answer).ends_with("EZEZ"), "{}", describe(&answer));
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_rolled_back_prepare_still_counts() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    // Prepared statements do not care for transactions.
    alice
        .send(
            Frames::new()
                .query("BEGIN")
                .parse("d", "DELETE FROM items WHERE id = 3")
                .sync()
                .query("ROLLBACK"),
        )
        .await;
    alice.answers(3).await;
    alice.send(Frames::new().query("EXECUTE d")).await;
    proxy.bob.rejects_next("no").await;
    assert_eq!(tags(&alice.ready().await), "EZ");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn discard_all_acts_at_its_place() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let sent = Frames::new()
        .parse("d", "DELETE FROM items WHERE id = 3")
        .sync()
        .query("DEALLOCATE ALL")
        .bind("", "d", &[])
        .execute("", 0)
        .sync()
        .parse("d", "SELECT 1")
        .bind("", "d", &[])
        .execute("", 0)
        .sync();
    alice.send(&sent).await;
    let answer = alice.answers(4).await;
    assert_eq!(tags(&answer), "1ZCZEZ12DCZ", "{}", describe(&answer));
    assert_eq!(answer.iter().find(|m| m.tag == b'E').unwrap().code(), "26000");
}

#[tokio::test]
async fn the_rows_of_an_approved_portal_come_with_one_approval() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    alice.send(e().query("BEGIN")).await;
    alice.ready().await;
    let delete = "DELETE FROM items WHERE id <= 5 RETURNING id";
    alice
        .send(e().parse("", delete).bind("p", "", &[]).execute("p", 2).sync())
        .await;
    let request = proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "12DDsZ");
    alice.send(e().execute("p", 2).sync()).await;
    assert_eq!(tags(&alice.ready().await), "DDsZ");
    alice.send(e().execute("p", 0).sync()).await;
    assert_eq!(tags(&alice.ready().await), "DCZ");
    alice.send(e().query("COMMIT")).await;
    assert_eq!(tags(&alice.ready().await), "CZ");
    assert_eq!(proxy.database.items().await, 5);
    proxy.bob.sees(&request, "executed").await;
    assert_eq!(proxy.bob.requests("").await.len(), 1, "one request was enough");
}

#[tokio::test]
async fn an_approved_portal_is_executed_once() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    let insert = "INSERT INTO items SELECT 100 + count(*), 'x' FROM items";
    // The same portal again is an error of the server's; binding it again asks again.
    alice.send(e().query("BEGIN")).await;
    alice.ready().await;
    alice
        .send(
            e().parse("i", insert)
                .bind("p", "i", &[])
                .execute("p", 0)
                .execute("p", 0)
                .sync(),
        )
        .await;
    proxy.bob.approves_next().await;
    let answer = alice.ready().await;
    assert!(tags(&answer).starts_with("12C"), "{}", describe(&answer));
    alice.send(e().query("COMMIT")).await;
    alice.ready().await;
    alice.send(e().bind("p", "i", &[]).execute("p", 0).sync()).await;
    proxy.bob.rejects_next("once is enough").await;
    assert_eq!(tags(&alice.ready().await), "EZ");
    assert!(proxy.database.items().await <= 11);
}

/// What is prepared may be held too; here it is let through.
async fn let_through(proxy: &Proxy, alice: &mut Raw) -> Vec<Message> {
    let approving = async {
        loop {
            proxy.bob.approves_next().await;
        }
    };
    tokio::select! {
        answer = alice.ready() => answer,
        () = approving => unreachable!("it goes on for ever"),
    }
}

#[tokio::test]
async fn where_the_unknown_passes_every_name_is_the_servers_to_know() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::Trust)
        .start()
        .await;
    let e = Frames::new;
    let hidden = "DO $$ BEGIN EXECUTE 'PREPARE hidden AS SELECT 7'; END $$";
    let scripts = [
        (1, e().query(hidden)),
        (1, e().query("EXECUTE hidden")),
        (1, e().query("EXECUTE hidden; SELECT 1")),
        (1, e().bind("", "hidden", &[]).execute("", 0).sync()),
        (1, e().query("EXECUTE nowhere")),
        (1, e().bind("", "nowhere", &[]).execute("", 0).sync()),
        (2, e().query("BEGIN").bind("", "nowhere", &[]).sync()),
        (1, e().bind("", "nowhere", &[]).sync()),
        (1, e().query("ROLLBACK")),
        (2, e().query("PREPARE \"né\" AS SELECT 8").query("EXECUTE \"né\"")),
        (1, e().bind("", "né", &[]).execute("", 0).sync()),
        (2, e().query("DEALLOCATE \"né\"").query("EXECUTE \"né\"")),
        (
            1,
            e().parse("ñ", "SELECT 9")
                .describe_statement("ñ")
                .bind("ö", "ñ", &[])
                .describe_portal("ö")
                .execute("ö", 0)
                .close_statement("ñ")
                .sync(),
        ),
        (1, e().bind("ö", "ñ", &[]).sync()),
        (
            1,
            e().parse("x", "EXECUTE hidden")
                .bind("p", "x", &[])
                .execute("p", 0)
                .sync(),
        ),
        (
            1,
            e().parse("y", "DEALLOCATE hidden")
                .bind("p", "y", &[])
                .execute("p", 0)
                .sync(),
        ),
        (1, e().bind("", "x", &[]).execute("", 0).sync()),
    ];
    let mut direct = Raw::past(&proxy).await;
    let mut through = proxy.alice.raw().await;
    for (ready, frames) in scripts {
        direct.send(&frames).await;
        let expected = direct.answers(ready).await;
        through.send(&frames).await;
        let answer = through.answers(ready).await;
        assert_eq!(describe(&answer), describe(&expected));
        assert_eq!(answer, expected, "{}", describe(&expected));
    }
}

#[tokio::test]
async fn what_was_prepared_out_of_sight_does_not_run_where_the_unknown_is_held() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let hidden = "DO $$ BEGIN EXECUTE 'PREPARE hidden AS DELETE FROM items WHERE id = 3'; END $$";
    alice.send(Frames::new().query(hidden)).await;
    proxy.bob.approves_next().await;
    assert_eq!(tags(&alice.ready().await), "CZ");
    for sent in [
        Frames::new().query("EXECUTE hidden"),
        Frames::new().query("SELECT 1; EXECUTE hidden"),
        Frames::new().bind("", "hidden", &[]).execute("", 0).sync(),
        Frames::new().bind("p", "hidden", &[]).execute("p", 0).sync(),
        Frames::new().statement("EXECUTE hidden").sync(),
    ] {
        alice.send(&sent).await;
        let answer = alice.ready().await;
        let error = answer.iter().find(|m| m.tag == b'E').unwrap();
        assert_eq!(error.code(), "26000", "{}", describe(&answer));
    }
    assert_eq!(proxy.database.items().await, 10);
}
