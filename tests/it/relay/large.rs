//! Large results and large uploads pass in bounded memory, however slow the other side is.

use super::EVERYTHING_PASSES;
use crate::support::Proxy;
use crate::support::raw::Frames;

/// How much more memory holdpoint may take for any of this, in KiB.
const ALLOWANCE: u64 = 24 * 1024;

#[tokio::test]
async fn a_million_rows() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let before = proxy.peak_memory();
    alice
        .send(Frames::new().query("SELECT g FROM generate_series(1, 1000000) g"))
        .await;
    let mut rows = 0;
    loop {
        match alice.message().await {
            message if message.tag == b'D' => rows += 1,
            message if message.tag == b'Z' => break,
            _ => {}
        }
    }
    assert_eq!(rows, 1_000_000);
    stayed_small(&proxy, before);
}

#[tokio::test]
async fn a_value_of_fifty_megabytes() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let before = proxy.peak_memory();
    alice
        .send(Frames::new().query("SELECT repeat('x', 50000000)"))
        .await;
    let answer = alice.ready().await;
    assert_eq!(answer[1].body.len(), 50_000_000 + 6);
    assert!(answer[1].body[6..].iter().all(|&byte| byte == b'x'));
    stayed_small(&proxy, before);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_server_back() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let before = proxy.peak_memory();
    alice
        .send(Frames::new().query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)"))
        .await;
    proxy.database.sees_waiting("SELECT repeat%", "ClientWrite").await;
    stayed_small(&proxy, before);
    // Once it reads, everything comes.
    let answer = alice.ready().await;
    assert_eq!(answer.iter().filter(|m| m.tag == b'D').count(), 100_000);
    stayed_small(&proxy, before);
}

#[tokio::test]
async fn a_server_that_does_not_read_holds_the_client_back() {
    let proxy = Proxy::with().policy(EVERYTHING_PASSES).start().await;
    let mut alice = proxy.alice.raw().await;
    let lock = proxy.database.lock_items().await;
    let before = proxy.peak_memory();
    alice
        .send(Frames::new().query("COPY items (id, name) FROM STDIN"))
        .await;
    proxy.database.sees_waiting("COPY%", "Lock").await;
    let mut rows = Vec::new();
    for id in 11..60_011 {
        let row = format!("{id}\t{}\n", "x".repeat(1000));
        let length = u32::try_from(row.len() + 4).unwrap();
        rows.push(b'd');
        rows.extend_from_slice(&length.to_be_bytes());
        rows.extend_from_slice(row.as_bytes());
    }
    let sent = alice.send_until_stalled(&rows).await;
    assert!(sent < rows.len(), "somebody took all of it");
    stayed_small(&proxy, before);
    drop(lock);
    alice.send(&rows[sent..]).await;
    alice.send(Frames::new().frame(b'c', b"")).await;
    let answer = alice.ready().await;
    assert_eq!(answer[answer.len() - 2].text(), "COPY 60000");
    stayed_small(&proxy, before);
}

#[tokio::test]
async fn a_held_client_that_goes_on_sending_is_held_back() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
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

fn stayed_small(proxy: &Proxy, before: u64) {
    let now = proxy.peak_memory();
    assert!(now < before + ALLOWANCE, "from {before} KiB to {now} KiB");
}
