//! The first bytes: how TLS is asked for, and what somebody between the two could try.

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use crate::support::Proxy;
use crate::support::raw::{Frames, Message, Raw, SSL_REQUEST, tags};
use crate::support::tls::Certificates;

const GSSENC_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x30];

async fn start() -> (Certificates, Proxy) {
    let certificates = Certificates::new();
    let proxy = Proxy::with().proxy(&certificates.section("")).start().await;
    (certificates, proxy)
}

async fn works(raw: &mut Raw, proxy: &Proxy) {
    raw.log_in("alice", &proxy.alice.password(), "shop").await;
    raw.send(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&raw.ready().await), "TDCZ");
}

/// The one message, an error, before the end.
async fn error(raw: &mut Raw) -> Message {
    let mut last = raw.rest().await;
    assert_eq!(tags(&last), "E");
    last.remove(0)
}

#[tokio::test]
async fn tls_begins_in_every_way_that_there_is() {
    let (certificates, proxy) = start().await;
    let config = certificates.client(None);
    // Asked for.
    let raw = Raw::connect(proxy.address()).await;
    let mut raw = raw.ask_for_tls(config.clone()).await.unwrap();
    works(&mut raw, &proxy).await;
    // Asked for behind another question.
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send(GSSENC_REQUEST).await;
    assert_eq!(raw.byte().await, b'N');
    let mut raw = raw.ask_for_tls(config.clone()).await.unwrap();
    works(&mut raw, &proxy).await;
    // Directly.
    let mut raw = Raw::connect(proxy.address())
        .await
        .into_tls(config)
        .await
        .unwrap();
    works(&mut raw, &proxy).await;
    // Directly, and then asked for all the same.
    let config = certificates.client(None);
    let mut raw = Raw::connect(proxy.address())
        .await
        .into_tls(config)
        .await
        .unwrap();
    raw.send(SSL_REQUEST).await;
    assert_eq!(raw.byte().await, b'N');
    works(&mut raw, &proxy).await;
}

#[tokio::test]
async fn a_question_is_asked_once() {
    let (certificates, proxy) = start().await;
    let raw = Raw::connect(proxy.address()).await;
    let mut raw = raw.ask_for_tls(certificates.client(None)).await.unwrap();
    raw.send(SSL_REQUEST).await;
    let twice = error(&mut raw).await;
    assert_eq!(twice.code(), "0A000");
    assert!(
        twice
            .field(b'M')
            .unwrap()
            .contains("unsupported frontend protocol 1234.5679")
    );
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send(GSSENC_REQUEST).await;
    assert_eq!(raw.byte().await, b'N');
    raw.send(GSSENC_REQUEST).await;
    let twice = error(&mut raw).await;
    assert!(twice.field(b'M').unwrap().contains("1234.5680"));
}

#[tokio::test]
async fn what_was_sent_in_the_clear_behind_the_question_is_refused() {
    let (_certificates, proxy) = start().await;
    // As somebody between the two would add it, to speak first inside.
    let startup = b"\0\0\0\x21\0\x03\0\0user\0alice\0database\0shop\0\0";
    for behind in [&startup[..], b"Q\0\0\0\x0dSELECT 1\0", b"x"] {
        for question in [SSL_REQUEST, GSSENC_REQUEST] {
            let mut raw = Raw::connect(proxy.address()).await;
            raw.send([question, behind].concat()).await;
            let refused = error(&mut raw).await;
            assert_eq!(refused.code(), "08P01", "{refused:?}");
            assert!(
                refused
                    .field(b'M')
                    .unwrap()
                    .starts_with("received unencrypted data after")
            );
        }
    }
    // Too late for that, it meets the handshake.
    for behind in [
        &startup[..],
        b"\x16\x03\x01\0\x05\x01\0\0\x01\0",
        b"\x16\x03\x01\xff\xff",
    ] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.send(SSL_REQUEST).await;
        assert_eq!(raw.byte().await, b'S');
        raw.send_in_vain(behind).await;
        raw.leave_half().await;
        // An alert, and the end.
        assert!(raw.remaining_bytes().await.len() < 16);
    }
    proxy.logs("the TLS handshake failed").await;
    drop(proxy.alice.raw().await);
}

#[tokio::test]
async fn whoever_comes_with_tls_says_what_it_is_for() {
    let (certificates, proxy) = start().await;
    let with = |alpn: &[&[u8]]| {
        let mut config = certificates.client(None);
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config
    };
    let others: &[&[u8]] = &[b"h2", b"http/1.1"];
    for alpn in [&[], &others[1..], others] {
        let raw = Raw::connect(proxy.address()).await;
        let refused = raw.into_tls(with(alpn)).await.unwrap_err();
        assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    }
    let raw = Raw::connect(proxy.address()).await;
    let refused = raw.ask_for_tls(with(&[b"http/1.1"])).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    let raw = Raw::connect(proxy.address()).await;
    let mut raw = raw.ask_for_tls(with(&[])).await.unwrap();
    works(&mut raw, &proxy).await;
}

#[tokio::test]
async fn without_a_certificate_direct_tls_is_closed() {
    let proxy = Proxy::start().await;
    let raw = Raw::connect(proxy.address()).await;
    assert!(raw.into_tls(Certificates::new().client(None)).await.is_err());
    drop(proxy.alice.raw().await);
}

#[tokio::test]
async fn a_handshake_is_within_the_time_of_the_login() {
    let certificates = Certificates::new();
    let section = format!("login_timeout = \"1s\"\n{}", certificates.section(""));
    let proxy = Proxy::with().proxy(&section).start().await;
    let mut asked = Raw::connect(proxy.address()).await;
    asked.send(SSL_REQUEST).await;
    assert_eq!(asked.byte().await, b'S');
    let mut direct = Raw::connect(proxy.address()).await;
    direct.send(b"\x16\x03\x01").await;
    for raw in [&mut asked, &mut direct] {
        assert_eq!(raw.remaining_bytes().await, b"");
    }
}

#[tokio::test]
async fn a_hidden_offer_of_channel_binding_is_noticed() {
    let (certificates, proxy) = start().await;
    for (mechanism, flag, code) in [
        // A client that could bind and believes that the server cannot.
        ("SCRAM-SHA-256", "y", "28000"),
        ("SCRAM-SHA-256", "p=tls-server-end-point", "08P01"),
        ("SCRAM-SHA-256-PLUS", "n", "08P01"),
        ("SCRAM-SHA-256-PLUS", "y", "08P01"),
        ("SCRAM-SHA-256-PLUS", "p=tls-unique", "08P01"),
        ("SCRAM-SHA-256-PLUS ", "n", "08P01"),
    ] {
        let raw = Raw::connect(proxy.address()).await;
        let mut raw = raw.ask_for_tls(certificates.client(None)).await.unwrap();
        raw.start_up(&[("user", "alice"), ("database", "shop")]).await;
        let offered = raw.message().await;
        assert_eq!(offered.body[4..], *b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        raw.send(initial_response(
            mechanism,
            format!("{flag},,n=,r=abc").as_bytes(),
        ))
        .await;
        let refused = error(&mut raw).await;
        assert_eq!(refused.code(), code, "{mechanism} {flag}: {refused:?}");
    }
}

#[tokio::test]
async fn somebody_between_the_two_is_noticed_by_the_certificate() {
    let (certificates, proxy) = start().await;
    let raw = Raw::connect(proxy.address()).await;
    let mut raw = raw.ask_for_tls(certificates.client(None)).await.unwrap();
    raw.start_up(&[("user", "alice"), ("database", "shop")]).await;
    raw.message().await;
    // The password is right, and the client sees another certificate.
    let seen = ChannelBinding::tls_server_end_point(vec![7; 32]);
    let mut scram = ScramSha256::new(proxy.alice.password().as_bytes(), seen);
    raw.send(initial_response("SCRAM-SHA-256-PLUS", scram.message()))
        .await;
    scram.update(&raw.message().await.body[4..]).unwrap();
    raw.send(Frames::new().frame(b'p', scram.message())).await;
    let refused = error(&mut raw).await;
    assert_eq!(refused.code(), "28000");
    assert_eq!(
        refused.field(b'M').as_deref(),
        Some("SCRAM channel binding check failed")
    );
}

fn initial_response(mechanism: &str, first: &[u8]) -> Frames {
    let length = u32::try_from(first.len()).unwrap().to_be_bytes();
    let body = [mechanism.as_bytes(), b"\0", &length, first].concat();
    Frames::new().frame(b'p', &body)
}
