//! What people have approved to be bound to a portal, and what else may stand behind its name.

use super::play::{Part, Player, query, rows, send, set, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::Frames;

const ACTS: &str = "SELECT pg_cancel_backend(0)";

const UPDATE: &str = "UPDATE t SET v = v WHERE id = 1";

/// Executes the portal `p` in a segment of its own.
fn executes() -> Part {
    send(Frames::new().execute("p", 0).sync())
}

/// An approved Bind that fails leaves the cursor that has its name: to declare that was approved, and not to run it.
#[tokio::test]
async fn an_approved_bind_that_fails_runs_no_cursor() {
    for shield in ["", "read_shield = false"] {
        let proxy = set(Proxy::with().databases(shield).start().await).await;
        let mut alice = Player::alice(&proxy).await;
        let told = alice
            .plays([
                send(Frames::new().parse("x", UPDATE).sync()),
                query("BEGIN"),
                query(&format!("DECLARE p CURSOR FOR {ACTS}")).approved(),
                query("SAVEPOINT s"),
                send(Frames::new().bind("p", "x", &[]).sync()).approved(),
                query("ROLLBACK TO s"),
                executes(),
                query("ROLLBACK"),
            ])
            .await;
        assert_eq!(told[4], "E(42P03) Z(E)");
        assert_eq!(
            told[5..],
            ["C(ROLLBACK) Z(T)", "E(0A000) Z(E)", "C(ROLLBACK) Z(I)"],
            "{shield:?}"
        );
        let request = proxy.bob.sees(&alice.approved[1], "failed").await;
        assert_eq!(request.outcome()["sqlstate"], "42P03");
        untouched(&proxy, alice).await;
    }
}

/// Nor does one that did take place, where a cursor has come into the place of its portal by a text that failed behind that.
#[tokio::test]
async fn an_approved_bind_runs_no_cursor_that_was_declared_in_its_place() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let declares = format!("CLOSE p; DECLARE p CURSOR FOR {ACTS}; SAVEPOINT s; select 1/0");
    let told = alice
        .plays([
            query("BEGIN"),
            send(Frames::new().parse("x", UPDATE).bind("p", "x", &[]).sync()).approved(),
            query(&declares).approved(),
            query("ROLLBACK TO s"),
            executes(),
            query("ROLLBACK"),
        ])
        .await;
    assert_eq!(told[1], "1 2 Z(T)");
    let end = "C(DECLARE CURSOR) C(SAVEPOINT) E(22012) Z(E)";
    assert!(told[2].ends_with(end), "{told:?}");
    assert_eq!(
        told[3..],
        ["C(ROLLBACK) Z(T)", "E(0A000) Z(E)", "C(ROLLBACK) Z(I)"]
    );
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    assert_eq!(request.outcome()["error"], "it was bound, and never executed");
    untouched(&proxy, alice).await;
}

/// What runs is what was bound, and is recorded as that: not the one whose Bind has failed since.
#[tokio::test]
async fn what_is_executed_behind_a_bind_that_failed_is_the_one_before() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let prepares = Frames::new()
        .parse("a", "DELETE FROM t WHERE id = 1")
        .parse("b", "DELETE FROM t WHERE id = 2");
    let binds = |statement: &str| send(Frames::new().bind("p", statement, &[]).sync()).approved();
    let told = alice
        .plays([
            send(prepares.sync()),
            query("BEGIN"),
            binds("a"),
            query("SAVEPOINT s"),
            binds("b"),
            query("ROLLBACK TO s"),
            executes(),
            query("COMMIT"),
        ])
        .await;
    assert_eq!(
        told[2..],
        [
            "2 Z(T)",
            "C(SAVEPOINT) Z(T)",
            "E(42P03) Z(E)",
            "C(ROLLBACK) Z(T)",
            "C(DELETE 1) Z(T)",
            "C(COMMIT) Z(I)"
        ]
    );
    let left = proxy.database.value("SELECT min(id) FROM t").await;
    assert_eq!((rows(&proxy).await, left), ("999".to_owned(), "2".to_owned()));
    let request = proxy.bob.sees(&alice.approved[0], "executed").await;
    assert_eq!(request.outcome()["tag"], "DELETE 1");
    let request = proxy.bob.sees(&alice.approved[1], "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "42P03");
}

/// One that is executed in the next segment runs, also where its client has not waited for its Bind, and under a name that
/// another had before.
#[tokio::test]
async fn what_was_approved_is_executed_in_the_segment_behind_its_bind() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    for id in [1, 2] {
        let delete = format!("DELETE FROM t WHERE id = {id}");
        let binds = Frames::new().parse("", &delete).bind("p", "", &[]).sync();
        let told = alice
            .plays([
                query("BEGIN"),
                send(binds.execute("p", 0).sync()).times(2).approved(),
                query("COMMIT"),
            ])
            .await;
        assert_eq!(told[1..], ["1 2 Z(T) C(DELETE 1) Z(T)", "C(COMMIT) Z(I)"]);
        let last = alice.approved.last().unwrap();
        let request = proxy.bob.sees(last, "executed").await;
        assert_eq!(request.outcome()["rows"], 1);
    }
    assert_eq!(rows(&proxy).await, "998");
}
