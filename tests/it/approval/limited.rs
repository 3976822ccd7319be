//! Standing approvals with a limit of rows: what changes more does not stay changed, and waits for people.

use serde_json::{Value, json};

use super::grants::{post, ran};
use crate::support::database::TAKEN_BACK;
use crate::support::raw::{Frames, Message, Raw, describe, tags};
use crate::support::request::Request;
use crate::support::{Proxy, eventually};

/// bob allows beforehand what is like this, with a limit of rows, and rejects the example. Gives the identifier.
pub(super) async fn limited(proxy: &Proxy, text: &str, rows: u32) -> Value {
    let mut alice = proxy.alice.raw().await;
    let unit = if text.contains('$') {
        Frames::new()
            .parse("", text)
            .bind("", "", &["1"])
            .execute("", 0)
            .sync()
    } else {
        Frames::new().query(text)
    };
    alice.send(unit).await;
    let request = proxy.bob.pending_one().await;
    let body = json!({"request": request.id(), "length": "8h", "max_rows": rows, "reason": "seen it"});
    let given = post(&proxy.bob, "/standing-approvals", body).await;
    assert_eq!(
        (&given["state"], &given["max_rows"]),
        (&json!("active"), &json!(rows))
    );
    proxy.bob.rejects_next("the example").await;
    alice.ready().await;
    alice.leave().await;
    given["id"].clone()
}

pub(super) fn basis(id: &Value, rows: u32) -> Value {
    json!({"kind": "standing_approval", "id": id, "max_rows": rows})
}

/// Waits until so many requests under these grounds have failed; the latest.
pub(super) async fn failed(proxy: &Proxy, basis: &Value, count: usize) -> Request {
    eventually(&format!("{count} have failed under {basis}"), async || {
        let mut list = proxy.bob.requests("?state=failed").await;
        list.retain(|request| request.field("basis") == basis);
        (list.len() == count).then(|| list.remove(0))
    })
    .await
}

/// The status in the last message, which is a `ReadyForQuery`.
fn status(messages: &[Message]) -> u8 {
    messages.last().map_or(b'?', |last| last.body[0])
}

fn notices(messages: &[Message]) -> String {
    let notices = messages.iter().filter(|message| message.tag == b'N');
    notices
        .map(|message| message.field(b'M').unwrap_or_default() + "\n")
        .collect()
}

/// Reads up to the first notice that says so.
pub(super) async fn hears(raw: &mut Raw, words: &str) -> String {
    loop {
        let messages = raw.up_to(b'N').await;
        let said = notices(&messages[messages.len() - 1..]);
        if said.contains(words) {
            return said;
        }
    }
}

#[tokio::test]
async fn what_changes_more_rows_is_rolled_back_and_waits() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 2).await;
    let basis = basis(&id, 2);
    let mut alice = proxy.alice.psql().await;
    assert_eq!(alice.runs("DELETE FROM items WHERE id < 3;").await, "DELETE 2\n");
    assert_eq!(proxy.database.items().await, 8);
    let recorded = ran(&proxy, &basis, 1).await;
    assert_eq!(
        (&recorded["outcome"]["tag"], &recorded["outcome"]["rows"]),
        (&json!("DELETE 2"), &json!(2))
    );

    alice.types("DELETE FROM items WHERE id < 7;");
    let said = format!(
        "standing approval {} covers up to 2 rows; it changed 4 rows, and was rolled back",
        id.as_str().unwrap_or_default()
    );
    alice.shows(&said).await;
    let request = proxy.bob.pending_one().await;
    let tried = failed(&proxy, &basis, 1).await;
    assert_eq!(
        tried.outcome()["error"],
        "rolled back: it changed 4 rows, and the standing approval covers up to 2 rows"
    );
    assert_eq!(tried.outcome()["rows"], Value::Null);
    let signals = request.field("signals").to_string();
    assert!(
        signals.contains("it changed 4 rows a moment ago") && signals.contains(tried.id()),
        "{signals}"
    );
    assert_eq!(request.field("in_transaction"), false);
    assert_eq!(proxy.database.items().await, 8, "it was rolled back");
    // No locks are left, either.
    proxy
        .database
        .run("UPDATE items SET name = 'y' WHERE id = 4")
        .await;
    assert!(proxy.bob.approve(&request).await.is_taken());
    assert!(alice.prompt().await.ends_with("DELETE 4\n"));
    assert_eq!(proxy.database.items().await, 4);
    // And as before.
    assert_eq!(alice.runs("DELETE FROM items WHERE id < 8;").await, "DELETE 1\n");
    alice.types("DELETE FROM items WHERE id < 99;");
    proxy.bob.rejects_next("all of them").await;
    assert!(alice.prompt().await.contains("all of them"));
    assert_eq!(proxy.database.items().await, 3);
    failed(&proxy, &basis, 2).await;
}

#[tokio::test]
async fn drivers_are_counted_as_well() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < $1", 2).await;
    let basis = basis(&id, 2);
    let mut alice = proxy.alice.raw().await;
    let text = "DELETE FROM items WHERE id < $1";
    // All in one segment, with a read before it that the shield was raised for.
    alice.exchange(Frames::new().query("SELECT 1")).await;
    let whole = |value: &str| {
        Frames::new()
            .parse("", text)
            .bind("", "", &[value])
            .describe_portal("")
            .execute("", 0)
            .sync()
    };
    let answers = alice.exchange(whole("2")).await;
    assert_eq!(
        (tags(&answers).as_str(), status(&answers)),
        ("12nCZ", b'I'),
        "{}",
        describe(&answers)
    );
    // Prepared before; as JDBC executes it; with a Close behind it.
    alice
        .exchange(Frames::new().parse("d", text).describe_statement("d").sync())
        .await;
    let bound = |value: &str| {
        Frames::new()
            .bind("", "d", &[value])
            .execute("", 1)
            .close_portal("")
    };
    let answers = alice.exchange(bound("3").sync()).await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("2C3Z", b'I'));
    assert_eq!(proxy.database.items().await, 8);
    let recorded = ran(&proxy, &basis, 2).await;
    assert_eq!(recorded["parameters"][0]["value"], "3");

    let ten = "DELETE FROM items; INSERT INTO items SELECT i, 'x' FROM generate_series(1, 10) i";
    for (unit, complete) in [(whole("9"), "12nCZ"), (bound("9").sync(), "2C3Z")] {
        proxy.database.run(ten).await;
        alice.send(unit).await;
        let request = proxy.bob.pending_one().await;
        assert_eq!(proxy.database.items().await, 10);
        assert!(proxy.bob.approve(&request).await.is_taken());
        let answers = alice.ready().await;
        assert_eq!(
            (tags(&answers).as_str(), status(&answers)),
            (complete, b'I'),
            "{}",
            describe(&answers)
        );
        assert!(notices(&answers).contains("it changed 8 rows, and was rolled back"));
        assert_eq!(proxy.database.items().await, 2);
    }
    proxy.database.run(ten).await;
    alice.send(bound("99").sync()).await;
    proxy.bob.rejects_next("no").await;
    let answers = alice.ready().await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("EZ", b'I'));
    // The rest of a segment may come late.
    let unit = bound("2").sync();
    let (first, second) = unit.as_ref().split_at(20);
    alice.send(first).await;
    alice.send(second).await;
    let answers = alice.ready().await;
    assert_eq!(tags(&answers), "2C3Z");
    assert_eq!(proxy.database.items().await, 9);
    let driver = proxy.alice.driver().await;
    assert_eq!(driver.execute(text, &[&3_i32]).await.ok(), Some(1));
    // One behind the other: each is decided on by itself, in its turn.
    let three = whole("2").bytes(whole("99").as_ref()).bytes(whole("4").as_ref());
    alice.send(three).await;
    proxy.bob.rejects_next("all of them").await;
    let answers = alice.answers(3).await;
    assert_eq!(tags(&answers), "12nCZ1EZ12nCZ", "{}", describe(&answers));
    assert_eq!(proxy.database.items().await, 7);
}

#[tokio::test]
async fn in_a_block_nothing_else_is_undone() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 2).await;
    let basis = basis(&id, 2);
    let mut alice = proxy.alice.raw().await;
    for text in ["BEGIN", "SELECT 1", "SAVEPOINT mine"] {
        alice.exchange(Frames::new().query(text)).await;
    }
    let answers = alice
        .exchange(Frames::new().query("DELETE FROM items WHERE id < 2"))
        .await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("CZ", b'T'));
    assert_eq!(
        proxy.database.items().await,
        10,
        "the transaction is the client's to commit"
    );
    ran(&proxy, &basis, 1).await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 8"))
        .await;
    let request = proxy.bob.pending_one().await;
    assert_eq!(request.field("in_transaction"), true);
    failed(&proxy, &basis, 1).await;
    assert!(proxy.bob.approve(&request).await.is_taken());
    let answers = alice.ready().await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("CZ", b'T'));
    assert!(describe(&answers).contains("DELETE 6"), "{}", describe(&answers));
    // What is within stays, what is rejected fails the block, as it does without a limit.
    let answers = alice.exchange(Frames::new().query("ROLLBACK TO mine")).await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("CZ", b'T'));
    alice
        .exchange(Frames::new().query("DELETE FROM items WHERE id < 3"))
        .await;
    alice.exchange(Frames::new().query("SAVEPOINT other")).await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 8"))
        .await;
    proxy.bob.rejects_next("too many").await;
    assert_eq!(status(&alice.ready().await), b'E');
    alice.exchange(Frames::new().query("ROLLBACK TO other")).await;
    let answers = alice.exchange(Frames::new().query("COMMIT")).await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("CZ", b'I'));
    assert_eq!(proxy.database.items().await, 8);
    let mut alice = proxy.alice.psql().await;
    alice.runs("BEGIN;").await;
    assert_eq!(alice.runs("DELETE FROM items WHERE id < 4;").await, "DELETE 1\n");
    assert_eq!(alice.runs("ROLLBACK;").await, "ROLLBACK\n");
    assert_eq!(proxy.database.items().await, 8);
}

#[tokio::test]
async fn what_cannot_be_counted_is_held_and_told_why() {
    let proxy = Proxy::start().await;
    let returning = "DELETE FROM items WHERE id < 1 RETURNING id";
    let inside = "WITH d AS (DELETE FROM items WHERE id < 1 RETURNING id) DELETE FROM items USING d WHERE items.id = d.id";
    let plain = "DELETE FROM items WHERE id < 1";
    for text in [returning, inside, plain] {
        limited(&proxy, text, 5).await;
    }
    let pipeline = Frames::new().statement(plain).statement("SELECT 1").sync();
    let named = Frames::new()
        .parse("", plain)
        .bind("p", "", &[])
        .execute("p", 0)
        .sync();
    let flushed = Frames::new()
        .parse("", plain)
        .bind("", "", &[])
        .execute("", 0)
        .flush()
        .sync();
    let behind = Frames::new().statement("SELECT 1").statement(plain).sync();
    let of_two = Frames::new().query("DELETE FROM items WHERE id < 1; DELETE FROM items WHERE id < 1");
    let open = Frames::new().parse("", plain).bind("", "", &[]).execute("", 0);
    for (unit, why) in [
        (Frames::new().query(returning), "without RETURNING"),
        (Frames::new().query(inside), "without changes in a WITH"),
        (pipeline, "the only statement of its pipeline"),
        (named, "its portal has a name"),
        (flushed, "the only statement of its pipeline"),
        (behind, "the only statement of its pipeline"),
        (of_two, ""),
        (open, "the end of its pipeline has not come"),
    ] {
        let mut alice = proxy.alice.raw().await;
        let is_open = why.ends_with("not come");
        alice.send(&unit).await;
        proxy.bob.rejects_next("no").await;
        if is_open {
            alice.send(Frames::new().sync()).await;
        }
        let answers = alice.ready().await;
        assert!(tags(&answers).ends_with("EZ"), "{why}: {}", describe(&answers));
        let said: String = answers
            .iter()
            .filter(|m| m.tag == b'N')
            .filter_map(|m| m.field(b'D'))
            .collect();
        assert!(said.contains(why), "{why}: {}", describe(&answers));
        alice.leave().await;
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn errors_are_the_clients_and_are_recorded() {
    let proxy = Proxy::start().await;
    proxy
        .database
        .run(
            "CREATE TABLE marks (id int PRIMARY KEY, item int REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED);
             GRANT ALL ON marks TO PUBLIC",
        )
        .await;
    let id = limited(&proxy, "INSERT INTO public.marks VALUES (1, 1)", 2).await;
    let basis = basis(&id, 2);
    let mut alice = proxy.alice.raw().await;
    alice
        .exchange(Frames::new().query("INSERT INTO public.marks VALUES (1, 1)"))
        .await;
    ran(&proxy, &basis, 1).await;
    let extended = |text: &str| {
        Frames::new()
            .parse("", text)
            .bind("", "", &[])
            .describe_portal("")
            .execute("", 0)
            .sync()
    };
    let twice = "INSERT INTO public.marks VALUES (1, 2)";
    let nowhere = "INSERT INTO public.marks VALUES (2, 99)";
    let mut count = 0;
    for (unit, expected, code) in [
        (Frames::new().query(twice), "EZ", "23505"),
        (extended(twice), "12nEZ", "23505"),
        // At COMMIT.
        (Frames::new().query(nowhere), "EZ", "23503"),
        (extended(nowhere), "12nEZ", "23503"),
    ] {
        let answers = alice.exchange(unit).await;
        assert_eq!(
            (tags(&answers).as_str(), status(&answers)),
            (expected, b'I'),
            "{}",
            describe(&answers)
        );
        assert_eq!(answers[answers.len() - 2].code(), code);
        count += 1;
        assert_eq!(failed(&proxy, &basis, count).await.outcome()["sqlstate"], code);
    }
    assert_eq!(
        proxy.database.value("SELECT count(*)::text FROM marks").await,
        "1"
    );
    // In a block it fails, as directly.
    alice.exchange(Frames::new().query("BEGIN")).await;
    let answers = alice.exchange(extended(twice)).await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("12nEZ", b'E'));
    let answers = alice.exchange(Frames::new().query("COMMIT")).await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("CZ", b'I'));
    // Read-only for the client's own reasons.
    alice
        .exchange(Frames::new().query("SET default_transaction_read_only = on"))
        .await;
    let answers = alice
        .exchange(Frames::new().query("INSERT INTO public.marks VALUES (3, 3)"))
        .await;
    assert_eq!(answers[0].code(), "25006");
    failed(&proxy, &basis, count + 2).await;
}

#[tokio::test]
async fn rows_of_a_rule_do_not_leave() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 5).await;
    // Behind holdpoint's back: what is known of the table is a minute old at most.
    proxy
        .database
        .run("CREATE RULE tells AS ON DELETE TO items DO ALSO SELECT 'told' AS said")
        .await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 3"))
        .await;
    hears(
        &mut alice,
        "it gives rows, which its text does not say, and was rolled back",
    )
    .await;
    proxy.bob.rejects_next("no").await;
    let answers = alice.ready().await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("EZ", b'I'));
    failed(&proxy, &basis(&id, 5), 1).await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_cancel_request_stops_it_and_the_session_goes_on() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 5).await;
    let mut alice = proxy.alice.raw().await;
    for begin in [false, true] {
        if begin {
            alice.exchange(Frames::new().query("BEGIN")).await;
        }
        let lock = proxy.database.lock_items().await;
        alice
            .send(Frames::new().query("DELETE FROM items WHERE id < 3"))
            .await;
        proxy
            .database
            .sees_waiting("DELETE FROM items%", "relation")
            .await;
        proxy.alice.cancel(&alice.key).await;
        let answers = alice.ready().await;
        let expected = if begin { b'E' } else { b'I' };
        assert_eq!((tags(&answers).as_str(), status(&answers)), ("EZ", expected));
        assert_eq!(answers[0].code(), "57014");
        drop(lock);
        let tried = failed(&proxy, &basis(&id, 5), 1 + usize::from(begin)).await;
        assert_eq!(tried.outcome()["sqlstate"], "57014");
    }
    alice.exchange(Frames::new().query("ROLLBACK")).await;
    assert_eq!(proxy.database.items().await, 10);
    let answers = alice
        .exchange(Frames::new().query("DELETE FROM items WHERE id < 3"))
        .await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("CZ", b'I'));
    assert_eq!(proxy.database.items().await, 8);
}

#[tokio::test]
async fn a_lost_server_and_a_lost_client_leave_a_true_record() {
    let proxy = Proxy::start().await;
    let id = limited(&proxy, "DELETE FROM items WHERE id < 1", 5).await;
    let basis = basis(&id, 5);
    let mut alice = proxy.alice.raw().await;
    let lock = proxy.database.lock_items().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 3"))
        .await;
    proxy
        .database
        .sees_waiting("DELETE FROM items%", "relation")
        .await;
    proxy
        .database
        .value("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE query LIKE 'DELETE FROM items%' AND datname = current_database()")
        .await;
    assert!(tags(&alice.rest().await).starts_with('E'));
    assert_eq!(failed(&proxy, &basis, 1).await.outcome()["sqlstate"], "57P01");
    // Who has gone while it ran: it is committed, as it is directly, or not, and the record says so.
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 3"))
        .await;
    proxy
        .database
        .sees_waiting("DELETE FROM items%", "relation")
        .await;
    alice.leave().await;
    drop(lock);
    ran(&proxy, &basis, 1).await;
    assert_eq!(proxy.database.items().await, 8);
    // Who has gone by the time that it has to wait has asked for nothing.
    let lock = proxy.database.lock_items().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id < 99"))
        .await;
    proxy
        .database
        .sees_waiting("DELETE FROM items%", "relation")
        .await;
    alice.leave().await;
    drop(lock);
    failed(&proxy, &basis, 2).await;
    eventually("it is withdrawn", async || {
        let list = proxy.bob.requests("?state=withdrawn").await;
        (list.len() == 1).then_some(())
    })
    .await;
    assert_eq!(proxy.database.items().await, 8);
}

#[tokio::test]
async fn names_that_fail_and_binds_that_fail_run_nothing() {
    let proxy = Proxy::start().await;
    let text = "DELETE FROM items WHERE id < $1";
    let id = limited(&proxy, text, 5).await;
    let basis = basis(&id, 5);
    let mut alice = proxy.alice.raw().await;
    alice
        .exchange(Frames::new().parse("d", "SELECT $1::int").sync())
        .await;
    // The name is taken: what stands for it on the server is not what was covered.
    let taken = Frames::new()
        .parse("d", text)
        .bind("", "d", &["3"])
        .describe_portal("")
        .execute("", 0)
        .close_statement("d")
        .sync();
    let answers = alice.exchange(taken).await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("EZ", b'I'));
    assert_eq!(answers[0].code(), "42P05");
    let tried = failed(&proxy, &basis, 1).await;
    assert!(
        tried.outcome()["error"]
            .to_string()
            .contains("an earlier message of its pipeline failed")
    );
    let wrong = Frames::new()
        .parse("", text)
        .bind("", "", &["x"])
        .execute("", 0)
        .close_portal("")
        .sync();
    let answers = alice.exchange(wrong).await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("1EZ", b'I'));
    assert_eq!(failed(&proxy, &basis, 2).await.outcome()["sqlstate"], "22P02");
    // The session is where the client thinks that it is.
    let answers = alice
        .exchange(Frames::new().bind("", "d", &["7"]).execute("", 0).sync())
        .await;
    assert_eq!((tags(&answers).as_str(), status(&answers)), ("2DCZ", b'I'));
    let both = Frames::new()
        .query("BEGIN")
        .query("SELECT 1")
        .parse("", text)
        .bind("", "", &["3"])
        .execute("", 0)
        .sync()
        .query("ROLLBACK");
    alice.send(both).await;
    let answers = alice.answers(4).await;
    assert_eq!(tags(&answers), "CZTDCZ12CZCZ", "{}", describe(&answers));
    assert_eq!(proxy.database.items().await, 10);
    let more = Frames::new()
        .query("DELETE FROM items WHERE id < 3")
        .query("SELECT 1")
        .terminate();
    alice.send(more).await;
    assert_eq!(tags(&alice.rest().await), "CZTDCZ");
    assert_eq!(proxy.database.items().await, 8);
}

#[tokio::test]
async fn what_it_leaves_in_a_connection_is_not_passed_on() {
    let proxy = Proxy::with().databases("pool = { max_idle = 5 }").start().await;
    let text = "DELETE FROM items WHERE id < 1 AND setseed(0.5) IS NOT NULL";
    let id = limited(&proxy, text, 2).await;
    let seeds = async |text: &str| {
        let (mut alice, _) = proxy.alice.raw_with(&[("application_name", "seeds")]).await;
        let query = "SELECT pg_backend_pid()";
        let there = alice.exchange(Frames::new().query(query)).await[1].values();
        alice.exchange(Frames::new().query(text)).await;
        alice.send(Frames::new().terminate()).await;
        alice.rest().await;
        let over = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND query NOT IN {TAKEN_BACK}",
            there[0]
        );
        eventually("it is over", async || {
            (proxy.database.value(&over).await == "0").then_some(())
        })
        .await;
        let (mut next, _) = proxy.alice.raw_with(&[("application_name", "seeds")]).await;
        let now = next.exchange(Frames::new().query(query)).await[1].values();
        next.send(Frames::new().terminate()).await;
        next.rest().await;
        there == now
    };
    assert!(seeds("SELECT 1").await, "else it means nothing");
    assert!(!seeds("DELETE FROM items WHERE id < 2 AND setseed(0.5) IS NOT NULL").await);
    ran(&proxy, &basis(&id, 2), 1).await;
}
