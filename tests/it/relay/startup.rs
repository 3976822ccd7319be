//! The first packets: questions about encryption, and what a client may ask for at its start.

use super::EVERYTHING_PASSES;
use crate::support::raw::{Frames, Raw, tags};
use crate::support::{Proxy, Role};

const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
const GSSENC_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x30];

#[tokio::test]
async fn encryption_is_declined_and_the_session_goes_on() {
    let proxy = Proxy::start().await;
    for questions in [
        vec![SSL_REQUEST],
        vec![GSSENC_REQUEST],
        vec![GSSENC_REQUEST, SSL_REQUEST],
        vec![SSL_REQUEST, GSSENC_REQUEST],
    ] {
        let mut raw = Raw::connect(proxy.address()).await;
        for question in questions {
            raw.send(question).await;
            assert_eq!(raw.byte().await, b'N');
        }
        raw.log_in("alice", &proxy.alice.password(), "shop").await;
        raw.send(Frames::new().query("SELECT 1")).await;
        assert_eq!(tags(&raw.ready().await), "TDCZ");
    }
}

#[tokio::test]
async fn a_client_that_insists_on_encryption_is_told() {
    let proxy = Proxy::start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.send(SSL_REQUEST).await;
    assert_eq!(raw.byte().await, b'N');
    // A ClientHello all the same: no startup packet has such a length.
    raw.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
    ends_without_a_session(&mut raw).await;
}

#[tokio::test]
async fn garbage_ends_the_connection() {
    let proxy = Proxy::start().await;
    let mut startup_without_end = vec![0, 0, 0, 24, 0, 3, 0, 0];
    startup_without_end.extend_from_slice(b"user\0alice\0xxxxx");
    let garbage: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0, 0, 0, 0],
        &[0, 0, 0, 7, 0, 3, 0],
        &[0xff; 64],
        &[0, 0, 0, 8, 0, 2, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, 0],
        &[0, 0, 0, 8, 0x12, 0x34, 0x56, 0x78],
        &startup_without_end,
    ];
    for bytes in garbage {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.send_in_vain(bytes).await;
        ends_without_a_session(&mut raw).await;
    }
    // Everybody else goes on.
    drop(proxy.alice.raw().await);
}

#[tokio::test]
async fn a_password_message_out_of_place_ends_the_login() {
    let proxy = Proxy::start().await;
    for message in [
        Frames::new().query("SELECT 1"),
        Frames::new().frame(b'p', b"SCRAM-SHA-256-PLUS\0\0\0\0\0"),
        Frames::new().frame(b'p', b"SCRAM-SHA-256\0\x7f\xff\xff\xffn,,n=,r=x"),
        Frames::new().frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x05n,,xx"),
        Frames::new().frame(b'p', b"plain password\0"),
        Frames::new().frame(b'p', b""),
        Frames::new().frame(b'p', &[b'x'; 5000]),
    ] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.start_up(&[("user", "alice"), ("database", "shop")]).await;
        assert_eq!(raw.message().await.tag, b'R');
        raw.send_in_vain(&message).await;
        ends_without_a_session(&mut raw).await;
    }
}

#[tokio::test]
async fn what_cannot_be_reviewed_is_refused_at_the_start() {
    let proxy = Proxy::start().await;
    for (parameter, value, code) in [
        ("replication", "true", "0A000"),
        ("replication", "database", "0A000"),
        ("replication", "1", "0A000"),
        ("role", "postgres", "42501"),
        ("ROLE", "postgres", "42501"),
        ("session_authorization", "postgres", "42501"),
        ("session_preload_libraries", "x", "42501"),
        ("local_preload_libraries", "x", "42501"),
        ("session_replication_role", "replica", "42501"),
        ("log_statement", "none", "42501"),
        ("app.tenant", "1", "42501"),
        ("options", "-c role=postgres", "42501"),
        ("options", "-c session_preload_libraries=x", "42501"),
        ("options", "--session-preload-libraries=x", "42501"),
        ("options", "-c statement_timeout=5s -crole=postgres", "42501"),
        ("options", "-c role\\=postgres", "42501"),
        ("options", "-d 5", "42501"),
        ("options", "-c client_encoding=SJIS", "0A000"),
        ("client_encoding", "SJIS", "0A000"),
        ("client_encoding", "big5", "0A000"),
        ("Client_Encoding", "G-B-K", "0A000"),
        ("client_encoding", "nonsense", "0A000"),
    ] {
        let (mut raw, answer) = proxy.alice.raw_with(&[(parameter, value)]).await;
        let error = answer.last().unwrap();
        assert_eq!(error.tag, b'E', "{parameter} = {value} was taken");
        assert_eq!(error.code(), code, "{parameter} = {value}: {error:?}");
        assert_eq!(error.field(b'S').as_deref(), Some("FATAL"));
        assert!(raw.is_closed().await);
    }
}

#[tokio::test]
async fn what_policy_lets_pass_can_be_set_at_the_start() {
    let proxy = Proxy::with()
        .policy(EVERYTHING_PASSES)
        .role(Role::Superuser)
        .start()
        .await;
    for (parameter, value, show, expected) in [
        ("role", "app", "role", "app"),
        (
            "session_replication_role",
            "replica",
            "session_replication_role",
            "replica",
        ),
        ("app.tenant", "1", "app.tenant", "1"),
        ("client_encoding", "SJIS", "client_encoding", "SJIS"),
        (
            "search_path",
            "public, pg_catalog",
            "search_path",
            "public, pg_catalog",
        ),
        ("options", "-c log_statement=all -S 3MB", "work_mem", "3MB"),
    ] {
        let (mut raw, answer) = proxy.alice.raw_with(&[(parameter, value)]).await;
        let last = answer.last().unwrap();
        assert_eq!(last.tag, b'Z', "{parameter} = {value}: {last:?}");
        raw.send(Frames::new().query(&format!("SHOW {show}"))).await;
        assert_eq!(raw.ready().await[1].values(), [expected], "{parameter} = {value}");
    }
    // What is wrong is the server's to say.
    let (_, answer) = proxy.alice.raw_with(&[("client_encoding", "nonsense")]).await;
    assert_eq!(answer.last().unwrap().code(), "22023");
}

#[tokio::test]
async fn what_touches_the_session_alone_is_taken_at_the_start() {
    let proxy = Proxy::start().await;
    for (parameter, value, show, expected) in [
        ("client_encoding", "UTF8", "client_encoding", "UTF8"),
        ("client_encoding", "latin1", "client_encoding", "LATIN1"),
        ("application_name", "x", "application_name", "x"),
        ("options", "-c statement_timeout=5s", "statement_timeout", "5s"),
        ("options", "--search-path=other", "search_path", "other"),
        ("replication", "off", "application_name", ""),
        ("TimeZone", "UTC", "TimeZone", "UTC"),
    ] {
        let (mut raw, answer) = proxy.alice.raw_with(&[(parameter, value)]).await;
        assert_eq!(
            answer.last().unwrap().tag,
            b'Z',
            "{parameter} = {value}: {answer:?}"
        );
        raw.send(Frames::new().query(&format!("SHOW {show}"))).await;
        assert_eq!(raw.ready().await[1].values(), [expected], "{parameter} = {value}");
    }
}

#[tokio::test]
async fn a_newer_protocol_is_negotiated_down() {
    let proxy = Proxy::start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    let body = b"\0\x03\0\x02user\0alice\0database\0shop\0_pq_.unheard_of\0yes\0\0";
    let mut packet = u32::try_from(body.len() + 4).unwrap().to_be_bytes().to_vec();
    packet.extend_from_slice(body);
    raw.send(packet).await;
    let answer = raw.message().await;
    assert_eq!(answer.tag, b'v', "NegotiateProtocolVersion: {answer:?}");
    assert_eq!(answer.body[..4], 0x0003_0000_u32.to_be_bytes());
    assert_eq!(answer.body[4..8], 1_u32.to_be_bytes());
    assert_eq!(answer.body[8..], *b"_pq_.unheard_of\0");
    let greeting = raw.authenticate(&proxy.alice.password()).await;
    assert_eq!(greeting.last().unwrap().tag, b'Z');
}

/// At most an error, and then the end.
async fn ends_without_a_session(raw: &mut Raw) {
    let last = raw.rest().await;
    assert!(last.len() <= 1 && last.iter().all(|m| m.tag == b'E'), "{last:?}");
}
