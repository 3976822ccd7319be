//! Whose certificate is taken, and the certificate that is shown.

use std::process::Command;

use super::{Behind, alice, in_front_of, is_encrypted, outcome};
use crate::support::authority::{Authority, Files, authority};
use crate::support::front::{Answer, Front};

const APP: &str = "app:app-secret";

/// A server's certificate, the host that it is reached by, the parameters, and what the log says if it is
/// not taken.
type Case = (
    fn(&Authority) -> &Files,
    &'static str,
    Vec<(&'static str, String)>,
    Option<&'static str>,
);

fn cases() -> Vec<Case> {
    let root = || ("sslrootcert", authority().root.display().to_string());
    let other = || ("sslrootcert", authority().other_root.display().to_string());
    let itself = || {
        (
            "sslrootcert",
            authority().self_signed.certificate.display().to_string(),
        )
    };
    let crl = || ("sslcrl", authority().revoked_list.display().to_string());
    let mode = |mode: &str| ("sslmode", mode.to_owned());
    let server: fn(&Authority) -> &Files = |a| &a.server;
    let expired: fn(&Authority) -> &Files = |a| &a.expired;
    let self_signed: fn(&Authority) -> &Files = |a| &a.self_signed;
    let revoked: fn(&Authority) -> &Files = |a| &a.revoked;
    let by_name_alone: fn(&Authority) -> &Files = |a| &a.by_name_alone;
    let (name, address) = ("localhost", "127.0.0.1");
    vec![
        (server, name, vec![mode("verify-full"), root()], None),
        (
            server,
            address,
            vec![mode("verify-full"), root()],
            Some("not valid for name"),
        ),
        (server, address, vec![mode("verify-ca"), root()], None),
        (
            server,
            name,
            vec![mode("verify-full"), other()],
            Some("UnknownIssuer"),
        ),
        (
            server,
            address,
            vec![mode("verify-ca"), other()],
            Some("UnknownIssuer"),
        ),
        (
            server,
            name,
            vec![mode("verify-full"), ("sslrootcert", "system".to_owned())],
            Some("UnknownIssuer"),
        ),
        (server, address, vec![mode("require")], None),
        // With a root, `require` is `verify-ca`.
        (server, address, vec![mode("require"), root()], None),
        (
            server,
            address,
            vec![mode("require"), other()],
            Some("UnknownIssuer"),
        ),
        (expired, name, vec![mode("require")], None),
        (expired, name, vec![mode("verify-ca"), root()], Some("expired")),
        (expired, name, vec![mode("verify-full"), root()], Some("expired")),
        // A Common Name counts where there is no other name.
        (by_name_alone, name, vec![mode("verify-full"), root()], None),
        (
            by_name_alone,
            address,
            vec![mode("verify-full"), root()],
            Some("not valid for name"),
        ),
        // As `openssl req -x509` makes them.
        (self_signed, name, vec![mode("verify-full"), itself()], None),
        (
            self_signed,
            address,
            vec![mode("verify-full"), itself()],
            Some("not valid for name"),
        ),
        (
            self_signed,
            name,
            vec![mode("verify-ca"), root()],
            Some("TLS with the server failed"),
        ),
        (self_signed, name, vec![mode("require")], None),
        (server, name, vec![mode("verify-full"), root(), crl()], None),
        (revoked, name, vec![mode("verify-full"), root()], None),
        (
            revoked,
            name,
            vec![mode("verify-full"), root(), crl()],
            Some("Revoked"),
        ),
        // No list of this issuer's.
        (
            self_signed,
            name,
            vec![mode("verify-full"), itself(), crl()],
            Some("TLS with the server failed"),
        ),
    ]
}

#[tokio::test]
async fn a_certificate_is_taken_if_the_mode_allows_it() {
    let mut fronts = Vec::new();
    let mut databases = Vec::new();
    let cases = cases();
    for (certificate, host, parameters, _) in &cases {
        let front = Front::start(Answer::Yes(certificate(authority()).acceptor())).await;
        let mut behind = Behind::as_role(APP).at(host, front.address.port());
        behind.parameters.clone_from(parameters);
        databases.push(behind);
        fronts.push(front);
    }
    let proxy = in_front_of(&databases).await;
    for (number, (_, _, _, why)) in cases.into_iter().enumerate() {
        let behind = &databases[number];
        let before = proxy.log_length();
        let outcome = outcome(&proxy, number).await;
        let openings = fronts[number].openings();
        if let Some(why) = why {
            assert_eq!(outcome, None, "{behind:?}");
            // Not even the name of a database has left.
            assert_eq!(openings, [], "{behind:?}");
            proxy.logs_since(before, why).await;
        } else {
            // Behind the front, it is plaintext.
            assert_eq!(outcome, Some(false), "{behind:?}");
            assert!(openings.iter().all(|opening| opening.encrypted), "{openings:?}");
        }
    }
}

#[tokio::test]
async fn the_server_is_shown_a_certificate() {
    let client = &authority().client;
    let with = Behind::as_role("app_cert")
        .with("sslmode", "require")
        .with("sslcert", client.certificate.display())
        .with("sslkey", client.key.display());
    let without = Behind::as_role("app_cert").with("sslmode", "require");
    let proxy = in_front_of(&[with, without]).await;
    let alice = alice(&proxy, 0).await.unwrap();
    assert!(is_encrypted(&alice).await);
    assert_eq!(alice.value("SELECT current_user").await.unwrap(), "app_cert");
    let query = "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(alice.value(query).await.unwrap(), "/CN=app_cert");
    assert_eq!(outcome(&proxy, 1).await, None);
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    let authority = authority();
    let root = authority.root.display();
    let key = authority.client.key.display();
    let certificate = authority.client.certificate.display();
    let other_key = authority.server.key.display();
    let verify = format!("sslmode = \"verify-full\"\nsslrootcert = \"{root}\"");
    let private = std::fs::read_to_string(&authority.client.key).unwrap();
    let hush = private.lines().nth(1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (lines, said) in [
        (
            "sslmode = \"verify-full\"\nsslrootcert = \"nowhere.pem\"".to_owned(),
            "[databases.shop] sslrootcert: ",
        ),
        (
            format!("sslmode = \"verify-full\"\nsslrootcert = \"{key}\""),
            "holds no certificate",
        ),
        (
            format!("{verify}\nsslcrl = \"{root}\""),
            "[databases.shop] sslcrl: ",
        ),
        (
            format!("sslcert = \"{key}\"\nsslkey = \"{key}\""),
            "[databases.shop] sslcert: ",
        ),
        (
            format!("sslcert = \"{certificate}\"\nsslkey = \"{certificate}\""),
            "[databases.shop] sslkey: ",
        ),
        (
            format!("sslcert = \"{certificate}\"\nsslkey = \"{other_key}\""),
            "does not fit",
        ),
    ] {
        let file = folder.path().join("holdpoint.toml");
        let upstream = "upstream = \"postgres://app@localhost/shop\"";
        std::fs::write(&file, format!("[databases.shop]\n{upstream}\n{lines}\n")).unwrap();
        let policies = folder.path().join("policies");
        std::fs::create_dir_all(&policies).unwrap();
        std::fs::write(policies.join("default.toml"), "default_groups = [\"dba\"]\n").unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_holdpoint"))
            .env_clear()
            .args(["serve", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{lines}: {stderr}");
        assert!(stderr.contains(said), "{lines}: {stderr}");
        assert!(!stderr.contains(hush), "{lines}: {stderr}");
    }
}
