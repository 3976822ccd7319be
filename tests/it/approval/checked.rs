//! Changes of what was bound are checked by the server: when it can be asked, what is left of that, and what is not.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::edited::{edit, is_refused, is_taken, prepared_by_holdpoint, ready};
use crate::support::Proxy;
use crate::support::poll::eventually;
use crate::support::raw::{Frames, tags};

#[tokio::test]
async fn a_check_leaves_the_transaction_as_it_was() {
    let proxy = Proxy::start().await;
    proxy.database.run("CREATE TABLE others (id int)").await;
    let mut alice = proxy.alice.raw().await;
    let prepared = Frames::new()
        .parse("s", "DELETE FROM items WHERE id = $1 RETURNING id")
        .describe_statement("s")
        .sync();
    for begin in [
        Frames::new()
            .query("BEGIN")
            .query("SET LOCAL statement_timeout = 77777")
            .query("SAVEPOINT mine"),
        // The shield has a savepoint of its own then.
        Frames::new()
            .query("BEGIN ISOLATION LEVEL SERIALIZABLE")
            .query("SET LOCAL statement_timeout = 77777")
            .query("SAVEPOINT mine")
            .query("DECLARE c CURSOR FOR SELECT 4711")
            .query("SELECT count(*) FROM items"),
    ] {
        alice.exchange(prepared.as_ref()).await;
        alice.send(begin).await;
        let asks = Frames::new().query("SHOW transaction_read_only");
        alice.send(asks).await;
        while alice.message().await.body != *b"SHOW\0" {}
        assert_eq!(alice.ready().await.last().unwrap().body, b"T");
        alice
            .send(Frames::new().bind("", "s", &["3"]).execute("", 0).sync())
            .await;
        let request = proxy.bob.pending_one().await;
        let locks = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                     WHERE c.relname IN ('others', 'items_pkey') AND l.database = (
                     SELECT oid FROM pg_database WHERE datname = current_database())";
        let before = proxy.database.value(locks).await;
        let changes = [
            (
                "DELETE FROM others WHERE id = $1 RETURNING id::text",
                "column 1 is text where the original gives int4",
            ),
            (
                "DELETE FROM nowhere WHERE true RETURNING id",
                "relation \"nowhere\" does not exist",
            ),
        ];
        is_refused(&proxy.bob, &request, &changes).await;
        assert_eq!(proxy.database.value(locks).await, before);
        is_taken(
            &proxy.bob,
            &request,
            "DELETE FROM items WHERE id = $1 + 1 RETURNING id",
        )
        .await;
        let answers = ready(&mut alice).await;
        assert_eq!(tags(&answers), "2DCZ");
        assert_eq!(answers[1].values(), ["4"]);
        assert_eq!(answers[3].body, b"T");
        let settings = "SELECT current_setting('statement_timeout') || current_setting('lock_timeout')";
        let answers = alice.exchange(Frames::new().query(settings)).await;
        assert_eq!(answers[1].values(), ["77777ms0"]);
        let end = Frames::new().query("ROLLBACK TO mine").query("COMMIT");
        alice.send(end).await;
        let answers = alice.answers(2).await;
        assert_eq!(tags(&answers), "CZCZ");
        assert_eq!(answers[2].text(), "COMMIT");
        alice.exchange(Frames::new().close_statement("s").sync()).await;
    }
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(prepared_by_holdpoint(&mut alice).await, "2");
}

#[tokio::test]
async fn a_transaction_that_begins_in_the_same_message_is_none_of_the_checks() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    // As pgjdbc sends it.
    let segment = Frames::new()
        .statement("BEGIN")
        .parse("", "DELETE FROM items WHERE id = $1")
        .bind("", "", &["3"])
        .execute("", 0)
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    is_refused(
        &proxy.bob,
        &request,
        &[("DELETE FROM nowhere WHERE true", "does not exist")],
    )
    .await;
    is_taken(&proxy.bob, &request, "DELETE FROM items WHERE id = $1 + 1").await;
    let answers = ready(&mut alice).await;
    assert_eq!(tags(&answers), "12C12CZ");
    assert_eq!(answers.last().unwrap().body, b"T");
    // In the block, behind something else of the same segment.
    let segment = Frames::new()
        .statement("SELECT 1")
        .statement("DELETE FROM items WHERE id = 5")
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    is_taken(&proxy.bob, &request, "DELETE FROM items WHERE id IN (5, 6)").await;
    let answers = ready(&mut alice).await;
    assert_eq!(tags(&answers), "12DC12CZ");
    alice.exchange(Frames::new().query("ROLLBACK")).await;
}

#[tokio::test]
async fn behind_what_sets_the_modes_of_a_transaction_nothing_is_checked() {
    // With the read shield, such a pipeline is refused.
    let proxy = Proxy::with().databases("read_shield = false").start().await;
    let mut alice = proxy.alice.raw().await;
    alice.exchange(Frames::new().query("BEGIN")).await;
    let segment = Frames::new()
        .statement("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        .statement("DELETE FROM items WHERE id = 7")
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    let changes = [(
        "DELETE FROM items WHERE id = 8",
        "transactions begin or end before it",
    )];
    is_refused(&proxy.bob, &request, &changes).await;
    proxy.bob.approve(&request).await;
    assert_eq!(tags(&ready(&mut alice).await), "12C12CZ");
}

#[tokio::test]
async fn amid_what_the_server_has_begun_nothing_is_checked() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(
            Frames::new()
                .statement("DELETE FROM items WHERE id = 1 RETURNING id")
                .flush(),
        )
        .await;
    proxy.bob.approves_next().await;
    alice.up_to(b'C').await;
    alice
        .send(Frames::new().statement("DELETE FROM items WHERE id = 2").sync())
        .await;
    let request = proxy.bob.pending_one().await;
    let changes = [(
        "DELETE FROM items WHERE id = 3",
        "the server is in the middle of its pipeline",
    )];
    is_refused(&proxy.bob, &request, &changes).await;
    // Nothing was committed by the way.
    assert_eq!(proxy.database.items().await, 10);
    proxy.bob.reject(&request, "no").await;
    assert_eq!(tags(&ready(&mut alice).await), "1EZ");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_check_that_waits_for_a_lock_ends_in_time_and_hurts_nobody() {
    let proxy = Proxy::start().await;
    for begin in [None, Some("BEGIN")] {
        let mut alice = proxy.alice.raw().await;
        if let Some(begin) = begin {
            alice.exchange(Frames::new().query(begin)).await;
        }
        let segment = Frames::new()
            .parse("", "DELETE FROM items WHERE id = $1")
            .bind("", "", &["3"])
            .execute("", 0)
            .sync();
        alice.send(segment.as_ref()).await;
        let request = proxy.bob.pending_one().await;
        let lock = proxy.database.lock_items().await;
        let change = "DELETE FROM items WHERE id = $1 + 0";
        let changes = [(
            change,
            "could not look at it in time (canceling statement due to lock timeout): try again",
        )];
        is_refused(&proxy.bob, &request, &changes).await;
        // One who goes amid a check is not kept, and neither is another approver.
        let checking = {
            let (bob, request) = (proxy.bob.clone(), request.clone());
            tokio::spawn(async move { edit(&bob, &request, change, 0).await })
        };
        proxy.database.sees_waiting("DELETE FROM items%", "Lock").await;
        let changes = [(change, "another change of it is just being checked")];
        is_refused(&proxy.carol, &request, &changes).await;
        let key = alice.key.clone();
        proxy.alice.cancel(&key).await;
        proxy.carol.sees(&request, "withdrawn").await;
        let late = checking.await.unwrap();
        // The server does not wait for a lock for long, and may have said so first.
        assert!(matches!(late.status, 409 | 422), "{late:?}");
        drop(lock);
        let answers = ready(&mut alice).await;
        assert_eq!(tags(&answers), "1EZ");
        assert_eq!(answers[1].code(), "57014");
        let status: &[u8] = if begin.is_some() { b"E" } else { b"I" };
        assert_eq!(answers[2].body, status);
        alice.exchange(Frames::new().query("ROLLBACK")).await;
        alice.send(segment).await;
        let request = proxy.bob.pending_one().await;
        is_taken(&proxy.bob, &request, change).await;
        assert_eq!(tags(&ready(&mut alice).await), "12CZ");
        // What was prepared for nobody is gone.
        assert_eq!(prepared_by_holdpoint(&mut alice).await, "1");
        alice.leave().await;
    }
}

#[tokio::test]
async fn columns_that_change_before_it_runs_stop_it() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "reads pass"
        when = { effects = ["read", "session"] }
        then = "allow"
        [[rule]]
        name = "two people"
        then = { hold = { groups = ["dba"], min_approvals = 2 } }
    "#;
    let proxy = Proxy::with().policy(policy).start().await;
    let mut alice = proxy.alice.raw().await;
    let segment = Frames::new()
        .parse("", "DELETE FROM items WHERE id = $1 RETURNING id, tag")
        .bind("", "", &["3"])
        .execute("", 0)
        .sync();
    alice.send(segment.as_ref()).await;
    let request = proxy.bob.pending_one().await;
    let change = "DELETE FROM items WHERE id < $1 RETURNING *";
    let changes = [(change, "it gives 5 columns where the original gives 2")];
    is_refused(&proxy.bob, &request, &changes).await;
    is_taken(
        &proxy.bob,
        &request,
        "DELETE FROM items WHERE id < $1 RETURNING id, tag",
    )
    .await;
    proxy.database.run("ALTER TABLE items ALTER tag TYPE text").await;
    let approval = json!({ "edits": 1 });
    assert!(
        proxy
            .carol
            .decide(request.id(), "approve", &approval)
            .await
            .is_taken()
    );
    let answers = ready(&mut alice).await;
    assert_eq!(tags(&answers), "1EZ");
    assert_eq!(
        answers[1].field(b'M').unwrap(),
        "cached plan must not change result type"
    );
    assert_eq!(proxy.database.items().await, 10);
    // What approvers made of it and then did not want is closed.
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    is_taken(
        &proxy.bob,
        &request,
        "DELETE FROM items WHERE id < $1 RETURNING id, tag",
    )
    .await;
    proxy.carol.reject(&request, "no").await;
    assert_eq!(tags(&ready(&mut alice).await), "1EZ");
    assert_eq!(prepared_by_holdpoint(&mut alice).await, "1");
}

#[tokio::test]
async fn a_session_that_ends_amid_a_check_leaves_nothing_behind() {
    let mut proxy = Proxy::start().await;
    let change = "DELETE FROM items WHERE id = $1 + 0";
    for is_stopped in [false, true] {
        let mut alice = proxy.alice.raw().await;
        alice.exchange(Frames::new().query("BEGIN")).await;
        let segment = Frames::new()
            .parse("", "DELETE FROM items WHERE id = $1")
            .bind("", "", &["3"])
            .execute("", 0)
            .sync();
        alice.send(segment).await;
        let request = proxy.bob.pending_one().await;
        let lock = proxy.database.lock_items().await;
        let checking = {
            let (bob, request) = (proxy.bob.clone(), request.clone());
            tokio::spawn(async move { edit(&bob, &request, change, 0).await })
        };
        proxy.database.sees_waiting("DELETE FROM items%", "Lock").await;
        if is_stopped {
            proxy.terminate();
            let said = alice.rest().await;
            assert_eq!(said.last().unwrap().code(), "57P01");
            assert!(proxy.stopped().await.success());
            assert_eq!(proxy.store.state(request.id()).await, "abandoned");
        } else {
            alice.leave().await;
            proxy.carol.sees(&request, "withdrawn").await;
        }
        let late = checking.await.unwrap();
        // The server does not wait for a lock for long, and may have said so first.
        assert!(matches!(late.status, 409 | 422), "{late:?}");
        drop(lock);
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_read_that_is_held_may_become_a_write_where_one_may_be() {
    let policy = r#"
        default_groups = ["dba"]
        [[rule]]
        name = "names are looked at"
        when = { effects = ["read"], tables = ["items"] }
        then = { hold = { groups = ["dba"] } }
        [[rule]]
        name = "other reads pass"
        when = { effects = ["read", "session"] }
        then = "allow"
    "#;
    let proxy = Proxy::with().policy(policy).start().await;
    let mut alice = proxy.alice.raw().await;
    let held = Frames::new()
        .parse("", "SELECT id, name FROM items WHERE id = $1")
        .bind("", "", &["3"])
        .execute("", 0)
        .sync();
    let write = "DELETE FROM items WHERE id = $1 + 1 RETURNING id, name";
    // The read shield is up by default, then in a block, and then for the whole of one.
    for (before, is_read_only) in [
        (Frames::new().query("SELECT 1"), false),
        (Frames::new().query("BEGIN").query("SELECT 1"), false),
        (Frames::new().query("BEGIN; SELECT 1"), true),
    ] {
        alice.send(before.as_ref()).await;
        while alice.message().await.tag != b'D' {}
        alice.ready().await;
        alice.send(held.as_ref()).await;
        let request = proxy.bob.pending_one().await;
        if is_read_only {
            is_refused(
                &proxy.bob,
                &request,
                &[(write, "it writes, and its transaction is read-only")],
            )
            .await;
        }
        let change = if is_read_only {
            "SELECT $1 + 1 AS id, 'item 4'::text AS name"
        } else {
            write
        };
        is_taken(&proxy.bob, &request, change).await;
        let answers = ready(&mut alice).await;
        assert_eq!(tags(&answers), "12DCZ");
        assert_eq!(answers[2].values(), ["4", "item 4"]);
        if answers.last().unwrap().body == b"T" {
            alice.exchange(Frames::new().query("ROLLBACK")).await;
        } else {
            assert_eq!(proxy.database.items().await, 9);
            proxy
                .database
                .run("INSERT INTO items (id, name) VALUES (4, 'item 4')")
                .await;
        }
    }
}

#[tokio::test]
async fn a_table_of_a_thousand_columns_is_compared_whole() {
    let proxy = Proxy::start().await;
    let wide = "DO $$ BEGIN EXECUTE (SELECT 'CREATE TABLE wide (id int, ' ||
                string_agg('column_' || repeat('x', 50) || i || ' int', ', ') || ')'
                FROM generate_series(1, 1000) i); END $$;
                INSERT INTO wide (id) VALUES (1), (2); ALTER TABLE wide OWNER TO app";
    proxy.database.run(wide).await;
    let mut alice = proxy.alice.raw().await;
    let segment = Frames::new()
        .parse("", "DELETE FROM wide WHERE id = $1 RETURNING *")
        .bind("", "", &["1"])
        .execute("", 0)
        .sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    let changes = [(
        "DELETE FROM wide WHERE id = $1 RETURNING *, 1",
        "it gives 1002 columns where the original gives 1001",
    )];
    is_refused(&proxy.bob, &request, &changes).await;
    is_taken(
        &proxy.bob,
        &request,
        "DELETE FROM wide WHERE id = $1 + 1 RETURNING *",
    )
    .await;
    let answers = ready(&mut alice).await;
    assert_eq!(tags(&answers), "12DCZ");
    assert_eq!(answers[2].values()[0], "2");
}

/// A process of the server's that stands still; it goes on when this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn new(pid: &str) -> Self {
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_keeps_no_approver_waiting() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let answers = alice
        .exchange(Frames::new().query("SELECT pg_backend_pid()"))
        .await;
    let pid = answers[1].values()[0].clone();
    let segment = Frames::new().statement("DELETE FROM items WHERE id = 1").sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    let stopped = Stopped::new(&pid);
    let change = "DELETE FROM items WHERE id = 2";
    let answer = edit(&proxy.bob, &request, change, 0).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("Nothing was changed; try again"), "{detail}");
    assert_eq!(proxy.bob.request(request.id()).await.state(), "pending");
    drop(stopped);
    eventually("the server answers again", async || {
        let answer = edit(&proxy.bob, &request, change, 0).await;
        answer.is_taken().then_some(())
    })
    .await;
    let answers = ready(&mut alice).await;
    assert_eq!(tags(&answers), "12CZ");
    assert_eq!(
        proxy
            .database
            .value("SELECT min(id) FROM items WHERE id < 4")
            .await,
        "1"
    );
    assert_eq!(proxy.database.items().await, 9);
}

#[tokio::test]
async fn what_is_proposed_is_not_shown_by_the_way() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .exchange(Frames::new().query("SET client_min_messages = debug2"))
        .await;
    let segment = Frames::new().statement("DELETE FROM items WHERE id = 1").sync();
    alice.send(segment).await;
    let request = proxy.bob.pending_one().await;
    let changes = [(
        "SELECT 'nobody asked'",
        "it gives rows, and the original gives none",
    )];
    is_refused(&proxy.bob, &request, &changes).await;
    proxy.bob.reject(&request, "no").await;
    let answers = alice.ready().await;
    let shown = String::from_utf8_lossy(&answers.iter().flat_map(|m| m.body.clone()).collect::<Vec<_>>())
        .into_owned();
    assert!(shown.contains("rejected by bob"), "{shown}");
    assert!(!shown.contains("nobody asked"), "{shown}");
    assert!(!shown.contains("_holdpoint"), "{shown}");
}

#[tokio::test]
async fn what_is_approved_amid_a_check_of_something_else_runs() {
    let proxy = Proxy::start().await;
    for begin in [None, Some("BEGIN")] {
        let mut alice = proxy.alice.raw().await;
        if let Some(begin) = begin {
            alice.exchange(Frames::new().query(begin)).await;
        }
        // With a read before it, so that the shield has to be moved as well.
        alice
            .exchange(Frames::new().query("SELECT count(*) FROM items"))
            .await;
        let segment = Frames::new().statement("DELETE FROM items WHERE id = 1").sync();
        alice.send(segment).await;
        let request = proxy.bob.pending_one().await;
        let lock = proxy.database.lock_items().await;
        let checking = {
            let (bob, request) = (proxy.bob.clone(), request.clone());
            tokio::spawn(async move { edit(&bob, &request, "DELETE FROM items WHERE id = 2", 0).await })
        };
        proxy.database.sees_waiting("DELETE FROM items%", "Lock").await;
        assert!(proxy.carol.approve(&request).await.is_taken());
        let late = checking.await.unwrap();
        // The server does not wait for a lock for long, and may have said so first.
        assert!(matches!(late.status, 409 | 422), "{late:?}");
        drop(lock);
        let answers = ready(&mut alice).await;
        assert_eq!(tags(&answers), "12CZ");
        assert_eq!(answers[2].text(), "DELETE 1");
        if begin.is_some() {
            alice.exchange(Frames::new().query("ROLLBACK")).await;
        } else {
            proxy
                .database
                .run("INSERT INTO items (id, name) VALUES (1, 'again')")
                .await;
        }
        alice.leave().await;
    }
}
