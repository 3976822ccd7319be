//! tokio-postgres.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{SinkExt as _, TryStreamExt as _, pin_mut};
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::error::DbError;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Error, IsolationLevel, NoTls, SimpleQueryMessage};

use super::place::Place;
use super::program::{Printed, both};
use super::report;
use crate::support::driver::Driver;
use crate::support::eventually;

#[tokio::test]
async fn tokio_postgres_does_the_same() {
    let printed = both(async |place| {
        let mut out = report::crate_line("tokio-postgres");
        let mut driver = connect(place, "it").await;
        types(&driver, &mut out).await;
        errors(&driver, &mut out).await;
        pipelines(&driver, &mut out).await;
        transactions(&mut driver, &mut out).await;
        copy(&driver, &mut out).await;
        messages(&driver, &mut out).await;
        cancelling(place, &driver, &mut out).await;
        big(&driver, &mut out).await;
        Printed(out)
    })
    .await;
    report::same(&printed);
}

fn config(place: &Place, application: &str) -> Config {
    let mut config = Config::new();
    config
        .host(Place::HOST)
        .port(place.port)
        .user(place.user)
        .password(&place.password)
        .dbname(&place.database)
        .application_name(application);
    config
}

async fn connect(place: &Place, application: &str) -> Driver {
    Driver::connect_with(&config(place, application))
        .await
        .expect("the login is right")
}

/// Every field of the server's error.
fn told<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it does not fail"),
        Err(error) => match error.as_db_error() {
            Some(error) => format!("{error:?}"),
            None => error.to_string(),
        },
    }
}

fn show(out: &mut String, what: &str, value: impl std::fmt::Debug) {
    writeln!(out, "{what}: {value:?}").unwrap();
}

async fn types(driver: &Driver, out: &mut String) {
    *out += "== types, prepared and described\n";
    let values: [(&str, &(dyn ToSql + Sync)); 9] = [
        ("int4", &7_i32),
        ("int8", &i64::MIN),
        ("float8", &1.5_f64),
        ("text", &"élève 🐘"),
        ("bytea", &&b"\x00\xff"[..]),
        ("bool", &true),
        ("text", &None::<&str>),
        ("int4[]", &[Some(1_i32), None].as_slice()),
        ("uuid", &uuid::Uuid::from_u128(7)),
    ];
    for (kind, value) in values {
        let query = format!("SELECT ($1::{kind})::text, $1::{kind} IS NULL");
        let row = driver.query_one(&query, &[value]).await.unwrap();
        show(
            out,
            kind,
            (row.get::<_, Option<String>>(0), row.get::<_, bool>(1)),
        );
    }
    let described = driver
        .prepare("SELECT id, name, price FROM items WHERE id = $1 AND name LIKE $2")
        .await;
    let described = described.unwrap();
    show(out, "parameters", described.params());
    let columns: Vec<(&str, &Type)> = described
        .columns()
        .iter()
        .map(|c| (c.name(), c.type_()))
        .collect();
    show(out, "columns", columns);
    driver
        .batch_execute(
            "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN small AS int CHECK (VALUE < 10)",
        )
        .await
        .unwrap();
    // The driver asks the catalogue about types that it does not know.
    let unknown = driver
        .prepare("SELECT 'sad'::mood, 3::small, NULL::items")
        .await
        .unwrap();
    let kinds: Vec<_> = unknown
        .columns()
        .iter()
        .map(|c| (c.type_().name().to_owned(), c.type_().kind().clone()))
        .collect();
    let kinds = format!("{kinds:?}");
    // Numbers of types that are made in this database are its own.
    show(out, "kinds", kinds.contains("Enum") && kinds.contains("Domain"));
    let simple = driver
        .simple_query("SELECT 1; UPDATE items SET name = name; ; SELECT NULL, 'x'")
        .await;
    for message in simple.unwrap() {
        match message {
            SimpleQueryMessage::Row(row) => show(
                out,
                "row",
                (0..row.len())
                    .map(|i| row.get(i).map(str::to_owned))
                    .collect::<Vec<_>>(),
            ),
            SimpleQueryMessage::CommandComplete(rows) => show(out, "complete", rows),
            other => show(out, "other", other),
        }
    }
}

async fn errors(driver: &Driver, out: &mut String) {
    *out += "== errors\n";
    for text in [
        "SELEC 1",
        "SELECT nothing FROM items",
        "SELECT * FROM nowhere",
        "SELECT 1/0",
        "INSERT INTO items VALUES (1, 'again')",
        "INSERT INTO items VALUES (99, NULL)",
        "SELECT * FROM pg_authid",
        "DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'HP001', DETAIL = 'd', HINT = 'h'; END $$",
        "SELECT 1; SELECT 1/0; SELECT 2",
    ] {
        show(
            out,
            &format!("{text}, simple"),
            told(driver.batch_execute(text).await),
        );
        show(
            out,
            &format!("{text}, extended"),
            told(driver.execute(text, &[]).await),
        );
    }
    show(
        out,
        "a value",
        told(driver.query("SELECT $1::int4 / 0", &[&1_i32]).await),
    );
}

async fn pipelines(driver: &Driver, out: &mut String) {
    *out += "== pipelines\n";
    let statement = driver.prepare("SELECT 10 / ($1::int4 % 50)").await.unwrap();
    let numbers: Vec<i32> = (0..300).collect();
    let asked = join_all(numbers.iter().map(|n| async {
        let row = driver.query_one(&statement, &[n]).await;
        row.map(|row| row.get::<_, i32>(0)).map_err(|e| e.code().cloned())
    }));
    let answers = asked.await;
    show(out, "answers", answers);
    let mixed = join_all((0..40).map(|n| async move {
        let text = format!("SELECT {n}");
        if n % 2 == 0 {
            driver.query_one(&text, &[]).await.unwrap().get::<_, i32>(0)
        } else {
            driver.value(&text).await.unwrap().parse().unwrap()
        }
    }));
    assert_eq!(mixed.await, (0..40).collect::<Vec<i32>>());
}

async fn transactions(driver: &mut Driver, out: &mut String) {
    *out += "== transactions, savepoints, portals\n";
    let transaction = driver
        .build_transaction()
        .isolation_level(IsolationLevel::Serializable)
        .read_only(true)
        .deferrable(true)
        .start()
        .await
        .unwrap();
    show(
        out,
        "read only",
        told(transaction.execute("DELETE FROM items", &[]).await),
    );
    show(out, "failed", told(transaction.execute("SELECT 1", &[]).await));
    transaction.rollback().await.unwrap();

    let mut transaction = driver.transaction().await.unwrap();
    let inner = transaction.savepoint("within").await.unwrap();
    show(out, "inner", told(inner.execute("SELECT 1/0", &[]).await));
    inner.rollback().await.unwrap();
    let numbers = transaction
        .bind("SELECT generate_series(1, $1::int4)", &[&20_i32])
        .await;
    let numbers = numbers.unwrap();
    for rows in [3, 7, 0] {
        let some = transaction.query_portal(&numbers, rows).await.unwrap();
        show(
            out,
            "rows",
            some.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(),
        );
    }
    drop(numbers);
    transaction.commit().await.unwrap();
    // Dropped: rolled back.
    let dropped = driver.transaction().await.unwrap();
    dropped.execute("DELETE FROM items", &[]).await.unwrap();
    drop(dropped);
    show(
        out,
        "items",
        driver.value("SELECT count(*) FROM items").await.unwrap(),
    );
}

async fn copy(driver: &Driver, out: &mut String) {
    *out += "== COPY, text and binary\n";
    driver
        .batch_execute("CREATE TABLE copied (i int, t text)")
        .await
        .unwrap();
    let sink = driver.copy_in("COPY copied FROM STDIN").await.unwrap();
    pin_mut!(sink);
    for i in 0..10_000 {
        sink.feed(Bytes::from(format!("{i}\té{i}\n"))).await.unwrap();
    }
    show(out, "in", sink.finish().await.unwrap());
    let sink = driver
        .copy_in("COPY copied FROM STDIN (FORMAT binary)")
        .await
        .unwrap();
    let writer = BinaryCopyInWriter::new(sink, &[Type::INT4, Type::TEXT]);
    pin_mut!(writer);
    for i in 0..1000_i32 {
        writer.as_mut().write(&[&i, &None::<&str>]).await.unwrap();
    }
    show(out, "in", writer.finish().await.unwrap());
    let stream = driver
        .copy_out("COPY copied TO STDOUT (FORMAT binary)")
        .await
        .unwrap();
    let rows = BinaryCopyOutStream::new(stream, &[Type::INT4, Type::TEXT]);
    let rows: Vec<_> = rows.try_collect().await.unwrap();
    show(
        out,
        "out",
        (
            rows.len(),
            rows.iter().map(|r| i64::from(r.get::<i32>(0))).sum::<i64>(),
        ),
    );
    let sink = driver.copy_in("COPY copied FROM STDIN").await.unwrap();
    pin_mut!(sink);
    sink.send(Bytes::from_static(b"1\ta\nx\tb\n")).await.unwrap();
    show(out, "bad", told(sink.finish().await));
    // Dropped: given up.
    let sink = driver
        .copy_in::<_, Bytes>("COPY copied FROM STDIN")
        .await
        .unwrap();
    drop(sink);
    let nowhere = driver.copy_out("COPY nowhere TO STDOUT").await;
    show(out, "nowhere", told(nowhere.map(drop)));
    let stream = driver
        .copy_out("COPY (SELECT 10/(5 - g) FROM generate_series(1, 9) g) TO STDOUT")
        .await
        .unwrap();
    let chunks: Result<Vec<Bytes>, Error> = stream.try_collect().await;
    show(out, "in the middle", told(chunks));
    show(
        out,
        "rows",
        driver.value("SELECT count(*) FROM copied").await.unwrap(),
    );
}

async fn messages(driver: &Driver, out: &mut String) {
    *out += "== notices and notifications\n";
    driver
        .batch_execute("DO $$ BEGIN RAISE NOTICE 'one' USING DETAIL = 'd', HINT = 'h'; END $$")
        .await
        .unwrap();
    // Earlier ones, of errors in transactions, may stand before it.
    let mut notice: DbError = driver.notice().await;
    while notice.message() != "one" {
        show(out, "notice", &notice);
        notice = driver.notice().await;
    }
    show(out, "notice", notice);
    driver
        .batch_execute("LISTEN channel; NOTIFY channel, 'é'")
        .await
        .unwrap();
    let notification = driver.notification().await;
    show(
        out,
        "notification",
        (notification.channel(), notification.payload()),
    );
}

async fn cancelling(place: &Place, driver: &Driver, out: &mut String) {
    *out += "== cancel and timeouts\n";
    let sleeper = connect(place, "sleeper").await;
    let cancel = sleeper.cancel_token();
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                  AND application_name = 'sleeper' AND wait_event = 'PgSleep'";
    let press = async {
        eventually("it sleeps", async || {
            (driver.value(asleep).await.unwrap() == "1").then_some(())
        })
        .await;
        cancel.cancel_query(NoTls).await.unwrap();
    };
    let slept = sleeper.batch_execute("SELECT pg_sleep(60)");
    let (slept, ()) = futures_util::future::join(slept, press).await;
    show(out, "cancelled", told(slept));
    show(out, "after", sleeper.value("SELECT 1").await.unwrap());
    sleeper
        .batch_execute("SET statement_timeout = '50ms'")
        .await
        .unwrap();
    show(
        out,
        "timeout",
        told(sleeper.execute("SELECT pg_sleep(60)", &[]).await),
    );
}

async fn big(driver: &Driver, out: &mut String) {
    *out += "== big values\n";
    let text = "0123456789".repeat(1_000_000);
    let row = driver
        .query_one("SELECT $1::text, length($1::text)", &[&text])
        .await
        .unwrap();
    assert!(row.get::<_, &str>(0) == text && row.get::<_, i32>(1) == 10_000_000);
    assert!(driver.value(&format!("SELECT '{text}'")).await.unwrap() == text);
    let rows = driver
        .query(
            "SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g",
            &[],
        )
        .await
        .unwrap();
    show(out, "rows", rows.len());
}
