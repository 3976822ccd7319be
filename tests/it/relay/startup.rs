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
    let garbage: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0, 0, 0, 0],
        &[0, 0, 0, 7, 0, 3, 0],
        &[0xff; 64],
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

/// Protocol 3.`minor`.
const fn three(minor: u32) -> u32 {
    (3 << 16) | minor
}

#[tokio::test]
async fn a_client_speaks_the_protocol_that_it_asks_for_up_to_3_2() {
    let proxy = Proxy::start().await;
    let unheard = [("_pq_.unheard_of", "yes"), ("_pq_.nor_of_this", "")];
    let grease = [("_pq_.test_protocol_negotiation", "")];
    // What it asks for, what it is told, and the bytes of its cancel key's secret: as PostgreSQL 18 does.
    for (minor, options, told, secret) in [
        (0, &[][..], None, 4),
        (1, &[], None, 4),
        (2, &[], None, 32),
        (3, &[], Some(2), 32),
        (9999, &grease, Some(2), 32),
        (0, &unheard, Some(0), 4),
        (1, &unheard, Some(1), 4),
        (2, &unheard, Some(2), 32),
    ] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.start_up_with(three(minor), options).await;
        let mut greeting = raw.authenticate(&proxy.alice.password()).await;
        assert_eq!(greeting.last().unwrap().tag, b'Z', "3.{minor}: {greeting:?}");
        let first = greeting.remove(0);
        match told {
            None => assert_ne!(first.tag, b'v', "3.{minor}: {first:?}"),
            Some(told) => {
                let mut expected = three(told).to_be_bytes().to_vec();
                expected.extend(u32::try_from(options.len()).unwrap().to_be_bytes());
                for (name, _) in options {
                    expected.extend_from_slice(name.as_bytes());
                    expected.push(0);
                }
                assert_eq!((first.tag, first.body), (b'v', expected), "3.{minor}");
            }
        }
        assert_eq!(raw.key.len(), 4 + secret, "3.{minor}");
        raw.send(Frames::new().query("SELECT 1")).await;
        assert_eq!(tags(&raw.ready().await), "TDCZ");
    }
}

#[tokio::test]
async fn a_protocol_that_is_not_3_is_refused_by_its_number() {
    let proxy = Proxy::start().await;
    for (version, named) in [(0x0004_0000, "4.0"), (0x1234_5678, "4660.22136")] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.start_up_with(version, &[]).await;
        let error = raw.message().await;
        assert_eq!(error.code(), "0A000");
        assert_eq!(error.field(b'S').as_deref(), Some("FATAL"));
        let expected = format!("unsupported frontend protocol {named}: server supports 3.0 to 3.2");
        assert_eq!(error.field(b'M'), Some(expected));
        assert!(raw.is_closed().await);
    }
    // An error as such a client can read it: a text, without a length.
    for (version, named) in [(0x0002_0000, "2.0"), (0x0001_0007, "1.7")] {
        let mut raw = Raw::connect(proxy.address()).await;
        raw.start_up_with(version, &[]).await;
        let expected =
            format!("EFATAL:  unsupported frontend protocol {named}: server supports 3.0 to 3.2\n\0");
        for byte in expected.bytes() {
            assert_eq!(raw.byte().await, byte, "{expected}");
        }
        assert!(raw.is_closed().await);
    }
}

#[tokio::test]
async fn a_negotiation_comes_before_a_refusal() {
    let proxy = Proxy::start().await;
    let mut raw = Raw::connect(proxy.address()).await;
    raw.start_up_with(three(3), &[("replication", "true")]).await;
    assert_eq!(tags(&raw.rest().await), "vE");
}

/// At most an error, and then the end.
async fn ends_without_a_session(raw: &mut Raw) {
    let last = raw.rest().await;
    assert!(last.len() <= 1 && last.iter().all(|m| m.tag == b'E'), "{last:?}");
}
