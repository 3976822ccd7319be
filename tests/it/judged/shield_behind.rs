//! What is pipelined behind the end of a transaction that was made read-only in its middle.

use super::shield::{BLIND, TRAPS};
use crate::support::Proxy;
use crate::support::raw::{Frames, Message, describe};

const TRAP: &str = "SELECT * FROM trap";

/// Moves the shield in the middle of a segment: the first text wants it down, the second up.
fn raises(first: &str) -> Frames {
    Frames::new().statement(first).statement("SELECT 1")
}

/// The shield of a segment ends with it, and what comes behind its Sync is not under it.
#[tokio::test]
async fn a_shield_that_ends_with_its_segment_does_not_cover_the_next() {
    let proxy = Proxy::with().databases(BLIND).start().await;
    proxy.database.run(TRAPS).await;
    let firsts = [
        "SHOW transaction_read_only",
        "SHOW default_transaction_read_only",
        "SET default_transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET TRANSACTION READ WRITE",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ];
    let behind = |frames: Frames| -> Vec<(&str, Frames, usize)> {
        vec![
            ("extended", frames.clone().statement(TRAP).sync(), 1),
            ("simple", frames.clone().query(TRAP), 1),
            ("many", frames.clone().query(&format!("SELECT 1; {TRAP}")), 1),
            ("block", frames.clone().query(&format!("BEGIN; {TRAP}")), 1),
            (
                "copy",
                frames.clone().query(&format!("COPY ({TRAP}) TO STDOUT")),
                1,
            ),
            (
                "again",
                frames.clone().statement("SELECT 2").sync().statement(TRAP).sync(),
                2,
            ),
            (
                "cursor",
                frames
                    .query(&format!("DECLARE k CURSOR WITH HOLD FOR {TRAP}"))
                    .query("FETCH ALL k"),
                2,
            ),
        ]
    };
    let segments = |first: &str| {
        [
            raises(first).sync(),
            raises(first).flush().sync(),
            Frames::new()
                .statement(first)
                .statement("SELECT 1 / (random() * 0)::int")
                .sync(),
        ]
    };
    for first in firsts {
        for segment in segments(first) {
            for (what, frames, answers) in behind(segment) {
                let mut alice = proxy.alice.raw().await;
                alice.send(frames).await;
                let answer = alice.answers(answers + 1).await;
                let codes: Vec<String> = answer
                    .iter()
                    .filter(|m| m.tag == b'E')
                    .map(Message::code)
                    .collect();
                assert!(
                    codes.iter().any(|code| code == "25006"),
                    "{first}, {what}: {}",
                    describe(&answer)
                );
                assert_eq!(proxy.database.items().await, 10, "{first}, {what}");
                alice.leave().await;
            }
        }
    }
    assert!(proxy.bob.requests("").await.is_empty(), "nobody was asked");
}
