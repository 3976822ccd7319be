//! What was made of a frame that the server's error drops is not taken for another.

use crate::support::Proxy;
use crate::support::raw::{Frames, Message, Raw, tags};

/// A frame that waits for the read shield, behind a Parse that fails; and another in its place.
async fn in_its_place(raw: &mut Raw, dropped: &str, other: Frames) {
    let failing = Frames::new()
        .parse("", "SELECT nocolumn FROM items")
        .query(dropped)
        .sync();
    raw.send(failing.bytes(other.as_ref())).await;
    let answers = raw.ready().await;
    assert_eq!(tags(&answers), "EZ");
    assert_eq!(answers[0].code(), "42703");
}

#[tokio::test]
async fn a_statement_behind_a_dropped_one_is_judged_by_itself() {
    let proxy = Proxy::start().await;
    let drop_table = || Frames::new().query("DROP TABLE items");
    for dropped in ["BEGIN", "SET default_transaction_read_only = off"] {
        let mut raw = proxy.alice.raw().await;
        raw.exchange(Frames::new().query("SELECT 1")).await;
        in_its_place(&mut raw, dropped, drop_table()).await;
        proxy.bob.rejects_next("it drops a table").await;
        assert_eq!(tags(&raw.ready().await).replace('N', ""), "EZ");

        // In a block.
        raw.exchange(Frames::new().query("BEGIN")).await;
        raw.exchange(Frames::new().query("SELECT 1")).await;
        in_its_place(
            &mut raw,
            "SAVEPOINT a",
            Frames::new().query("ROLLBACK; DROP TABLE items"),
        )
        .await;
        proxy.bob.rejects_next("it drops a table").await;
        raw.ready().await;
        raw.exchange(Frames::new().query("ROLLBACK")).await;

        // Nor is it kept under a name.
        let parse = Frames::new().parse("kept", "DROP TABLE items").sync();
        in_its_place(&mut raw, dropped, parse).await;
        assert_eq!(tags(&raw.ready().await), "1Z");
        raw.send(Frames::new().bind("", "kept", &[]).execute("", 0).sync())
            .await;
        proxy.bob.rejects_next("it drops a table").await;
        raw.ready().await;
    }
    assert_eq!(proxy.database.items().await, 10);
}

/// The judgement of an EXECUTE waits for that of a long text that it names, which definitions have made old.
#[tokio::test]
async fn nor_behind_one_that_waits_to_be_judged() {
    let proxy = Proxy::with().databases("read_shield = false").start().await;
    let mut raw = proxy.alice.raw().await;
    let numbers: Vec<String> = (0..40_000).map(|n| n.to_string()).collect();
    let long = format!("SELECT 1 WHERE 1 IN ({})", numbers.join(","));
    raw.exchange(Frames::new().parse("long", &long).sync()).await;
    for round in 0..3 {
        let mut other = proxy.carol.raw().await;
        other
            .send(Frames::new().query(&format!("CREATE TABLE changed_{round} ()")))
            .await;
        proxy.bob.approves_next().await;
        other.ready().await;
        raw.send(
            Frames::new()
                .parse("", "SELECT nocolumn FROM items")
                .flush()
                .query("EXECUTE long"),
        )
        .await;
        let refused = raw.up_to(b'E').await;
        assert_eq!(refused.last().map(Message::code).as_deref(), Some("42703"));
        raw.send(Frames::new().sync().query("ROLLBACK; DROP TABLE items"))
            .await;
        raw.ready().await;
        proxy.bob.rejects_next("it drops a table").await;
        raw.ready().await;
    }
    assert_eq!(proxy.database.items().await, 10);
}
