//! Portals whose names the server looks up only when it executes them, and what happens in between.

use super::play::{Player, attack, query, send, set, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::Frames;

/// Two tables of one name, of which one may be read; and two functions.
const TWINS: &str = "
CREATE TABLE public.salaries AS SELECT 1 AS v;
CREATE SCHEMA hr;
CREATE TABLE hr.salaries AS SELECT 4711 AS v;
GRANT USAGE ON SCHEMA hr TO app;
GRANT ALL ON public.salaries, hr.salaries TO app;
";

const ONLY_PUBLIC: &str = r#"
default_groups = ["dba"]
[[rule]]
name = "what is public may be read"
when = { effects = ["read"], tables = ["public.*"] }
then = "allow"
[[rule]]
name = "sessions"
when = { effects = ["session"] }
then = "allow"
"#;

async fn twins() -> Proxy {
    let proxy = set(Proxy::with().policy(ONLY_PUBLIC).start().await).await;
    proxy.database.run(TWINS).await;
    proxy
}

/// `sql` is bound, another search path is set, and it is executed.
fn moved_between(sql: &str, portal: &str) -> Frames {
    let frames = Frames::new().parse("c", sql).bind(portal, "c", &[]);
    let frames = frames.parse("p", "SET search_path = hr").bind("q", "p", &[]);
    frames.execute("q", 0).execute(portal, 0).sync()
}

#[tokio::test]
async fn what_is_copied_is_what_was_judged() {
    let proxy = twins().await;
    let copy = || {
        Frames::new()
            .parse("c", "COPY salaries TO STDOUT")
            .bind("po", "c", &[])
    };
    let told = attack(&proxy, [send(copy().execute("po", 0).sync())]).await;
    assert_eq!(told, ["1 2 H d c C(COPY 1) Z(I)"]);
    // One of them is refused, and everything behind it skipped.
    let told = attack(&proxy, [send(moved_between("COPY salaries TO STDOUT", "po"))]).await;
    assert_eq!(told, ["1 2 1 2 C(SET) E(42501) Z(I)"]);
    let told = attack(&proxy, [send(moved_between("COPY salaries TO STDOUT", ""))]).await;
    assert_eq!(told, ["1 2 1 2 C(SET) E(42501) Z(I)"]);
    // The server has planned this by the names as they were.
    let told = attack(&proxy, [send(moved_between("SELECT v FROM salaries", ""))]).await;
    assert_eq!(told, ["1 2 1 2 C(SET) D(1) C(SELECT 1) Z(I)"]);
    let told = attack(
        &proxy,
        [
            query("BEGIN"),
            send(copy().sync()),
            query("SET search_path = hr"),
            send(Frames::new().execute("po", 0).sync()),
        ],
    )
    .await;
    assert_eq!(told[1..], ["1 2 Z(T)", "C(SET) Z(T)", "E(42501) Z(E)"]);
}

/// The unnamed portal of an earlier segment may still be there, where the Bind of a later one has failed.
#[tokio::test]
async fn what_a_bind_that_failed_has_left_there_is_not_run_by_other_names() {
    let proxy = twins().await;
    let told = attack(
        &proxy,
        [
            query("BEGIN"),
            send(
                Frames::new()
                    .parse("", "COPY salaries TO STDOUT")
                    .bind("", "", &[])
                    .sync(),
            ),
            query("SAVEPOINT a"),
            send(
                Frames::new()
                    .parse("n", "SELECT v FROM public.salaries WHERE v = $1")
                    .bind("", "n", &["x"])
                    .sync(),
            ),
            query("ROLLBACK TO a"),
            query("SET search_path = hr"),
            send(Frames::new().execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told[3..],
        [
            "1 E(22P02) Z(E)",
            "C(ROLLBACK) Z(T)",
            "C(SET) Z(T)",
            "E(42501) Z(E)"
        ]
    );
}

/// An approval is for what a name stands for when it is given.
#[tokio::test]
async fn what_was_approved_of_one_table_does_not_run_on_another() {
    let proxy = stage().await;
    let changes =
        "CREATE SCHEMA hr AUTHORIZATION app; CREATE TABLE hr.t (id int); ALTER TABLE hr.t OWNER TO app;
        ALTER ROLE app IN DATABASE CURRENT SET search_path = hr, public";
    let database = &proxy.database;
    database.run(&changes.replace("CURRENT", &database.name)).await;
    let frames = Frames::new().parse("c", "TRUNCATE t").bind("", "c", &[]);
    let frames = frames.parse("p", "SET search_path = public").bind("q", "p", &[]);
    let mut alice = Player::alice(&proxy).await;
    let told = alice
        .plays([
            query("BEGIN"),
            send(frames.execute("q", 0).execute("", 0).sync()).approved(),
        ])
        .await;
    assert!(told[1].ends_with("C(SET) E(42501) Z(E)"), "{told:?}");
    untouched(&proxy, alice).await;
}

/// What changes names and is executed at once is nothing to refuse.
#[tokio::test]
async fn a_migration_by_the_extended_protocol_runs() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let step = |sql: &str| send(Frames::new().statement(sql).sync()).approved();
    let told = alice
        .plays([
            send(Frames::new().statement("BEGIN").sync()),
            step("CREATE TABLE a (id int)"),
            step("ALTER TABLE a ADD COLUMN b int"),
            step("TRUNCATE a"),
            step("DROP TABLE a"),
            send(Frames::new().statement("COMMIT").sync()),
        ])
        .await;
    assert_eq!(
        told[1..5]
            .iter()
            .filter(|told| told.ends_with("Z(T)") && !told.contains("E("))
            .count(),
        4,
        "{told:?}"
    );
    untouched(&proxy, alice).await;
}

/// As pgjdbc does it with a fetch size: each text has a portal of its own name.
#[tokio::test]
async fn texts_in_portals_of_their_own_run() {
    let policy = r#"
        [[rule]]
        name = "all but the unknown"
        when = { effects = ["session", "read", "write", "schema"] }
        then = "allow"
    "#;
    let policy = format!("default_groups = [\"dba\"]\n{policy}");
    let proxy = set(Proxy::with().policy(&policy).start().await).await;
    let mut alice = Player::alice(&proxy).await;
    let texts = [
        "BEGIN",
        "LOCK TABLE t IN ACCESS SHARE MODE",
        "UPDATE t SET v = v WHERE id = 1",
        "TRUNCATE t",
        "TRUNCATE t",
        "EXPLAIN SELECT 1",
        "SELECT id FROM t WHERE id = 1",
        "CREATE TABLE a (id int)",
        "CREATE TABLE b (id int)",
        "ROLLBACK",
    ];
    for (sql, number) in texts.iter().zip(0..) {
        let portal = format!("C_{number}");
        let frames = Frames::new()
            .parse("", sql)
            .bind(&portal, "", &[])
            .execute(&portal, 0)
            .sync();
        let told = alice.plays([send(frames)]).await;
        assert!(
            !told[0].contains("E(") && told[0].contains("C("),
            "{sql}: {told:?}"
        );
    }
    let cursors = [
        query("BEGIN"),
        send(Frames::new().statement("CREATE TABLE c (id int)").sync()),
        query("DECLARE k CURSOR FOR SELECT 7"),
        query("FETCH ALL FROM k"),
        query("ROLLBACK"),
    ];
    assert_eq!(alice.plays(cursors).await[3], "T D(7) C(FETCH 1) Z(T)");
    untouched(&proxy, alice).await;
}

const ACTS: &str = "SELECT pg_cancel_backend(0)";

/// A FETCH is judged by the cursor that there is when it runs.
#[tokio::test]
async fn a_fetch_that_was_bound_before_runs_no_cursor_that_acts() {
    for (last, end) in [
        (send(Frames::new().execute("p", 0).sync()), "E(42501) Z(E)"),
        (query("FETCH ALL FROM p"), "held: FETCH ALL FROM p"),
    ] {
        let proxy = stage().await;
        let told = attack(
            &proxy,
            [
                query("BEGIN"),
                query("DECLARE c CURSOR FOR SELECT true"),
                send(
                    Frames::new()
                        .parse("f", "FETCH ALL FROM c")
                        .bind("p", "f", &[])
                        .sync(),
                ),
                query("CLOSE c"),
                query(&format!("DECLARE c CURSOR FOR {ACTS}")).approved(),
                last,
            ],
        )
        .await;
        assert!(told[5].ends_with(end), "{told:?}");
    }
}

/// In another encoding, the same cursor has another name.
#[tokio::test]
async fn a_cursor_that_acts_is_not_fetched_from_by_other_bytes() {
    let proxy = stage().await;
    let told = attack(
        &proxy,
        [
            query("BEGIN"),
            query("DECLARE plain CURSOR FOR SELECT 1"),
            query(&format!("DECLARE \"Ã©\" CURSOR FOR {ACTS}")).approved(),
            query("SET client_encoding = 'LATIN1'"),
            query("FETCH ALL FROM plain"),
            query("FETCH ALL FROM \"é\""),
        ],
    )
    .await;
    assert_eq!(
        told[4..],
        ["T D(1) C(FETCH 1) Z(T)", "held: FETCH ALL FROM \"é\""]
    );
}

/// What closes or executes a portal, and is skipped, says nothing of what was approved there.
#[tokio::test]
async fn what_runs_behind_something_that_was_skipped_is_recorded() {
    let bad = || Frames::new().parse("bad", "select nocolumn from t");
    for skipped in [bad().close_portal("p"), bad().execute("p", 0)] {
        let proxy = twins().await;
        let mut alice = Player::alice(&proxy).await;
        let bound = Frames::new()
            .parse("s", "SELECT v FROM hr.salaries")
            .bind("p", "s", &[]);
        let told = alice
            .plays([
                query("BEGIN"),
                send(bound.sync()).approved(),
                query("SAVEPOINT a"),
                send(skipped.sync()),
                query("ROLLBACK TO a"),
                send(Frames::new().execute("p", 0).sync()),
                query("COMMIT"),
            ])
            .await;
        assert_eq!(told[5], "D(4711) C(SELECT 1) Z(T)", "{told:?}");
        let request = proxy.bob.sees(&alice.approved[0], "executed").await;
        assert_eq!(request.outcome()["rows"], 1);
        untouched(&proxy, alice).await;
    }
}

/// Also where all of it comes in one segment.
#[tokio::test]
async fn what_runs_behind_a_savepoint_in_its_own_segment_is_recorded() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let first = Frames::new()
        .parse("u", "UPDATE t SET v = 'new' WHERE id = 1")
        .bind("", "u", &[]);
    let first = first
        .parse("s", "SAVEPOINT a")
        .bind("q", "s", &[])
        .execute("q", 0);
    let back = Frames::new()
        .parse("r", "ROLLBACK TO a")
        .bind("q2", "r", &[])
        .execute("q2", 0);
    let told = alice
        .plays([
            query("BEGIN"),
            send(first.parse("bad", "select nocolumn from t").sync()).approved(),
            send(back.sync()),
            send(Frames::new().execute("", 0).sync()),
            query("COMMIT"),
        ])
        .await;
    let request = &alice.approved[0];
    if told[3] == "C(UPDATE 1) Z(T)" {
        let request = proxy.bob.sees(request, "executed").await;
        assert_eq!(request.outcome()["rows"], 1);
    } else {
        // Refused, it is not there.
        proxy.bob.sees(request, "failed").await;
        assert_eq!(
            proxy.database.value("SELECT v FROM t WHERE id = 1").await,
            "v1",
            "{told:?}"
        );
    }
    untouched(&proxy, alice).await;
}

/// What was skipped and never executed has failed by what it was skipped for.
#[tokio::test]
async fn what_was_skipped_and_did_not_run_is_recorded_so() {
    let proxy = twins().await;
    let mut alice = Player::alice(&proxy).await;
    let bound = Frames::new()
        .parse("s", "SELECT v FROM hr.salaries")
        .bind("p", "s", &[]);
    let skipped = Frames::new()
        .parse("bad", "select nocolumn from public.salaries")
        .execute("p", 0);
    let told = alice
        .plays([
            query("BEGIN"),
            send(bound.sync()).approved(),
            send(skipped.sync()),
            query("ROLLBACK"),
        ])
        .await;
    assert_eq!(told[2..], ["E(42703) Z(E)", "C(ROLLBACK) Z(I)"]);
    let request = proxy.bob.sees(&alice.approved[0], "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "42703");
    untouched(&proxy, alice).await;
}
