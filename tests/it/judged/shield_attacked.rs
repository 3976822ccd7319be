//! Ways around the read shield that must stay closed: each tries to have a hidden write run without an approval.
//!
//! Behind a holdpoint that asks no catalogue, a view over a function that writes stands for any read that is
//! misjudged. What is told of each message is its answer's tags; `held` where people are asked, who say no.

use bytes::BytesMut;

use crate::support::Proxy;
use crate::support::raw::{Frames, Message, Raw, describe, tags};

const TRAPS: &str = "
CREATE FUNCTION take() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM items WHERE id = 1; SELECT 1';
CREATE VIEW trap AS SELECT take() AS taken;
GRANT SELECT ON trap TO app;
";
const TRAP: &str = "SELECT * FROM trap";
const UPDATE: &str = "UPDATE items SET name = 'x' WHERE id = 2";

/// What is sent, and up to where is read then.
enum Act {
    /// Up to so many ReadyForQuery.
    Sends(Frames, usize),
    /// Up to a message of this type.
    Until(Frames, u8),
}

use Act::{Sends, Until};

fn query(sql: &str) -> Act {
    Sends(e().query(sql), 1)
}

fn e() -> Frames {
    Frames::new()
}

async fn blind() -> Proxy {
    let proxy = Proxy::with().databases("catalogue = false").start().await;
    proxy.database.run(TRAPS).await;
    proxy
}

/// Plays the acts in a session of its own; whatever is held is rejected.
async fn plays(proxy: &Proxy, acts: Vec<Act>) -> Vec<String> {
    let mut alice = proxy.alice.raw().await;
    let mut told = Vec::new();
    for act in acts {
        let answer = tokio::select! {
            answer = play(&mut alice, act) => answer,
            () = rejects(proxy) => unreachable!("it goes on for ever"),
        };
        told.push(tags(&answer));
    }
    told
}

async fn play(alice: &mut Raw, act: Act) -> Vec<Message> {
    match act {
        Sends(frames, times) => {
            alice.send(frames).await;
            alice.answers(times).await
        }
        Until(frames, tag) => {
            alice.send(frames).await;
            alice.up_to(tag).await
        }
    }
}

async fn rejects(proxy: &Proxy) {
    loop {
        for request in proxy.bob.requests("?state=pending").await {
            proxy.bob.reject(&request, "no").await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Frames of the server's own making must not come inside of a message of the client's.
#[tokio::test]
async fn half_a_message_is_not_completed_by_the_shield() {
    let proxy = blind().await;
    for wanted in ["SHOW transaction_read_only", "SET work_mem = '1MB'", "SELECT 1"] {
        let mut alice = proxy.alice.raw().await;
        // Longer than any move of the shield.
        for length in [150_usize, 191, 200, 203, 210, 300] {
            let hidden = e().query("DELETE FROM items WHERE id = 1").as_ref().to_vec();
            let mut data = BytesMut::new();
            data.extend_from_slice(b"d");
            data.extend_from_slice(&u32::try_from(4 + 10 + 2 * length).unwrap().to_be_bytes());
            data.extend_from_slice(&[b'x'; 10]);
            alice.send(e().query(wanted).bytes(&data)).await;
            alice.ready().await;
            let mut rest = vec![b'y'; length];
            rest.extend_from_slice(&hidden);
            rest.resize(2 * length, b' ');
            alice.send(e().bytes(&rest)).await;
            alice.send(e().query("SELECT 1")).await;
            assert_eq!(tags(&alice.ready().await), "TDCZ");
        }
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of attacks")]
async fn no_order_of_messages_takes_the_shield_from_a_read() {
    let proxy = blind().await;
    let prepared = || e().parse("tr", TRAP).parse("set", "SET work_mem = '1MB'").sync();
    let named = |name: &str, statement: &str| e().parse(name, statement).sync();
    let bind = |statement: &str| e().bind("", statement, &[]);
    let long = |end: &str| format!("{}{end}", "p".repeat(63));
    let taken_back = |by: &str| {
        let nested = e()
            .statement("BEGIN")
            .statement("SAVEPOINT a")
            .statement("SELECT 1");
        vec![Sends(nested.sync(), 1), query(by), query(TRAP), query("COMMIT")]
    };
    let plays_of: Vec<(&str, Vec<Act>)> = vec![
        (
            "a cursor that outlives its block",
            vec![
                query("BEGIN"),
                query("DECLARE c CURSOR WITH HOLD FOR SELECT * FROM trap"),
                query("COMMIT"),
            ],
        ),
        (
            "a flushed BEGIN",
            vec![
                Sends(prepared(), 1),
                Until(e().statement("BEGIN").flush(), b'C'),
                Sends(bind("tr").execute("", 0).sync(), 1),
                query("COMMIT"),
            ],
        ),
        (
            "a flushed COMMIT",
            vec![
                Sends(prepared(), 1),
                query("BEGIN"),
                query("SELECT 1"),
                Until(e().statement("COMMIT").flush(), b'C'),
                Until(bind("tr").flush(), b'2'),
                Sends(e().execute("", 0).sync(), 1),
            ],
        ),
        (
            "a savepoint with which the server takes back that the transaction is read-only",
            taken_back("ROLLBACK TO a"),
        ),
        ("the same, released", taken_back("RELEASE a")),
        (
            "a flushed ROLLBACK TO",
            vec![
                Sends(prepared(), 1),
                query("BEGIN"),
                query("SAVEPOINT a"),
                query("SELECT 1/0"),
                Until(e().statement("ROLLBACK TO a").flush(), b'C'),
                Until(bind("tr").flush(), b'2'),
                Sends(e().execute("", 0).sync(), 1),
                query("COMMIT"),
            ],
        ),
        (
            "EXECUTE of a ROLLBACK TO that the protocol prepared",
            vec![
                Sends(named("r", "ROLLBACK TO a"), 1),
                query("BEGIN"),
                query("SAVEPOINT a"),
                query("SELECT 1"),
                query("EXECUTE r"),
                query(TRAP),
                query("COMMIT"),
            ],
        ),
        (
            "EXECUTE of a COMMIT that the protocol prepared",
            vec![
                Sends(named("r", "COMMIT"), 1),
                query("BEGIN"),
                query("SELECT 1"),
                Sends(e().query("EXECUTE r").query(TRAP), 2),
            ],
        ),
        (
            "EXECUTE of what sets the mode",
            vec![
                query("PREPARE s AS SELECT set_config('default_transaction_read_only', 'off', false)"),
                Sends(e().query("EXECUTE s").query(TRAP), 2),
            ],
        ),
        (
            "EXECUTE of a SET that the protocol prepared",
            vec![
                Sends(named("s", "SET default_transaction_read_only = off"), 1),
                Sends(e().query("EXECUTE s").query(TRAP), 2),
            ],
        ),
        (
            "a cursor under the name of a portal that was closed",
            vec![
                query("BEGIN"),
                Sends(
                    e().parse("s", "SHOW transaction_read_only")
                        .bind("p", "s", &[])
                        .close_portal("p")
                        .sync(),
                    1,
                ),
                query("DECLARE p CURSOR FOR SELECT * FROM trap"),
                Sends(e().execute("p", 0).sync(), 1),
                query("COMMIT"),
            ],
        ),
        (
            "a cursor under the name of a portal that needed nothing",
            vec![
                Sends(prepared(), 1),
                query("BEGIN"),
                Sends(e().bind("p", "set", &[]).close_portal("p").sync(), 1),
                query("DECLARE p CURSOR FOR SELECT * FROM trap"),
                Sends(e().query("SAVEPOINT a").execute("p", 0).sync(), 2),
                query("COMMIT"),
            ],
        ),
        (
            "a Bind that fails leaves an older portal",
            vec![
                Sends(prepared(), 1),
                query("BEGIN"),
                Sends(e().bind("p", "tr", &[]).sync(), 1),
                query("SAVEPOINT a"),
                Sends(e().bind("p", "set", &[]).sync(), 1),
                Sends(e().query("ROLLBACK TO a").execute("p", 0).sync(), 2),
                query("COMMIT"),
            ],
        ),
        (
            "names that the server cuts off",
            vec![
                Sends(prepared(), 1),
                query("BEGIN"),
                Sends(
                    e().bind(&long("a"), "set", &[])
                        .close_portal(&long("a"))
                        .bind(&long("b"), "tr", &[])
                        .sync(),
                    1,
                ),
                Sends(e().query("SAVEPOINT a").execute(&long("a"), 0).sync(), 2),
                query("COMMIT"),
            ],
        ),
    ];
    for (what, acts) in plays_of {
        let told = plays(&proxy, acts).await;
        assert_eq!(proxy.database.items().await, 10, "{what}: {told:?}");
    }
}

/// What is committed is what would be directly: the shield's own Sync ends no transaction that holds a write.
#[tokio::test]
async fn a_write_is_not_committed_by_the_shield() {
    let proxy = blind().await;
    for middle in [
        e().parse("r", "SELECT 1")
            .bind("", "r", &[])
            .execute("", 0)
            .flush(),
        e().statement("SHOW transaction_read_only").statement("SELECT 1"),
    ] {
        let mut alice = proxy.alice.raw().await;
        alice.send(e().statement(UPDATE).flush()).await;
        proxy.bob.approves_next().await;
        alice.up_to(b'C').await;
        alice.send(middle).await;
        alice.send(e().statement("SELECT 1/0").sync()).await;
        let answer = alice.ready().await;
        assert!(tags(&answer).ends_with("EZ"), "{}", describe(&answer));
        assert_ne!(
            proxy.database.value("SELECT name FROM items WHERE id = 2").await,
            "x"
        );
    }
}

/// What honest clients send in pipelines and blocks goes on working.
#[tokio::test]
async fn honest_pipelines_are_not_held_up() {
    let proxy = blind().await;
    let mut alice = proxy.alice.raw().await;
    for (frames, expected) in [
        (
            e().statement("SET work_mem = '2MB'").statement("SELECT 1").sync(),
            "12C12DCZ",
        ),
        (
            e().statement("BEGIN")
                .statement("SET LOCAL work_mem = '2MB'")
                .statement("SELECT 1")
                .statement("COMMIT")
                .sync(),
            "12C12C12DC12CZ",
        ),
        (
            e().statement("SET work_mem = '3MB'")
                .statement("SELECT 1")
                .statement("SHOW work_mem")
                .sync(),
            "12C12DC12DCZ",
        ),
        (e().query("BEGIN"), "CZ"),
        (e().query("SET transaction_isolation = 'serializable'"), "CZ"),
        (e().query("SELECT 1"), "TDCZ"),
        (e().query("COMMIT"), "CZ"),
        (e().query("BEGIN ISOLATION LEVEL REPEATABLE READ"), "CZ"),
        (e().query("SELECT pg_export_snapshot()"), "TDCZ"),
        (e().query("SET CONSTRAINTS ALL IMMEDIATE"), "CZ"),
        (e().query("COMMIT"), "CZ"),
        (
            e().parse("b", "SELECT length($1)")
                .sync()
                .bind("", "b", &[&"x".repeat(300_000)])
                .execute("", 0)
                .sync(),
            "1Z2DCZ",
        ),
        (e().query("BEGIN"), "CZ"),
        (
            e().bind("", "b", &[&"x".repeat(300_000)]).execute("", 0).sync(),
            "2DCZ",
        ),
        (e().query("COMMIT"), "CZ"),
        (
            e().bind("", "b", &[&"x".repeat(300_000)]).execute("", 0).sync(),
            "2DCZ",
        ),
    ] {
        let times = expected.matches('Z').count();
        alice.send(frames).await;
        let answer = alice.answers(times).await;
        assert_eq!(tags(&answer), expected, "{}", describe(&answer));
    }
    // Its own settings, undone in a block that was born behind the shield.
    for (sql, expected) in [
        ("BEGIN; SELECT 1", "CTDCZ"),
        ("SET default_transaction_read_only = off", "CSZ"),
        ("ROLLBACK", "CSZ"),
    ] {
        alice.send(e().query(sql)).await;
        assert_eq!(tags(&alice.ready().await), expected, "{sql}");
    }
    alice.send(e().query(UPDATE)).await;
    proxy.bob.approves_next().await;
    assert!(tags(&alice.ready().await).ends_with("CZ"));
    assert_eq!(
        proxy.database.value("SELECT name FROM items WHERE id = 2").await,
        "x"
    );
    // A timeout of the client's that is too short for anything ends no session.
    let mut hasty = proxy.alice.raw().await;
    hasty.send(e().query("SET statement_timeout = '10s'")).await;
    assert_eq!(tags(&hasty.ready().await), "CZ");
}
