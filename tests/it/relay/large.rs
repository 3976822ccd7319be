//! Large results and large uploads pass in bounded memory, however slow the other side is.

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, Raw, describe, tags};
use crate::support::{Proxy, Role};

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

#[tokio::test]
async fn a_row_of_three_hundred_megabytes() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let before = proxy.peak_memory();
    let wide = "SELECT repeat('x', 100000000), repeat('y', 100000000), repeat('z', 100000000)";
    alice.send(Frames::new().query(wide)).await;
    let answer = alice.ready().await;
    assert_eq!(answer[1].body.len(), 300_000_000 + 2 + 3 * 4);
    assert_eq!(answer[1].body.last(), Some(&b'z'));
    stayed_small(&proxy, before);
}

/// A Bind of a statement that passes is larger than any message that is gathered.
#[tokio::test]
async fn a_bound_value_of_two_hundred_megabytes() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let before = proxy.peak_memory();
    let value = "x".repeat(200_000_000);
    let e = Frames::new;
    alice
        .send(
            e().parse("s", "SELECT length($1)")
                .bind("", "s", &[&value])
                .execute("", 0)
                .sync(),
        )
        .await;
    let answer = alice.ready().await;
    assert_eq!(tags(&answer), "12DCZ", "{}", describe(&answer));
    assert_eq!(answer[2].values(), ["200000000"]);
    // Again, behind an error: the server skips it.
    alice
        .send(
            e().statement("SELECT 1/0")
                .bind("", "s", &[&value])
                .execute("", 0)
                .sync(),
        )
        .await;
    assert_eq!(tags(&alice.ready().await), "1EZ");
    // And for a statement that there is not.
    alice
        .send(e().bind("", "nowhere", &[&value]).execute("", 0).sync())
        .await;
    let answer = alice.ready().await;
    assert_eq!(answer[0].code(), "26000");
    alice.send(e().query("SELECT 1")).await;
    assert_eq!(tags(&alice.ready().await), "TDCZ");
    stayed_small(&proxy, before);
}

/// What has to be shown to people, or judged, has to be gathered.
#[tokio::test]
async fn a_message_too_large_to_be_judged_is_refused_in_its_place() {
    let proxy = Proxy::with().proxy(r#"max_message = "1MiB""#).start().await;
    let mut alice = proxy.alice.raw().await;
    let before = proxy.peak_memory();
    let value = "x".repeat(30 << 20);
    let sql = format!("SELECT '{value}'");
    let e = Frames::new;
    for (sent, expected) in [
        (
            e().statement("SELECT 1")
                .parse("", "DELETE FROM items WHERE name = $1")
                .bind("", "", &[&value])
                .execute("", 0)
                .sync(),
            "12DC1EZ",
        ),
        (e().statement("SELECT 1").statement(&sql).sync(), "12DCEZ"),
        (e().query(&sql), "EZ"),
        (e().query("SELECT 1").query(&sql).query("SELECT 2"), "TDCZEZTDCZ"),
        (e().frame(b'F', value.as_bytes()), "EZ"),
    ] {
        alice.send(&sent).await;
        let answer = alice.answers(expected.matches('Z').count()).await;
        assert_eq!(tags(&answer), expected);
        let error = answer.iter().find(|m| m.tag == b'E').unwrap();
        assert_eq!(error.code(), "54000", "{}", describe(&answer));
    }
    assert_eq!(proxy.bob.requests("").await.len(), 0, "nobody was asked");
    stayed_small(&proxy, before);
}

/// As psycopg sends a pipeline: everything before one Sync, reading meanwhile.
#[tokio::test]
async fn a_pipeline_of_a_hundred_thousand_statements() {
    const MANY: usize = 100_000;
    let proxy = Proxy::with().role(Role::Trust).start().await;
    let before = proxy.peak_memory();
    let statement = Frames::new()
        .bind("", "s", &["7"])
        .describe_portal("")
        .execute("", 0);
    let frames = Frames::new()
        .parse("s", "SELECT $1::int + 1")
        .bytes(&statement.as_ref().repeat(MANY))
        .sync();
    let mut digests = Vec::new();
    for mut raw in [Raw::past(&proxy).await, proxy.alice.raw().await] {
        let answer = raw.exchange(&frames).await;
        assert_eq!(answer.iter().filter(|m| m.tag == b'C').count(), MANY);
        digests.push(answer);
    }
    assert_eq!(digests[0].len(), digests[1].len());
    assert!(digests[0] == digests[1], "the same answers, in the same order");
    stayed_small(&proxy, before);
}
