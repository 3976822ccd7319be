//! What nobody wrote and the server runs all the same: casts in the clothes of columns, operators that constants fit, and
//! what a transaction of the session's own has put in the way of PostgreSQL's names.

use super::{is_approved, is_held, passes, stage};
use crate::support::raw::{Frames, tags};

#[tokio::test]
async fn a_column_that_is_a_cast_is_one() {
    let proxy = stage().await;
    proxy
        .database
        .run("CREATE DOMAIN of_items AS items CHECK (add_up((VALUE).id, 1))")
        .await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SELECT (5).guarded",
        "SELECT (id).guarded FROM items",
        "SELECT g.guarded FROM generate_series(1, 2) g",
        "SELECT i.of_items FROM items i",
        "COPY (SELECT (5).guarded) TO STDOUT",
    ] {
        is_held(&proxy, &mut alice, Frames::new().query(sql)).await;
    }
    passes(&mut alice, "SELECT i.id FROM items i").await;
    assert_eq!(proxy.database.items().await, 10);
}

/// The server reads a constant when it parses the statement, before there is anything that could be held.
#[tokio::test]
async fn what_acts_when_it_is_parsed_is_not_parsed_unasked() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    for sql in [
        "SELECT '{1}'::guarded[]",
        "SELECT _guarded('{2}')",
        "SELECT ('{3}')._guarded",
    ] {
        alice.send(Frames::new().parse("s", sql).sync()).await;
        let answer = alice.ready().await;
        assert_eq!(
            (tags(&answer).as_str(), answer[0].code().as_str()),
            ("EZ", "0A000"),
            "{sql}"
        );
        is_held(
            &proxy,
            &mut alice,
            Frames::new().query(&format!("PREPARE s AS {sql}")),
        )
        .await;
    }
    let typed = "PREPARE s(guarded[]) AS SELECT coalesce($1, '{5}')";
    is_held(&proxy, &mut alice, Frames::new().query(typed)).await;
    let sql = "SELECT '{1}'::guarded[]";
    is_held(&proxy, &mut alice, Frames::new().query(sql)).await;
    // Nor to learn whether it is SQL at all, where the transaction has made the type and nobody else sees it.
    passes(&mut alice, "BEGIN").await;
    let domain = "CREATE DOMAIN mine AS int CHECK (public.add_up(VALUE, 1))";
    is_approved(&proxy, &mut alice, domain).await;
    let sql = "SELECT '{1}'::mine[]";
    alice.send(Frames::new().parse("s", sql).sync()).await;
    assert_eq!(alice.ready().await[0].code(), "0A000");
    passes(&mut alice, "ROLLBACK").await;
    passes(&mut alice, "BEGIN").await;
    is_approved(&proxy, &mut alice, domain).await;
    is_held(&proxy, &mut alice, Frames::new().query(sql)).await;
    passes(&mut alice, "ROLLBACK").await;
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn an_operator_that_a_constant_fits_is_seen() {
    let proxy = stage().await;
    let operators = "CREATE FUNCTION add_mood(text, mood) RETURNS bool LANGUAGE sql VOLATILE
            AS 'DELETE FROM public.items WHERE id = 1; SELECT true';
        CREATE OPERATOR @> (FUNCTION = add_mood, LEFTARG = text, RIGHTARG = mood);
        CREATE DOMAIN plain AS text;
        CREATE FUNCTION add_plain(plain, plain) RETURNS bool LANGUAGE sql VOLATILE
            AS 'DELETE FROM public.items WHERE id = 1; SELECT true';
        CREATE OPERATOR <@ (FUNCTION = add_plain, LEFTARG = plain, RIGHTARG = plain)";
    proxy.database.run(operators).await;
    let mut alice = proxy.alice.raw().await;
    is_held(
        &proxy,
        &mut alice,
        Frames::new().query("SELECT name @> 'sad' FROM items"),
    )
    .await;
    is_held(&proxy, &mut alice, Frames::new().query("SELECT 'a' <@ 'b'")).await;
    passes(&mut alice, "SELECT ARRAY[1] && ARRAY[2]").await;
}

/// Its definitions were approved, and what they hide is asked about.
#[tokio::test]
async fn what_a_transaction_hides_is_seen_in_it() {
    let proxy = stage().await;
    let mut alice = proxy.alice.raw().await;
    passes(&mut alice, "BEGIN").await;
    is_approved(
        &proxy,
        &mut alice,
        "CREATE FUNCTION public.lower(int) RETURNS int LANGUAGE sql VOLATILE \
         AS 'DELETE FROM public.items WHERE id = 1; SELECT 1'",
    )
    .await;
    passes(&mut alice, "SELECT pg_catalog.lower('A'), upper('a')").await;
    is_held(&proxy, &mut alice, Frames::new().query("SELECT lower(5)")).await;
    passes(&mut alice, "ROLLBACK").await;
    passes(&mut alice, "SELECT lower('A')").await;
    assert_eq!(proxy.database.items().await, 10);
}
