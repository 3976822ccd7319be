//! `sslmode` and `sslnegotiation`: when a connection is encrypted.

use super::{Behind, alice, in_front_of, is_encrypted, outcome};
use crate::support::authority::authority;
use crate::support::front::{Answer, Front};

const APP: &str = "app:app-secret";
/// The server takes it over TLS alone.
const APP_SSL: &str = "app_ssl:app-secret";
/// The server takes it without TLS alone.
const APP_NOSSL: &str = "app_nossl:app-secret";

#[tokio::test]
async fn a_mode_does_what_it_does_in_libpq() {
    let without = Front::start(Answer::No).await;
    let port = without.address.port();
    let mut cases = Vec::new();
    for (mode, any, only_tls, never_tls, no_server, only_tls_no_server) in [
        ("disable", Some(false), None, Some(false), Some(false), None),
        ("allow", Some(false), Some(true), Some(false), Some(false), None),
        ("prefer", Some(true), Some(true), Some(false), Some(false), None),
        ("require", Some(true), Some(true), None, None, None),
        ("verify-ca", Some(true), Some(true), None, None, None),
        ("verify-full", Some(true), Some(true), None, None, None),
    ] {
        for (behind, expected) in [
            (Behind::as_role(APP), any),
            (Behind::as_role(APP_SSL), only_tls),
            (Behind::as_role(APP_NOSSL), never_tls),
            (Behind::as_role(APP).at("localhost", port), no_server),
            (Behind::as_role(APP_SSL).at("localhost", port), only_tls_no_server),
        ] {
            let mut behind = behind.with("sslmode", mode);
            behind.host = "localhost";
            if mode.starts_with("verify") {
                behind = behind.with("sslrootcert", authority().root.display());
            }
            cases.push((behind, expected));
        }
    }
    // Where nothing is said, it is `prefer`.
    cases.push((Behind::as_role(APP), Some(true)));
    let databases: Vec<Behind> = cases.iter().map(|(behind, _)| behind.clone()).collect();
    let proxy = in_front_of(&databases).await;
    for (number, (behind, expected)) in cases.into_iter().enumerate() {
        assert_eq!(outcome(&proxy, number).await, expected, "{behind:?}");
    }
}

#[tokio::test]
async fn tls_can_come_first() {
    let front = Front::start(Answer::Yes(authority().server.acceptor())).await;
    let silent = authority().server.acceptor_without_alpn();
    let without_alpn = Front::start(Answer::Yes(silent)).await;
    let direct = |port| {
        Behind::as_role(APP)
            .at("localhost", port)
            .with("sslmode", "require")
            .with("sslnegotiation", "direct")
    };
    let proxy = in_front_of(&[direct(front.address.port()), direct(without_alpn.address.port())]).await;
    let alice = alice(&proxy, 0).await.unwrap();
    assert_eq!(alice.value("SELECT 1").await.unwrap(), "1");
    let openings = front.openings();
    assert!(openings.iter().all(|opening| opening.encrypted), "{openings:?}");
    // A server that does not say that it means PostgreSQL may be any other.
    assert_eq!(outcome(&proxy, 1).await, None);
    proxy.logs("without ALPN").await;
}

#[tokio::test]
async fn tls_1_3_can_be_demanded() {
    let behind = Behind::as_role(APP)
        .with("sslmode", "require")
        .with("ssl_min_protocol_version", "TLSv1.3");
    let proxy = in_front_of(&[behind]).await;
    let alice = alice(&proxy, 0).await.unwrap();
    assert!(is_encrypted(&alice).await);
    let query = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(alice.value(query).await.unwrap(), "TLSv1.3");
}

#[tokio::test]
async fn much_passes_over_tls_in_both_directions() {
    let proxy = in_front_of(&[Behind::as_role(APP).with("sslmode", "require")]).await;
    let alice = alice(&proxy, 0).await.unwrap();
    let long = "x".repeat(3_000_000);
    let rows = alice
        .query("SELECT $1::text FROM generate_series(1, 5)", &[&long])
        .await
        .unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.get::<_, &str>(0) == long));
}
