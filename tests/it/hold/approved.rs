//! Approved: it runs on the same session, in its transaction, as if nothing had happened.

use bytes::BytesMut;
use futures_util::future::join;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::support::Proxy;
use crate::support::psql::Transaction;

#[tokio::test]
async fn psql_gets_its_result_on_the_same_session() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    let backend = alice.runs("SELECT pg_backend_pid();").await;
    alice.types("CREATE TEMP TABLE mine AS SELECT 3 AS id;");
    proxy.bob.approves_next().await;
    alice.prompt().await;

    alice.types("DELETE FROM items WHERE id IN (SELECT id FROM mine) RETURNING name;");
    alice.shows("withdraws the request.\n").await;
    let request = proxy.bob.pending_one().await;
    assert_eq!(proxy.database.items().await, 10, "it waits");
    assert!(proxy.bob.approve_saying(&request, "go ahead").await.is_taken());

    let shown = alice.prompt().await;
    let expected = format!(
        "NOTICE:  request {} approved by bob\nDETAIL:  bob: go ahead\nitem 3\nDELETE 1\n",
        request.id()
    );
    assert_eq!(shown, expected);
    assert_eq!(alice.transaction(), Transaction::None);
    assert_eq!(alice.runs("SELECT pg_backend_pid();").await, backend);
    assert_eq!(alice.runs("SELECT count(*) FROM mine;").await, "1\n");
    assert_eq!(proxy.database.items().await, 9);
}

#[tokio::test]
async fn psql_goes_on_in_its_transaction() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.runs("BEGIN;").await;
    alice.types("UPDATE items SET name = 'first' WHERE id = 1;");
    assert_eq!(proxy.bob.approves_next().await.field("in_transaction"), true);
    assert!(alice.prompt().await.ends_with("UPDATE 1\n"));
    assert_eq!(alice.transaction(), Transaction::Open);

    let name = "SELECT name FROM items WHERE id = 1";
    assert_eq!(alice.runs(&format!("{name};")).await, "first\n");
    assert_eq!(
        proxy.database.value(name).await,
        "item 1",
        "others do not see it yet"
    );
    assert_eq!(alice.runs("COMMIT;").await, "COMMIT\n");
    assert_eq!(proxy.database.value(name).await, "first");
}

#[tokio::test]
async fn a_statement_that_fails_on_the_server_fails_as_it_would_have() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types("INSERT INTO items VALUES (1, 'again');");
    let request = proxy.bob.approves_next().await;
    let shown = alice.prompt().await;
    assert!(
        shown.contains("ERROR:  duplicate key value violates unique constraint \"items_pkey\"\n"),
        "{shown}"
    );
    let request = proxy.bob.sees(&request, "failed").await;
    assert_eq!(request.outcome()["sqlstate"], "23505");
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
}

#[tokio::test]
async fn a_driver_gets_its_result_by_the_simple_protocol() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let backend = alice.value("SELECT pg_backend_pid()").await.unwrap();
    let (deleted, request) = join(
        alice.value("DELETE FROM items WHERE id = 3 RETURNING name"),
        proxy.bob.approves_next(),
    )
    .await;
    assert_eq!(deleted.unwrap(), "item 3");
    assert_eq!(
        request.statement(),
        "DELETE FROM items WHERE id = 3 RETURNING name"
    );
    assert_eq!(request.text("application_name"), "it");
    assert_eq!(request.text("database"), "shop");
    assert_eq!(request.text("user"), "alice");
    assert_eq!(alice.value("SELECT pg_backend_pid()").await.unwrap(), backend);
}

#[tokio::test]
async fn bound_values_of_many_types_are_shown_and_then_stored() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let insert = alice
        .prepare("INSERT INTO items VALUES ($1, $2, $3, $4, $5)")
        .await
        .unwrap();
    let added: jiff::Timestamp = "2026-02-03T04:05:06.5Z".parse().unwrap();
    let tag = Uuid::from_u128(7);
    let nothing: Option<jiff::Timestamp> = None;

    let (inserted, request) = join(
        alice.execute(&insert, &[&11, &"élève", &Numeric12345_678, &added, &tag]),
        proxy.bob.approves_next(),
    )
    .await;
    assert_eq!(inserted.unwrap(), 1);
    let tag = tag.to_string();
    let expected = ["11", "élève", "12345.678", "2026-02-03 04:05:06.5+00", &tag];
    assert_eq!(request.parameters(), expected.map(Some));
    let types: Vec<&str> = request
        .field("parameters")
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["int4", "text", "numeric", "timestamptz", "uuid"]);

    let no_tag: Option<Uuid> = None;
    let (inserted, request) = join(
        alice.execute(&insert, &[&12, &"", &Numeric12345_678, &nothing, &no_tag]),
        proxy.bob.approves_next(),
    )
    .await;
    assert_eq!(inserted.unwrap(), 1);
    assert_eq!(
        request.parameters(),
        [Some("12"), Some(""), Some("12345.678"), None, None]
    );

    let stored =
        "SELECT string_agg(concat_ws('|', id, name, price, added AT TIME ZONE 'UTC', tag), ' ; ' ORDER BY id)
                  FROM items WHERE id > 10";
    assert_eq!(
        proxy.database.value(stored).await,
        "11|élève|12345.678|2026-02-03 04:05:06.5|00000000-0000-0000-0000-000000000007 ; 12||12345.678"
    );
}

#[tokio::test]
async fn values_with_types_given_at_parse_are_shown_too() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let (rows, request) = join(
        alice.query_typed(
            "UPDATE items SET name = $2 WHERE id = $1 RETURNING price::text",
            &[(&7_i32, Type::INT4), (&"seven", Type::TEXT)],
        ),
        proxy.bob.approves_next(),
    )
    .await;
    assert_eq!(rows.unwrap()[0].get::<_, String>(0), "7.50");
    assert_eq!(request.parameters(), [Some("7"), Some("seven")]);
}

#[tokio::test]
async fn a_driver_goes_on_in_its_transaction() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.driver().await;
    let transaction = alice.transaction().await.unwrap();
    let rename = transaction
        .prepare("UPDATE items SET name = $1 WHERE id = 1")
        .await
        .unwrap();
    let (renamed, _) = join(
        transaction.execute(&rename, &[&"first"]),
        proxy.bob.approves_next(),
    )
    .await;
    assert_eq!(renamed.unwrap(), 1);
    let row = transaction
        .query_one("SELECT name FROM items WHERE id = $1", &[&1])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "first");
    let name = "SELECT name FROM items WHERE id = 1";
    assert_eq!(
        proxy.database.value(name).await,
        "item 1",
        "others do not see it yet"
    );
    transaction.commit().await.unwrap();
    assert_eq!(proxy.database.value(name).await, "first");
}

#[tokio::test]
async fn a_prepared_statement_is_held_every_time_it_is_executed() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let delete = alice.prepare("DELETE FROM items WHERE id = $1").await.unwrap();
    for id in 1..=3 {
        let (deleted, request) = join(alice.execute(&delete, &[&id]), proxy.bob.approves_next()).await;
        assert_eq!(deleted.unwrap(), 1);
        assert_eq!(request.parameters(), [Some(id.to_string().as_str())]);
    }
    assert_eq!(proxy.database.items().await, 7);
}

/// The number 12345.678 as a driver sends it (`numeric_send`): digits 1, 2345, 6780 to the base 10000.
#[derive(Debug)]
struct Numeric12345_678;

impl ToSql for Numeric12345_678 {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let words: [i16; 7] = [3, 1, 0, 3, 1, 2345, 6780];
        out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::NUMERIC
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}
