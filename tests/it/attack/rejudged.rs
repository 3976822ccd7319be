//! A prepared statement that is judged again is judged as what it is, and by its own text.

use super::play::{DELETE, Player, attack, query, send, set, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::Frames;

/// What makes names stand for something else, so that everything is judged again.
const SET_PATH: &str = "SET search_path = public";

/// A Parse that the server refuses, since there is such a name, says nothing of what is there.
#[tokio::test]
async fn a_parse_that_fails_is_not_what_its_name_stands_for() {
    let proxy = stage().await;
    let again = Frames::new()
        .parse("path", SET_PATH)
        .parse("s", "select 2")
        .bind("", "path", &[])
        .execute("", 0)
        .bind("", "s", &[])
        .execute("", 0)
        .sync();
    let told = attack(
        &proxy,
        [
            query("SELECT FROM t LIMIT 0"),
            send(Frames::new().parse("s", DELETE).sync()),
            send(again),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told[1..],
        ["1 Z(I)", "1 E(42P05) Z(I)", "held: DELETE FROM t WHERE true"]
    );
}

/// Nor does one of the unnamed statement that the server skips.
#[tokio::test]
async fn a_parse_that_is_skipped_is_not_the_unnamed_statement() {
    let proxy = stage().await;
    let again = Frames::new()
        .parse("bad", "select nocolumn from t")
        .parse("path", SET_PATH)
        .parse("", "select 2")
        .bind("p", "path", &[])
        .execute("p", 0)
        .bind("", "", &[])
        .execute("", 0)
        .sync();
    let told = attack(
        &proxy,
        [
            query("SELECT FROM t LIMIT 0"),
            send(Frames::new().parse("", DELETE).sync()),
            send(again),
            send(Frames::new().bind("", "", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told[1..],
        ["1 Z(I)", "E(42703) Z(I)", "held: DELETE FROM t WHERE true"]
    );
}

/// Without its text nobody knows what it would be now: it is no empty one.
#[tokio::test]
async fn a_statement_whose_text_was_not_kept_is_not_judged_as_nothing() {
    let proxy = set(Proxy::with().proxy("max_message = \"1MiB\"").start().await).await;
    // What is kept is bounded; the unnamed statement is let in all the same.
    let long = format!("select 1 /*{}*/", "x".repeat(900_000));
    let told = attack(
        &proxy,
        [
            query("SELECT FROM t LIMIT 0"),
            send(Frames::new().parse("a", &long).sync()),
            send(Frames::new().parse("b", &long).sync()),
            send(Frames::new().parse("", DELETE).sync()),
            query(SET_PATH),
            send(Frames::new().bind("", "", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told[1..],
        ["1 Z(I)", "1 Z(I)", "1 Z(I)", "C(SET) Z(I)", "E(26000) Z(I)"]
    );
}

/// The server reads what comes behind an approved SET in another encoding long before it reports that; with SET LOCAL, it
/// never does.
#[tokio::test]
async fn a_text_behind_another_encoding_is_not_judged_by_the_one_before() {
    let proxy = stage().await;
    // In SJIS, the last byte of the character and the backslash are one, and the string ends.
    let two_ways = "select E'\u{3043}\\', (select count(*) from pg_cancel_backend(0)) --'";
    for set in [
        "SET LOCAL client_encoding = 'SJIS'",
        "SET client_encoding = 'SJIS'",
    ] {
        let mut alice = Player::alice(&proxy).await;
        let told = alice
            .plays([
                query("SELECT FROM t LIMIT 0"),
                send(
                    Frames::new()
                        .parse("", set)
                        .bind("", "", &[])
                        .execute("", 0)
                        .parse("s", two_ways)
                        .sync(),
                )
                .approved(),
                send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
            ])
            .await;
        assert!(told[1].ends_with("Z(I)"), "{told:?}");
        assert!(told[2].starts_with("held: "), "{told:?}");
        untouched(&proxy, alice).await;
    }
}

/// Another function of the name, before the first in a search path of the session's own.
const TWO_FUNCTIONS: &str = "
CREATE FUNCTION public.g() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE SCHEMA other;
CREATE FUNCTION other.g() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM t; SELECT 1';
GRANT USAGE ON SCHEMA other TO app;
";

/// What is executed by name is judged again however that comes, and by what the same text has moved before.
#[tokio::test]
async fn what_is_executed_by_name_is_judged_by_the_path_that_there_is() {
    let moves = "SET search_path = other, public";
    let extended = || {
        send(
            Frames::new()
                .parse("", "EXECUTE s")
                .bind("", "", &[])
                .execute("", 0)
                .sync(),
        )
    };
    let bound = || send(Frames::new().bind("", "e", &[]).execute("", 0).sync());
    let by_name = "PREPARE m AS SELECT set_config('search_path', 'other, public', false)";
    for (by, parts) in [
        ("the extended protocol", vec![query(moves), extended()]),
        ("a statement prepared before", vec![query(moves), bound()]),
        ("one text", vec![query(&format!("{moves}; EXECUTE s"))]),
        (
            "a text that moves it by name",
            vec![query(by_name), query("EXECUTE m; SELECT g()")],
        ),
        ("a name, in the extended protocol", {
            let by_name = Frames::new()
                .parse("", by_name)
                .bind("", "", &[])
                .execute("", 0)
                .sync();
            let executes = Frames::new()
                .parse("", "EXECUTE m")
                .bind("", "", &[])
                .execute("", 0)
                .sync();
            vec![send(by_name), send(executes), query("SELECT g()")]
        }),
    ] {
        let proxy = set(Proxy::with().databases("read_shield = false").start().await).await;
        proxy.database.run(TWO_FUNCTIONS).await;
        let before = [
            query("PREPARE s AS SELECT g()"),
            send(Frames::new().parse("e", "EXECUTE s").sync()),
            query("EXECUTE s"),
        ];
        let told = attack(&proxy, before.into_iter().chain(parts)).await;
        assert_eq!(told[2], "T D(1) C(SELECT 1) Z(I)", "{by}");
        assert!(
            told.last().is_some_and(|last| last.starts_with("held: ")),
            "{by}: {told:?}"
        );
    }
}

/// An approval is for what names stand for when it is given: the server plans it later.
#[tokio::test]
async fn what_was_approved_by_name_does_not_run_by_another_path() {
    for (moves, end) in [(false, "C(SELECT 1) Z(T)"), (true, "E(42501) Z(E)")] {
        let proxy = stage().await;
        let changes = "CREATE FUNCTION public.h() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
            CREATE SCHEMA other;
            CREATE FUNCTION other.h() RETURNS int LANGUAGE sql VOLATILE AS 'DELETE FROM t; SELECT 1';
            GRANT USAGE ON SCHEMA other TO app;";
        proxy.database.run(changes).await;
        let mut frames = Frames::new().parse("e", "EXECUTE s").bind("", "e", &[]);
        if moves {
            let path = frames.parse("p", "SET search_path = other, public");
            frames = path.bind("po", "p", &[]).execute("po", 0);
        }
        let mut alice = Player::alice(&proxy).await;
        let told = alice
            .plays([
                query("PREPARE s AS SELECT h()"),
                query("BEGIN"),
                send(frames.execute("", 0).sync()).approved(),
            ])
            .await;
        assert!(told[2].ends_with(end), "{told:?}");
        untouched(&proxy, alice).await;
    }
}

/// What was approved set two encodings, of which the server has reported the harmless one; a statement that fails takes that back.
#[tokio::test]
async fn a_failure_brings_back_an_encoding_that_was_not_reported() {
    let proxy = stage().await;
    let approved = "SET client_encoding = 'SJIS'; COMMIT; BEGIN; SET LOCAL client_encoding = 'UTF8'";
    let two_ways = "ROLLBACK; SET application_name = E'\u{30c3}\\'; DELETE FROM t;--'";
    let mut alice = Player::alice(&proxy).await;
    alice
        .plays([query("SELECT FROM t LIMIT 0"), query("BEGIN")])
        .await;
    // All in one go, so that nothing of the read shield's comes between.
    let fails = Frames::new()
        .query(approved)
        .parse("", "select nocolumn from t")
        .sync();
    alice.raw.send(fails.query(two_ways)).await;
    assert_eq!(proxy.bob.approves_next().await.statement(), approved);
    let held = proxy.bob.pending_one().await;
    assert!(held.statement().contains("DELETE FROM t"), "{}", held.statement());
    untouched(&proxy, alice).await;
}

/// An approved EXECUTE that has run stands in the way of nothing else in its transaction.
#[tokio::test]
async fn what_was_approved_by_name_is_asked_about_no_more_once_another_is_bound() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let executes = || {
        let executes = Frames::new()
            .parse("", "EXECUTE w")
            .bind("", "", &[])
            .execute("", 0);
        send(executes.sync()).approved()
    };
    let told = alice
        .plays([
            query("BEGIN"),
            query("PREPARE w AS UPDATE t SET v = 'x' WHERE id = 1"),
            executes(),
            query("SET search_path = public"),
            send(Frames::new().statement("select 5").sync()),
            executes(),
            query("ROLLBACK"),
        ])
        .await;
    assert_eq!(
        told[2..],
        [
            "1 2 C(UPDATE 1) Z(T)",
            "C(SET) Z(T)",
            "1 2 D(5) C(SELECT 1) Z(T)",
            "1 2 C(UPDATE 1) Z(T)",
            "C(ROLLBACK) Z(I)"
        ]
    );
    untouched(&proxy, alice).await;
}
