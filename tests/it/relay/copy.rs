//! COPY, both ways.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::future::join;
use futures_util::{SinkExt as _, TryStreamExt as _};
use tokio_postgres::error::SqlState;

use crate::support::Proxy;
use crate::support::driver::{Driver, refusal};

#[tokio::test]
async fn psql_copies_out_without_a_hold_and_in_with_one() {
    let proxy = Proxy::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display();
    let mut alice = proxy.alice.psql().await;
    let shown = alice
        .runs(&format!("\\copy (SELECT id + 10, name FROM items) TO '{path}'"))
        .await;
    assert_eq!(shown, "COPY 10\n");

    alice.types(&format!("\\copy items (id, name) FROM '{path}'"));
    let request = proxy.bob.approves_next().await;
    assert!(alice.prompt().await.ends_with("COPY 10\n"));
    assert_eq!(proxy.database.items().await, 20);
    assert_eq!(proxy.bob.sees(&request, "executed").await.outcome()["rows"], 10);

    // The same again: the first row is there already.
    alice.types(&format!("\\copy items (id, name) FROM '{path}'"));
    let request = proxy.bob.approves_next().await;
    let shown = alice.prompt().await;
    assert!(shown.contains("ERROR:  duplicate key value"), "{shown}");
    assert_eq!(
        proxy.bob.sees(&request, "failed").await.outcome()["sqlstate"],
        "23505"
    );

    alice.types(&format!("\\copy items (id, name) FROM '{path}'"));
    proxy.bob.rejects_next("no").await;
    let shown = alice.prompt().await;
    assert!(shown.contains("ERROR:  rejected by bob: no"), "{shown}");
    assert_eq!(alice.runs("SELECT count(*) FROM items;").await, "20\n");
}

#[tokio::test]
async fn a_driver_copies_in_and_out() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let mut rows = String::new();
    for id in 11..=20_010 {
        writeln!(rows, "{id}\tcopied").unwrap();
    }
    let (copied, _) = join(copy_in(&alice, &rows), proxy.bob.approves_next()).await;
    assert_eq!(copied.unwrap(), 20_000);

    let out = alice
        .copy_out("COPY (SELECT id, name FROM items WHERE id > 10 ORDER BY id) TO STDOUT")
        .await
        .unwrap();
    let chunks: Vec<Bytes> = out.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), rows.as_bytes());
}

#[tokio::test]
async fn a_copy_that_fails_in_mid_stream_leaves_a_usable_session() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let mut rows = String::new();
    for id in 11..=5000 {
        writeln!(
            rows,
            "{}\tcopied",
            if id == 2000 {
                "x".to_owned()
            } else {
                id.to_string()
            }
        )
        .unwrap();
    }
    let (copied, request) = join(copy_in(&alice, &rows), proxy.bob.approves_next()).await;
    refusal(copied, &SqlState::INVALID_TEXT_REPRESENTATION);
    assert_eq!(
        proxy.bob.sees(&request, "failed").await.outcome()["sqlstate"],
        "22P02"
    );
    assert_eq!(alice.value("SELECT count(*) FROM items").await.unwrap(), "10");

    let (copied, _) = join(copy_in(&alice, "11\tok\n"), proxy.bob.approves_next()).await;
    assert_eq!(copied.unwrap(), 1);
}

#[tokio::test]
async fn a_copy_that_is_given_up_leaves_a_usable_session() {
    let proxy = Proxy::start().await;
    let alice = proxy.alice.driver().await;
    let start = alice.copy_in::<_, Bytes>("COPY items (id, name) FROM STDIN");
    let (sink, request) = join(start, proxy.bob.approves_next()).await;
    let mut sink = Box::pin(sink.unwrap());
    sink.send(Bytes::from_static(b"11\tgiven up\n")).await.unwrap();
    // Dropped before it is finished: the driver sends CopyFail.
    drop(sink);
    assert_eq!(alice.value("SELECT count(*) FROM items").await.unwrap(), "10");
    assert_eq!(
        proxy.bob.sees(&request, "failed").await.outcome()["sqlstate"],
        "57014"
    );
}

async fn copy_in(alice: &Driver, rows: &str) -> Result<u64, tokio_postgres::Error> {
    let sink = alice.copy_in("COPY items (id, name) FROM STDIN").await?;
    let mut sink = Box::pin(sink);
    for chunk in rows.as_bytes().chunks(10_000) {
        sink.send(Bytes::copy_from_slice(chunk)).await?;
    }
    sink.as_mut().finish().await
}
