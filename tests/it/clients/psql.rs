//! psql, with a script of what it can do, and with large objects.

use super::program::Program;
use super::report;
use crate::support::cluster::cluster;

/// psql, as its settings in nobody's home make it.
pub(super) fn psql() -> Program {
    Program::new(cluster().psql()).args(["--no-psqlrc", "--no-password"])
}

#[tokio::test]
async fn psql_does_the_same() {
    let version = psql()
        .args(["--command", r"\echo client: psql :VERSION_NAME", "--file"])
        .arg(report::source("psql/features.sql"))
        .with_complaints();
    report::same(&version.prints_the_same().await);
}
