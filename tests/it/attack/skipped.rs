//! What the server skips after an error, and what holdpoint believes it does.

use super::play::{DELETE, attack, query, send, stage};
use crate::support::raw::Frames;

/// A statement that the server skips must not answer for the next one.
#[tokio::test]
async fn a_query_that_the_server_skips_shifts_nothing() {
    let proxy = stage().await;
    let told = attack(
        &proxy,
        [
            send(Frames::new().parse("s", DELETE).sync()),
            send(Frames::new().parse("", "this is no sql").flush()).until(b'E'),
            send(Frames::new().query("select 1").sync()),
            send(Frames::new().parse("s", "select 1").sync()),
            send(Frames::new().parse("x", "select 2").sync()),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "1 Z(I)",
            "E(42601)",
            "Z(I)",
            "E(42P05) Z(I)",
            "1 Z(I)",
            "held: DELETE FROM t WHERE true",
        ]
    );
}

#[tokio::test]
async fn a_refusal_while_the_server_skips_shifts_nothing() {
    let proxy = stage().await;
    let told = attack(
        &proxy,
        [
            send(Frames::new().parse("s", DELETE).sync()),
            send(Frames::new().parse("", "this is no sql").flush()).until(b'E'),
            send(Frames::new().frame(b'F', b"").sync()),
            send(Frames::new().parse("s", "select 1").sync()),
            send(Frames::new().parse("x", "select 2").sync()),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "1 Z(I)",
            "E(42601)",
            "Z(I)",
            "E(42P05) Z(I)",
            "1 Z(I)",
            "held: DELETE FROM t WHERE true",
        ]
    );
}

/// The same for a call that policy lets pass: the server skips it, and answers it with nothing.
#[tokio::test]
async fn a_call_that_the_server_skips_shifts_nothing() {
    let proxy = stage().await;
    // lo_get(0), a read.
    let call = b"\0\0\x0d\x82\0\0\0\x01\0\0\0\x01\x30\0\0";
    let told = attack(
        &proxy,
        [
            send(Frames::new().frame(b'F', call)),
            send(Frames::new().parse("s", DELETE).sync()),
            send(Frames::new().parse("", "this is no sql").flush()).until(b'E'),
            send(Frames::new().frame(b'F', call).sync()),
            send(Frames::new().parse("s", "select 1").sync()),
            send(Frames::new().parse("x", "select 2").sync()),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "E(42704) Z(I)",
            "1 Z(I)",
            "E(42601)",
            "Z(I)",
            "E(42P05) Z(I)",
            "1 Z(I)",
            "held: DELETE FROM t WHERE true",
        ]
    );
}

/// In an aborted transaction only what ends it passes without a judgement.
#[tokio::test]
async fn a_rollback_that_was_only_flushed_opens_no_gate() {
    let proxy = stage().await;
    let told = attack(
        &proxy,
        [
            send(Frames::new().parse("s", DELETE).parse("r", "ROLLBACK").sync()),
            query("BEGIN"),
            query("select 1/0"),
            send(Frames::new().bind("", "r", &[]).execute("", 0).flush()).until(b'C'),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "1 1 Z(I)",
            "C(BEGIN) Z(T)",
            "E(22012) Z(E)",
            "2 C(ROLLBACK)",
            "held: DELETE FROM t WHERE true",
        ]
    );
}
