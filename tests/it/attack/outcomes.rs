//! What came of a statement: its client and its record are told the same.

use super::play::{DENIED, Part, Player, query, rows, send, set, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::{Frames, tags};

/// A pipeline whose second part uses a statement of its first is answered as the server does it.
#[tokio::test]
async fn a_pipeline_that_uses_what_it_prepares_is_answered() {
    let proxy = stage().await;
    let pipeline = || {
        let frames = Frames::new().parse("s", "select 1").sync();
        let frames = frames.parse("x", "select 2").bind("", "x", &[]).execute("", 0);
        send(frames.bind("", "s", &[]).execute("", 0).sync()).times(2)
    };
    let mut alice = Player::alice(&proxy).await;
    let told = alice.plays([pipeline()]).await;
    let directly = Player::behind(&proxy).await.plays([pipeline()]).await;
    assert_eq!(told, directly);
    untouched(&proxy, alice).await;
}

/// An approved Bind that fails in a transaction, and the ROLLBACK behind it.
async fn an_approved_bind_fails(rollback: Part, rolled_back: &str) {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let delete = Frames::new().parse("", "DELETE FROM t WHERE id = $1");
    let delete = delete.bind("", "", &["abc"]).execute("", 0).sync();
    let told = alice
        .plays([
            query("BEGIN"),
            send(delete).approved(),
            rollback,
            query("select 1"),
        ])
        .await;
    assert_eq!(
        told,
        [
            "C(BEGIN) Z(T)",
            "1 E(22P02) Z(E)",
            rolled_back,
            "T D(1) C(SELECT 1) Z(I)",
        ]
    );
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "22P02");
    untouched(&proxy, alice).await;
}

#[tokio::test]
async fn a_rollback_after_an_approved_bind_that_failed_is_answered() {
    an_approved_bind_fails(query("ROLLBACK"), "C(ROLLBACK) Z(I)").await;
}

#[tokio::test]
async fn a_prepared_rollback_after_an_approved_bind_that_failed_is_answered() {
    let rollback = Frames::new().statement("ROLLBACK").sync();
    an_approved_bind_fails(send(rollback), "1 2 C(ROLLBACK) Z(I)").await;
}

/// It is settled by its own answer, not by that of a slow query before it.
#[tokio::test]
async fn a_statement_behind_a_slow_query_has_its_own_outcome() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let slow = "select count(*) from generate_series(1, 2000000)";
    let both = Frames::new().query(slow).query("DELETE FROM t WHERE id <= 10");
    let told = alice.plays([send(both).times(2).approved()]).await;
    assert_eq!(told, ["T D(2000000) C(SELECT 1) Z(I) C(DELETE 10) Z(I)"]);
    let request = proxy.bob.sees(&alice.approved[0], "executed").await;
    assert_eq!(request.outcome()["rows"], 10);
    assert_eq!(request.outcome()["tag"], "DELETE 10");
    assert_eq!(rows(&proxy).await, "990");
}

/// Deletes rows in a transaction and fetches them in parts.
fn fetches_in_parts() -> [Part; 4] {
    let delete = Frames::new().parse("", "DELETE FROM t WHERE id <= 5 RETURNING id");
    let delete = delete.bind("p", "", &[]).execute("p", 3).sync();
    [
        query("BEGIN"),
        send(delete),
        send(Frames::new().execute("p", 0).sync()),
        query("ROLLBACK"),
    ]
}

/// The server's tag counts the rows of the last part; the client gets it as it is.
#[tokio::test]
async fn a_statement_that_is_fetched_in_parts_is_answered() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let [begin, delete, rest, rollback] = fetches_in_parts();
    let told = alice.plays([begin, delete.approved(), rest, rollback]).await;
    let directly = Player::behind(&proxy).await.plays(fetches_in_parts()).await;
    assert_eq!(told, directly);
    assert_eq!(
        told[1..3],
        ["1 2 D(1) D(2) D(3) s Z(T)", "D(4) D(5) C(DELETE 2) Z(T)"]
    );
    proxy.bob.sees(&alice.approved[0], "executed").await;
    untouched(&proxy, alice).await;
}

/// The record counts every row that was changed, in whatever parts they were fetched.
#[tokio::test]
async fn a_statement_that_is_fetched_in_parts_has_all_its_rows_on_record() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let [begin, delete, rest, _] = fetches_in_parts();
    alice
        .plays([begin, delete.approved(), rest, query("COMMIT")])
        .await;
    assert_eq!(rows(&proxy).await, "995");
    let request = proxy.bob.sees(&alice.approved[0], "executed").await;
    assert_eq!(request.outcome()["rows"], 5, "{request}");
}

/// Also where the client does not wait for one part before it asks for the next.
#[tokio::test]
async fn a_statement_whose_parts_are_asked_for_at_once_has_all_its_rows_on_record() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let [begin, ..] = fetches_in_parts();
    let delete = Frames::new().parse("", "DELETE FROM t WHERE id <= 5 RETURNING id");
    let delete = delete.bind("p", "", &[]).execute("p", 3).sync();
    let parts = delete.execute("p", 1).sync().execute("p", 0).sync();
    let told = alice
        .plays([begin, send(parts).times(3).approved(), query("COMMIT")])
        .await;
    assert_eq!(
        told[1],
        "1 2 D(1) D(2) D(3) s Z(T) D(4) s Z(T) D(5) C(DELETE 1) Z(T)"
    );
    assert_eq!(rows(&proxy).await, "995");
    let request = proxy.bob.sees(&alice.approved[0], "executed").await;
    assert_eq!(request.outcome()["rows"], 5, "{request}");
}

/// What has deleted rows and is committed has not failed, whatever is asked of its portal behind the Sync that has closed it. And
/// of how many rows it was, those that it gave do not tell: all are deleted before the first is given.
#[tokio::test]
async fn what_is_committed_before_all_its_rows_are_fetched_is_executed() {
    let proxy = set(Proxy::with().databases("read_shield = false").start().await).await;
    let mut alice = Player::alice(&proxy).await;
    for (first, portal, again) in [(1, "p", "E(0A000)"), (11, "", "E(34000)")] {
        let last = first + 9;
        let delete = format!("DELETE FROM t WHERE id BETWEEN {first} AND {last} RETURNING id");
        let delete = Frames::new().parse("", &delete).bind(portal, "", &[]);
        let frames = delete.execute(portal, 1).sync().execute(portal, 0).sync();
        let told = alice.plays([send(frames).times(2).approved()]).await;
        assert_eq!(told, [format!("1 2 D({first}) s Z(I) {again} Z(I)")]);
        let request = proxy.bob.sees(alice.approved.last().unwrap(), "executed").await;
        assert!(request.outcome()["rows"].is_null(), "{request}");
        assert_eq!(request.outcome()["tag"], "", "{request}");
        assert!(request.outcome()["error"].is_null(), "{request}");
    }
    assert_eq!(rows(&proxy).await, "980");
}

/// A refusal is an error: it takes what was done before it, since the last Sync, back.
#[tokio::test]
async fn a_refusal_rolls_back_what_no_sync_has_committed() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let insert = Frames::new()
        .statement("INSERT INTO t VALUES (5000, 'x')")
        .flush();
    let told = alice
        .plays([
            send(insert).until(b'C').approved(),
            query(DENIED),
            query("select 1"),
        ])
        .await;
    assert_eq!(
        told,
        ["1 2 C(INSERT 0 1)", "E(42501) Z(I)", "T D(1) C(SELECT 1) Z(I)",]
    );
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "42501");
    let error = request.outcome()["error"].as_str().unwrap();
    assert!(error.starts_with("rolled back"), "{error}");
    untouched(&proxy, alice).await;
}

/// What is executed in the place of an approved statement is not taken for it; and a name is the server's, of 63 bytes.
#[tokio::test]
async fn an_approved_statement_is_not_recorded_for_what_stands_in_its_place() {
    let proxy = stage().await;
    let long = |end: &str| format!("{}{end}", "p".repeat(63));
    let prepares = Frames::new()
        .parse("w", "DELETE FROM t WHERE id = 1")
        .parse("r", "select 1")
        .sync();
    let unnamed = Frames::new()
        .bind("", "w", &[])
        .bind("", "r", &[])
        .execute("", 0)
        .sync();
    let named = Frames::new()
        .bind(&long("x"), "w", &[])
        .execute(&long("y"), 0)
        .sync();
    let mut alice = Player::alice(&proxy).await;
    let told = alice
        .plays([send(prepares), send(unnamed).approved(), send(named).approved()])
        .await;
    assert_eq!(
        told,
        ["1 1 Z(I)", "2 2 D(1) C(SELECT 1) Z(I)", "2 C(DELETE 1) Z(I)"]
    );
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    assert_eq!(request.outcome()["error"], "it was bound, and never executed");
    let request = proxy.bob.sees(&alice.approved[1], "executed").await;
    assert_eq!(request.outcome()["rows"], 1);
    assert_eq!(rows(&proxy).await, "999");
}

/// What a COMMIT has committed stays, and is recorded so, whatever fails behind it before the Sync.
#[tokio::test]
async fn what_is_committed_in_a_pipeline_is_executed_whatever_fails_behind_it() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let insert = Frames::new().statement("INSERT INTO t VALUES (5000, 'x')");
    let pipeline = insert.statement("COMMIT").statement("select 1/0").sync();
    let told = alice.plays([query("BEGIN"), send(pipeline).approved()]).await;
    assert_eq!(told[1], "1 2 C(INSERT 0 1) 1 2 C(COMMIT) 1 E(22012) Z(I)");
    let request = proxy.bob.sees(&alice.approved[0], "executed").await;
    assert_eq!(request.outcome()["rows"], 1);
    assert_eq!(rows(&proxy).await, "1001");
}

#[tokio::test]
async fn a_text_that_fails_behind_its_commit_says_what_stays() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let text = "BEGIN; INSERT INTO t VALUES (5000, 'x'); COMMIT; select 1/0";
    alice.plays([query(text).approved()]).await;
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    let error = request.outcome()["error"].as_str().unwrap();
    let end = "what it did up to a COMMIT in it stays";
    assert!(error.ends_with(end), "{error}");
    assert_eq!(rows(&proxy).await, "1001");
}

/// A pipeline in a block that fails behind an INSERT that bob has approved, with this between the two.
async fn fails_in_a_block(alice: &mut Player, id: i32, between: &[&str]) -> String {
    let insert = Frames::new().statement(&format!("INSERT INTO t VALUES ({id}, 'x')"));
    let pipeline = between.iter().fold(insert, |frames, sql| frames.statement(sql));
    let pipeline = pipeline.statement("select 1/0").sync();
    let mut told = alice.plays([query("BEGIN"), send(pipeline).approved()]).await;
    told.remove(1)
}

/// What stands before a savepoint stays where its client goes on from there, whatever has failed behind it.
#[tokio::test]
async fn what_stands_before_a_savepoint_is_executed_whatever_fails_behind_it() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let told = fails_in_a_block(&mut alice, 5000, &["SAVEPOINT s"]).await;
    assert_eq!(told, "1 2 C(INSERT 0 1) 1 2 C(SAVEPOINT) 1 E(22012) Z(E)");
    let told = alice.plays([query("ROLLBACK TO s"), query("COMMIT")]).await;
    assert_eq!(told, ["C(ROLLBACK) Z(T)", "C(COMMIT) Z(I)"]);
    assert_eq!(rows(&proxy).await, "1001");
    let request = proxy.bob.sees(&alice.approved[0], "executed").await;
    assert_eq!(request.outcome()["tag"], "INSERT 0 1");
    assert_eq!(request.outcome()["rows"], 1);
}

/// Where no savepoint is left behind it, nothing of it is.
#[tokio::test]
async fn without_a_savepoint_behind_it_a_statement_is_rolled_back_with_its_pipeline() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    for (id, between) in [(5000, &["SAVEPOINT s", "RELEASE s"][..]), (5001, &[])] {
        fails_in_a_block(&mut alice, id, between).await;
        alice.plays([query("ROLLBACK")]).await;
        let last = alice.approved.last().unwrap();
        let request = proxy.bob.sees(last, "failed").await;
        let error = request.outcome()["error"].as_str().unwrap();
        assert!(error.starts_with("rolled back with its pipeline: "), "{error}");
        assert_eq!(request.outcome()["tag"], "", "{request}");
    }
    untouched(&proxy, alice).await;
}

#[tokio::test]
async fn a_text_that_fails_behind_its_savepoint_says_what_may_stay() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let text = "INSERT INTO t VALUES (5000, 'x'); SAVEPOINT s; select 1/0";
    let told = alice
        .plays([
            query("BEGIN"),
            query(text).approved(),
            query("ROLLBACK TO s"),
            query("COMMIT"),
        ])
        .await;
    assert_eq!(told[1], "C(INSERT 0 1) C(SAVEPOINT) E(22012) Z(E)");
    assert_eq!(rows(&proxy).await, "1001");
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "22012");
    let error = request.outcome()["error"].as_str().unwrap();
    let end = "what it did before a SAVEPOINT may stay";
    assert!(error.ends_with(end), "{error}");
}

/// A portal that was fetched in part before a savepoint is still there behind a rollback to that.
#[tokio::test]
async fn a_portal_that_a_savepoint_keeps_has_all_its_rows_on_record() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let delete = Frames::new().parse("", "DELETE FROM t WHERE id <= 5 RETURNING id");
    let delete = delete.bind("p", "", &[]).execute("p", 3);
    let pipeline = delete.statement("SAVEPOINT s").statement("select 1/0").sync();
    let told = alice
        .plays([
            query("BEGIN"),
            send(pipeline).approved(),
            query("ROLLBACK TO s"),
            send(Frames::new().execute("p", 0).sync()),
            query("COMMIT"),
        ])
        .await;
    assert_eq!(
        told[1..],
        [
            "1 2 D(1) D(2) D(3) s 1 2 C(SAVEPOINT) 1 E(22012) Z(E)",
            "C(ROLLBACK) Z(T)",
            "D(4) D(5) C(DELETE 2) Z(T)",
            "C(COMMIT) Z(I)",
        ]
    );
    assert_eq!(rows(&proxy).await, "995");
    let request = proxy.bob.sees(&alice.approved[0], "executed").await;
    assert_eq!(request.outcome()["rows"], 5, "{request}");
}

/// Takes a name, or fails where it is taken: nobody is asked about that, whatever stands before it.
fn takes(frames: Frames) -> Frames {
    frames.parse("taken", "select 1")
}

/// A pipeline that fails behind a statement that bob has approved, once the name is taken.
fn fails_behind(sql: &str) -> Part {
    send(takes(Frames::new().statement(sql)).sync()).approved()
}

/// What is a transaction of its own is over when it completes.
#[tokio::test]
async fn what_is_its_own_transaction_is_executed_whatever_fails_behind_it() {
    let proxy = stage().await;
    let victim = format!("{}_victim", proxy.database.name);
    proxy
        .database
        .run(&format!("CREATE DATABASE {victim} OWNER app TEMPLATE template0"))
        .await;
    let mut alice = Player::alice(&proxy).await;
    alice.plays([send(takes(Frames::new()).sync())]).await;
    let drops = format!("DROP DATABASE {victim}");
    for (sql, tag) in [(&drops[..], "DROP DATABASE"), ("VACUUM t", "VACUUM")] {
        let told = alice.plays([fails_behind(sql)]).await;
        assert_eq!(told, [format!("1 2 C({tag}) E(42P05) Z(I)")]);
        let last = alice.approved.last().unwrap();
        let request = proxy.bob.sees(last, "executed").await;
        assert_eq!(request.outcome()["tag"], tag);
    }
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{victim}'");
    assert_eq!(proxy.database.value(&left).await, "0");
}

/// What commits as it goes is not told to be gone.
#[tokio::test]
async fn what_commits_as_it_goes_says_that_this_stays() {
    let proxy = stage().await;
    let procedure = "CREATE PROCEDURE commits(fails bool) LANGUAGE plpgsql AS $$ BEGIN
                       INSERT INTO t SELECT max(id) + 1, 'x' FROM t;
                       COMMIT;
                       IF fails THEN RAISE 'no'; END IF;
                     END $$";
    proxy.database.run(procedure).await;
    let mut alice = Player::alice(&proxy).await;
    alice.plays([send(takes(Frames::new()).sync())]).await;
    let behind = "its pipeline failed behind it: ";
    let index = "CREATE INDEX CONCURRENTLY ON t (v)";
    for (part, answer, begins, tag) in [
        (query("CALL commits(true)").approved(), "E(P0001) Z(I)", "no", ""),
        (
            fails_behind("CALL commits(false)"),
            "1 2 C(CALL) E(42P05) Z(I)",
            behind,
            "CALL",
        ),
        (
            fails_behind(index),
            "1 2 C(CREATE INDEX) E(42P05) Z(I)",
            behind,
            "CREATE INDEX",
        ),
    ] {
        assert_eq!(alice.plays([part]).await, [answer]);
        let last = alice.approved.last().unwrap();
        let request = proxy.bob.sees(last, "failed").await;
        let error = request.outcome()["error"].as_str().unwrap();
        let end = "; what was committed by then, if anything, stays";
        assert!(error.starts_with(begins) && error.ends_with(end), "{error}");
        assert_eq!(request.outcome()["tag"], tag);
    }
    assert_eq!(rows(&proxy).await, "1002");
    let indexes = "SELECT count(*) FROM pg_indexes WHERE tablename = 't'";
    assert_eq!(proxy.database.value(indexes).await, "2");
}

/// A procedure that commits takes with it what stands before it in its pipeline, where the server lets it commit there.
#[tokio::test]
async fn what_a_procedure_may_have_committed_is_not_rolled_back() {
    let proxy = stage().await;
    proxy
        .database
        .run("CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; RAISE ''no''; END'")
        .await;
    let mut alice = proxy.alice.raw().await;
    let insert = Frames::new().statement("INSERT INTO t VALUES (5000, 'x')");
    alice.send(insert.statement("CALL commits()").sync()).await;
    let insert = proxy.bob.approves_next().await;
    let call = proxy.bob.approves_next().await;
    assert_eq!(call.text("command"), "CALL");
    assert_eq!(tags(&alice.ready().await), "12C12EZ");
    let insert = proxy.bob.sees(&insert, "failed").await;
    let error = insert.outcome()["error"].as_str().unwrap();
    let end = "; what was committed by then, if anything, stays";
    assert!(
        error.starts_with("its pipeline failed behind it: ") && error.ends_with(end),
        "{error}"
    );
    assert_eq!(insert.outcome()["tag"], "INSERT 0 1");
}

/// The server has refused a text of a query: that has ended what was open before it, and nothing else.
#[tokio::test]
async fn an_error_of_a_refused_text_is_not_that_of_the_next_statement() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let insert = |id: i32| Frames::new().statement(&format!("INSERT INTO t VALUES ({id}, 'x')"));
    alice
        .plays([
            send(insert(5000).flush()).until(b'C').approved(),
            query("insrt into t"),
            send(insert(5001).sync()).approved(),
        ])
        .await;
    proxy.bob.sees(&alice.approved[0], "failed").await;
    proxy.bob.sees(&alice.approved[1], "executed").await;
    assert_eq!(rows(&proxy).await, "1001");
}

/// A cursor has taken the name of a portal that was approved.
#[tokio::test]
async fn a_cursor_in_the_place_of_an_approved_portal_is_not_recorded_as_it() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let delete = Frames::new().parse("w", "DELETE FROM t WHERE id = 1");
    alice
        .plays([
            query("BEGIN"),
            send(delete.bind("po", "w", &[]).sync()).approved(),
            query("CLOSE po"),
            query("DECLARE po CURSOR FOR SELECT 5"),
            send(Frames::new().execute("po", 0).sync()),
            query("COMMIT"),
        ])
        .await;
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    assert_eq!(request.outcome()["error"], "it was bound, and never executed");
    untouched(&proxy, alice).await;
}
