//! Messages that are not what they say: the connection ends, and nothing of them runs.

use crate::support::Proxy;
use crate::support::eventually;
use crate::support::raw::{Frames, describe};

#[tokio::test]
async fn a_violation_of_the_protocol_runs_nothing() {
    let proxy = Proxy::start().await;
    let e = Frames::new;
    let smuggled = e().query("DELETE FROM items WHERE id = 1");
    for (what, frames) in [
        (
            "a Query whose length lies",
            e().bytes(b"Q\0\0\0\x06S\0")
                .bytes(b"ELECT 1\0")
                .bytes(smuggled.as_ref()),
        ),
        (
            "a length below its own",
            e().bytes(b"Q\0\0\0\x03").bytes(smuggled.as_ref()),
        ),
        (
            "a negative length",
            e().bytes(b"Q\xff\xff\xff\xff").bytes(smuggled.as_ref()),
        ),
        (
            "an enormous length",
            e().bytes(b"Q\x7f\xff\xff\xff").bytes(smuggled.as_ref()),
        ),
        ("an unknown type", e().frame(b'y', b"").bytes(smuggled.as_ref())),
        (
            "a type of the server's",
            e().frame(b'Z', b"I").bytes(smuggled.as_ref()),
        ),
        ("a password now", e().frame(b'p', b"x\0").bytes(smuggled.as_ref())),
    ] {
        let mut alice = proxy.alice.raw().await;
        alice.send_in_vain(&frames).await;
        let answer = alice.rest().await;
        // What it hears of it is for `auth::strangers`, which compares it with PostgreSQL's own.
        let only_errors = answer.iter().all(|m| matches!(m.tag, b'E' | b'Z'));
        assert!(only_errors, "{what}: {}", describe(&answer));
    }
    assert_eq!(proxy.database.items().await, 10);
    assert_eq!(proxy.bob.requests("").await.len(), 0, "nothing was even asked");
}

#[tokio::test]
async fn a_malformed_body_is_refused_and_runs_nothing() {
    let proxy = Proxy::start().await;
    let e = Frames::new;
    for (what, frames) in [
        ("a Query without an end", e().frame(b'Q', b"SELECT 1")),
        (
            "a Query with two texts",
            e().frame(b'Q', b"SELECT 1\0DELETE FROM items WHERE id = 1\0"),
        ),
        ("an empty Query body", e().frame(b'Q', b"")),
        (
            "a Parse with more types than it has",
            e().frame(b'P', b"\0SELECT 1\0\0\x09").sync(),
        ),
        (
            "a Parse with something behind it",
            e().frame(b'P', b"\0SELECT 1\0\0\0DELETE").sync(),
        ),
        (
            "a Bind without values",
            e().parse("", "SELECT $1::int")
                .frame(b'B', b"\0\0\0\0\0\x01")
                .sync(),
        ),
        (
            "a Bind with a value too long",
            e().parse("", "SELECT $1::int")
                .frame(b'B', b"\0\0\0\0\0\x01\0\0\0\x7f1\0\0")
                .sync(),
        ),
        (
            "a Bind with a negative length",
            e().parse("", "SELECT $1::int")
                .frame(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0")
                .sync(),
        ),
        (
            "an Execute without a count",
            e().statement("SELECT 1").frame(b'E', b"\0").sync(),
        ),
        ("a Describe of nothing known", e().frame(b'D', b"X\0").sync()),
        ("a Close without a name", e().frame(b'C', b"S").sync()),
        ("an empty Describe", e().frame(b'D', b"").sync()),
    ] {
        let mut alice = proxy.alice.raw().await;
        alice.send_in_vain(&frames).await;
        let answer = alice.up_to(b'E').await;
        let error = answer.last().unwrap();
        assert_eq!(error.code(), "08P01", "{what}: {}", describe(&answer));
    }
    assert_eq!(proxy.bob.requests("").await.len(), 0, "nothing was even asked");
}

#[tokio::test]
async fn a_frame_that_never_ends_runs_nothing() {
    let proxy = Proxy::start().await;
    let whole = Frames::new().query("INSERT INTO items VALUES (11, 'x')");
    let whole = whole.as_ref();
    for length in [1, 4, 5, 6, whole.len() - 1] {
        let mut alice = proxy.alice.raw().await;
        alice.send(&whole[..length]).await;
    }
    eventually("the sessions are gone from the server", async || {
        let sessions =
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND datname = current_database()";
        (proxy.database.value(sessions).await == "0").then_some(())
    })
    .await;
    assert_eq!(proxy.bob.requests("").await.len(), 0, "nothing was even asked");
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let sent = Frames::new()
        .statement("SELECT 'a'")
        .sync()
        .query("SELECT 'b'")
        .query("DELETE FROM items");
    for byte in sent.as_ref() {
        alice.send([*byte]).await;
    }
    assert_eq!(crate::support::raw::tags(&alice.answers(3).await), "12DCZTDCZEZ");
}
