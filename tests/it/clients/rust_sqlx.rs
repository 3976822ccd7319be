//! sqlx, and what it does when a statement of it waits.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use futures_util::future::{join, join_all};
use sqlx::postgres::{
    PgConnectOptions, PgDatabaseError, PgListener, PgPool, PgPoolCopyExt as _, PgPoolOptions, PgRow,
};
use sqlx::{AssertSqlSafe, Connection as _, Error, Executor as _, PgConnection, Row as _};

use super::place::Place;
use super::program::{Printed, both};
use super::report;
use crate::support::{Proxy, eventually};

#[tokio::test]
async fn sqlx_does_the_same() {
    let printed = both(async |place| {
        let mut out = report::crate_line("sqlx");
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_with(options(place))
            .await;
        let pool = pool.expect("the login is right");
        statements(&pool, &mut out).await;
        errors(&pool, &mut out).await;
        transactions(&pool, &mut out).await;
        copy(&pool, &mut out).await;
        listening(&pool, &mut out).await;
        big(&pool, &mut out).await;
        pool.close().await;
        Printed(out)
    })
    .await;
    report::same(&printed);
}

#[tokio::test]
async fn sqlx_waits() {
    let proxy = Proxy::start().await;
    let place = Place::through(&proxy);
    let mut conn = PgConnection::connect_with(&options(&place)).await.unwrap();
    let insert = sqlx::query("INSERT INTO items (id, name) VALUES ($1, $2)")
        .bind(11)
        .bind("élève");
    let (inserted, request) = join(insert.execute(&mut conn), proxy.bob.approves_next()).await;
    assert_eq!(inserted.unwrap().rows_affected(), 1);
    assert_eq!(request.parameters(), [Some("11"), Some("élève")]);
    for in_transaction in [false, true] {
        if in_transaction {
            conn.execute("BEGIN").await.unwrap();
        }
        let delete = sqlx::query("DELETE FROM items WHERE id = $1").bind(1);
        let (deleted, _) = join(delete.execute(&mut conn), proxy.bob.rejects_next("not today")).await;
        let error = deleted.unwrap_err().into_database_error().expect("the server's");
        assert_eq!(error.code().as_deref(), Some("42501"));
        assert_eq!(error.message(), "rejected by bob: not today");
        if in_transaction {
            conn.execute("ROLLBACK").await.unwrap();
        }
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM items")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        assert_eq!(left, 11);
    }
    let client = report::crate_line("sqlx");
    report::held(
        client.trim().trim_start_matches("client: "),
        "approved or rejected",
    );
}

fn options(place: &Place) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(Place::HOST)
        .port(place.port)
        .username(place.user)
        .password(&place.password)
        .database(&place.database)
        .application_name("sqlx")
        .statement_cache_capacity(10)
}

fn show(out: &mut String, what: &str, value: impl std::fmt::Debug) {
    writeln!(out, "{what}: {value:?}").unwrap();
}

/// Every field of the server's error.
fn told<T>(result: Result<T, Error>) -> String {
    match result.err().expect("it fails") {
        Error::Database(error) => {
            let e = error.downcast_ref::<PgDatabaseError>();
            format!(
                "{:?} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                e.severity(),
                e.code(),
                e.message(),
                e.detail(),
                e.hint(),
                e.position(),
                e.r#where(),
                e.schema(),
                e.table(),
                e.column(),
                e.constraint(),
                e.file(),
                e.routine()
            )
        }
        error => error.to_string(),
    }
}

async fn statements(pool: &PgPool, out: &mut String) {
    *out += "== statements, cached and not, described; pool\n";
    let row: PgRow = sqlx::query("SELECT $1::int4, $2::text, $3::bytea, $4::float8, $5::bool, $6::int4[], $7::uuid, $8::jsonb, $9::text")
        .bind(7)
        .bind("élève 🐘")
        .bind(&b"\x00\xff"[..])
        .bind(1.5)
        .bind(true)
        .bind(vec![Some(1), None])
        .bind(uuid::Uuid::from_u128(7))
        .bind(sqlx::types::Json(serde_json::json!({ "a": [1, null] })))
        .bind(None::<&str>)
        .fetch_one(pool)
        .await
        .unwrap();
    show(
        out,
        "values",
        (
            row.get::<i32, _>(0),
            row.get::<&str, _>(1),
            row.get::<&[u8], _>(2),
        ),
    );
    show(
        out,
        "values",
        (
            row.get::<f64, _>(3),
            row.get::<bool, _>(4),
            row.get::<Vec<Option<i32>>, _>(5),
        ),
    );
    show(
        out,
        "values",
        (
            row.get::<serde_json::Value, _>(7),
            row.get::<Option<String>, _>(8),
        ),
    );
    let numbers = join_all((0..100).map(|i| async move {
        let sum: i64 = sqlx::query_scalar("SELECT $1::int4 + count(*) FROM items")
            .bind(i)
            .fetch_one(pool)
            .await
            .unwrap();
        sum
    }));
    assert_eq!(numbers.await, (10..110).collect::<Vec<i64>>());
    // More than the cache of statements takes.
    for i in 0..40 {
        let text = AssertSqlSafe(format!("SELECT {i} + $1"));
        let sum: i32 = sqlx::query_scalar(text).bind(1).fetch_one(pool).await.unwrap();
        assert_eq!(sum, i + 1);
    }
    let fleeting: i32 = sqlx::query_scalar("SELECT $1::int4")
        .bind(3)
        .persistent(false)
        .fetch_one(pool)
        .await
        .unwrap();
    show(out, "not kept", fleeting);
    let several = sqlx::raw_sql("SELECT 1; UPDATE items SET name = name; SELECT 2");
    show(
        out,
        "several",
        several.execute(pool).await.unwrap().rows_affected(),
    );
    let mut some = sqlx::query("SELECT generate_series(1, 100000)").fetch(pool);
    let mut sum = 0;
    while let Some(row) = some.try_next().await.unwrap() {
        sum += row.get::<i32, _>(0);
        if sum > 1000 {
            // The rest is thrown away.
            break;
        }
    }
    show(out, "streamed", sum);
}

async fn errors(pool: &PgPool, out: &mut String) {
    *out += "== errors\n";
    for text in [
        "SELEC 1",
        "SELECT nothing FROM items",
        "SELECT * FROM nowhere",
        "SELECT 1/0",
        "INSERT INTO items VALUES (1, 'again')",
        "INSERT INTO items VALUES (99, NULL)",
        "DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'HP001', DETAIL = 'd', HINT = 'h'; END $$",
        "SELECT 1; SELECT 1/0; SELECT 2",
        "SET statement_timeout = '50ms'; SELECT pg_sleep(60)",
    ] {
        show(
            out,
            &format!("{text}, simple"),
            told(sqlx::raw_sql(text).execute(pool).await),
        );
        show(
            out,
            &format!("{text}, extended"),
            told(sqlx::query(text).execute(pool).await),
        );
    }
    let wrong = sqlx::query("SELECT $1::int4").bind("x").fetch_one(pool).await;
    show(out, "a value of another type", told(wrong.map(drop)));
}

async fn transactions(pool: &PgPool, out: &mut String) {
    *out += "== transactions\n";
    let mut transaction = pool.begin().await.unwrap();
    transaction
        .execute("INSERT INTO items VALUES (11, 'eleven')")
        .await
        .unwrap();
    let mut inner = transaction.begin().await.unwrap();
    show(out, "inner", told(inner.execute("SELECT 1/0").await));
    show(
        out,
        "failed",
        told(sqlx::query("SELECT $1::int4").bind(1).execute(&mut *inner).await),
    );
    inner.rollback().await.unwrap();
    transaction.commit().await.unwrap();
    let mut dropped = pool
        .begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE")
        .await
        .unwrap();
    dropped.execute("DELETE FROM items").await.unwrap();
    drop(dropped);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM items")
        .fetch_one(pool)
        .await
        .unwrap();
    show(out, "left", left);
}

async fn copy(pool: &PgPool, out: &mut String) {
    *out += "== COPY\n";
    pool.execute("CREATE TABLE copied (i int, t text)").await.unwrap();
    let mut into = pool.copy_in_raw("COPY copied FROM STDIN").await.unwrap();
    for i in 0..10_000 {
        into.send(format!("{i}\té{i}\n").into_bytes()).await.unwrap();
    }
    show(out, "in", into.finish().await.unwrap());
    let mut bad = pool.copy_in_raw("COPY copied FROM STDIN").await.unwrap();
    bad.send(&b"x\ty\n"[..]).await.unwrap();
    show(out, "bad", told(bad.finish().await));
    let given_up = pool.copy_in_raw("COPY copied FROM STDIN").await.unwrap();
    given_up.abort("I will not").await.unwrap();
    let mut data = pool
        .copy_out_raw("COPY (SELECT * FROM copied ORDER BY i) TO STDOUT")
        .await
        .unwrap();
    let mut length = 0;
    while let Some(chunk) = data.try_next().await.unwrap() {
        length += chunk.len();
    }
    show(out, "out", length);
}

async fn listening(pool: &PgPool, out: &mut String) {
    *out += "== LISTEN and NOTIFY\n";
    let mut listener = PgListener::connect_with(pool).await.unwrap();
    listener.listen_all(["channel", "Other Channel"]).await.unwrap();
    sqlx::query("SELECT pg_notify('channel', $1), pg_notify('Other Channel', '')")
        .bind("é")
        .execute(pool)
        .await
        .unwrap();
    for _ in 0..2 {
        let got = listener.recv().await.unwrap();
        show(out, "got", (got.channel(), got.payload()));
    }
    listener.unlisten_all().await.unwrap();
    drop(listener);
    eventually("the listener is back in the pool", async || {
        (pool.num_idle() > 0).then_some(())
    })
    .await;
}

async fn big(pool: &PgPool, out: &mut String) {
    *out += "== big values\n";
    let text = "0123456789".repeat(1_000_000);
    let back: (String, i32) = sqlx::query_as("SELECT $1, length($1)")
        .bind(&text)
        .fetch_one(pool)
        .await
        .unwrap();
    assert!(back.0 == text && back.1 == 10_000_000);
    show(out, "length", back.1);
}
