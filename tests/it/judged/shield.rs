//! The read shield: what passes as a read is refused by the server if it writes, and nobody notices otherwise.

use crate::support::Proxy;
use crate::support::driver::{Driver, refusal};
use crate::support::raw::{Frames, Message, Raw, describe, tags};
use tokio_postgres::error::SqlState;

/// Functions that write, and a view over one. Without a catalogue, the view is a plain read.
pub(super) const TRAPS: &str = "
CREATE FUNCTION take() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM items WHERE id = 1; SELECT 1';
CREATE VIEW trap AS SELECT take() AS taken;
GRANT SELECT ON trap TO app;
CREATE VIEW items_of_app AS SELECT * FROM items;
GRANT SELECT ON items_of_app TO app;
";

pub(super) const BLIND: &str = "catalogue = false";
const TRAP: &str = "SELECT * FROM trap";
pub(super) const UPDATE: &str = "UPDATE items SET name = 'x' WHERE id = 2";

/// A holdpoint that does not see what the view does.
async fn blind() -> Proxy {
    let proxy = Proxy::with().databases(BLIND).start().await;
    proxy.database.run(TRAPS).await;
    proxy
}

async fn says(alice: &mut Raw, frames: Frames, answers: usize) -> String {
    alice.send(frames).await;
    let answer = alice.answers(answers).await;
    let errors: Vec<_> = answer
        .iter()
        .filter(|m| m.tag == b'E')
        .map(Message::code)
        .collect();
    format!("{} {}", tags(&answer), errors.join(" "))
        .trim_end()
        .to_owned()
}

#[tokio::test]
async fn a_hidden_write_fails_inside_a_read_that_passed() {
    let proxy = blind().await;
    hidden_writes_fail(&proxy, async || {}).await;
}

/// `begin` runs before each session.
pub(super) async fn hidden_writes_fail(proxy: &Proxy, begin: impl AsyncFn()) {
    for (before, answers, after) in [
        (vec![], 0, "I"),
        (vec!["BEGIN"], 1, "T"),
        (vec!["BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE"], 1, "T"),
        (vec!["BEGIN", "SAVEPOINT a", "SELECT 1"], 3, "T"),
        (vec!["BEGIN", "SET TRANSACTION READ WRITE"], 2, "T"),
        (vec!["BEGIN", "SET transaction_read_only = off"], 2, "T"),
        (vec!["SET default_transaction_read_only = off"], 1, "I"),
        (
            vec!["SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"],
            1,
            "I",
        ),
        (vec!["RESET ALL"], 1, "I"),
        (vec!["DISCARD ALL"], 1, "I"),
        (vec!["BEGIN", "SELECT 1", "COMMIT AND CHAIN"], 3, "T"),
        (vec!["BEGIN", "SELECT 1", "ROLLBACK"], 3, "I"),
        (vec!["BEGIN", "SAVEPOINT a", "SELECT 1", "ROLLBACK TO a"], 4, "T"),
        (
            vec!["BEGIN", "SAVEPOINT a", "SELECT 1 / 0", "ROLLBACK TO a"],
            4,
            "T",
        ),
        (vec!["SELECT 1; BEGIN"], 1, "T"),
        (
            vec![
                "SET default_transaction_read_only = on",
                "RESET default_transaction_read_only",
            ],
            2,
            "I",
        ),
    ] {
        begin().await;
        let mut alice = proxy.alice.raw().await;
        for sql in &before {
            alice.send(Frames::new().query(sql)).await;
        }
        alice.answers(answers).await;
        let simple = says(&mut alice, Frames::new().query(TRAP), 1).await;
        assert!(simple.ends_with("EZ 25006"), "{before:?}: {simple}");
        if after == "I" {
            let extended = says(&mut alice, Frames::new().statement(TRAP).sync(), 1).await;
            assert_eq!(extended, "12EZ 25006", "{before:?}");
        }
        alice.leave().await;
    }
    assert_eq!(proxy.database.items().await, 10);
    assert!(proxy.bob.requests("").await.is_empty(), "nobody was asked");
}

/// In one message, or one pipeline, nothing can be put between what lifts the shield and what reads.
#[tokio::test]
async fn what_cannot_be_shielded_is_held() {
    let proxy = blind().await;
    for sql in [
        "BEGIN READ WRITE; SELECT * FROM trap",
        "SET TRANSACTION READ WRITE; SELECT * FROM trap",
        "SET default_transaction_read_only = off; COMMIT; SELECT * FROM trap",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; COMMIT; SELECT * FROM trap",
        "SELECT set_config('transaction_read_only', 'off', false); SELECT * FROM trap",
        "RESET ALL; COMMIT; SELECT * FROM trap",
    ] {
        let mut alice = proxy.alice.raw().await;
        alice.send(Frames::new().query(sql)).await;
        proxy.bob.rejects_next("no").await;
        assert_eq!(tags(&alice.ready().await), "EZ", "{sql}");
    }
    // In a block, what ends it.
    let mut alice = proxy.alice.raw().await;
    assert_eq!(says(&mut alice, Frames::new().query("BEGIN"), 1).await, "CZ");
    alice
        .send(Frames::new().query("ROLLBACK; SELECT * FROM trap"))
        .await;
    proxy.bob.rejects_next("no").await;
    assert_eq!(tags(&alice.ready().await), "EZ");
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn pipelines_end_what_lifts_the_shield_before_they_read() {
    let proxy = blind().await;
    let e = Frames::new;
    for (sent, expected) in [
        (
            e().statement("BEGIN READ WRITE").statement(TRAP).sync(),
            "12C12EZ 25006",
        ),
        (
            e().statement("BEGIN")
                .statement("SELECT 1")
                .statement(TRAP)
                .sync(),
            "12C12DC12EZ 25006",
        ),
        (
            e().statement("SET TRANSACTION READ WRITE").statement(TRAP).sync(),
            "12C12EZ 25006",
        ),
        (
            e().statement("SET default_transaction_read_only = off")
                .statement(TRAP)
                .sync(),
            "12C12EZ 25006",
        ),
        (
            e().statement("BEGIN")
                .statement("ROLLBACK")
                .statement(TRAP)
                .sync(),
            "12C12C12EZ 25006",
        ),
    ] {
        let mut alice = proxy.alice.raw().await;
        assert_eq!(says(&mut alice, sent, 1).await, expected);
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn approved_writes_run_and_the_shield_is_set_again_after() {
    let proxy = blind().await;
    let mut alice = proxy.alice.raw().await;
    for begin in [None, Some("BEGIN"), Some("BEGIN ISOLATION LEVEL REPEATABLE READ")] {
        if let Some(begin) = begin {
            assert_eq!(says(&mut alice, Frames::new().query(begin), 1).await, "CZ");
        }
        assert_eq!(says(&mut alice, Frames::new().query("SELECT 1"), 1).await, "TDCZ");
        for frames in [
            Frames::new().query(UPDATE),
            Frames::new().statement(UPDATE).sync(),
        ] {
            alice.send(frames).await;
            proxy.bob.approves_next().await;
            let answer = alice.ready().await;
            assert!(tags(&answer).ends_with("CZ"), "{}", describe(&answer));
        }
        assert_eq!(says(&mut alice, Frames::new().query("SELECT 1"), 1).await, "TDCZ");
        assert_eq!(says(&mut alice, Frames::new().query(TRAP), 1).await, "TEZ 25006");
        if begin.is_some() {
            assert_eq!(says(&mut alice, Frames::new().query("ROLLBACK"), 1).await, "CZ");
        }
    }
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(
        proxy.database.value("SELECT name FROM items WHERE id = 2").await,
        "x"
    );
}

#[tokio::test]
async fn savepoints_are_the_clients_own() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    for (sql, expected) in [
        ("BEGIN", "CZ"),
        ("SELECT count(*) FROM items", "TDCZ"),
        ("SAVEPOINT a", "CZ"),
        ("SELECT count(*) FROM items", "TDCZ"),
        ("RELEASE a", "CZ"),
        ("SAVEPOINT b", "CZ"),
        ("SELECT 1 / 0", "EZ 22012"),
        ("SELECT 1", "EZ 25P02"),
        ("ROLLBACK TO b", "CZ"),
        ("SELECT count(*) FROM items", "TDCZ"),
        ("ROLLBACK TO a", "EZ 3B001"),
        ("ROLLBACK TO b", "CZ"),
        ("RELEASE b", "CZ"),
        ("RELEASE _holdpoint_shield", "EZ 3B001"),
        ("ROLLBACK", "CZ"),
        ("SELECT 1", "TDCZ"),
    ] {
        assert_eq!(
            says(&mut alice, Frames::new().query(sql), 1).await,
            expected,
            "{sql}"
        );
    }
    assert_eq!(says(&mut alice, Frames::new().query("BEGIN"), 1).await, "CZ");
    assert_eq!(says(&mut alice, Frames::new().query("SELECT 1"), 1).await, "TDCZ");
    assert_eq!(
        says(&mut alice, Frames::new().query("SAVEPOINT a"), 1).await,
        "CZ"
    );
    alice.send(Frames::new().query(UPDATE)).await;
    proxy.bob.approves_next().await;
    assert!(tags(&alice.ready().await).ends_with("CZ"));
    assert_eq!(says(&mut alice, Frames::new().query("SELECT 1"), 1).await, "TDCZ");
    assert_eq!(
        says(&mut alice, Frames::new().query("ROLLBACK TO a; COMMIT"), 1).await,
        "CCZ"
    );
    assert_ne!(
        proxy.database.value("SELECT name FROM items WHERE id = 2").await,
        "x"
    );
}

/// Settings read as they would directly, in every state; and the client's own count.
#[tokio::test]
async fn the_client_sees_its_own_settings() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let shows = async |alice: &Driver, expected: &str| {
        for setting in ["transaction_read_only", "default_transaction_read_only"] {
            let shown = alice.value(&format!("SHOW {setting}")).await.unwrap();
            assert_eq!(shown, expected, "{setting}");
        }
    };
    shows(&alice, "off").await;
    alice.value("SELECT 1").await.unwrap();
    shows(&alice, "off").await;
    alice.batch_execute("BEGIN").await.unwrap();
    alice.value("SELECT 1").await.unwrap();
    shows(&alice, "off").await;
    alice.batch_execute("COMMIT").await.unwrap();
    alice
        .batch_execute("SET default_transaction_read_only = on")
        .await
        .unwrap();
    alice.value("SELECT 1").await.unwrap();
    shows(&alice, "on").await;
    alice
        .batch_execute("RESET default_transaction_read_only")
        .await
        .unwrap();
    alice.value("SELECT 1").await.unwrap();
    shows(&alice, "off").await;
}

#[tokio::test]
async fn parameter_status_is_as_it_would_be_directly() {
    let proxy = Proxy::start().await;
    let (mut alice, greeting) = proxy.alice.raw_with(&[]).await;
    let reported = |messages: &[crate::support::raw::Message]| {
        messages
            .iter()
            .filter(|m| m.tag == b'S' && m.body.starts_with(b"default_transaction_read_only\0"))
            .map(|m| String::from_utf8_lossy(&m.body[30..m.body.len() - 1]).into_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(reported(&greeting), ["off"]);
    for (sql, expected) in [
        ("SELECT 1", vec![]),
        ("SET default_transaction_read_only = on", vec!["on"]),
        ("SELECT 1", vec![]),
        ("SET default_transaction_read_only = off", vec!["off"]),
        ("SELECT 1", vec![]),
        ("BEGIN", vec![]),
        ("SELECT 1", vec![]),
        ("COMMIT", vec![]),
    ] {
        alice.send(Frames::new().query(sql)).await;
        assert_eq!(reported(&alice.ready().await), expected, "{sql}");
    }
}

/// Nothing of the client's is lost to what is asked in between: names, portals, cursors.
#[tokio::test]
async fn names_and_portals_outlive_the_shields_moves() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    // The unnamed statement.
    assert_eq!(says(&mut alice, e().parse("", "SELECT 7").sync(), 1).await, "1Z");
    assert_eq!(
        says(
            &mut alice,
            e().parse("b", "BEGIN").bind("", "b", &[]).execute("", 0).sync(),
            1
        )
        .await,
        "12CZ"
    );
    assert_eq!(
        says(&mut alice, e().bind("", "", &[]).execute("", 0).sync(), 1).await,
        "2DCZ"
    );
    // A portal that is executed in parts, a cursor.
    let many = "SELECT * FROM generate_series(1, 9)";
    assert_eq!(
        says(
            &mut alice,
            e().parse("m", many).bind("p", "m", &[]).execute("p", 2).sync(),
            1
        )
        .await,
        "12DDsZ"
    );
    assert_eq!(
        says(
            &mut alice,
            e().query("DECLARE c CURSOR FOR SELECT * FROM items"),
            1
        )
        .await,
        "CZ"
    );
    assert_eq!(says(&mut alice, e().query("SAVEPOINT s"), 1).await, "CZ");
    assert_eq!(says(&mut alice, e().execute("p", 2).sync(), 1).await, "DDsZ");
    assert_eq!(says(&mut alice, e().query("FETCH 2 FROM c"), 1).await, "TDDCZ");
    alice.send(e().query(UPDATE)).await;
    proxy.bob.approves_next().await;
    assert!(tags(&alice.ready().await).ends_with("CZ"));
    assert_eq!(says(&mut alice, e().execute("p", 2).sync(), 1).await, "DDsZ");
    assert_eq!(
        says(&mut alice, e().query("FETCH 2 FROM c; COMMIT"), 1).await,
        "TDDCCZ"
    );
}

/// A block that begins in one message with reads cannot be made to write later: nobody is asked in vain.
#[tokio::test]
async fn a_block_that_is_read_only_by_birth_refuses_writes_at_once() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    assert_eq!(
        says(&mut alice, Frames::new().query("BEGIN; SELECT 1"), 1).await,
        "CTDCZ"
    );
    assert_eq!(says(&mut alice, Frames::new().query(UPDATE), 1).await, "EZ 25006");
    assert_eq!(says(&mut alice, Frames::new().query("ROLLBACK"), 1).await, "CZ");
    // The same outside of a block, once the reads of the pipeline have run.
    let pipeline = Frames::new()
        .statement("SELECT 1")
        .flush()
        .statement(UPDATE)
        .sync();
    assert_eq!(says(&mut alice, pipeline, 1).await, "12DC1EZ 25006");
    // With a block around it, it is held.
    let pipeline = Frames::new()
        .statement("BEGIN")
        .statement("SELECT 1")
        .statement(UPDATE);
    alice
        .send(pipeline.statement("SELECT 2").statement("COMMIT").sync())
        .await;
    proxy.bob.approves_next().await;
    let answer = alice.ready().await;
    assert_eq!(
        tags(&answer).replace('N', ""),
        "12C12DC12C12DC12CZ",
        "{}",
        describe(&answer)
    );
    assert_eq!(
        proxy.database.value("SELECT name FROM items WHERE id = 2").await,
        "x"
    );
}

/// Outside of a block a pipeline is one transaction: a write takes the shield from all of it, and people see that.
#[tokio::test]
async fn reads_before_an_approved_write_in_its_pipeline_are_shown_with_it() {
    let proxy = blind().await;
    let mut alice = proxy.alice.raw().await;
    let e = Frames::new;
    let pipeline = e().statement("SELECT 1").statement(TRAP).statement(UPDATE);
    alice.send(pipeline.statement("SELECT 2").sync()).await;
    let request = proxy.bob.pending_one().await;
    let shown = request.statement();
    assert!(
        shown.starts_with(UPDATE) && shown.ends_with(&format!("SELECT 1\n{TRAP}")),
        "{shown}"
    );
    proxy.bob.reject(&request, "it takes something").await;
    let answer = alice.ready().await;
    assert!(tags(&answer).ends_with("EZ"), "{}", describe(&answer));
    assert_eq!(proxy.database.items().await, 10);
    // What reads behind an approved write is shielded again, to the end of the transaction.
    alice
        .send(e().statement("SELECT 1").statement(UPDATE).statement(TRAP).sync())
        .await;
    proxy.bob.approves_next().await;
    let answer = alice.ready().await;
    assert!(tags(&answer).ends_with("12EZ"), "{}", describe(&answer));
    assert_eq!(answer[answer.len() - 2].code(), "25006");
    assert_eq!(proxy.database.items().await, 10);
    assert_ne!(
        proxy.database.value("SELECT name FROM items WHERE id = 2").await,
        "x"
    );
    let both = e().statement(UPDATE).statement("SELECT 1").statement(UPDATE);
    alice.send(both.sync()).await;
    proxy.bob.approves_next().await;
    let answer = alice.ready().await;
    assert!(tags(&answer).ends_with("12C12DC1EZ"), "{}", describe(&answer));
    // And the shield is up again.
    assert_eq!(says(&mut alice, e().query(TRAP), 1).await, "TEZ 25006");
}

#[tokio::test]
async fn temporary_tables_behave() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    alice
        .send(Frames::new().query("CREATE TEMP TABLE mine (id int)"))
        .await;
    proxy.bob.approves_next().await;
    assert!(tags(&alice.ready().await).ends_with("CZ"));
    assert_eq!(
        says(&mut alice, Frames::new().query("SELECT * FROM mine"), 1).await,
        "TCZ"
    );
    alice
        .send(Frames::new().query("INSERT INTO mine VALUES (1)"))
        .await;
    proxy.bob.approves_next().await;
    assert!(tags(&alice.ready().await).ends_with("CZ"));
    assert_eq!(
        says(&mut alice, Frames::new().query("SELECT * FROM mine"), 1).await,
        "TDCZ"
    );
}

/// Who may write is not shielded, and where policy lets some writes pass, they run.
#[tokio::test]
async fn writes_that_policy_lets_pass_run() {
    let all = r#"
default_groups = ["dba"]
[[rule]]
name = "reads and writes"
when = { effects = ["session", "read", "write"] }
then = "allow"
"#;
    let some = r#"
default_groups = ["dba"]
[[rule]]
name = "reads"
when = { effects = ["session", "read"] }
then = "allow"
[[rule]]
name = "items"
when = { effects = ["write"], tables = ["public.items"] }
then = "allow"
"#;
    for (policy, shielded) in [(all, false), (some, true)] {
        let proxy = Proxy::with().policy(policy).databases(BLIND).start().await;
        let proxy = if shielded {
            // Names have to be certain for the rule.
            drop(proxy);
            Proxy::with().policy(policy).start().await
        } else {
            proxy
        };
        let mut alice = proxy.alice.driver().await;
        for _ in 0..3 {
            alice.value("SELECT 1").await.unwrap();
            assert_eq!(alice.execute(UPDATE, &[]).await.unwrap(), 1);
            let block = alice.transaction().await.unwrap();
            block.query("SELECT * FROM items", &[]).await.unwrap();
            assert_eq!(block.execute(UPDATE, &[]).await.unwrap(), 1);
            block.query("SELECT * FROM items", &[]).await.unwrap();
            block.commit().await.unwrap();
        }
        assert!(proxy.bob.requests("").await.is_empty());
    }
}

/// Without the shield, and without a catalogue, nothing stands behind the parser.
#[tokio::test]
async fn without_the_shield_the_trap_springs() {
    let lines = format!("{BLIND}\nread_shield = false");
    let proxy = Proxy::with().databases(&lines).start().await;
    proxy.database.run(TRAPS).await;
    let alice = proxy.alice.driver().await;
    alice.value(TRAP).await.unwrap();
    assert_eq!(proxy.database.items().await, 9);
}

/// A driver's transactions, read-only and not.
#[tokio::test]
async fn a_drivers_transactions_are_what_they_say() {
    let proxy = blind().await;
    let mut alice = proxy.alice.driver().await;
    let block = alice.build_transaction().read_only(true).start().await.unwrap();
    block.query("SELECT * FROM items_of_app", &[]).await.unwrap();
    refusal(
        block.execute(TRAP, &[]).await,
        &SqlState::READ_ONLY_SQL_TRANSACTION,
    );
    block.rollback().await.unwrap();
    let mut block = alice.transaction().await.unwrap();
    block.query("SELECT * FROM items_of_app", &[]).await.unwrap();
    let nested = block.savepoint("one").await.unwrap();
    nested.query("SELECT * FROM items_of_app", &[]).await.unwrap();
    refusal(
        nested.execute(TRAP, &[]).await,
        &SqlState::READ_ONLY_SQL_TRANSACTION,
    );
    nested.rollback().await.unwrap();
    block.query("SELECT * FROM items_of_app", &[]).await.unwrap();
    block.commit().await.unwrap();
    assert_eq!(proxy.database.items().await, 10);
}
