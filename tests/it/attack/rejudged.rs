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
