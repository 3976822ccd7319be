//! The real psql, and what it makes sure of.

use super::{complaint, printed, psql};
use crate::support::Proxy;
use crate::support::tls::Certificates;

#[tokio::test]
async fn every_sslmode_gets_what_it_asks_for() {
    let certificates = Certificates::new();
    let proxy = Proxy::with().proxy(&certificates.section("")).start().await;
    let root = certificates.path("ca.crt");
    for (mode, is_encrypted) in [
        ("disable", false),
        ("allow", false),
        ("prefer", true),
        ("require", true),
        ("verify-ca", true),
        ("verify-full", true),
    ] {
        let environment = [("PGSSLMODE", mode), ("PGSSLROOTCERT", &*root)];
        let shown = printed(&psql(&proxy, "alice", &environment, "\\conninfo").await);
        assert_eq!(shown.contains("TLSv1.3"), is_encrypted, "{mode}: {shown}");
        let one = psql(&proxy, "alice", &environment, "SELECT 1").await;
        assert_eq!(printed(&one), "1\n", "{mode}");
    }
    // An authority that has not issued it.
    let other = Certificates::new().path("ca.crt");
    let environment = [("PGSSLMODE", "verify-ca"), ("PGSSLROOTCERT", &*other)];
    let refused = psql(&proxy, "alice", &environment, "SELECT 1").await;
    assert!(!refused.status.success());
    proxy.logs("the TLS handshake failed").await;
}

#[tokio::test]
async fn the_login_is_bound_to_the_certificate() {
    let certificates = Certificates::new();
    let proxy = Proxy::with().proxy(&certificates.section("")).start().await;
    for binding in ["require", "prefer", "disable"] {
        let environment = [("PGSSLMODE", "require"), ("PGCHANNELBINDING", binding)];
        let one = psql(&proxy, "alice", &environment, "SELECT 1").await;
        assert_eq!(printed(&one), "1\n", "{binding}");
    }
    // In the clear there is nothing to bind to.
    let environment = [("PGSSLMODE", "disable"), ("PGCHANNELBINDING", "require")];
    let refused = psql(&proxy, "alice", &environment, "SELECT 1").await;
    assert!(
        complaint(&refused).contains("channel binding"),
        "{}",
        complaint(&refused)
    );
    let environment = [("PGCHANNELBINDING", "require"), ("PGPASSWORD", "wrong")];
    let refused = psql(&proxy, "alice", &environment, "SELECT 1").await;
    assert!(
        complaint(&refused).contains("password authentication failed for user \"alice\""),
        "{}",
        complaint(&refused)
    );
}

#[tokio::test]
async fn where_tls_is_required_nothing_else_gets_in() {
    let certificates = Certificates::new();
    let section = certificates.section("mode = \"require\"\nmin_version = \"1.3\"");
    let proxy = Proxy::with().proxy(&section).start().await;
    let refused = psql(&proxy, "alice", &[("PGSSLMODE", "disable")], "SELECT 1").await;
    let said = complaint(&refused);
    assert!(
        said.contains(
            "FATAL:  no access for host \"127.0.0.1\", user \"alice\", database \"shop\", no encryption"
        ),
        "{said}"
    );
    assert!(said.contains("sslmode=require"), "{said}");
    // Tries in the clear first, and hears that it must not.
    let one = psql(&proxy, "alice", &[("PGSSLMODE", "allow")], "SELECT 1").await;
    assert_eq!(printed(&one), "1\n");
    let old = [("PGSSLMODE", "require"), ("PGSSLMAXPROTOCOLVERSION", "TLSv1.2")];
    assert!(!psql(&proxy, "alice", &old, "SELECT 1").await.status.success());
}

#[tokio::test]
async fn where_tls_is_disabled_it_is_declined() {
    let certificates = Certificates::new();
    let section = certificates.section("mode = \"disable\"");
    let proxy = Proxy::with().proxy(&section).start().await;
    let one = psql(&proxy, "alice", &[("PGSSLMODE", "prefer")], "SELECT 1").await;
    assert_eq!(printed(&one), "1\n");
    let refused = psql(&proxy, "alice", &[("PGSSLMODE", "require")], "SELECT 1").await;
    assert!(complaint(&refused).contains("server does not support SSL"));
}
