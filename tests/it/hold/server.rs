//! The server while a statement is held: what it says by itself, and its end.

use crate::support::Proxy;
use crate::support::middle::Middle;
use crate::support::raw::{Frames, Message, describe};

const DELETE: &str = "DELETE FROM items WHERE id = 3";

#[tokio::test]
async fn what_the_server_says_by_itself_passes_and_its_silence_ends_the_wait() {
    let middle = Middle::start().await;
    let far = format!(
        "[databases.far]\nupstream = \"postgres://app_trust@{}/postgres?sslmode=disable\"",
        middle.address
    );
    let proxy = Proxy::with().databases(&far).start().await;
    let (mut alice, greeting) = proxy.alice.raw_with(&[("database", "far")]).await;
    assert_eq!(greeting.last().unwrap().tag, b'Z', "{}", describe(&greeting));
    alice
        .send(Frames::new().query("DELETE FROM pg_class WHERE oid = 1"))
        .await;
    let request = proxy.bob.pending_one().await;
    assert_eq!(alice.message().await.tag, b'N', "it is held");

    let said = Frames::new()
        .frame(b'S', b"IntervalStyle\0iso_8601\0")
        .frame(b'N', b"SWARNING\0VWARNING\0C01000\0Mby the way\0\0")
        .frame(b'A', b"\0\0\0\x07news\0here\0");
    middle.says(said.as_ref());
    let heard = [
        alice.message().await,
        alice.message().await,
        alice.message().await,
    ];
    let tags: Vec<u8> = heard.iter().map(|m: &Message| m.tag).collect();
    assert_eq!(tags, b"SNA", "{}", describe(&heard));
    assert_eq!(heard[1].field(b'M').as_deref(), Some("by the way"));

    middle.cut();
    let rest = alice.rest().await;
    assert_eq!(rest.last().unwrap().code(), "08006", "{}", describe(&rest));
    let request = proxy.bob.sees(&request, "withdrawn").await;
    assert_eq!(request.text("reason"), "the connection to the server was lost");
}

#[tokio::test]
async fn the_servers_own_word_ends_the_wait_and_is_the_reason() {
    let proxy = Proxy::start().await;
    for (begin, end, code, reason) in [
        (
            "BEGIN",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE usename = 'app' AND datname = current_database()",
            "57P01",
            "the server closed the session: an administrator ended it (57P01)",
        ),
        (
            "SET idle_in_transaction_session_timeout = '3s'; BEGIN",
            "SELECT 1",
            "25P03",
            "the server closed the session: its transaction had been idle for too long (25P03)",
        ),
    ] {
        let mut alice = proxy.alice.raw().await;
        alice.send(Frames::new().query(begin)).await;
        alice.ready().await;
        alice.send(Frames::new().query(DELETE)).await;
        let request = proxy.bob.pending_one().await;
        proxy.database.run(end).await;
        let rest = alice.rest().await;
        let last = rest.last().unwrap();
        assert_eq!(last.code(), code, "{}", describe(&rest));
        assert!(
            last.field(b'R').is_some(),
            "it is the server's own: {}",
            describe(&rest)
        );
        let request = proxy.bob.sees(&request, "withdrawn").await;
        assert_eq!(request.text("reason"), reason);
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn the_age_of_the_transaction_is_told() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.psql().await;
    alice.types(&format!("{DELETE};"));
    let request = proxy.bob.pending_one().await;
    assert!(request.field("transaction_since").is_null(), "{request:?}");
    proxy.bob.reject(&request, "no").await;
    alice.prompt().await;

    alice.runs("BEGIN;").await;
    alice.runs("SELECT 1;").await;
    alice.types(&format!("{DELETE};"));
    let request = proxy.bob.pending_one().await;
    let since: jiff::Timestamp = request.text("transaction_since").parse().unwrap();
    let asked: jiff::Timestamp = request.text("created_at").parse().unwrap();
    assert!(since < asked, "{since} and {asked}");
    let shown = proxy
        .command(&["requests", "show", request.id(), "--url", &proxy.console()])
        .env("HOLDPOINT_TOKEN", &proxy.bob.token)
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("inside an open transaction (since "), "{shown}");
    proxy.bob.reject(&request, "no").await;
    alice.prompt().await;
}
