//! Sessions inside TLS are the same as ever: held, cancelled, left, and slow.

use crate::support::Proxy;
use crate::support::raw::{Frames, Raw, tags};
use crate::support::tls::Certificates;

/// How much more memory holdpoint may take for any of this, in KiB.
const ALLOWANCE: u64 = 24 * 1024;

async fn start(lines: &str) -> (Certificates, Proxy) {
    let certificates = Certificates::new();
    let section = format!("{lines}\n{}", certificates.section("mode = \"require\""));
    let proxy = Proxy::with().proxy(&section).start().await;
    (certificates, proxy)
}

#[tokio::test]
async fn a_held_statement_in_psql_is_announced_and_runs_once_approved() {
    let (_certificates, proxy) = start("").await;
    let mut alice = proxy.alice.psql_with(&[("PGSSLMODE", "require")]).await;
    alice.types("DELETE FROM items WHERE id = 3;");
    alice.shows("NOTICE").await;
    proxy.bob.approves_next().await;
    let shown = alice.prompt().await;
    assert!(shown.ends_with("DELETE 1\n"), "{shown}");
    assert_eq!(proxy.database.items().await, 9);
}

#[tokio::test]
async fn ctrl_c_withdraws_what_is_held_and_cancels_what_runs() {
    let (_certificates, proxy) = start("").await;
    let mut alice = proxy.alice.psql_with(&[("PGSSLMODE", "require")]).await;
    alice.types("DELETE FROM items WHERE id = 3;");
    let request = proxy.bob.pending_one().await;
    alice.interrupt();
    alice.prompt().await;
    proxy.bob.sees(&request, "withdrawn").await;
    alice.types("SELECT pg_sleep(60);");
    proxy.database.sees_waiting("SELECT pg_sleep%", "PgSleep").await;
    alice.interrupt();
    let shown = alice.prompt().await;
    assert!(
        shown.ends_with("ERROR:  canceling statement due to user request\n"),
        "{shown}"
    );
    assert_eq!(alice.runs("SELECT 1;").await, "1\n");
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_however_it_goes() {
    let (certificates, proxy) = start("hold_buffer = \"64KiB\"").await;
    let ahead = "SELECT 1 ".repeat(1000);
    for way in 0..4 {
        let mut alice = proxy.alice.raw_tls(certificates.client(None)).await;
        alice
            .send(Frames::new().query("DELETE FROM items WHERE id = 3"))
            .await;
        let request = proxy.bob.pending_one().await;
        match way {
            // It says that nothing more comes, and stays connected.
            0 => alice.says_the_end().await,
            // The connection is cut without a word, at once or behind what was sent ahead: what the proxy
            // takes, or more than it takes.
            1 => {}
            queries => {
                let mut more = Frames::new();
                for _ in 0..[1, 1000][queries - 2] {
                    more = more.query(&ahead);
                }
                alice.send_until_stalled(more).await;
            }
        }
        if way > 0 {
            drop(alice);
        } else {
            proxy.bob.sees(&request, "withdrawn").await;
            drop(alice);
        }
        proxy.bob.sees(&request, "withdrawn").await;
        assert_eq!(proxy.bob.approve(&request).await.status, 409);
    }
    assert_eq!(proxy.database.items().await, 10);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_server_back() {
    let (certificates, proxy) = start("").await;
    let mut alice = proxy.alice.raw_tls(certificates.client(None)).await;
    let before = proxy.peak_memory();
    alice
        .send(Frames::new().query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"))
        .await;
    proxy.database.sees_waiting("SELECT repeat%", "ClientWrite").await;
    stayed_small(&proxy, before);
    // Once it reads, everything comes.
    let answer = alice.ready().await;
    assert_eq!(answer.iter().filter(|m| m.tag == b'D').count(), 100_000);
    // A single value, larger than any buffer.
    alice
        .send(Frames::new().query("SELECT repeat('x', 50000000)"))
        .await;
    let answer = alice.ready().await;
    assert_eq!(answer[1].body.len(), 50_000_000 + 6);
    stayed_small(&proxy, before);
}

#[tokio::test]
async fn a_server_that_does_not_read_holds_the_client_back() {
    let (certificates, proxy) = start("").await;
    let mut alice = proxy.alice.raw_tls(certificates.client(None)).await;
    let before = proxy.peak_memory();
    alice
        .send(Frames::new().query("DELETE FROM items WHERE id = 3"))
        .await;
    let request = proxy.bob.pending_one().await;
    let query = Frames::new().query(&format!("SELECT '{}'", "x".repeat(1000)));
    let many = query.as_ref().repeat(40_000);
    let sent = alice.send_until_stalled(&many).await;
    assert!(sent < many.len(), "somebody took all of it");
    stayed_small(&proxy, before);
    proxy.bob.reject(&request, "no").await;
    alice.ready().await;
}

#[tokio::test]
async fn every_end_is_said() {
    let (certificates, proxy) = start("").await;
    // By holdpoint: an error, and then TLS's own end, without which `clean_end` fails.
    let raw = Raw::connect(proxy.address()).await;
    let mut raw = raw.ask_for_tls(certificates.client(None)).await.unwrap();
    raw.start_up(&[("user", "alice"), ("replication", "true")]).await;
    assert_eq!(tags(&raw.clean_end().await), "E");
    // By the server.
    let mut alice = proxy.alice.raw_tls(certificates.client(None)).await;
    alice.send(Frames::new().query("SELECT pg_backend_pid()")).await;
    let pid = alice.ready().await[1].values().remove(0);
    let ended = proxy
        .database
        .value(&format!("SELECT pg_terminate_backend({pid})"))
        .await;
    assert_eq!(ended, "t");
    let last = alice.clean_end().await;
    assert_eq!((tags(&last).as_str(), last[0].code().as_str()), ("E", "57P01"));
}

fn stayed_small(proxy: &Proxy, before: u64) {
    let now = proxy.peak_memory();
    assert!(now < before + ALLOWANCE, "from {before} KiB to {now} KiB");
}
