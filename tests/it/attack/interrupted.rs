//! A timeout that the server reports at a message which is answered by nothing else, and what it skips then.

use super::play::{DELETE, Player, query, send, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::Frames;

/// What would run `s` as something else if the answers were one behind.
fn shifted() -> [super::play::Part; 4] {
    [
        send(Frames::new().parse("s", "select 1").sync()),
        send(Frames::new().parse("s", DELETE).sync()),
        send(Frames::new().parse("bad", "select nocolumn from t").sync()),
        send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
    ]
}

/// The timeout counts from the Parse, while the server waits for what comes.
async fn is_timed_out(proxy: &Proxy, alice: &mut Player) {
    let told = alice
        .plays([
            query("SET statement_timeout = '50ms'"),
            send(Frames::new().parse("a", "select 1").flush()).until(b'1'),
        ])
        .await;
    assert_eq!(told, ["C(SET) Z(I)", "1"]);
    // Nothing shows it before the next message: the server's own clock is waited for.
    proxy.database.run("SELECT pg_sleep(0.2)").await;
}

#[tokio::test]
async fn a_flush_that_fails_ends_its_segment() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    is_timed_out(&proxy, &mut alice).await;
    let told = alice
        .plays([
            send(Frames::new().flush()).until(b'E'),
            send(Frames::new().query("select 1").sync()),
        ])
        .await;
    assert_eq!(told, ["E(57014)", "Z(I)"]);
    let told = alice.plays(shifted()).await;
    assert_eq!(
        told,
        [
            "1 Z(I)",
            "E(42P05) Z(I)",
            "E(42703) Z(I)",
            "2 D(1) C(SELECT 1) Z(I)"
        ]
    );
    untouched(&proxy, alice).await;
}

#[tokio::test]
async fn a_flush_with_a_body_is_refused_as_the_server_would() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    let told = alice
        .plays([
            send(Frames::new().frame(b'H', b"x")).until(b'E'),
            send(Frames::new().query("select 1").sync()),
        ])
        .await;
    assert_eq!(told, ["E(08P01)", "Z(I)"]);
    let told = alice.plays(shifted()).await;
    assert_eq!(
        told,
        [
            "1 Z(I)",
            "E(42P05) Z(I)",
            "E(42703) Z(I)",
            "2 D(1) C(SELECT 1) Z(I)"
        ]
    );
    untouched(&proxy, alice).await;
}

/// Whether it was the Flush or the Query cannot be told, and so not what the server does with what comes.
#[tokio::test]
async fn where_it_cannot_be_told_what_has_failed_the_session_ends() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    is_timed_out(&proxy, &mut alice).await;
    let told = alice.plays([send(Frames::new().flush().query("select 1"))]).await;
    assert_eq!(told, ["E(08006) closed"]);
    untouched(&proxy, alice).await;
}

/// What belongs to no COPY does not come to the server, which would ignore it, or report the timeout and be ready.
#[tokio::test]
async fn what_belongs_to_no_copy_shifts_nothing() {
    let proxy = stage().await;
    for tag in [b'd', b'c', b'f'] {
        let mut alice = Player::alice(&proxy).await;
        is_timed_out(&proxy, &mut alice).await;
        let told = alice.plays([send(Frames::new().frame(tag, b"x\0").sync())]).await;
        assert_eq!(told, ["E(57014) Z(I)"]);
        let told = alice.plays(shifted()).await;
        assert_eq!(
            told,
            [
                "1 Z(I)",
                "E(42P05) Z(I)",
                "E(42703) Z(I)",
                "2 D(1) C(SELECT 1) Z(I)"
            ]
        );
        untouched(&proxy, alice).await;
    }
}
