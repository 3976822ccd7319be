//! Clients' certificates, and whom they let in.

use rcgen::DnType;

use super::{complaint, printed, psql};
use crate::support::Proxy;
use crate::support::tls::Certificates;

/// Authorities' certificates with those of alice, of bob, and of a machine.
fn issued() -> Certificates {
    let certificates = Certificates::new();
    certificates.issue("alice", &[(DnType::CommonName, "alice")]);
    certificates.issue("bob", &[(DnType::CommonName, "bob")]);
    certificates.issue("nobody", &[(DnType::CommonName, "nobody")]);
    certificates.issue(
        "machine",
        &[
            (DnType::OrganizationName, "Example"),
            (DnType::CommonName, "build agent"),
        ],
    );
    certificates
}

async fn start(certificates: &Certificates, lines: &str) -> Proxy {
    let ca = certificates.path("ca.crt");
    let section = certificates.section(&format!("client_ca = \"{ca}\"\n{lines}"));
    Proxy::with().proxy(&section).start().await
}

/// What psql says as this user, with this certificate or none, and this password.
async fn says(proxy: &Proxy, user: &str, shown: Option<(&Certificates, &str)>, password: &str) -> String {
    let mut own = <[String; 2]>::default();
    let mut environment = vec![("PGSSLMODE", "require"), ("PGPASSWORD", password)];
    if let Some((certificates, file)) = shown {
        environment.extend(certificates.shown(&mut own, file));
    }
    let output = psql(proxy, user, &environment, "SELECT 'in'").await;
    if output.status.success() {
        printed(&output)
    } else {
        complaint(&output)
    }
}

const IN: &str = "in\n";
const MISSED: &str = "FATAL:  connection requires a valid client certificate";

#[tokio::test]
async fn a_certificate_beside_the_password() {
    let certificates = issued();
    let lines = "mode = \"require\"\nclient_cert = \"require\"";
    let proxy = start(&certificates, lines).await;
    let alices = "alice's secret";
    assert_eq!(
        says(&proxy, "alice", Some((&certificates, "alice")), alices).await,
        IN
    );
    // Anybody's will do; but the password is needed.
    assert_eq!(
        says(&proxy, "alice", Some((&certificates, "machine")), alices).await,
        IN
    );
    let wrong = says(&proxy, "alice", Some((&certificates, "alice")), "wrong").await;
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let none = says(&proxy, "alice", None, alices).await;
    assert!(none.contains(MISSED), "{none}");
    let strangers = issued();
    let strange = says(&proxy, "alice", Some((&strangers, "alice")), alices).await;
    assert!(strange.contains("SSL") && !strange.contains(IN), "{strange}");
}

#[tokio::test]
async fn a_certificate_of_the_users_own_beside_the_password() {
    let certificates = issued();
    let lines = "mode = \"require\"\nclient_cert = \"require\"\nclient_auth = \"password+cert\"";
    let proxy = start(&certificates, lines).await;
    let alices = "alice's secret";
    assert_eq!(
        says(&proxy, "alice", Some((&certificates, "alice")), alices).await,
        IN
    );
    let wrong = says(&proxy, "alice", Some((&certificates, "alice")), "wrong").await;
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    let bobs = says(&proxy, "alice", Some((&certificates, "bob")), alices).await;
    assert!(
        bobs.contains("FATAL:  certificate authentication failed for user \"alice\""),
        "{bobs}"
    );
    let none = says(&proxy, "alice", None, alices).await;
    assert!(none.contains(MISSED), "{none}");
}

#[tokio::test]
async fn a_certificate_in_place_of_the_password() {
    let certificates = issued();
    let lines = "client_cert = \"optional\"\nclient_auth = \"cert\"";
    let proxy = start(&certificates, lines).await;
    assert_eq!(
        says(&proxy, "alice", Some((&certificates, "alice")), "wrong").await,
        IN
    );
    for (user, file) in [
        ("alice", "bob"),
        ("bob", "alice"),
        ("nobody", "nobody"),
        ("carol", "machine"),
    ] {
        let refused = says(
            &proxy,
            user,
            Some((&certificates, file)),
            &format!("{user}'s secret"),
        )
        .await;
        let expected = format!("FATAL:  certificate authentication failed for user \"{user}\"");
        assert!(refused.contains(&expected), "{user} with {file}'s: {refused}");
    }
    // Who shows none, has a password.
    assert_eq!(says(&proxy, "alice", None, "alice's secret").await, IN);
    let wrong = says(&proxy, "alice", None, "wrong").await;
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    // A user who is disabled gets in no way.
    let disabled = proxy.command(&["user", "disable", "alice"]).output().unwrap();
    assert!(disabled.status.success(), "{disabled:?}");
    let refused = says(&proxy, "alice", Some((&certificates, "alice")), "").await;
    assert!(refused.contains("certificate authentication failed"), "{refused}");
}

#[tokio::test]
async fn a_table_says_whose_a_certificate_is() {
    let certificates = issued();
    let lines = "mode = \"require\"\nclient_cert = \"require\"\nclient_auth = \"cert\"\n\
                 users = { \"CN=build agent,O=Example\" = \"alice\", \"bob\" = \"bob\" }";
    let proxy = start(&certificates, lines).await;
    assert_eq!(
        says(&proxy, "alice", Some((&certificates, "machine")), "").await,
        IN
    );
    assert_eq!(says(&proxy, "bob", Some((&certificates, "bob")), "").await, IN);
    let refused = says(&proxy, "alice", Some((&certificates, "alice")), "alice's secret").await;
    assert!(refused.contains("certificate authentication failed"), "{refused}");
}
