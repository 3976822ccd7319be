//! SIGHUP: the files are read again, and sessions go on.

use super::{complaint, printed, psql};
use crate::support::Proxy;
use crate::support::raw::{Frames, tags};
use crate::support::tls::Certificates;

async fn sees(proxy: &Proxy, authority: &str) -> bool {
    let environment = [("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", authority)];
    let output = psql(proxy, "alice", &environment, "SELECT 'in'").await;
    if output.status.success() {
        assert_eq!(printed(&output), "in\n");
        return true;
    }
    assert!(
        complaint(&output).contains("certificate verify failed"),
        "{}",
        complaint(&output)
    );
    false
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_old_ones_go_on() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let (old, new) = (certificates.path("ca.crt"), others.path("ca.crt"));
    let proxy = Proxy::with().proxy(&certificates.section("")).start().await;
    let mut session = proxy.alice.raw_tls(certificates.client(None)).await;
    session.send(Frames::new().query("BEGIN")).await;
    session.ready().await;
    assert!(sees(&proxy, &old).await && !sees(&proxy, &new).await);

    certificates.take_over(&others);
    proxy.hang_up();
    proxy.logs("reloaded").await;
    assert!(!sees(&proxy, &old).await && sees(&proxy, &new).await);
    session
        .send(Frames::new().query("SELECT 1").query("COMMIT"))
        .await;
    assert_eq!(tags(&session.answers(2).await), "TDCZCZ");
}

#[tokio::test]
async fn what_is_wrong_in_the_files_changes_nothing() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let authority = certificates.path("ca.crt");
    let proxy = Proxy::with().proxy(&certificates.section("")).start().await;
    // Half of what somebody is about to copy.
    std::fs::copy(others.path("server.crt"), certificates.path("server.crt")).unwrap();
    proxy.hang_up();
    proxy.logs("cannot be used together").await;
    assert!(sees(&proxy, &authority).await);
    std::fs::write(certificates.path("server.crt"), "nothing").unwrap();
    proxy.hang_up();
    proxy.logs("holds no certificate").await;
    std::fs::remove_file(certificates.path("server.crt")).unwrap();
    proxy.hang_up();
    proxy.logs("cannot be read").await;
    assert!(sees(&proxy, &authority).await);
    // And the other half.
    certificates.take_over(&others);
    proxy.hang_up();
    proxy.logs("reloaded").await;
    assert!(sees(&proxy, &others.path("ca.crt")).await);
}

#[tokio::test]
async fn without_tls_it_does_no_harm() {
    let mut proxy = Proxy::start().await;
    let mut session = proxy.alice.raw().await;
    proxy.hang_up();
    proxy.logs("read the policies again").await;
    session.send(Frames::new().query("SELECT 1")).await;
    assert_eq!(tags(&session.ready().await), "TDCZ");
    drop(session);
    // It stops as ever.
    proxy.hang_up();
    proxy.terminate();
    assert!(proxy.stopped().await.success());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_keeps_it_from_starting() {
    let certificates = Certificates::new();
    let proxy = Proxy::start().await;
    let section = certificates.section("").replace("server.key", "none.key");
    let config = format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n{section}[console]\nlisten = \"127.0.0.1:0\"\n\
         [databases.shop]\nupstream = \"postgres://app@127.0.0.1:1/shop\"\n"
    );
    let path = certificates.path("holdpoint.toml");
    std::fs::write(&path, config).unwrap();
    let policies = certificates.path("policies");
    std::fs::create_dir(&policies).unwrap();
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/default.toml");
    std::fs::copy(ours, format!("{policies}/default.toml")).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_holdpoint"));
    let output = command.args(["serve", "--config", &path]).output().unwrap();
    let said = complaint(&output);
    assert!(!output.status.success());
    assert!(said.contains("none.key cannot be read: No such file"), "{said}");
    drop(proxy);
}
