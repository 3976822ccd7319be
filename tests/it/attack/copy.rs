//! COPY: what the server takes for data, and what for messages.

use super::play::{DELETE, Player, attack, query, send, set, stage, untouched};
use crate::support::Proxy;
use crate::support::raw::Frames;

/// Loading `t` passes; the rest is as usual.
const POLICY: &str = r#"
    default_groups = ["dba"]
    [[rule]]
    name = "load t"
    when = { effects = ["write"], commands = ["COPY"], tables = ["t"] }
    then = "allow"
    [[rule]]
    name = "sessions and reads pass"
    when = { effects = ["session", "read"] }
    then = "allow"
"#;

/// Data that makes the server give up the COPY, and messages behind it that it then reads as such.
fn broken_data() -> Frames {
    Frames::new()
        .frame(b'd', b"not a number\tx\n")
        .sync()
        .parse("x", "select 2")
        .sync()
        .parse("s", "select 1")
        .sync()
}

#[tokio::test]
async fn messages_behind_broken_copy_data_are_what_the_server_takes_them_for() {
    let proxy = set(Proxy::with().policy(POLICY).start().await).await;
    let told = attack(
        &proxy,
        [
            send(Frames::new().parse("s", DELETE).sync()),
            send(Frames::new().statement("COPY t FROM STDIN").sync()).until(b'G'),
            send(broken_data()).times(3),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "1 Z(I)",
            "1 2 G",
            "E(22P02) Z(I) 1 Z(I) E(42P05) Z(I)",
            "held: DELETE FROM t WHERE true",
        ]
    );
}

#[tokio::test]
async fn messages_behind_the_broken_data_of_a_simple_copy_are_what_the_server_takes_them_for() {
    let proxy = set(Proxy::with().policy(POLICY).start().await).await;
    let told = attack(
        &proxy,
        [
            send(Frames::new().parse("s", DELETE).sync()),
            query("COPY t FROM STDIN").until(b'G'),
            send(broken_data()).times(4),
            send(Frames::new().bind("", "s", &[]).execute("", 0).sync()),
        ],
    )
    .await;
    assert_eq!(
        told,
        [
            "1 Z(I)",
            "G",
            "E(22P02) Z(I) Z(I) 1 Z(I) E(42P05) Z(I)",
            "held: DELETE FROM t WHERE true",
        ]
    );
}

/// The same messages behind data that are good end the session, as they would directly.
#[tokio::test]
async fn messages_amid_good_copy_data_end_the_session() {
    let proxy = set(Proxy::with().policy(POLICY).start().await).await;
    for begin in [
        Frames::new().statement("COPY t FROM STDIN").sync(),
        Frames::new().query("COPY t FROM STDIN"),
    ] {
        let good = Frames::new().frame(b'd', b"2000\tx\n");
        let told = attack(
            &proxy,
            [
                send(begin).until(b'G'),
                send(good.sync().query(DELETE).parse("s", DELETE).sync()),
            ],
        )
        .await;
        assert_eq!(told[1], "E(08P01) E(08P01) closed");
    }
}

/// Nothing of holdpoint's own comes between the two halves of a message.
#[tokio::test]
async fn half_a_message_is_followed_by_its_other_half() {
    let proxy = stage().await;
    let mut alice = Player::alice(&proxy).await;
    // What starts inside the first message, were it five bytes shorter, hides the start of the second.
    let data = [&[b'a'; 100][..], b"d", &9_u32.to_be_bytes()].concat();
    let first = Frames::new().frame(b'd', &data);
    let (half, rest) = first.as_ref().split_at(20);
    let hidden = Frames::new().query(DELETE);
    let done = |times| Frames::new().bytes(&b"c\0\0\0\x04".repeat(times));
    alice.raw.send(done(9_980)).await;
    passes(&proxy).await;
    alice
        .raw
        .send(Frames::new().sync().bytes(done(30).as_ref()).bytes(half))
        .await;
    passes(&proxy).await;
    let told = alice
        .plays([
            send(Frames::new().bytes(rest).frame(b'd', hidden.as_ref()).sync()).times(2),
            query("select 1"),
        ])
        .await;
    untouched(&proxy, alice).await;
    assert_eq!(told, ["Z(I) Z(I)", "T D(1) C(SELECT 1) Z(I)",]);
}

/// Waits while holdpoint serves another client: what was sent before has been read meanwhile.
async fn passes(proxy: &Proxy) {
    let other = proxy.alice.driver().await;
    for _ in 0..20 {
        other.value("SELECT 1").await.unwrap();
    }
}
