//! TLS between clients and holdpoint: its handshakes, who a certificate lets in, and the same sessions as ever
//! inside.

mod clients;
mod driver;
mod opening;
mod psql;
mod reload;
mod session;

use std::process::{Command, Output, Stdio};

use crate::support::Proxy;
use crate::support::cluster::cluster;

/// Runs psql for one statement, with these settings of its environment.
async fn psql(proxy: &Proxy, user: &str, environment: &[(&str, &str)], statement: &str) -> Output {
    let mut command = Command::new(cluster().psql());
    command
        .env_clear()
        .env("PGCONNECT_TIMEOUT", "30")
        .env("PGPASSWORD", format!("{user}'s secret"))
        // Nobody's own certificates.
        .env("HOME", "/nonexistent")
        .env("PGSSLCERT", "/nonexistent")
        .envs(environment.iter().copied())
        .args(["--no-psqlrc", "--no-align", "--tuples-only", "--no-password"])
        .arg(format!("--host={}", proxy.address().ip()))
        .arg(format!("--port={}", proxy.address().port()))
        .args(["--username", user, "--dbname", "shop", "--command", statement])
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().expect("psql starts"))
        .await
        .expect("no panic inside")
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", complaint(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
