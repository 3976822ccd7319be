//! What is no client, or one that does not get on: what it hears is what it would hear from PostgreSQL itself,
//! and everybody else goes on.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::cluster::cluster;
use crate::support::raw::{Frames, Message, Raw, describe};
use crate::support::{Proxy, Role};

fn server() -> SocketAddr {
    ([127, 0, 0, 1], cluster().port).into()
}

/// A packet with its length.
fn packet(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes()[..], body].concat()
}

async fn last_words(raw: &mut Raw) -> String {
    let words = raw.rest().await.into_iter().map(Message::without_source);
    describe(&words.collect::<Vec<_>>())
}

#[tokio::test]
async fn what_is_no_startup_packet_hears_the_same() {
    let proxy = Proxy::start().await;
    let long = |length: usize| {
        let mut body = b"\0\x03\0\0user\0ghost\0application_name\0".to_vec();
        body.resize(length - 4 - 2, b'x');
        packet(&[&body[..], b"\0\0"].concat())
    };
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("an SSH client", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        (
            "a ClientHello",
            [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 512]].concat(),
        ),
        ("zeroes", vec![0; 64]),
        ("ones", vec![0xff; 64]),
        ("a length of 7", vec![0, 0, 0, 7, 0, 3, 0]),
        ("too long a packet", long(10_005)),
        ("a packet without an end", packet(b"\0\x03\0\0user\0alice\0xxxxx")),
        ("a value without an end", packet(b"\0\x03\0\0user\0alice")),
        (
            "something behind the end",
            packet(b"\0\x03\0\0user\0alice\0\0x\0"),
        ),
        ("nothing in it", packet(b"\0\x03\0\0")),
        ("no user", packet(b"\0\x03\0\0\0")),
        ("an empty user", packet(b"\0\x03\0\0user\0\0\0")),
        (
            "a cancel request for nobody",
            packet(b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02"),
        ),
        (
            "a cancel request too short",
            packet(b"\x04\xd2\x16\x2e\0\0\0\x01"),
        ),
    ] {
        let mut heard = Vec::new();
        for to in [server(), proxy.address()] {
            let mut raw = Raw::connect(to).await;
            raw.send_in_vain(&bytes).await;
            heard.push(last_words(&mut raw).await);
        }
        assert_eq!(heard[1], heard[0], "{what}");
    }
    drop(proxy.alice.raw().await);
}

#[tokio::test]
async fn the_longest_startup_packet_is_taken() {
    let proxy = Proxy::start().await;
    let mut body = b"\0\x03\0\0user\0alice\0database\0shop\0application_name\0".to_vec();
    body.resize(9_998, b'x');
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send(packet(&[&body[..], b"\0\0"].concat())).await;
    let greeting = raw.authenticate(&proxy.alice.password()).await;
    assert_eq!(greeting.last().unwrap().tag, b'Z', "{}", describe(&greeting));
}

#[tokio::test]
async fn messages_of_a_session_have_the_servers_bounds() {
    let proxy = Proxy::with().role(Role::Trust).start().await;
    let e = Frames::new;
    // The length that is said; the body need not come.
    let says = |tag: u8, length: u32| e().bytes(&[tag]).bytes(&length.to_be_bytes());
    for (what, frames) in [
        ("an unknown type", e().frame(b'y', b"")),
        ("a type of the server's", e().frame(b'Z', b"I")),
        ("a password now", e().frame(b'p', b"x\0")),
        ("a NUL", e().frame(0, b"")),
        ("HTTP", e().bytes(b"GET / HTTP/1.1\r\n\r\n")),
        ("a length below its own", says(b'Q', 3)),
        ("a negative length", says(b'Q', u32::MAX)),
        ("more than a gigabyte", says(b'Q', 0x3fff_ffff)),
        ("more than a gigabyte to parse", says(b'P', 0x3fff_ffff)),
        ("a long Execute", says(b'E', 10_001)),
        ("a long Describe", says(b'D', 10_001)),
        ("a long Close", says(b'C', 10_001)),
        ("a long Sync", says(b'S', 10_001)),
        ("a long Flush", says(b'H', 10_001)),
        ("a long CopyFail", says(b'f', 10_001)),
        ("a long CopyDone", says(b'c', 10_001)),
        ("a long Terminate", says(b'X', 10_001)),
    ] {
        let mut heard = Vec::new();
        for mut raw in [Raw::past(&proxy).await, proxy.alice.raw().await] {
            raw.send_in_vain(&frames).await;
            heard.push(last_words(&mut raw).await);
        }
        assert_eq!(heard[1], heard[0], "{what}");
    }
    drop(proxy.alice.raw().await);
}

#[tokio::test]
async fn names_may_be_as_long_as_the_server_takes_them() {
    let proxy = Proxy::start().await;
    let mut alice = proxy.alice.raw().await;
    let name = "n".repeat(9_990);
    alice
        .send(
            Frames::new()
                .parse(&name, "SELECT 1")
                .describe_statement(&name)
                .sync(),
        )
        .await;
    assert_eq!(crate::support::raw::tags(&alice.ready().await), "1tTZ");
}

#[tokio::test]
async fn who_answers_the_login_otherwise_hears_the_same() {
    let proxy = Proxy::with().role(Role::Scram).start().await;
    for frames in [
        Frames::new().query("SELECT 1"),
        Frames::new().sync(),
        Frames::new().frame(b'p', b"SCRAM-SHA-1\0\0\0\0\0"),
    ] {
        let mut heard = Vec::new();
        for (to, user, database) in [
            (server(), "app", proxy.database.name.as_str()),
            (proxy.address(), "alice", "shop"),
        ] {
            let mut raw = Raw::connect(to).await;
            raw.start_up(&[("user", user), ("database", database)]).await;
            assert_eq!(raw.message().await.tag, b'R');
            raw.send_in_vain(&frames).await;
            heard.push(last_words(&mut raw).await);
        }
        assert_eq!(heard[1], heard[0], "{frames:?}");
    }
}

#[tokio::test]
async fn who_dawdles_is_put_out_and_holds_nobody_up() {
    let proxy = Proxy::with().proxy(r#"login_timeout = "1s""#).start().await;
    let startup = packet(b"\0\x03\0\0user\0alice\0database\0shop\0\0");
    // A byte now and then: in the startup packet, and in the password's message.
    let drip = async |mut raw: Raw, bytes: Vec<u8>| {
        let mut pauses = tokio::time::interval(Duration::from_millis(200));
        for byte in bytes {
            pauses.tick().await;
            raw.send_in_vain([byte]).await;
        }
        raw.rest().await
    };
    let early = Raw::connect(proxy.address()).await;
    let mut late = Raw::connect(proxy.address()).await;
    late.send(&startup).await;
    assert_eq!(late.message().await.tag, b'R');
    let answer = Frames::new().frame(b'p', &[b'x'; 40]);
    let others = async {
        for _ in 0..5 {
            drop(proxy.alice.raw().await);
        }
    };
    let (early, late, ()) = tokio::join!(
        drip(early, startup[..40.min(startup.len())].to_vec()),
        drip(late, answer.as_ref()[..20].to_vec()),
        others,
    );
    for last in [early, late] {
        assert!(
            last.iter().all(|m| m.tag == b'E' && m.code() == "57014"),
            "{last:?}"
        );
    }
}
